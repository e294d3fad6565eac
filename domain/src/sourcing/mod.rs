//! Which node ships which units: who is a candidate, which plan is best, and why.
//!
//! A filter says which nodes may serve at all. A chain of rules compares plans: the first rule that tells two apart decides, and
//! where none does the ids of the nodes do. Availability comes from the board and is a hint: the cells decide later, so a plan may
//! be refused and made again without the cell that refused it.
//!
//! Reading order: [`ask`] (what is asked), [`policies`] (what can be configured), `candidates` (the filter), `score` (the rules),
//! `search` (the plans), [`record`] (what is remembered of it).

pub mod ask;
pub mod policies;
pub mod record;

mod candidates;
mod score;
mod search;

pub use ask::{Ask, Availability, Row, Shortage, Supply, Wanted};
pub use policies::{Policies, Rule, StaleStock};
pub use record::{Candidate, Decided, Record, Unfit, Verdict};

use std::sync::Arc;

use self::candidates::Candidates;
use crate::reference::Reference;

/// Where the units of an [`Ask`] come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Units that a node has, by line and node id; at most as many as the board said.
    pub rows: Vec<Row>,
    /// Units that no candidate has, by line.
    pub short: Vec<Shortage>,
    /// Why.
    pub record: Record,
}

/// Plans `ask`. The same ask, board, reference data and policies give the same plan, in whatever order the lines came.
///
/// Finds the best plan there is if the candidates are at most `candidates_most`, their combinations at most `searched_most` (the
/// record says whether it was so), and no node's capacity is used up by several lines of this ask, or by
/// what it ships of the same goods already (the units of other orders are not counted). Within one combination of nodes
/// lines are served one after the other, each by the best single node that has enough, else by those that have most: a plan
/// in which a line makes room for another by going to a worse node is not looked for.
pub fn source(ask: &Ask<'_>, supply: &dyn Supply, reference: &Reference, policies: &Policies) -> Plan {
    let candidates = Candidates::find(ask, supply, reference, policies);
    let found = search::search(&candidates, policies);
    let short = shortages(&candidates, &found.rows, policies);
    let record = record::record(&candidates, &found, reference.revision(), policies);
    Plan { rows: found.rows.iter().map(|row| candidates.row(row)).collect(), short, record }
}

/// What is missing of each line, and the node that it waits at: one that ships other units of the ask if possible, else the best.
fn shortages(candidates: &Candidates<'_>, rows: &[search::Served], policies: &Policies) -> Vec<Shortage> {
    let short = candidates.lines.iter().enumerate().filter_map(|(index, line)| {
        let served = rows.iter().filter(|row| row.line == index).map(|row| row.quantity).sum::<u32>();
        let quantity = line.quantity - served;
        (quantity > 0).then(|| {
            let waits_at = |node: &usize| {
                let is_used = candidates.nodes[*node].is_used || rows.iter().any(|row| row.node == *node);
                (!is_used, score::of_node(candidates, *node, index, quantity, policies))
            };
            let places = (0..candidates.nodes.len()).filter(|node| candidates.may_wait(*node, index));
            let node = places.min_by_key(waits_at).map(|node| Arc::clone(candidates.nodes[node].id));
            Shortage { line: line.number, quantity, node }
        })
    });
    short.collect()
}
