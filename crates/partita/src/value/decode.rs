//! Reads values: JSON as serde's reader of it has it, with tagged objects as what they stand for.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{TAG, VALUE};

/// A reader of JSON that knows tagged objects.
pub(super) struct Tagged<D>(pub(super) D);

/// What is read, with whether the reader wants bytes as a list of numbers.
struct Reader<V> {
    visitor: V,
    wants_list: bool,
}

impl<V> Reader<V> {
    fn of(visitor: V) -> Self {
        Self { visitor, wants_list: false }
    }
}

/// The seed of a part of a value.
struct Part<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Part<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Tagged(deserializer))
    }
}

macro_rules! read_any {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(Reader::of(visitor))
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tagged<D> {
    type Error = D::Error;

    read_any!(
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_map
        deserialize_identifier
    );

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_i128(Reader::of(visitor))
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_u128(Reader::of(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Reader::of(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Reader { visitor, wants_list: true })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Reader::of(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }
}

macro_rules! as_it_is {
    ($($method:ident: $type:ty),*) => { $(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Reader<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    as_it_is!(
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_i128: i128,
        visit_u128: u128, visit_str: &str, visit_borrowed_str: &'de str, visit_string: String
    );

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Tagged(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<V::Value, A::Error> {
        match entries.next_key::<String>()? {
            Some(key) if key == TAG => self.tagged(entries),
            first => self.visitor.visit_map(Entries { first, rest: entries }),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Variants(data))
    }
}

impl<'de, V: Visitor<'de>> Reader<V> {
    /// Reads the value of a tagged object, whose tag comes first.
    fn tagged<A: MapAccess<'de>>(self, mut entries: A) -> Result<V::Value, A::Error> {
        let kind: String = entries.next_value()?;
        match entries.next_key::<String>()?.as_deref() {
            Some(VALUE) => {}
            _ => return Err(A::Error::missing_field(VALUE)),
        }
        let value = match kind.as_str() {
            "tuple" | "set" | "frozenset" => entries.next_value_seed(List(self.visitor))?,
            "dict" => entries.next_value_seed(Pairs(self.visitor))?,
            "bytes" => {
                let text: String = entries.next_value()?;
                let bytes = STANDARD.decode(text).map_err(A::Error::custom)?;
                if self.wants_list {
                    self.visitor.visit_seq(SeqDeserializer::new(bytes.into_iter()))?
                } else {
                    self.visitor.visit_byte_buf(bytes)?
                }
            }
            "float" => match entries.next_value::<String>()?.as_str() {
                "nan" => self.visitor.visit_f64(f64::NAN)?,
                "inf" => self.visitor.visit_f64(f64::INFINITY)?,
                "-inf" => self.visitor.visit_f64(f64::NEG_INFINITY)?,
                other => return Err(A::Error::custom(format!("`{other}` is no number"))),
            },
            other => {
                return Err(A::Error::custom(format!(
                    "a value of kind `{other}` is nothing that Rust can read"
                )));
            }
        };
        match entries.next_key::<String>()? {
            None => Ok(value),
            Some(key) => Err(A::Error::custom(format!("`{key}` is no key of a tagged value"))),
        }
    }
}

/// Reads the list that a tagged value holds.
struct List<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for List<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_seq(Reader::of(self.0))
    }
}

/// Reads the pairs that a tagged mapping holds.
struct Pairs<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Pairs<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Pairs<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, pairs: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(PairEntries { pairs, value: None })
    }
}

/// The entries of a tagged mapping.
struct PairEntries<A> {
    pairs: A,
    /// The value of the key that was read last.
    value: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Deserialize)]
struct Pair(Box<serde_json::value::RawValue>, Box<serde_json::value::RawValue>);

fn read_raw<'de, S: DeserializeSeed<'de>, E: Error>(
    seed: S,
    raw: &serde_json::value::RawValue,
) -> Result<S::Value, E> {
    let text = raw.get().to_owned();
    let mut json = serde_json::Deserializer::from_reader(text.as_bytes());
    Part(seed).deserialize(&mut json).map_err(E::custom)
}

impl<'de, A: SeqAccess<'de>> MapAccess<'de> for PairEntries<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let Some(Pair(key, value)) = self.pairs.next_element()? else { return Ok(None) };
        self.value = Some(value);
        read_raw(seed, &key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.value.take() {
            Some(value) => read_raw(seed, &value),
            None => Err(A::Error::custom("a value of a mapping comes before its key")),
        }
    }
}

struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Part(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// The entries of an object, the first of whose keys was looked at.
struct Entries<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(key) => {
                let key: StringDeserializer<A::Error> = key.into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.rest.next_value_seed(Part(seed))
    }
}

struct Variants<A>(A);

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Variants<A> {
    type Error = A::Error;
    type Variant = Variant<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.0.variant_seed(seed)?;
        Ok((name, Variant(variant)))
    }
}

struct Variant<A>(A);

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Part(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.newtype_variant_seed(Content(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.newtype_variant_seed(Content(visitor))
    }
}

/// Reads the content of a variant of an enumeration.
struct Content<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Content<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        Tagged(deserializer).deserialize_any(self.0)
    }
}
