//! What of sourcing can be configured.

use serde::{Deserialize, Serialize};

/// A way of comparing two plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Fewer nodes, then fewer rows.
    MinSplits,
    /// Fewer units from nodes that are slower than `sla_target_hours`.
    SlaMet,
    /// Less for all shipments together.
    LandedCost,
    /// Less of what the nodes have left: a node that has much goes before one that has little.
    InventoryBalance,
    /// More units from nodes with a high priority.
    Priority,
}

impl Rule {
    /// The word in configuration and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinSplits => "min_splits",
            Self::SlaMet => "sla_met",
            Self::LandedCost => "landed_cost",
            Self::InventoryBalance => "inventory_balance",
            Self::Priority => "priority",
        }
    }
}

/// What a cell is worth of which the feed is late. What such a cell promises at all is its own policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaleStock {
    /// As much as any other.
    #[default]
    Use,
    /// Nothing.
    Skip,
}

/// The rules of sourcing that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// The rules in the order in which they decide.
    pub rules: Vec<Rule>,
    /// The most nodes that may ship one order, unless it says so itself.
    pub split_limit: u16,
    /// The slowest node that may serve, in hours; none = any.
    pub sla_most_hours: Option<u32>,
    /// From when on a node is called slow, in hours.
    pub sla_target_hours: u32,
    /// What a cell is worth of which the feed is late.
    pub stale: StaleStock,
    /// The most candidates whose combinations are looked at; more are cut to those that could serve most.
    pub candidates_most: u16,
    /// The most combinations of nodes that are looked at for one ask.
    pub searched_most: u32,
    /// The most candidates that are remembered with their scores.
    pub recorded_most: u16,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            rules: vec![
                Rule::MinSplits,
                Rule::SlaMet,
                Rule::LandedCost,
                Rule::InventoryBalance,
                Rule::Priority,
            ],
            split_limit: 3,
            sla_most_hours: None,
            sla_target_hours: 48,
            stale: StaleStock::default(),
            candidates_most: 16,
            searched_most: 2_048,
            recorded_most: 8,
        }
    }
}

impl Policies {
    /// What is wrong with them, by key and remedy; empty = nothing.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if self.rules[..index].contains(rule) {
                problems.push(format!(
                    "rules[{index}] = \"{}\": stands there twice, name each rule once",
                    rule.as_str()
                ));
            }
        }
        let bounds = [
            ("split_limit", u32::from(self.split_limit), 64),
            ("candidates_most", u32::from(self.candidates_most), 64),
            ("searched_most", self.searched_most, 100_000),
        ];
        for (key, value, most) in bounds {
            if value == 0 || value > most {
                problems.push(format!("{key} = {value}: must be 1 to {most}"));
            }
        }
        if self.recorded_most > 64 {
            problems.push(format!("recorded_most = {}: must be at most 64", self.recorded_most));
        }
        problems
    }
}
