//! A deserializer that lets nothing through that parsers read differently: no member twice, nothing nested too deeply.
//!
//! It stands in front of another one and looks at everything that passes, so that one pass both checks and reads.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::json::names::Names;

/// What is watched while a document passes.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'c> {
    /// How many levels may still open.
    left: usize,
    marks: &'c Marks,
}

/// What was refused while a document passed. A caller's own type may swallow an error; this stays.
#[derive(Default)]
pub(crate) struct Marks {
    /// A name stands twice: the error itself has no room to say so.
    duplicate: Cell<bool>,
    /// Something was wrong, or was not what the caller's type wanted.
    failed: Cell<bool>,
}

impl Marks {
    pub(crate) fn has_duplicate(&self) -> bool {
        self.duplicate.get()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }
}

impl<'c> Watch<'c> {
    pub(crate) fn new(depth: usize, marks: &'c Marks) -> Self {
        Self { left: depth, marks }
    }

    /// Remembers a failure on its way out.
    pub(crate) fn note<T, E>(self, outcome: Result<T, E>) -> Result<T, E> {
        if outcome.is_err() {
            self.marks.failed.set(true);
        }
        outcome
    }

    /// One level down.
    pub(crate) fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1);
        let left = left.ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { left, ..self })
    }

    /// The name, when it is new.
    #[expect(
        clippy::ptr_arg,
        reason = "what is kept must borrow from the document, not from here"
    )]
    pub(crate) fn check<'de, E: serde::de::Error>(
        self,
        names: &mut Names<'de>,
        name: &Cow<'de, str>,
    ) -> Result<(), E> {
        if names.add(name) {
            return Ok(());
        }
        self.marks.duplicate.set(true);
        Err(E::custom("duplicate member"))
    }

    /// In front of this deserializer, seed or visitor.
    pub(crate) fn over<T>(self, inner: T) -> Strict<'c, T> {
        Strict { watch: self, inner }
    }
}

/// Something with a watch in front of it.
pub(crate) struct Strict<'c, T> {
    watch: Watch<'c>,
    inner: T,
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $kind:ty),*);)+) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* self.watch.over(visitor))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
    }

    /// Bytes are what stands between quotes; as bytes it would not be looked at.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    /// By a name like this `serde_json` hands out raw text, which nobody has looked at.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name.starts_with("$serde_json::private") {
            return Err(D::Error::custom("raw text"));
        }
        self.inner
            .deserialize_newtype_struct(name, self.watch.over(visitor))
    }

    /// What nobody wants is checked all the same.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.watch.over(deserializer))
    }
}

macro_rules! pass {
    ($($method:ident($kind:ty);)+) => {$(
        fn $method<E: serde::de::Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    pass! {
        visit_bool(bool);
        visit_i64(i64);
        visit_i128(i128);
        visit_u64(u64);
        visit_u128(u128);
        visit_f64(f64);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.watch.over(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.watch.over(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(self.watch.below()?.over(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(StrictMap {
            watch: self.watch.below()?,
            inner: map,
            names: Names::default(),
        })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.watch.below()?.over(access))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.watch
            .note(self.inner.next_element_seed(self.watch.over(seed)))
    }
}

/// An object whose names are watched.
struct StrictMap<'c, 'de, A> {
    watch: Watch<'c>,
    inner: A,
    names: Names<'de>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for StrictMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let watch = self.watch;
        let Some(name) = watch.note(self.inner.next_key_seed(Name))? else {
            return Ok(None);
        };
        watch.note(watch.check(&mut self.names, &name))?;
        watch.note(read_name(&name, seed).map(Some))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.watch.note(self.inner.next_value_seed(self.watch.over(seed)))
    }
}

impl<'de, 'c, A: EnumAccess<'de>> EnumAccess<'de> for Strict<'c, A> {
    type Error = A::Error;
    type Variant = Strict<'c, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let (variant, content) = self.watch.note(self.inner.variant_seed(seed))?;
        Ok((variant, self.watch.over(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.watch.note(self.inner.unit_variant())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.watch
            .note(self.inner.newtype_variant_seed(self.watch.over(seed)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.watch
            .note(self.inner.tuple_variant(len, self.watch.over(visitor)))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.watch
            .note(self.inner.struct_variant(fields, self.watch.over(visitor)))
    }
}

/// Reads the name of a member, borrowed where it has no escapes.
pub(crate) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Hands a name on to whoever asked for it.
pub(crate) fn read_name<'de, K: DeserializeSeed<'de>, E: serde::de::Error>(
    name: &Cow<'de, str>,
    seed: K,
) -> Result<K::Value, E> {
    match name {
        Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
        Cow::Owned(name) => seed.deserialize(StrDeserializer::new(name)),
    }
}
