//! What is asked of sourcing, and what it may know.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Units of a line that need a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Names the line in the plan. Several rows of one ask may name the same line.
    pub line: u16,
    /// What it is.
    pub sku: &'a str,
    /// How many units; at least 1.
    pub quantity: u32,
    /// The only node that may serve it, if there is one.
    pub node: Option<&'a str>,
    /// The promotion that it is sold under: what is set aside for it may serve it.
    pub promotion: Option<&'a str>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The units.
    pub lines: &'a [Wanted<'a>],
    /// Where they go; none = it does not matter.
    pub region: Option<&'a str>,
    /// Where they were sold; none = it does not matter.
    pub channel: Option<&'a str>,
    /// The node where the customer collects all of it; no other may serve then.
    pub pickup_node: Option<&'a str>,
    /// The most nodes that may ship; none = as configured.
    pub split_limit: Option<u16>,
    /// Cells that may not serve, as (sku, node): they refused already.
    pub excluded: &'a [(Arc<str>, Arc<str>)],
    /// Nodes that ship other units of the same goods anyway, and how many: they count against the limit, to use them splits nothing,
    /// and those units are taken off their capacity.
    pub used: &'a [(Arc<str>, u32)],
    /// May units wait that no node has?
    pub backorder: bool,
}

/// What a cell last posted about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// Units that can be promised, as its cell counts them: safety, caps and the policy for stale feeds are in it.
    pub available: u32,
    /// Is the feed that it is counted from older than it should be?
    pub is_stale: bool,
}

/// Who knows what the cells last posted.
pub trait Supply {
    /// The newest known of a cell, for who buys under `promotion`; none = nobody has heard of it.
    fn look(&self, sku: &str, node: &str, promotion: Option<&str>) -> Option<Availability>;
}

/// Units of a line that a node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The line.
    pub line: u16,
    /// The node.
    pub node: Arc<str>,
    /// How many units.
    pub quantity: u32,
}

/// Units of a line that no candidate has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
    /// Where they wait for stock; none = nowhere: they cannot be filled.
    pub node: Option<Arc<str>>,
}
