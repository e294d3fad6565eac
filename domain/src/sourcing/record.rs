//! What is remembered of a sourcing decision: the candidates, their scores, and why those lost that did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::candidates::Candidates;
use super::policies::{Policies, Rule};
use super::score;
use super::search::{Found, Served};

/// Why a node was no candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// It takes no new work.
    Inactive,
    /// It is not the one where the customer collects, or nobody can collect there.
    Pickup,
    /// It does not ship there.
    Region,
    /// It does not work for the channel.
    Channel,
    /// It takes no units at all.
    Capacity,
    /// It is slower than allowed.
    Sla,
    /// Every line names another node.
    OtherNode,
    /// The item is not sold.
    NotSold,
    /// Its cell has refused already.
    Refused,
    /// The feed of its cell is late, and such cells are skipped.
    Stale,
    /// It has no cell of the item.
    NotThere,
}

/// Which comparison a candidate lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The plan that won serves more units.
    Units,
    /// This rule told the plans apart.
    Rule(Rule),
    /// All rules were equal: the ids of the nodes decided.
    Id,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It serves.
    Chosen,
    /// The best plan with it lost.
    Lost(Decided),
    /// No plan with it was looked at: what it has adds nothing, or enough was found before.
    NotNeeded,
    /// The filter kept it out.
    Unfit(Unfit),
}

/// One node, as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The node.
    pub node: Arc<str>,
    /// What became of it.
    pub verdict: Verdict,
    /// How many of the units it could serve alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub units: u32,
    /// What each rule says of the best plan with it, in the order of the rules; less is better. Empty if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_zero(units: &u32) -> bool {
    *units == 0
}

/// A sourcing decision. Bounded by the policies that it was made with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// The revision of the reference data that it was made from.
    pub reference: u64,
    /// The rules in the order in which they decided.
    pub rules: Vec<Rule>,
    /// The nodes: the chosen ones first, then those that lost, then those that the filter kept out; by id.
    pub candidates: Vec<Candidate>,
    /// How many nodes are not named here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unnamed: u32,
    /// How many combinations of nodes were looked at.
    pub searched: u32,
    /// False if a bound ended the search: there may be a better plan.
    pub complete: bool,
}

/// Writes down what was found.
pub(super) fn record(
    candidates: &Candidates<'_>,
    found: &Found,
    reference: u64,
    policies: &Policies,
) -> Record {
    let mut judged: Vec<Candidate> =
        (0..candidates.nodes.len()).map(|node| judged(candidates, found, node, policies)).collect();
    judged.sort_by_key(|candidate| candidate.verdict != Verdict::Chosen);
    let unfit = candidates.unfit.iter().map(|(id, unfit)| Candidate {
        node: Arc::clone(id),
        verdict: Verdict::Unfit(*unfit),
        units: 0,
        scores: Vec::new(),
    });
    let all = judged.len() + candidates.unfit.len() + candidates.cut;
    let named: Vec<Candidate> =
        judged.into_iter().chain(unfit).take(usize::from(policies.recorded_most)).collect();
    Record {
        reference,
        rules: policies.rules.clone(),
        unnamed: u32::try_from(all - named.len()).unwrap_or(u32::MAX),
        candidates: named,
        searched: found.searched,
        complete: found.is_complete,
    }
}

fn judged(candidates: &Candidates<'_>, found: &Found, node: usize, policies: &Policies) -> Candidate {
    let best = found.best_with[node].as_ref();
    let verdict = if found.rows.iter().any(|row: &Served| row.node == node) {
        Verdict::Chosen
    } else {
        best.map_or(Verdict::NotNeeded, |best| Verdict::Lost(lost(best, found, policies)))
    };
    Candidate {
        node: Arc::clone(candidates.nodes[node].id),
        verdict,
        units: candidates.reach(node),
        scores: best.map_or_else(Vec::new, |best| best[1..].to_vec()),
    }
}

/// The first number in which a plan is worse than the one that won.
fn lost(best: &score::Score, found: &Found, policies: &Policies) -> Decided {
    let differs = best.iter().zip(&found.score).position(|(lost, won)| lost != won);
    match differs {
        None => Decided::Id,
        Some(0) => Decided::Units,
        Some(at) => Decided::Rule(policies.rules[at - 1]),
    }
}
