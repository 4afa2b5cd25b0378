//! Writes values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{MAX_DEPTH, TAG, VALUE, ValueError};

type Result<T = ()> = std::result::Result<T, ValueError>;

/// Writes one value to the end of bytes.
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, depth: 0 }
    }

    fn put(self, text: &str) -> Result {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn float(self, value: f64, shown: &str) -> Result {
        if value.is_finite() {
            return self.put(shown);
        }
        let name = match value {
            _ if value.is_nan() => "nan",
            _ if value > 0.0 => "inf",
            _ => "-inf",
        };
        self.put(&format!(r#"{{"{TAG}":"float","{VALUE}":"{name}"}}"#))
    }

    /// Begins a list or an object that ends with `end`.
    fn many(self, begin: &str, end: &'static str) -> Result<Many<'a>> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(ValueError::custom(format!(
                "the value is nested more than {MAX_DEPTH} levels deep"
            )));
        }
        self.out.extend_from_slice(begin.as_bytes());
        Ok(Many { out: self.out, depth, end, is_first: true })
    }

    fn tuple(self) -> Result<Many<'a>> {
        self.many(&format!(r#"{{"{TAG}":"tuple","{VALUE}":["#), "]}")
    }
}

fn quoted(text: &str) -> Result<String> {
    serde_json::to_string(text).map_err(ValueError::custom)
}

/// Items or entries, one after the other.
pub(super) struct Many<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    end: &'static str,
    is_first: bool,
}

impl Many<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        value.serialize(Encoder { out: self.out, depth: self.depth })
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result {
        self.item(key)?;
        self.out.push(b':');
        value.serialize(Encoder { out: self.out, depth: self.depth })
    }

    fn finish(self) -> Result {
        self.out.extend_from_slice(self.end.as_bytes());
        Ok(())
    }
}

/// Entries of a map, whose form depends on all of its keys.
pub(super) struct Entries<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// Keys and values as JSON.
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entries<'_> {
    fn is_plain(&self) -> bool {
        let tag = format!("\"{TAG}\"");
        self.entries.iter().all(|(key, _)| key.starts_with(b"\"") && *key != tag.as_bytes())
    }
}

macro_rules! shown {
    ($($method:ident: $type:ty),*) => { $(
        fn $method(self, value: $type) -> Result {
            self.put(&value.to_string())
        }
    )* };
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Many<'a>;
    type SerializeTuple = Many<'a>;
    type SerializeTupleStruct = Many<'a>;
    type SerializeTupleVariant = Many<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Many<'a>;
    type SerializeStructVariant = Many<'a>;

    shown!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_f32(self, value: f32) -> Result {
        // `{:?}` has the shortest digits that read back as the same number, and always a `.` or `e`.
        self.float(f64::from(value), &format!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.float(value, &format!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        let quoted = quoted(value)?;
        self.put(&quoted)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        let encoded = STANDARD.encode(value);
        self.put(&format!(r#"{{"{TAG}":"bytes","{VALUE}":"{encoded}"}}"#))
    }

    fn serialize_none(self) -> Result {
        self.put("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.put("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.put("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        let mut object = self.many("{", "}")?;
        object.entry(variant, value)?;
        object.finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Many<'a>> {
        self.many("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Many<'a>> {
        self.tuple()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Many<'a>> {
        self.tuple()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Many<'a>> {
        let begin = format!(r#"{{{}:{{"{TAG}":"tuple","{VALUE}":["#, quoted(variant)?);
        self.many(&begin, "]}}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>> {
        // Its depth is checked where it ends.
        Ok(Entries { out: self.out, depth: self.depth, entries: Vec::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Many<'a>> {
        self.many("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Many<'a>> {
        let begin = format!("{{{}:{{", quoted(variant)?);
        self.many(&begin, "}}")
    }
}

macro_rules! items {
    ($($of:ident: $method:ident),*) => { $(
        impl $of for Many<'_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.item(value)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )* };
}

items!(
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
);

macro_rules! fields {
    ($($of:ident),*) => { $(
        impl $of for Many<'_> {
            type Ok = ();
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result {
                self.entry(key, value)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )* };
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        let mut written = Vec::new();
        key.serialize(Encoder { out: &mut written, depth: self.depth + 1 })?;
        self.entries.push((written, Vec::new()));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let depth = self.depth + 1;
        match self.entries.last_mut() {
            Some((_, written)) => value.serialize(Encoder { out: written, depth }),
            None => Err(ValueError::custom("a value of a map comes before its key")),
        }
    }

    fn end(self) -> Result {
        let is_plain = self.is_plain();
        let (begin, between, after, end) = match is_plain {
            true => ("{".to_owned(), b':', "", "}"),
            false => (format!(r#"{{"{TAG}":"dict","{VALUE}":["#), b',', "]", "]}"),
        };
        let mut many = Encoder { out: self.out, depth: self.depth }.many(&begin, end)?;
        for (key, value) in self.entries {
            if !std::mem::take(&mut many.is_first) {
                many.out.push(b',');
            }
            if !is_plain {
                many.out.push(b'[');
            }
            many.out.extend_from_slice(&key);
            many.out.push(between);
            many.out.extend_from_slice(&value);
            many.out.extend_from_slice(after.as_bytes());
        }
        many.finish()
    }
}
