//! The plans: combinations of nodes, small ones first, each filled line by line.

use super::candidates::Candidates;
use super::policies::{Policies, Rule};
use super::score::{self, Score};

/// Units of the line with this index from the node with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Served {
    pub(super) line: usize,
    pub(super) node: usize,
    pub(super) quantity: u32,
}

/// The best plan that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<Served>,
    pub(super) score: Score,
    /// The score of the best plan that each candidate has a part in.
    pub(super) best_with: Vec<Option<Score>>,
    pub(super) searched: u32,
    /// Was every combination within the limit looked at that can be better?
    pub(super) is_complete: bool,
}

pub(super) fn search(candidates: &Candidates<'_>, policies: &Policies) -> Found {
    let nothing = score::of_plan(candidates, &[], policies);
    let mut found = Found {
        rows: Vec::new(),
        score: nothing,
        best_with: vec![None; candidates.nodes.len()],
        searched: 0,
        is_complete: candidates.cut == 0,
    };
    let indexes = 0..candidates.nodes.len();
    let (used, new): (Vec<usize>, Vec<usize>) = indexes.partition(|node| candidates.nodes[*node].is_used);
    let splits_first = policies.rules.first() == Some(&Rule::MinSplits);
    let mut nodes = Vec::new();
    for size in 0..=candidates.most_new.min(new.len()) {
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            if found.searched >= policies.searched_most {
                found.is_complete = false;
                return found;
            }
            found.searched += 1;
            nodes.clear();
            nodes.extend(used.iter().copied().chain(chosen.iter().map(|at| new[*at])));
            found.look(candidates, &nodes, size, policies);
            if !next(&mut chosen, new.len()) {
                break;
            }
        }
        // More nodes are more splits, so nothing that comes can be better.
        if splits_first && found.score[0] == 0 {
            break;
        }
    }
    found
}

/// The next combination in the order of the indexes; false if this was the last.
fn next(chosen: &mut [usize], of: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|at| chosen[*at] < of - size + at) else { return false };
    chosen[at] += 1;
    for later in at + 1..size {
        chosen[later] = chosen[later - 1] + 1;
    }
    true
}

impl Found {
    /// Fills one combination, and keeps the plan if it is better. Ties keep the earlier plan: that of the first ids.
    fn look(&mut self, candidates: &Candidates<'_>, nodes: &[usize], new: usize, policies: &Policies) {
        let rows = fill(candidates, nodes, policies);
        let needs = |node: usize| rows.iter().any(|row| row.node == node);
        // A combination with a node too many was looked at before, without it.
        if rows.is_empty() || !nodes[nodes.len() - new..].iter().all(|node| needs(*node)) {
            return;
        }
        let score = score::of_plan(candidates, &rows, policies);
        for node in nodes.iter().copied().filter(|node| needs(*node)) {
            let best = &mut self.best_with[node];
            if best.as_ref().is_none_or(|best| score < *best) {
                *best = Some(score.clone());
            }
        }
        if score < self.score {
            self.score = score;
            self.rows = rows;
        }
    }
}

/// Serves the lines from these nodes, as far as they can.
fn fill(candidates: &Candidates<'_>, nodes: &[usize], policies: &Policies) -> Vec<Served> {
    let stock =
        nodes.iter().flat_map(|node| candidates.nodes[*node].stock.iter().map(|has| has.unwrap_or(0)));
    let mut stock: Vec<u32> = stock.collect();
    let mut capacity: Vec<u32> = nodes.iter().map(|node| candidates.nodes[*node].capacity).collect();
    let mut rows = Vec::with_capacity(candidates.lines.len());
    for (index, line) in candidates.lines.iter().enumerate() {
        let mut missing = line.quantity;
        while missing > 0 {
            let has = |at: &usize| {
                let allowed = candidates.may_serve(nodes[*at], line);
                if allowed { stock[at * candidates.skus + line.sku].min(capacity[*at]) } else { 0 }
            };
            let rank = |at: &usize| {
                let (has, node) = (has(at), nodes[*at]);
                let lacks = missing.saturating_sub(has);
                let is_known = rows.iter().any(|row: &Served| row.node == node);
                let quantity = missing.min(has);
                (lacks, !is_known, score::of_node(candidates, node, index, quantity, policies))
            };
            let Some(at) = (0..nodes.len()).filter(|at| has(at) > 0).min_by_key(rank) else { break };
            let quantity = missing.min(has(&at));
            stock[at * candidates.skus + line.sku] -= quantity;
            capacity[at] -= quantity;
            missing -= quantity;
            rows.push(Served { line: index, node: nodes[at], quantity });
        }
    }
    rows.sort_unstable();
    rows
}
