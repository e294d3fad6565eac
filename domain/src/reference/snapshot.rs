//! All reference data at one revision. A decision sees one snapshot from its beginning to its end; who changes it makes the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::values::{Coupon, Item, Limits, Node, Promotion};
use crate::reason::{DeadReason, Refusal};

/// The longest id of a node; with the sku and `~` it must fit into the key of a cell.
const MOST_NODE_CHARS: usize = 48;
/// The longest id of anything else: that of a key.
const MOST_KEY_CHARS: usize = 96;

/// What a value is about: its key in the bucket is `<word>.<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `node.<node>`
    Node,
    /// `item.<sku>`
    Item,
    /// `promotion.<id>`
    Promotion,
    /// `coupon.<code>`
    Coupon,
    /// `erp_calendar.<erp>`, `carrier_map.<carrier>`, `identity.<member>`: of the contract, and without a rule that reads it.
    Unused,
}

impl Subject {
    /// Splits the key of a value. `Err` names the words that a key may begin with.
    pub fn of_key(key: &str) -> Result<(Self, &str), Refusal> {
        let (word, id) = key.split_once('.').unwrap_or((key, ""));
        let subject = match word {
            "node" => Self::Node,
            "item" => Self::Item,
            "promotion" => Self::Promotion,
            "coupon" => Self::Coupon,
            "erp_calendar" | "carrier_map" | "identity" => Self::Unused,
            _ => {
                let known = "node., item., promotion., coupon., erp_calendar., carrier_map. or identity.";
                return Err(unfit(format!("found key {key:.120}, expected one that begins with {known}")));
            }
        };
        let most = if subject == Self::Node { MOST_NODE_CHARS } else { MOST_KEY_CHARS };
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.is_empty() || id.len() > most || !id.bytes().all(is_id) {
            let form = format!("[A-Za-z0-9_-]{{1,{most}}}");
            return Err(unfit(format!(
                "found {id:.120} behind {word}., expected an id of the form {form}; write the value under such a key"
            )));
        }
        Ok((subject, id))
    }
}

fn unfit(message: String) -> Refusal {
    Refusal::new(DeadReason::Schema, "", message)
}

/// Values of one kind; shared with older snapshots until one changes.
type Values<T> = Arc<BTreeMap<Arc<str>, Arc<T>>>;

/// Reference data as of one revision. A copy shares everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reference {
    revision: u64,
    nodes: Values<Node>,
    items: Values<Item>,
    promotions: Values<Promotion>,
    coupons: Values<Coupon>,
}

impl Reference {
    /// The revision of the newest value in it; 0 = nothing was ever written.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Puts one value (none = it was deleted) of this revision in. Cheap while no copy of the snapshot is held, so many values are
    /// put in before the snapshot is shared. `Err` changes nothing but the revision: the last good value stays.
    pub fn put(&mut self, revision: u64, key: &str, value: Option<&[u8]>) -> Result<(), Refusal> {
        self.revision = self.revision.max(revision);
        let (subject, id) = Subject::of_key(key)?;
        match subject {
            Subject::Node => change(&mut self.nodes, id, value.map(Node::read)),
            Subject::Item => change(&mut self.items, id, value.map(Item::read)),
            Subject::Promotion => change(&mut self.promotions, id, value.map(Limits::read)),
            Subject::Coupon => change(&mut self.coupons, id, value.map(Limits::read)),
            Subject::Unused => Ok(()),
        }
    }

    /// All nodes, by their id.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Node)> {
        self.nodes.iter().map(|(id, node)| (id, &**node))
    }

    /// All items, by their sku.
    pub fn items(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Item)> {
        self.items.iter().map(|(sku, item)| (sku, &**item))
    }

    /// All promotions with limits, by their id.
    pub fn promotions(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Promotion)> {
        self.promotions.iter().map(|(id, limits)| (id, &**limits))
    }

    /// All coupons with limits, by their code.
    pub fn coupons(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Coupon)> {
        self.coupons.iter().map(|(code, limits)| (code, &**limits))
    }

    /// The node with this id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id).map(|node| &**node)
    }

    /// What is known of an item. Nothing known = it is sold and may wait.
    pub fn item(&self, sku: &str) -> Option<&Item> {
        self.items.get(sku).map(|item| &**item)
    }

    /// The limits of a promotion; none = it has none.
    pub fn promotion(&self, id: &str) -> Option<&Promotion> {
        self.promotions.get(id).map(|limits| &**limits)
    }

    /// The limits of a coupon; none = it has none.
    pub fn coupon(&self, code: &str) -> Option<&Coupon> {
        self.coupons.get(code).map(|limits| &**limits)
    }
}

fn change<T: Clone>(
    values: &mut Values<T>,
    id: &str,
    value: Option<Result<T, Refusal>>,
) -> Result<(), Refusal> {
    match value.transpose()? {
        Some(value) => drop(Arc::make_mut(values).insert(id.into(), Arc::new(value))),
        // Nothing is copied for the deletion of what is not there.
        None if values.contains_key(id) => drop(Arc::make_mut(values).remove(id)),
        None => {}
    }
    Ok(())
}
