//! Reads JSON into Python values, straight into the objects.
//!
//! Own code rather than a JSON library's, because integers have any number of digits, `1.0` is not
//! `1`, and no tree of another kind should stand between the bytes and the objects.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString};

use super::{Error, MAX_DEPTH, TAG};

/// Levels of JSON arrays and objects that are read: a level of a value takes three at most, the
/// tagged object, the array of pairs and the pair.
const MAX_NESTING: usize = 3 * MAX_DEPTH;

/// Reads one value that takes up all of `data`.
pub(super) fn decode<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let text = std::str::from_utf8(data).map_err(|error| Error::Syntax {
        at: error.valid_up_to(),
        problem: "it is not UTF-8".into(),
    })?;
    let mut decoder = Decoder { py, text, at: 0, nesting: 0 };
    decoder.space();
    let value = decoder.value()?;
    decoder.space();
    if decoder.at < text.len() {
        return Err(decoder.error("something follows the value").into());
    }
    Ok(value)
}

struct Decoder<'a, 'py> {
    py: Python<'py>,
    text: &'a str,
    at: usize,
    nesting: usize,
}

impl<'a, 'py> Decoder<'a, 'py> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        error_at(self.at, problem)
    }

    /// Steps over `byte` if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> PyResult<Bound<'py, PyAny>> {
        match self.peek() {
            Some(b'"') => Ok(PyString::new(self.py, &self.text()?).into_any()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[') => self.nested(Self::array).map(Bound::into_any),
            Some(b'{') => self.nested(Self::object),
            Some(b'n') => self.word("null", self.py.None().into_bound(self.py)),
            Some(b't') => self.word("true", PyBool::new(self.py, true).to_owned().into_any()),
            Some(b'f') => self.word("false", PyBool::new(self.py, false).to_owned().into_any()),
            Some(_) => Err(self.error("a value should start here").into()),
            None => Err(self.error("the bytes end too early").into()),
        }
    }

    fn word(&mut self, word: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error(format!("`{word}` should stand here")).into());
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> PyResult<T>) -> PyResult<T> {
        if self.nesting == MAX_NESTING {
            let problem = format!("it is nested more than {MAX_NESTING} levels deep");
            return Err(self.error(problem).into());
        }
        self.nesting += 1;
        self.at += 1;
        let value = read(self)?;
        self.nesting -= 1;
        Ok(value)
    }

    fn array(&mut self) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(self.py);
        self.space();
        if self.take(b']') {
            return Ok(list);
        }
        loop {
            self.space();
            list.append(self.value()?)?;
            self.space();
            if self.take(b']') {
                return Ok(list);
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `]` should stand here").into());
            }
        }
    }

    fn object(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let start = self.at - 1;
        let dict = PyDict::new(self.py);
        let mut tagged = false;
        self.space();
        if self.take(b'}') {
            return Ok(dict.into_any());
        }
        loop {
            tagged |= self.member(&dict)?;
            self.space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `}` should stand here").into());
            }
        }
        if tagged {
            return untag(&dict, start);
        }
        Ok(dict.into_any())
    }

    /// Reads `"key": value` into `dict`; true when the key is the tag.
    fn member(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<bool> {
        self.space();
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.error("a key in double quotes should stand here").into());
        }
        let key = self.text()?;
        self.space();
        if !self.take(b':') {
            return Err(self.error("`:` should stand here").into());
        }
        self.space();
        let value = self.value()?;
        let known = dict.len();
        dict.set_item(PyString::new(self.py, &key), value)?;
        if dict.len() == known {
            return Err(error_at(start, format!("the key `{key}` is there twice")).into());
        }
        Ok(key == TAG)
    }

    fn number(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let start = self.at;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(error_at(start, "a number starts with a needless zero").into());
        }
        let mut is_float = self.take(b'.');
        if is_float {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_float = true;
            self.at += 1;
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        if is_float {
            return self.float(number, start);
        }
        if let Ok(small) = number.parse::<i64>() {
            return Ok(small.into_pyobject(self.py)?.into_any());
        }
        let int = self.py.get_type::<PyInt>();
        int.call1((number,))
            .map_err(|error| error_at(start, error.value(self.py).to_string()).into())
    }

    fn digits(&mut self) -> Result<usize, Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("a digit should stand here"));
        }
        Ok(self.at - start)
    }

    fn float(&self, number: &str, start: usize) -> PyResult<Bound<'py, PyAny>> {
        match number.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(PyFloat::new(self.py, float).into_any()),
            _ => Err(error_at(start, "the number is too large for a float").into()),
        }
    }

    /// Reads a text in double quotes; borrowed when nothing in it is escaped.
    fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        self.at += 1;
        let start = self.at;
        self.plain()?;
        if self.take(b'"') {
            return Ok(self.text[start..self.at - 1].into());
        }
        let mut text = self.text[start..self.at].to_owned();
        while !self.take(b'"') {
            self.at += 1;
            text.push(self.escaped()?);
            let from = self.at;
            self.plain()?;
            text.push_str(&self.text[from..self.at]);
        }
        Ok(text.into())
    }

    /// Steps to the next `"` or `\`.
    fn plain(&mut self) -> Result<(), Error> {
        loop {
            match self.peek() {
                Some(b'"' | b'\\') => return Ok(()),
                Some(0..=0x1f) => return Err(self.error("a control character is not escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.error("the text has no closing `\"`")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let byte = self.peek();
        let character = match byte {
            Some(b'"' | b'\\' | b'/') => char::from(byte.unwrap_or_default()),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("no such escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Reads what follows `\` in `\uXXXX`, and the second half of a surrogate pair.
    fn unicode(&mut self) -> Result<char, Error> {
        let start = self.at;
        let lone = || error_at(start, "half of a surrogate pair stands alone");
        let mut code = self.unit()?;
        if (0xd800..0xdc00).contains(&code) {
            if !self.take(b'\\') {
                return Err(lone());
            }
            let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400);
            code = 0x10000 + ((code - 0xd800) << 10) + low.ok_or_else(lone)?;
        }
        char::from_u32(code).ok_or_else(lone)
    }

    fn unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
        let mut unit = 0;
        for &digit in digits.filter(|_| self.peek() == Some(b'u')).unwrap_or(b"-") {
            let digit = char::from(digit).to_digit(16);
            unit = unit * 16
                + digit.ok_or_else(|| {
                    self.error("`u` and four hexadecimal digits should stand here")
                })?;
        }
        self.at += 5;
        Ok(unit)
    }
}

fn error_at(at: usize, problem: impl Into<String>) -> Error {
    Error::Syntax { at, problem: problem.into() }
}

/// Makes the value that a tagged object stands for.
fn untag<'py>(object: &Bound<'py, PyDict>, at: usize) -> PyResult<Bound<'py, PyAny>> {
    let wrong = |problem: &str| PyErr::from(error_at(at, problem));
    let (Some(kind), Some(value), 2) =
        (object.get_item(TAG)?, object.get_item("value")?, object.len())
    else {
        return Err(wrong("a tagged object has the keys `$partita` and `value` and no other"));
    };
    let kind = kind.extract::<String>().unwrap_or_default();
    untagged(&kind, &value).map_err(|error| {
        let reason = error.value(object.py());
        wrong(&format!("a value of kind `{kind}` cannot be made: {reason}"))
    })
}

fn untagged<'py>(kind: &str, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let items = || value.cast::<PyList>().map_err(PyErr::from);
    Ok(match kind {
        "tuple" => items()?.to_tuple().into_any(),
        "set" => PySet::new(py, items()?)?.into_any(),
        "frozenset" => PyFrozenSet::new(py, items()?)?.into_any(),
        "dict" => pairs(items()?)?.into_any(),
        "bytes" => PyBytes::new(py, &base64(value)?).into_any(),
        "str" => {
            PyBytes::new(py, &base64(value)?).call_method1("decode", ("utf-8", "surrogatepass"))?
        }
        "float" => PyFloat::new(py, non_finite(&value.extract::<String>()?)?).into_any(),
        "int" => integer(py, &value.extract::<String>()?)?,
        _ => return Err(refused("no such kind")),
    })
}

fn refused(problem: &str) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(problem.to_owned())
}

fn pairs<'py>(items: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(items.py());
    for item in items {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = match item.cast::<PyList>() {
            Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, pair.get_item(1)?),
            _ => return Err(refused("an entry is not a pair")),
        };
        dict.set_item(key, value)?;
    }
    Ok(dict)
}

fn base64(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let text = value.cast::<PyString>().map_err(PyErr::from)?;
    BASE64.decode(text.to_str()?).map_err(|error| refused(&error.to_string()))
}

fn non_finite(name: &str) -> PyResult<f64> {
    match name {
        "nan" => Ok(f64::NAN),
        "inf" => Ok(f64::INFINITY),
        "-inf" => Ok(f64::NEG_INFINITY),
        _ => Err(refused("it is none of `nan`, `inf` and `-inf`")),
    }
}

fn integer<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refused("it is not hexadecimal"));
    }
    py.get_type::<PyInt>().call1((text, 16))
}
