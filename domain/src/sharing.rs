//! Values in few pieces of memory. Most of what an order knows is read once, copied for every decision and never changed, so
//! copies share it: taking and giving back memory costs more than most rules do.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A value of which copies are one until one of them is changed. Written as the value alone.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Shared<Vec<T>> {
    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, T> IntoIterator for &'a Shared<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A text of which a copy takes no memory: the program itself knows it, or whoever has it shares it.
#[derive(Clone)]
pub(crate) enum Word {
    Known(&'static str),
    Shared(Arc<str>),
}

impl Word {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Shared(text) => text,
        }
    }
}

// A word is what it says, wherever that stands.
impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Word {}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(out)
    }
}

/// Reads a text and makes of it what `make` does, without a copy in between.
pub(crate) fn read_text<'de, D, T, E>(
    deserializer: D,
    make: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    deserializer.deserialize_str(TextVisitor { make, made: PhantomData })
}

struct TextVisitor<F, T> {
    make: F,
    made: PhantomData<T>,
}

impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for TextVisitor<F, T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<F2: Error>(self, text: &str) -> Result<T, F2> {
        (self.make)(text).map_err(F2::custom)
    }

    fn visit_bytes<F2: Error>(self, bytes: &[u8]) -> Result<T, F2> {
        match str::from_utf8(bytes) {
            Ok(text) => self.visit_str(text),
            Err(_) => Err(F2::invalid_value(Unexpected::Bytes(bytes), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Shared, Word};

    #[test]
    fn what_is_shared_is_one_until_a_copy_is_changed() {
        let first = Shared::from(vec![1]);
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second.push(2);
        assert_eq!((first.as_slice(), second.as_slice()), (&[1][..], &[1, 2][..]));
    }

    #[test]
    fn a_word_is_what_it_says_wherever_it_stands() {
        let words = ["b", "a", "c"].map(|text| (Word::Known(text), Word::Shared(Arc::from(text))));
        for (known, shared) in &words {
            assert_eq!(known, shared);
            assert_eq!(format!("{known:?}"), format!("{shared:?}"));
        }
        let mut mixed = [words[0].1.clone(), words[1].0.clone(), words[2].1.clone()];
        mixed.sort();
        assert_eq!(mixed.map(|word| word.as_str().to_owned()), ["a", "b", "c"]);
    }
}
