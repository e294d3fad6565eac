//! How events and states of two kinds are written: the first kind's as they are, the second kind's as a map from its name to
//! what it is. One word is looked at to tell them apart; nothing is read twice, and nothing is kept aside.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, VariantAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Either, Kind};

/// An event of one of two kinds.
pub struct Event<A: Kind, B: Kind>(pub Either<A::Event, B::Event>);

/// The state of an entity of one of two kinds; none = nobody has heard of it.
pub struct State<A: Kind, B: Kind>(pub Option<Either<A::State, B::State>>);

impl<A: Kind, B: Kind> Clone for Event<A, B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Kind, B: Kind> fmt::Debug for Event<A, B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Either::First(event) => event.fmt(out),
            Either::Second(event) => event.fmt(out),
        }
    }
}

impl<A: Kind, B: Kind> Clone for State<A, B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Kind, B: Kind> fmt::Debug for State<A, B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => out.write_str("Unknown"),
            Some(Either::First(state)) => state.fmt(out),
            Some(Either::Second(state)) => state.fmt(out),
        }
    }
}

impl<A: Kind, B: Kind> Default for State<A, B> {
    fn default() -> Self {
        Self(None)
    }
}

fn named<S: Serializer, T: Serialize>(out: S, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

impl<A: Kind, B: Kind> Serialize for Event<A, B> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Either::First(event) => event.serialize(out),
            Either::Second(event) => named(out, B::NAME, event),
        }
    }
}

impl<A: Kind, B: Kind> Serialize for State<A, B> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => out.serialize_map(Some(0))?.end(),
            Some(Either::First(state)) => state.serialize(out),
            Some(Either::Second(state)) => named(out, B::NAME, state),
        }
    }
}

/// The first word of what is read.
struct Word;

impl<'de> DeserializeSeed<'de> for Word {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cow<'de, str>, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for Word {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, word: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(word))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(word.to_owned()))
    }
}

/// A word that was read already, for who reads it again.
fn again<'de, T: DeserializeSeed<'de>, E: Error>(word: Cow<'de, str>, seed: T) -> Result<T::Value, E> {
    match word {
        Cow::Borrowed(word) => seed.deserialize(BorrowedStrDeserializer::new(word)),
        Cow::Owned(word) => seed.deserialize(word.into_deserializer()),
    }
}

/// An enum of which the name of the variant was read already.
struct Begun<'de, R> {
    word: Cow<'de, str>,
    rest: R,
}

impl<'de, R: VariantAccess<'de>> EnumAccess<'de> for Begun<'de, R> {
    type Error = R::Error;
    type Variant = R;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, R), R::Error> {
        Ok((again(self.word, seed)?, self.rest))
    }
}

impl<'de, R: VariantAccess<'de>> Deserializer<'de> for Begun<'de, R> {
    type Error = R::Error;

    fn deserialize_any<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, R::Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: Kind, B: Kind> Deserialize<'de> for Event<A, B> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Events<A, B>(PhantomData<(A, B)>);
        impl<'de, A: Kind, B: Kind> Visitor<'de> for Events<A, B> {
            type Value = Event<A, B>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "an event of {} or {}", A::NAME, B::NAME)
            }

            fn visit_enum<E: EnumAccess<'de>>(self, event: E) -> Result<Event<A, B>, E::Error> {
                let (word, rest) = event.variant_seed(Word)?;
                Ok(Event(if word == B::NAME {
                    Either::Second(rest.newtype_variant()?)
                } else {
                    Either::First(A::Event::deserialize(Begun { word, rest })?)
                }))
            }
        }
        // The names of the variants are only a hint, for formats that count them instead.
        input.deserialize_enum("Event", &[], Events(PhantomData))
    }
}

/// A map of which the first key was read already.
struct Opened<'de, M> {
    word: Option<Cow<'de, str>>,
    rest: M,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Opened<'de, M> {
    type Error = M::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, M::Error> {
        match self.word.take() {
            Some(word) => again(word, seed).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, M::Error> {
        self.rest.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint().map(|rest| rest + usize::from(self.word.is_some()))
    }
}

impl<'de, A: Kind, B: Kind> Deserialize<'de> for State<A, B> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct States<A, B>(PhantomData<(A, B)>);
        impl<'de, A: Kind, B: Kind> Visitor<'de> for States<A, B> {
            type Value = State<A, B>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a state of {} or {}", A::NAME, B::NAME)
            }

            fn visit_map<M: MapAccess<'de>>(self, mut state: M) -> Result<State<A, B>, M::Error> {
                let Some(word) = state.next_key_seed(Word)? else { return Ok(State(None)) };
                Ok(State(Some(if word == B::NAME {
                    Either::Second(state.next_value()?)
                } else {
                    let opened = Opened { word: Some(word), rest: state };
                    Either::First(A::State::deserialize(MapAccessDeserializer::new(opened))?)
                })))
            }
        }
        input.deserialize_map(States(PhantomData))
    }
}
