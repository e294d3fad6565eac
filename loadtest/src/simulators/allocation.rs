//! Who decides which node ships what.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::desk::{Decided, Trade};
use super::loyalty::json;
use crate::contract::{Command, CommandBody, DocumentRow, LineQuantity, ReleaseRow};
use crate::ledger::Change;
use crate::workload::sku;

#[derive(Debug)]
pub(super) struct Allocation {
    /// Items of which there are only so many units left; of all others there are always enough.
    left: Mutex<BTreeMap<String, u32>>,
}

impl Allocation {
    pub(super) const fn with_stock(left: BTreeMap<String, u32>) -> Self {
        Self { left: Mutex::new(left) }
    }

    /// Takes as many of these units as there are.
    fn take(&self, sku: &str, wanted: u32) -> u32 {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = left.get_mut(sku) else { return wanted };
        let taken = wanted.min(*left);
        *left -= taken;
        taken
    }
}

/// How many allocations an order got so far.
pub(super) type Given = u32;

#[derive(Serialize)]
struct Allocated<'a> {
    order_id: &'a str,
    allocations: Vec<Assigned<'a>>,
}

#[derive(Serialize)]
struct Assigned<'a> {
    allocation_ref: String,
    line: u32,
    sku: &'a str,
    quantity: u32,
    node: String,
}

#[derive(Serialize)]
struct Refused<'a> {
    order_id: &'a str,
    lines: &'a [LineQuantity],
    code: &'a str,
}

#[derive(Serialize)]
struct Released<'a> {
    order_id: &'a str,
    releases: &'a [ReleaseRow<'a>],
}

impl Trade for Allocation {
    type Book = Given;
    const DOMAIN: &'static str = "allocation";

    fn decide(&self, command: &Command<'_>, is_refused: bool, given: &mut Given) -> Option<Decided> {
        let (order_id, body) = (command.key, &command.body);
        match command.name {
            "allocate" => Some(self.allocate(order_id, body, is_refused, given)),
            "release" => {
                let units =
                    body.releases.iter().map(|row| LineQuantity { line: row.line, quantity: row.quantity });
                let change = Change::AllocationReleased(units.collect());
                let answer = json(&Released { order_id, releases: &body.releases });
                Some(Decided::new(("allocation", "released"), answer, change))
            }
            _ => None,
        }
    }
}

impl Allocation {
    fn allocate(
        &self,
        order_id: &str,
        body: &CommandBody<'_>,
        is_refused: bool,
        given: &mut Given,
    ) -> Decided {
        let out = |row: &&DocumentRow<'_>| is_refused || row.sku.starts_with(sku::OUT_OF_STOCK);
        let missing: Vec<LineQuantity> = body.lines.iter().filter(out).filter_map(whole).collect();
        if !missing.is_empty() {
            let answer = json(&Refused { order_id, lines: &missing, code: "no_stock" });
            return Decided::new(("allocation", "refused"), answer, Change::AllocationRefused(missing));
        }
        let nodes = parts(body, "-s");
        let (mut allocations, mut units, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for row in &body.lines {
            let Some(line) = row.line else { continue };
            let there = if row.sku.starts_with(sku::SHORT) { row.quantity / 2 } else { row.quantity };
            let there = self.take(&row.sku, there);
            if there < row.quantity {
                refused.push(LineQuantity { line, quantity: row.quantity - there });
            }
            for node in 0..nodes {
                // Each node gets its share of the line, the first ones what does not divide.
                let quantity = there / nodes + u32::from(node < there % nodes);
                if quantity == 0 {
                    continue;
                }
                *given += 1;
                let allocation_ref = format!("al-{order_id}-{given}");
                allocations.push(Assigned {
                    allocation_ref,
                    line,
                    sku: &row.sku,
                    quantity,
                    node: format!("n-{}", node + 1),
                });
                units.push(LineQuantity { line, quantity });
            }
        }
        if units.is_empty() {
            let answer = json(&Refused { order_id, lines: &refused, code: "no_stock" });
            return Decided::new(("allocation", "refused"), answer, Change::AllocationRefused(refused));
        }
        let answer = json(&Allocated { order_id, allocations });
        Decided::new(("allocation", "allocated"), answer, Change::Allocated { units, refused })
    }
}

fn whole(row: &DocumentRow<'_>) -> Option<LineQuantity> {
    row.line.map(|line| LineQuantity { line, quantity: row.quantity })
}

/// The number behind `mark` in the address, which says into how many parts something is split; 1 if it says nothing.
pub(super) fn parts(body: &CommandBody<'_>, mark: &str) -> u32 {
    let address = body.ship_to.as_ref().map_or("", |to| to.address_ref.as_ref());
    let digits = address.find(mark).and_then(|at| address[at + mark.len()..].split('-').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1).clamp(1, 9)
}
