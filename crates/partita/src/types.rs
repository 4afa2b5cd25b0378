//! What documents call types, so that languages agree on those that they share.

use std::any::TypeId;
use std::path::PathBuf;

use partita_engine::step_runner::PATH_TYPE;

use crate::bytes::Bytes;

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

/// Returns whether values of a type are files and folders.
pub(crate) fn is_path<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<PathBuf>()
}

/// Returns whether a type is an `Option`, so that no value need be given.
pub(crate) fn is_optional<T: 'static>() -> bool {
    std::any::type_name::<T>().starts_with("core::option::Option<")
}

/// Returns what documents call a type: scalars and paths as in Python, others by their path in Rust.
pub(crate) fn type_name<T: 'static>() -> &'static str {
    match scalar(TypeId::of::<T>()) {
        Some(name) => name,
        None if is_path::<T>() => PATH_TYPE,
        None if TypeId::of::<T>() == TypeId::of::<Bytes>() => "bytes",
        None => std::any::type_name::<T>(),
    }
}

/// Returns the kinds of literal that a collection accepts, by its path in Rust; none for any other
/// type.
fn collection(path: &str) -> &'static [&'static str] {
    match path {
        "alloc::vec::Vec<u8>" => &["list", "tuple", "bytes"],
        _ if path.starts_with("alloc::vec::Vec<") => &["list", "tuple"],
        _ if path.starts_with("std::collections::hash::map::HashMap<")
            || path.starts_with("alloc::collections::btree::map::BTreeMap<") =>
        {
            &["dict"]
        }
        _ => &[],
    }
}

/// Returns the kinds of literal that a type accepts, if they are known.
pub(crate) fn kinds<T: 'static>() -> Option<Vec<String>> {
    let id = TypeId::of::<T>();
    let of = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    match (scalar(id), optional_scalar(id)) {
        (Some(kind), _) => of(&[kind]),
        (None, Some(kind)) => of(&[kind, "None"]),
        (None, None) if TypeId::of::<T>() == TypeId::of::<Bytes>() => of(&["bytes"]),
        // A file is an artifact, which no literal is.
        (None, None) if is_path::<T>() => Some(Vec::new()),
        (None, None) => {
            of(collection(std::any::type_name::<T>())).filter(|kinds| !kinds.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_call_scalars_alike() {
        assert_eq!(type_name::<u16>(), "int");
        assert_eq!(type_name::<String>(), "str");
        assert_eq!(type_name::<PathBuf>(), "pathlib.Path");
        assert_eq!(type_name::<Vec<f64>>(), "alloc::vec::Vec<f64>");
        assert_eq!(kinds::<Option<f64>>(), Some(vec!["float".to_owned(), "None".to_owned()]));
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(kinds::<Vec<f64>>(), names(&["list", "tuple"]));
        assert_eq!(kinds::<std::collections::BTreeMap<u8, u8>>(), names(&["dict"]));
        assert_eq!(kinds::<PathBuf>(), names(&[]));
        assert_eq!(kinds::<std::time::Duration>(), None);
    }
}
