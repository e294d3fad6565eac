//! Which orders a run submits: ids of one width, so that one order's messages are as long as another's, in groups that live in
//! one partition each, so that the same orders share a batch in every run.

use domain::ids::Key;

/// Starts every id, so that it is found inside other texts.
const MARK: &str = "raw-";
/// How many bytes an id has.
pub const ID_BYTES: usize = MARK.len() + NUMBER_DIGITS + 1 + TAIL_DIGITS;
const NUMBER_DIGITS: usize = 7;
const TAIL_DIGITS: usize = 3;
/// How many tails there are to try until an id falls into the wanted partition.
const TAILS: u32 = 1 << (4 * TAIL_DIGITS);

/// The most orders of a run: their numbers have a fixed width.
pub const MOST_ORDERS: u64 = 1_000_000;

/// The ids of a run: the same for the same settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roll {
    /// How many orders of one partition follow each other.
    pub group: u64,
    /// How many partitions there are.
    pub partitions: u16,
}

impl Roll {
    /// The id of the order with this number.
    pub fn id(&self, number: u64) -> Key {
        let group = number / self.group.max(1);
        let partition = group % u64::from(self.partitions.max(1));
        let fits = |key: &Key| u64::from(key.partition(self.partitions)) == partition;
        let named = |tail: u32| Key::new(&format!("{MARK}{number:07}-{tail:03x}")).ok();
        let found = (0..TAILS).filter_map(named).find(fits);
        found.expect("thousands of tails meet each of at most 64 partitions")
    }
}

/// The number of the order with this id; none if it is not one of a roll.
pub fn number(id: &str) -> Option<u64> {
    id.strip_prefix(MARK)?.get(..NUMBER_DIGITS)?.parse().ok()
}

/// The order that a text names.
pub fn id_in(text: &str) -> Option<&str> {
    let at = text.find(MARK)?;
    text.get(at..at + ID_BYTES)
}

#[cfg(test)]
mod tests {
    use super::{ID_BYTES, Roll, id_in, number};

    #[test]
    fn groups_live_in_one_partition_and_all_partitions_have_groups() {
        let roll = Roll { group: 4, partitions: 64 };
        for order in 0..1_024 {
            let id = roll.id(order);
            assert_eq!(u64::from(id.partition(64)), order / 4 % 64, "{id}");
            assert_eq!((id.as_str().len(), number(id.as_str())), (ID_BYTES, Some(order)));
        }
    }

    #[test]
    fn an_id_is_found_in_a_text() {
        let id = Roll { group: 1, partitions: 8 }.id(12);
        let text = format!("r-main:{id}:authorize:1");
        assert_eq!(id_in(&text), Some(id.as_str()));
        assert_eq!(id_in("main:o-1"), None);
        assert_eq!(id_in("raw-12"), None);
    }
}
