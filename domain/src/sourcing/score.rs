//! The rules: how good a plan is. Smaller is better everywhere, so that plans compare as lists of numbers.

use super::candidates::Candidates;
use super::policies::{Policies, Rule};
use super::search::Served;

/// How good a plan is: units that it leaves out, then what each rule says, in the order of the rules.
pub(super) type Score = Vec<i64>;

/// The score of a plan.
pub(super) fn of_plan(candidates: &Candidates<'_>, rows: &[Served], policies: &Policies) -> Score {
    let asked: i64 = candidates.lines.iter().map(|line| i64::from(line.quantity)).sum();
    let served: i64 = rows.iter().map(|row| i64::from(row.quantity)).sum();
    let mut score = Vec::with_capacity(policies.rules.len() + 1);
    score.push(asked - served);
    score.extend(policies.rules.iter().map(|rule| by_rule(candidates, rows, *rule, policies)));
    score
}

fn by_rule(candidates: &Candidates<'_>, rows: &[Served], rule: Rule, policies: &Policies) -> i64 {
    let first_of_node = |index: usize| !rows[..index].iter().any(|row| row.node == rows[index].node);
    let new_nodes = || {
        let indexes = (0..rows.len()).filter(|index| first_of_node(*index));
        indexes.map(|index| &candidates.nodes[rows[index].node]).filter(|node| !node.is_used)
    };
    let units = |count: &dyn Fn(&Served) -> i64| {
        rows.iter().map(|row| i64::from(row.quantity).saturating_mul(count(row))).fold(0, i64::saturating_add)
    };
    match rule {
        Rule::MinSplits => {
            let nodes = i64::try_from(new_nodes().count()).unwrap_or(i64::MAX);
            let rows = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            nodes.saturating_mul(1_000_000).saturating_add(rows)
        }
        Rule::SlaMet => {
            units(&|row| i64::from(candidates.nodes[row.node].node.sla_hours > policies.sla_target_hours))
        }
        Rule::LandedCost => new_nodes().map(|node| node.node.cost_minor.get()).fold(0, i64::saturating_add),
        Rule::InventoryBalance => rows.iter().map(|row| used_share(candidates, row)).sum(),
        Rule::Priority => units(&|row| -i64::from(candidates.nodes[row.node].node.priority.unwrap_or(0))),
    }
}

/// How much of what the node has a row uses, in thousandths.
fn used_share(candidates: &Candidates<'_>, row: &Served) -> i64 {
    let line = &candidates.lines[row.line];
    let has = candidates.nodes[row.node].stock[line.sku].unwrap_or(0).max(1);
    i64::from(row.quantity).saturating_mul(1_000) / i64::from(has)
}

/// How good a node is for one line, the last number is its place by id: no two are equal.
pub(super) fn of_node(
    candidates: &Candidates<'_>,
    node: usize,
    line: usize,
    quantity: u32,
    policies: &Policies,
) -> Score {
    let row = [Served { line, node, quantity }];
    let mut score = of_plan(candidates, &row, policies);
    score[0] = 0;
    score.push(i64::try_from(node).unwrap_or(i64::MAX));
    score
}
