//! The values of reference data, with the fields of the contract. A value with any fault is refused whole, and the last good one
//! stays: half a node is worse than the node of yesterday.

use serde_json::Value;

use crate::messages::body::{Format, read_with};
use crate::messages::leaf::Minor;
use crate::messages::record::{record, words};
use crate::messages::shape::{Faults, List};
use crate::messages::text::{Moment, Text};
use crate::reason::Refusal;
use crate::time::Timestamp;

/// The most channels or regions that one value names.
pub const MOST_NAMES: usize = 64;

/// Names of channels or regions; missing or empty means all.
pub type Names = List<Text, 0, MOST_NAMES>;

words! {
    /// What kind of place ships or hands over goods.
    pub enum NodeKind {
        /// A warehouse of our own.
        Warehouse = "warehouse",
        /// A store.
        Store = "store",
        /// Somebody else's warehouse, or a supplier who ships himself.
        ThirdParty = "third_party",
    }
}

record! {
    /// `node.<node>`: a place that ships or hands over goods.
    pub struct Node {
        /// What kind of place.
        pub kind: NodeKind,
        /// Where it is, `DE-BE` for example.
        pub region: Text,
        /// The most units that it takes in a day; 0 = none. Compared with all units of one reservation: what others took of the
        /// day is not counted, so `active` has to say that a node is full.
        pub capacity_per_day: u32,
        /// Hours from an order to its departure.
        pub sla_hours: u32,
        /// What a shipment from here costs, in minor units.
        pub cost_minor: Minor,
        /// Do customers collect goods here?
        pub pickup: bool,
        /// Does it take new work?
        pub active: bool,
        /// The channels that it works for; none named = all.
        pub channels: Names,
        /// The regions that it ships to, or beginnings of them (`DE` covers `DE-BE`); none named = all.
        pub serves: Names,
        /// A greater one goes first where nothing else decides; 0 if it is missing.
        pub priority: Option<u32>,
    }
}

record! {
    /// `item.<sku>`: something that is sold.
    pub struct Item {
        /// Is it sold at all? Missing = yes.
        pub active: Option<bool>,
        /// May more be promised than there is, to be shipped when it arrives? Missing = yes.
        pub backorder: Option<bool>,
    }
}

record! {
    /// `promotion.<id>` and `coupon.<code>`: how often, for how much money, by whom and when it may be used.
    pub struct Limits {
        /// How often at all; missing = without limit.
        pub uses: Option<u32>,
        /// For how much discount at all, in minor units; missing = without limit.
        pub budget_minor: Option<Minor>,
        /// How often by one customer; missing = without limit.
        pub per_customer: Option<u32>,
        /// In which channels; none named = all.
        pub channels: Names,
        /// From when on; missing = since ever.
        pub from: Option<Moment>,
        /// Until when; missing = for ever.
        pub until: Option<Moment>,
    }
}

/// The limits of a promotion.
pub type Promotion = Limits;
/// The limits of a coupon.
pub type Coupon = Limits;

impl Node {
    /// Reads a value. `Err` names every fault with its field, what was found, and what is expected.
    pub fn read(value: &[u8]) -> Result<Self, Refusal> {
        read_with(Format::Json, value, Self::check_kind, |_, _| {})
    }

    fn check_kind(&self, faults: &mut Faults) {
        if self.kind == NodeKind::Unknown {
            faults.within("kind", |faults| {
                faults.push("found a word that is not known, expected warehouse, store or third_party");
            });
        }
    }

    /// Does it work for `channel`? Nobody's channel is everybody's.
    pub fn works_for(&self, channel: Option<&str>) -> bool {
        is_named(&self.channels, channel)
    }

    /// Does it ship to `region`? To no place in particular every node ships.
    pub fn ships_to(&self, region: Option<&str>) -> bool {
        let Some(region) = region else { return true };
        let covers = |served: &Text| {
            region.strip_prefix(served.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.serves.is_empty() || self.serves.iter().any(covers)
    }
}

impl Item {
    /// Reads a value. `Err` names every fault.
    pub fn read(value: &[u8]) -> Result<Self, Refusal> {
        read_with(Format::Json, value, |_, _| {}, |_, _| {})
    }

    /// Is it sold?
    pub fn is_sold(&self) -> bool {
        self.active != Some(false)
    }

    /// May it be promised before it is there?
    pub fn may_wait(&self) -> bool {
        self.backorder != Some(false)
    }
}

impl Limits {
    /// Reads a value. `Err` names every fault, also a span of time that ends before it begins.
    pub fn read(value: &[u8]) -> Result<Self, Refusal> {
        read_with(Format::Json, value, Self::check_span, Self::check_days)
    }

    fn check_span(&self, faults: &mut Faults) {
        let moment = |field: &'static str, text: &Option<Moment>, faults: &mut Faults| {
            let text = text.as_ref()?;
            let moment = Timestamp::read(text.as_str());
            if moment.is_none() {
                faults.within(field, |faults| {
                    faults.push(format!("found {text}, expected a day that its month has"));
                });
            }
            moment
        };
        let (from, until) = (moment("from", &self.from, faults), moment("until", &self.until, faults));
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            faults.within("until", |faults| {
                faults.push(format!("found {until}, expected a moment after from, which is {from}"));
            });
        }
    }

    /// The same for a value that has other faults too: then the order of the two does not matter yet.
    fn check_days(value: &Value, faults: &mut Faults) {
        for field in ["from", "until"] {
            let Some(Value::String(text)) = value.get(field) else { continue };
            if Moment::new(text).is_ok() && Timestamp::read(text).is_none() {
                faults.within(field, |faults| {
                    faults.push(format!("found {text}, expected a day that its month has"));
                });
            }
        }
    }

    /// From when on it may be used.
    pub fn begins_at(&self) -> Option<Timestamp> {
        self.from.as_ref().and_then(|moment| Timestamp::read(moment.as_str()))
    }

    /// From when on it may not be used any more.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.until.as_ref().and_then(|moment| Timestamp::read(moment.as_str()))
    }

    /// May it be used in `channel`?
    pub fn works_for(&self, channel: Option<&str>) -> bool {
        is_named(&self.channels, channel)
    }

    /// Is there anything to count?
    pub fn is_counted(&self) -> bool {
        self.uses.is_some() || self.budget_minor.is_some() || self.per_customer.is_some()
    }
}

fn is_named(names: &Names, name: Option<&str>) -> bool {
    let Some(name) = name else { return true };
    names.is_empty() || names.iter().any(|named| named.as_str() == name)
}
