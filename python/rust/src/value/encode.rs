//! Writes Python values as JSON, straight from the objects.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

use super::{Error, MAX_DEPTH, MAX_LENGTH, TAG};

/// Integers of more bits than this are written in hexadecimal.
const MAX_DECIMAL_BITS: u64 = 2048;

/// Why encoding stops early.
enum Stop {
    /// Some part has a type that the format does not know.
    Foreign,
    Failed(PyErr),
}

impl<E: Into<PyErr>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Encodes `value`; `None` when its type, or that of a part, is not the format's.
pub(super) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    let mut encoder = Encoder { out: Vec::with_capacity(64), depth: 0 };
    match encoder.value(value) {
        Ok(()) => Ok(Some(encoder.out)),
        Err(Stop::Foreign) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

struct Encoder {
    out: Vec<u8>,
    depth: usize,
}

impl Encoder {
    fn value(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Stop> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)
        } else if let Ok(integer) = value.cast_exact::<PyInt>() {
            self.integer(integer)
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.float(float.value());
            Ok(())
        } else if value.is_none() {
            self.raw("null");
            Ok(())
        } else if let Ok(boolean) = value.cast_exact::<PyBool>() {
            self.raw(if boolean.is_true() { "true" } else { "false" });
            Ok(())
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.base64("bytes", bytes.as_bytes());
            Ok(())
        } else {
            self.enter()?;
            self.collection(value)?;
            self.depth -= 1;
            Ok(())
        }
    }

    fn collection(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Stop> {
        if let Ok(list) = value.cast_exact::<PyList>() {
            self.array(list.iter())
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict)
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.tagged("tuple", |encoder| encoder.array(tuple.iter()))
        } else if let Ok(set) = value.cast_exact::<PySet>() {
            self.tagged("set", |encoder| encoder.sorted(set.iter()))
        } else if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            self.tagged("frozenset", |encoder| encoder.sorted(set.iter()))
        } else {
            Err(Stop::Foreign)
        }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        if self.depth == MAX_DEPTH {
            return Err(Error::TooDeep.into());
        }
        self.depth += 1;
        Ok(())
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes `{"$partita":"<kind>","value":<body>}`.
    fn tagged(
        &mut self,
        kind: &str,
        body: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.tag(kind);
        body(self)?;
        self.raw("}");
        Ok(())
    }

    fn tag(&mut self, kind: &str) {
        for part in ["{\"", TAG, "\":\"", kind, "\",\"value\":"] {
            self.raw(part);
        }
    }

    fn base64(&mut self, kind: &str, data: &[u8]) {
        self.tag(kind);
        self.raw("\"");
        self.raw(&BASE64.encode(data));
        self.raw("\"}");
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Result<(), Stop> {
        if let Ok(text) = text.to_str() {
            self.quoted(text);
            return Ok(());
        }
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        let bytes = bytes.cast::<PyBytes>().map_err(PyErr::from)?;
        self.base64("str", bytes.as_bytes());
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        let mut written = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.out.extend_from_slice(&text.as_bytes()[written..at]);
            self.escape(byte);
            written = at + 1;
        }
        self.out.extend_from_slice(&text.as_bytes()[written..]);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match byte {
            b'"' => self.raw("\\\""),
            b'\\' => self.raw("\\\\"),
            b'\n' => self.raw("\\n"),
            b'\r' => self.raw("\\r"),
            b'\t' => self.raw("\\t"),
            _ => {
                self.raw("\\u00");
                self.out.push(HEX[usize::from(byte >> 4)]);
                self.out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }

    fn integer(&mut self, integer: &Bound<'_, PyInt>) -> Result<(), Stop> {
        if let Ok(small) = integer.extract::<i64>() {
            write!(self.out, "{small}")?;
            return Ok(());
        }
        let bits: u64 = integer.call_method0("bit_length")?.extract()?;
        if bits <= MAX_DECIMAL_BITS {
            self.raw(integer.str()?.to_str()?);
            return Ok(());
        }
        let digits: String = integer.call_method1("__format__", ("x",))?.extract()?;
        self.tagged("int", |encoder| {
            encoder.quoted(&digits);
            Ok(())
        })
    }

    fn float(&mut self, float: f64) {
        if float.is_finite() {
            // `Debug` is the shortest form that reads back as the same float, and unlike
            // `Display` it always has a point or an exponent.
            self.raw(&format!("{float:?}"));
            return;
        }
        let name = match float {
            f64::INFINITY => "inf",
            f64::NEG_INFINITY => "-inf",
            _ => "nan",
        };
        self.tag("float");
        self.quoted(name);
        self.raw("}");
    }

    fn array<'py>(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>) -> Result<(), Stop> {
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            self.separate(index)?;
            self.value(&item)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn separate(&mut self, index: usize) -> Result<(), Stop> {
        if self.out.len() > MAX_LENGTH {
            return Err(Error::TooLong.into());
        }
        if index > 0 {
            self.out.push(b',');
        }
        Ok(())
    }

    /// Writes the items of a set in the order of their encodings, so that equal sets are equal
    /// bytes whatever the hash seed.
    fn sorted<'py>(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>) -> Result<(), Stop> {
        let start = self.out.len();
        let mut ends = Vec::new();
        for item in items {
            self.separate(0)?;
            self.value(&item)?;
            ends.push(self.out.len() - start);
        }
        let encoded = self.out.split_off(start);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let mut items: Vec<&[u8]> =
            starts.zip(&ends).map(|(from, &to)| &encoded[from..to]).collect();
        items.sort_unstable();
        self.out.push(b'[');
        self.out.extend_from_slice(&items.join(&b','));
        self.out.push(b']');
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), Stop> {
        if dict.iter().all(|(key, _)| is_plain_key(&key)) {
            return self.object(dict);
        }
        self.tagged("dict", |encoder| encoder.pairs(dict))
    }

    fn object(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), Stop> {
        self.out.push(b'{');
        for (index, (key, value)) in dict.iter().enumerate() {
            self.separate(index)?;
            self.value(&key)?;
            self.out.push(b':');
            self.value(&value)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn pairs(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), Stop> {
        self.out.push(b'[');
        for (index, (key, value)) in dict.iter().enumerate() {
            self.separate(index)?;
            self.out.push(b'[');
            self.value(&key)?;
            self.out.push(b',');
            self.value(&value)?;
            self.out.push(b']');
        }
        self.out.push(b']');
        Ok(())
    }
}

/// Says whether a key can be the name in a JSON object.
fn is_plain_key(key: &Bound<'_, PyAny>) -> bool {
    key.cast_exact::<PyString>().is_ok_and(|key| key.to_str().is_ok_and(|key| key != TAG))
}
