//! Very many shelves that somebody counts: each count makes a stock cell, or wakes it. For measuring what cells cost, without
//! remembering any.

use std::ops::Range;
use std::time::Duration;

use bus::layout::Layout;
use bus::packing::{Packable, pack};
use bus::ports::{Expect, SharedBus, StoreOutcome};
use domain::ids::Key;
use domain::messages::body::Format;
use serde_json::json;
use tokio::time::sleep;

use crate::contract::{Naming, Sender};

/// How many nodes have each item.
const NODES: u64 = 10;
/// How many counts are made before they are sent.
const AT_ONCE: u64 = 1_024;
const PAUSE: Duration = Duration::from_millis(1);

/// Who counts.
#[derive(Debug)]
pub struct Shelving {
    bus: SharedBus,
    naming: Naming,
    partitions: u16,
    sender: Sender,
}

impl Shelving {
    /// Nothing is counted yet.
    pub fn new(bus: SharedBus, layout: &Layout) -> Self {
        let naming = Naming::new(&layout.root, "main");
        Self { bus, naming, partitions: layout.partitions, sender: Sender::new("/shelving", "count") }
    }

    /// The item and the node of the cell with this number.
    pub fn place(number: u64) -> (String, String) {
        (format!("SKU-{:06}", number / NODES), format!("n-{}", number % NODES))
    }

    /// Counts these cells for the `time`th time; comes back when all counts are stored.
    ///
    /// # Panics
    /// If the broker refuses a count for good.
    pub async fn count(&mut self, cells: Range<u64>, time: u32) {
        let mut begin = cells.start;
        while begin < cells.end {
            let end = cells.end.min(begin + AT_ONCE);
            let counts = (begin..end).map(|number| self.counted(number, time)).collect();
            for (message, _) in pack(counts, Format::Json) {
                while let refused @ (StoreOutcome::Refused(_)
                | StoreOutcome::Full
                | StoreOutcome::Unknown(_)
                | StoreOutcome::Conflict) = self.bus.store(message.clone(), Expect::Anything).await
                {
                    assert!(!matches!(refused, StoreOutcome::Refused(_)), "{refused:?}");
                    sleep(PAUSE).await;
                }
            }
            begin = end;
        }
    }

    fn counted(&mut self, number: u64, time: u32) -> Packable {
        let (sku, node) = Self::place(number);
        let key = format!("{sku}~{node}");
        let body = json!({"sku": sku, "node": node, "on_hand": 10 + number % 90, "safety": 2,
                          "movement_id": format!("count-{time}"), "as_of": format!("2026-11-2{time}T06:00:00Z")});
        let subject = self.naming.subject("fact", "stock", "baseline", &key);
        let message = self.sender.message(subject, body.to_string().into());
        let partition = Key::new(&key).expect("an item and a node are a key").partition(self.partitions);
        Packable { message, key, partition }
    }
}

#[cfg(test)]
mod tests {
    use bus::layout::Layout;
    use bus::memory::MemoryBus;
    use bus::ports::SharedBus;

    use super::Shelving;

    #[tokio::test]
    async fn given_more_cells_than_are_sent_at_once_when_they_are_counted_then_few_messages_have_all() {
        let layout = Layout::new("retail", 2, 1).in_memory();
        let bus: SharedBus = std::sync::Arc::new(MemoryBus::real_time(&layout));
        Shelving::new(bus.clone(), &layout).count(0..1_500, 1).await;
        let work = bus.bounds("RETAIL_WORK").await.unwrap();
        assert!((24..40).contains(&work.messages), "{work:?}");
        assert_eq!(Shelving::place(1_234), ("SKU-000123".to_owned(), "n-4".to_owned()));
    }
}
