//! Answers of cells and counters, and the order's word that it has seen an allocation.

use super::deciding::Deciding;
use super::hold::refuse_what_is_nowhere;
use super::source::source;
use crate::reason::{Code, Reason};
use crate::reservation::effect::{Effect, Kind, Units, UnitsAtNode};
use crate::reservation::event::Event;
use crate::reservation::message::{
    AllocationSeen, Claimed, Consumed, GivenBack, Hardened, NotTaken, Reopened,
};
use crate::reservation::state::{ClaimState, Phase, Target};
use crate::time::Timestamp;

/// The claim that an answer names, if it is one of ours.
fn claim(of: &Deciding<'_>, id: &str) -> Option<u16> {
    of.state.claim_named(id)
}

/// The open letter that an answer is to.
fn open<'a>(of: &'a Deciding<'_>, fits: impl Fn(&Effect) -> bool) -> Option<&'a Effect> {
    of.state.effects.iter().find(|effect| fits(effect))
}

/// A cell holds a claim; one that had waited may be told of at any time.
pub(super) fn taken(of: &mut Deciding<'_>, answer: &Claimed) {
    let Some(index) = claim(of, answer.claim_id.as_str()) else { return };
    let known = of.state.claim(index).clone();
    if !matches!(known.state, ClaimState::Taking | ClaimState::Waiting) {
        return; // said before, or given back meanwhile
    }
    let quantity = answer.quantity.unwrap_or(known.quantity);
    let lacks = known.open.saturating_sub(quantity);
    of.emit(Event::Taken { claim: index, quantity });
    let (open, surplus) = (of.state.claim(index).open, of.state.claim(index).surplus);
    if surplus > 0 {
        of.intend(Kind::GiveBack { claim: index, quantity: surplus });
    }
    let Target::Cell { line, node } = known.target else { return };
    if of.state.phase == Phase::Hard && open > 0 {
        let rows = vec![UnitsAtNode { line, node, quantity: open }];
        of.emit(Event::Allocated { rows: rows.clone() });
        if of.state.is_an_orders {
            of.intend(Kind::TellAllocated { rows });
        }
    }
    look_elsewhere(of, Units { line, quantity: lacks });
}

/// Units wait in the queue of a cell. It tells when they have come; asking again makes good what is lost on the way.
pub(super) fn backordered(of: &mut Deciding<'_>, answer: &Claimed) {
    let Some(index) = claim(of, answer.claim_id.as_str()) else { return };
    let known = of.state.claim(index);
    let promised_at = answer.promised_at.map(Timestamp);
    let is_news = known.state == ClaimState::Taking
        || known.state == ClaimState::Waiting && known.promised_at != promised_at;
    if !is_news || known.waits_since.is_none() {
        return;
    }
    let surplus = known.surplus;
    let deadline = of.context.now.plus_ms(of.context.policies.backorder_ask_ms);
    of.emit(Event::Backordered { claim: index, promised_at, deadline });
    if surplus > 0 {
        of.intend(Kind::GiveBack { claim: index, quantity: surplus });
    }
}

/// A cell or counter refused, or lost what it held before that was sold.
pub(super) fn not_taken(of: &mut Deciding<'_>, answer: &NotTaken) {
    let Some(index) = claim(of, answer.claim_id.as_str()) else { return };
    let asks = |effect: &Effect| matches!(effect.kind, Kind::Take { claim } | Kind::Harden { claim } if claim == index);
    let Some(letter) = open(of, asks).map(|effect| effect.ordinal) else { return };
    let known = of.state.claim(index).clone();
    if known.state.is_over() {
        of.emit(Event::LetterAnswered { letter });
        return;
    }
    let (available, code) = (answer.available.unwrap_or(0), answer.code.share());
    of.emit(Event::NotTaken { claim: index, available, code });
    // The question may be on its way once more, and the cell does not remember what it refused: a yes to it is taken back. So is one
    // to a question before the claim was to be sold: this may be the answer to a late copy of it. And a cell that cannot promise what
    // it holds goes on holding it.
    of.intend(Kind::GiveBack { claim: index, quantity: known.quantity });
    match known.target {
        Target::Cell { line, .. } => look_elsewhere(of, Units { line, quantity: known.open }),
        Target::Counter(counter) if !of.state.phase.is_sold() => {
            let used = &of.state.content().asked.counters[usize::from(counter)];
            let code = if answer.code.as_str() == Code::Overloaded.as_str() {
                Code::Overloaded
            } else {
                Code::PolicyRefused
            };
            let message = format!(
                "{} {}: {} uses asked for, {available} left ({}); order without it",
                used.counter.as_str(),
                used.id,
                used.uses,
                answer.code
            );
            of.refuse(&Reason::new(code, message).from_participant(answer.code.as_str()), Vec::new());
        }
        // The order is committed at the price that was promised.
        Target::Counter(_) => {}
    }
}

fn look_elsewhere(of: &mut Deciding<'_>, units: Units) {
    if units.quantity == 0 {
        return;
    }
    source(of, &[units], true);
    if !of.state.phase.is_sold() {
        refuse_what_is_nowhere(of);
    }
}

/// A claim is sold.
pub(super) fn hardened(of: &mut Deciding<'_>, answer: &Hardened) {
    let Some(index) = claim(of, answer.claim_id.as_str()) else { return };
    let Some(letter) = open(of, |effect| effect.kind == Kind::Harden { claim: index }) else { return };
    let letter = letter.ordinal;
    if of.state.claim(index).state == ClaimState::Hardening {
        of.emit(Event::Hardened { claim: index });
    } else {
        of.emit(Event::LetterAnswered { letter });
    }
}

/// Uses that were final are a claim again: now they go back.
pub(super) fn reopened(of: &mut Deciding<'_>, answer: &Reopened) {
    let Some(index) = claim(of, answer.claim_id.as_str()) else { return };
    let asks = |effect: &Effect| effect.kind == Kind::Reopen { claim: index };
    let Some(letter) = open(of, asks).map(|effect| effect.ordinal) else { return };
    of.emit(Event::LetterAnswered { letter });
    let quantity = of.state.claim(index).quantity;
    of.intend(Kind::GiveBack { claim: index, quantity });
}

fn answered(of: &mut Deciding<'_>, fits: impl Fn(&Effect) -> bool) {
    if let Some(letter) = open(of, fits).map(|effect| effect.ordinal) {
        of.emit(Event::LetterAnswered { letter });
    }
}

/// Units that left are off the stock.
pub(super) fn consumed(of: &mut Deciding<'_>, answer: &Consumed) {
    let is_it = |effect: &Effect| {
        matches!(effect.kind, Kind::Consume { .. } | Kind::ConsumeUnclaimed { .. })
            && *effect.id == *answer.movement_id.as_str()
    };
    answered(of, is_it);
}

/// Units or uses are free again.
pub(super) fn given_back(of: &mut Deciding<'_>, answer: &GivenBack) {
    answered(of, |effect| {
        matches!(effect.kind, Kind::GiveBack { .. }) && *effect.id == *answer.release_id.as_str()
    });
}

/// The order knows.
pub(super) fn seen(of: &mut Deciding<'_>, letter: &AllocationSeen) {
    answered(of, |effect| {
        matches!(effect.kind, Kind::TellAllocated { .. } | Kind::TellGivenUp { .. })
            && *effect.id == *letter.allocation_id.as_str()
    });
}
