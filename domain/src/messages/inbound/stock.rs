//! What the ERP and the warehouses report of the stock of a SKU at a node. Every fact has a `movement_id`: the same one counts once.

use serde_json::Value;

use crate::ids::Key;
use crate::messages::leaf::{Quantity, Whole};
use crate::messages::record::record;
use crate::messages::shape::{Faults, Shape};
use crate::messages::text::{Moment, Remark, Text};
use crate::time::Timestamp;

record! {
    /// `stock.baseline`: so many units were there at that moment, whatever was known before.
    pub struct Baseline {
        /// What.
        pub sku: Key,
        /// Where.
        pub node: Key,
        /// Units that were there, sold or not.
        pub on_hand: Whole,
        /// Units that are never sold; missing = as before.
        pub safety: Option<u32>,
        /// Units that may be sold beyond what is there; missing = as before.
        pub oversell_cap: Option<u32>,
        /// Names the fact.
        pub movement_id: Text,
        /// When they were counted.
        pub as_of: Moment,
    }
}

record! {
    /// `stock.received`: units came in, new or as returns that can be sold.
    pub struct Received {
        /// What.
        pub sku: Key,
        /// Where.
        pub node: Key,
        /// How many.
        pub quantity: Quantity,
        /// Names the fact.
        pub movement_id: Text,
        /// The `movement_id` by which it was announced, if it was.
        pub reference: Option<Text>,
    }
}

record! {
    /// `stock.adjusted`: units were found, lost or damaged.
    pub struct Adjusted {
        /// What.
        pub sku: Key,
        /// Where.
        pub node: Key,
        /// How many more, or fewer if it is negative.
        pub delta: Whole,
        /// Names the fact.
        pub movement_id: Text,
        /// Why.
        pub reason: Remark,
    }
}

record! {
    /// `stock.inbound`: units are expected. What waits for stock is promised by it.
    pub struct Inbound {
        /// What.
        pub sku: Key,
        /// Where.
        pub node: Key,
        /// How many.
        pub quantity: Quantity,
        /// When.
        pub expected_at: Moment,
        /// Names the fact; the receipt names it as its `reference`.
        pub movement_id: Text,
    }
}

record! {
    /// `stock.set_aside`: so many units are for a promotion alone. The last one for a promotion counts.
    pub struct SetAside {
        /// What.
        pub sku: Key,
        /// Where.
        pub node: Key,
        /// The promotion, as lines name it.
        pub promotion: Text,
        /// How many units, those included that were sold under it since; 0 = none any more.
        pub quantity: u32,
        /// When they are for everybody again; missing = when a later fact says so.
        pub until: Option<Moment>,
        /// Names the fact.
        pub movement_id: Text,
    }
}

/// A fact about a cell.
pub trait CellFact: Shape {
    /// What and where.
    fn cell(&self) -> (&Key, &Key);

    /// The fields that are moments.
    const MOMENTS: &'static [&'static str] = &[];

    /// Rules between and beyond the fields, with the fields at hand.
    fn check_sense(&self, faults: &mut Faults) {
        let (sku, node) = self.cell();
        check_cell(sku.as_str(), node.as_str(), faults);
        let value = serde_json::to_value(self).unwrap_or_default();
        check_moments(&value, Self::MOMENTS, faults);
    }

    /// The same for a body with other faults.
    fn check_value(value: &Value, faults: &mut Faults) {
        check_moments(value, Self::MOMENTS, faults);
    }
}

/// The longest key.
const MOST_KEY: usize = 96;

fn check_cell(sku: &str, node: &str, faults: &mut Faults) {
    if node.contains('~') {
        faults.within("node", |faults| {
            faults.push(format!(
                "found {node}, expected an id without ~, which ends the SKU in the key of a cell"
            ));
        });
    }
    if sku.len() + 1 + node.len() > MOST_KEY {
        faults.within("sku", |faults| {
            let message =
                format!("found {sku}~{node}, expected SKU and node together at most {MOST_KEY} characters");
            faults.push(message);
        });
    }
}

fn check_moments(value: &Value, fields: &[&'static str], faults: &mut Faults) {
    for field in fields {
        let Some(Value::String(text)) = value.get(field) else { continue };
        if Moment::new(text).is_ok() && Timestamp::read(text).is_none() {
            faults.within(field, |faults| {
                faults.push(format!("found {text}, expected a day that its month has"));
            });
        }
    }
}

macro_rules! cell_facts {
    ($($fact:ident [$($moment:literal),*],)+) => {
        $(impl CellFact for $fact {
            const MOMENTS: &'static [&'static str] = &[$($moment),*];

            fn cell(&self) -> (&Key, &Key) {
                (&self.sku, &self.node)
            }
        })+
    };
}

cell_facts! {
    Baseline ["as_of"],
    Received [],
    Adjusted [],
    Inbound ["expected_at"],
    SetAside ["until"],
}
