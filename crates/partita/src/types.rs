//! What documents call types, so that languages agree on those that they share.

use std::any::TypeId;

/// The scalars of all languages, with their Rust types.
fn scalar(id: TypeId) -> Option<&'static str> {
    fn is<T: 'static>(id: TypeId) -> bool {
        id == TypeId::of::<T>()
    }
    let is_integer = is::<u8>(id)
        || is::<u16>(id)
        || is::<u32>(id)
        || is::<u64>(id)
        || is::<u128>(id)
        || is::<usize>(id)
        || is::<i8>(id)
        || is::<i16>(id)
        || is::<i32>(id)
        || is::<i64>(id)
        || is::<i128>(id)
        || is::<isize>(id);
    match id {
        _ if is_integer => Some("int"),
        _ if is::<f32>(id) || is::<f64>(id) => Some("float"),
        _ if is::<bool>(id) => Some("bool"),
        _ if is::<String>(id) || is::<char>(id) => Some("str"),
        _ if is::<()>(id) => Some("None"),
        _ => None,
    }
}

/// Returns the scalar that an `Option` holds.
fn optional_scalar(id: TypeId) -> Option<&'static str> {
    fn is<T: 'static>(id: TypeId) -> bool {
        id == TypeId::of::<Option<T>>()
    }
    let is_integer = is::<u8>(id)
        || is::<u16>(id)
        || is::<u32>(id)
        || is::<u64>(id)
        || is::<usize>(id)
        || is::<i8>(id)
        || is::<i16>(id)
        || is::<i32>(id)
        || is::<i64>(id)
        || is::<isize>(id);
    match id {
        _ if is_integer => Some("int"),
        _ if is::<f32>(id) || is::<f64>(id) => Some("float"),
        _ if is::<bool>(id) => Some("bool"),
        _ if is::<String>(id) => Some("str"),
        _ => None,
    }
}

/// Returns what documents call a type: scalars as in Python, others by their path in Rust.
pub(crate) fn type_name<T: 'static>() -> &'static str {
    scalar(TypeId::of::<T>()).unwrap_or_else(std::any::type_name::<T>)
}

/// Returns the kinds of literal that a type accepts, if they are known.
pub(crate) fn kinds<T: 'static>() -> Option<Vec<String>> {
    let id = TypeId::of::<T>();
    let of = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    match (scalar(id), optional_scalar(id)) {
        (Some(kind), _) => of(&[kind]),
        (None, Some(kind)) => of(&[kind, "None"]),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_call_scalars_alike() {
        assert_eq!(type_name::<u16>(), "int");
        assert_eq!(type_name::<String>(), "str");
        assert_eq!(type_name::<Vec<f64>>(), "alloc::vec::Vec<f64>");
        assert_eq!(kinds::<Option<f64>>(), Some(vec!["float".to_owned(), "None".to_owned()]));
        assert_eq!(kinds::<Vec<u8>>(), None);
    }
}
