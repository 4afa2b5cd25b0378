//! Turns plain Python values into the bytes of the `json` format and back.
//!
//! Most values that steps pass on are numbers, texts and small collections. They live inside the
//! result document, in the open and readable by any language, so this is the path that a no-op
//! step pays for: values are written straight from Python objects and read straight into them.
//!
//! The format is UTF-8 JSON. What JSON can say is plain: `None`, `bool`, `int`, finite `float`
//! (always with a `.` or an `e`), `str`, `list`, and `dict` with `str` keys, in their order.
//! What it cannot say is an object with the key `$partita`, which names the kind, and `value`:
//!
//! | kind | value |
//! |---|---|
//! | `tuple` | array of the items |
//! | `set`, `frozenset` | array of the items, sorted by their encoding |
//! | `dict` | array of `[key, value]`: keys that are not `str`, or a key that is `$partita` itself |
//! | `bytes` | standard base64 |
//! | `float` | `"nan"`, `"inf"` or `"-inf"` |
//! | `int` | hexadecimal digits with their sign: integers of more than 2,048 bits, whose decimal form takes quadratic time and which the interpreter may refuse to convert |
//! | `str` | base64 of the UTF-8 form that lets lone surrogates pass |
//!
//! Only exact types count. A subclass (`IntEnum`, a named tuple, a numpy scalar) would come back as
//! something else, so it is left to the materializers.

mod decode;
mod encode;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Levels of collections that a value may have; a cycle ends here too.
const MAX_DEPTH: usize = 200;

/// Bytes that an encoding may have: one that shares its parts a million times over is no document.
const MAX_LENGTH: usize = 1 << 30;

/// Characters of a text that are stored in the `json` format; more are a file of their own.
const MAX_INLINE_TEXT: usize = 64 << 10;

/// Bytes that are stored in the `json` format; more are a file of their own.
const MAX_INLINE_BYTES: usize = 4 << 10;

/// Key that marks an object as something JSON cannot say.
const TAG: &str = "$partita";

/// Why a value, or the bytes of one, cannot be converted.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "the value is nested more than {MAX_DEPTH} levels deep or contains itself: flatten it, or \
         return it as an object with a materializer of its own"
    )]
    TooDeep,
    #[error(
        "the value takes more than {MAX_LENGTH} bytes as JSON: return it as an array, a table or a file"
    )]
    TooLong,
    #[error("the stored value is not valid `json` at byte {at}: {problem}")]
    Syntax { at: usize, problem: String },
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        PyValueError::new_err(error.to_string())
    }
}

/// Encodes a value as the bytes of the `json` format.
///
/// Returns `None` for a value, or a part of one, whose type is not exactly one that the format
/// knows.
///
/// # Errors
/// `ValueError` when the value is nested more than 200 levels deep, contains itself, or takes more
/// than 1 GiB.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    encode::encode(value)
}

/// Decodes the bytes of the `json` format into a value equal to the one encoded.
///
/// # Errors
/// `ValueError`, naming the byte, when the bytes are not what [`encode`] writes.
pub(crate) fn decode(py: Python<'_>, data: &[u8]) -> PyResult<Py<PyAny>> {
    decode::decode(py, data).map(Bound::unbind)
}

/// Encodes a value as [`encode`] does, into Python `bytes`.
///
/// # Errors
/// Those of [`encode`].
#[pyfunction]
pub(crate) fn encode_value<'py>(
    value: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    Ok(encode(value)?.map(|data| PyBytes::new(value.py(), &data)))
}

/// Decodes a value as [`decode`] does, from Python `bytes`.
///
/// # Errors
/// Those of [`decode`].
#[pyfunction]
pub(crate) fn decode_value(py: Python<'_>, data: &[u8]) -> PyResult<Py<PyAny>> {
    decode(py, data)
}

/// Returns whether a value is a text, or bytes, that is better kept as it is than in the `json` format.
#[pyfunction]
pub(crate) fn is_too_long(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(text.len()? > MAX_INLINE_TEXT);
    }
    Ok(value.cast_exact::<PyBytes>().is_ok_and(|bytes| bytes.as_bytes().len() > MAX_INLINE_BYTES))
}
