//! What is known of a panic that was caught.

use std::any::Any;

/// Returns what a panic said.
pub(crate) fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked with a value that is no text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_panic_is_told_with_its_text() {
        let caught = |panics: fn()| catch_unwind(panics).map_err(|payload| said(&*payload));
        assert_eq!(caught(|| panic!("the queue is full")), Err("the queue is full".to_owned()));
        assert_eq!(caught(|| panic!("{} are left", 2)), Err("2 are left".to_owned()));
    }
}
