//! Business events that are told only where they are asked for. The list of the contract holds what every consumer may meet; these
//! say more of our own stock than that, to those who want it.

use serde::{Deserialize, Serialize};

/// The kinds, in an order that stays for ever: their places are recorded. New ones go to the end.
pub const KINDS: [&str; 8] = [
    "stock.moved",
    "stock.feed",
    "stock.set_aside",
    "counter.moved",
    "reservation.allocated",
    "reservation.consumed",
    "reservation.given_up",
    "reservation.parked",
];

/// Some of [`KINDS`], each as a bit at its place. Persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Further(u16);

impl Further {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << KINDS.len()) - 1);

    /// Those that are named.
    ///
    /// # Errors
    /// The first name that is none of [`KINDS`].
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self::NONE, |so_far, name| {
            Self::place(name).map(|place| Self(so_far.0 | 1 << place)).ok_or(name)
        })
    }

    fn place(kind: &str) -> Option<usize> {
        KINDS.iter().position(|known| *known == kind)
    }

    /// Is this kind one of these? Always true for kinds that need not be asked for.
    pub fn tells(self, kind: &str) -> bool {
        Self::place(kind).is_none_or(|place| self.0 & 1 << place != 0)
    }

    /// True if it is none of them.
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// These, and that kind.
    pub(crate) fn add(&mut self, kind: &str) {
        if let Some(place) = Self::place(kind) {
            self.0 |= 1 << place;
        }
    }
}

/// Written as a list of names, for people: configuration.
pub mod names {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Further, KINDS};

    /// Writes the names.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn serialize<S: Serializer>(further: &Further, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(KINDS.into_iter().filter(|kind| further.tells(kind)))
    }

    /// Reads the names.
    ///
    /// # Errors
    /// A name that is no kind to be asked for, with those that are.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Further, D::Error> {
        let names = Vec::<String>::deserialize(input)?;
        Further::named(names.iter().map(String::as_str)).map_err(|wrong| {
            D::Error::custom(format!("found {wrong:?}, expected some of {}", KINDS.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Further, KINDS};

    #[test]
    fn only_what_is_named_is_told_of_what_must_be_asked_for() {
        let some = Further::named(["stock.moved", "counter.moved"]).unwrap();
        let told: Vec<_> = KINDS.into_iter().filter(|kind| some.tells(kind)).collect();
        assert_eq!(told, ["stock.moved", "counter.moved"]);
        assert!(Further::NONE.tells("order.committed"), "nobody has to ask for it");
        assert_eq!(Further::named(["stock.moved", "stock.reserved"]), Err("stock.reserved"));
        assert_eq!(Further::named(KINDS), Ok(Further::ALL));
    }
}
