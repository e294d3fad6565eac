//! Units of a line are not needed: those that wait for stock go first, then what was held last.

use super::deciding::Deciding;
use crate::reservation::effect::Kind;
use crate::reservation::event::Event;
use crate::reservation::state::{Claim, ClaimState, Target};

/// Gives up to `quantity` units of a line up, at one node or anywhere; gives how many there were.
pub(super) fn cut(of: &mut Deciding<'_>, line: u16, node: Option<&str>, quantity: u32) -> u32 {
    let mut left = quantity;
    if node.is_none() {
        let missing = of.state.missing.iter().filter(|missing| missing.line == line);
        let units = missing.map(|missing| missing.quantity).sum::<u32>().min(left);
        if units > 0 {
            of.emit(Event::MissingCut { line, quantity: units });
            left -= units;
        }
    }
    let is_of_line = |claim: &Claim| {
        matches!(&claim.target, Target::Cell { line: of, node: at }
            if *of == line && node.is_none_or(|node| **at == *node))
    };
    let open =
        of.state.indexed().filter(|(_, claim)| is_of_line(claim) && !claim.state.is_over() && claim.open > 0);
    let mut open: Vec<(u8, u16)> = open.map(|(index, claim)| (rank(claim.state), index)).collect();
    open.sort_by_key(|(rank, index)| (*rank, std::cmp::Reverse(*index)));
    for (_, index) in open {
        let claim = of.state.claim(index);
        let quantity = claim.open.min(left);
        if quantity == 0 {
            break;
        }
        left -= quantity;
        let is_all = quantity == claim.open;
        let not_yet_known =
            claim.state == ClaimState::Planned || claim.state == ClaimState::Taking && !is_all;
        if not_yet_known {
            // Were the question lost, the cell would take the whole when it comes again.
            of.emit(Event::ClaimCut { claim: index, quantity });
        } else {
            let quantity = quantity + if is_all { claim.surplus } else { 0 };
            of.intend(Kind::GiveBack { claim: index, quantity });
        }
    }
    quantity - left
}

const fn rank(state: ClaimState) -> u8 {
    match state {
        ClaimState::Waiting => 0,
        ClaimState::Planned => 1,
        ClaimState::Taking => 2,
        _ => 3,
    }
}
