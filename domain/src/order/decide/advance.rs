//! What follows from the state alone: after every input the order goes as far as it can. Dues are derived from the
//! ledgers and not remembered, so whatever order the answers come in, the same is asked for in the end.

use super::deciding::Deciding;
use super::{cancel, erp, submit, supply};
use crate::money::{Minor, Points};
use crate::order::effect::{Kind, Units};
use crate::order::event::{DocumentKind, Event, HoldType};
use crate::order::policies::{Completion, UnknownAtDeadline};
use crate::order::state::{LineUnits, Phase, State};
use crate::reason::{Code, Reason};

pub(super) fn advance(order: &mut Deciding<'_>) {
    if matches!(order.state.phase, Phase::Received | Phase::Reserving) {
        reserve(order);
        let is_late = order.context.now >= order.state.content().commit_deadline;
        if order.state.phase == Phase::Reserving && is_late {
            commit_deadline(order);
        }
    }
    match order.state.phase {
        Phase::Unborn | Phase::Received | Phase::Reserving => {}
        Phase::Rejected => {
            // An effect that was in doubt at the rejection may have turned out not to be applied since.
            supersede(order);
            give_back(order);
        }
        Phase::Committed | Phase::Fulfilling | Phase::Completed | Phase::Cancelling | Phase::Cancelled => {
            settle(order);
        }
    }
}

/// Stock and points first, then money, then the commit.
fn reserve(order: &mut Deciding<'_>) {
    let has_stock = supply::reserve(order);
    let content = order.state.content();
    let (points, tenders) = (content.redemption.points, content.tenders.len());
    if order.state.redemption.reserved < points {
        if order.state.ordinals[Kind::ReservePoints.index()] == 0 {
            order.intend(Kind::ReservePoints);
        }
        return;
    }
    if !has_stock {
        return;
    }
    if order.state.ordinals[Kind::Authorize { tender: 0 }.index()] == 0 {
        for tender in (0..tenders).filter_map(|tender| u16::try_from(tender).ok()) {
            if order.state.content().tenders[usize::from(tender)].amount_minor > 0 {
                order.intend(Kind::Authorize { tender });
            }
        }
    }
    let covered = order.state.content().tenders.iter().zip(&order.state.tenders);
    if covered.fold(true, |all, (tender, ledger)| all && ledger.authorized >= tender.amount_minor) {
        commit(order);
    }
}

/// The obligation begins: it is booked, what was cancelled meanwhile is taken off, the rest looks for a node.
fn commit(order: &mut Deciding<'_>) {
    for hold in order.state.holds.clone() {
        order.emit(Event::HoldResolved { hold });
    }
    let version = order.context.version;
    order.emit(Event::Committed { version });
    erp::book_due(order);
    let noted: Vec<Units> = units(&order.state, |line| line.noted);
    cancel::pending_units(order, &noted);
    supply::committed(order);
}

/// Asks for a node for every unit that has none, unless somebody is asked already.
pub(super) fn allocate(order: &mut Deciding<'_>) {
    let lines = units(&order.state, |line| line.pending);
    if !lines.is_empty() {
        order.intend(Kind::Allocate { lines });
    }
}

/// The units of each line that `of` counts.
pub(super) fn units(state: &State, of: impl Fn(&LineUnits) -> u32) -> Vec<Units> {
    let lines = state.lines.iter().enumerate().filter_map(|(index, line)| {
        Some(Units { line: u16::try_from(index).ok()?, quantity: of(line) })
            .filter(|units| units.quantity > 0)
    });
    lines.collect()
}

/// The deadline has passed while the order reserves: given up if nothing can still have happened, else held.
pub(super) fn commit_deadline(order: &mut Deciding<'_>) {
    // What a reservation holds can always be released, whether it has answered or not.
    let is_unknown =
        order.state.effects.iter().any(|effect| effect.may_be_applied() && !effect.kind.is_letter());
    let waits = order.context.policies.unknown_at_deadline == UnknownAtDeadline::Wait;
    if is_unknown && waits {
        if order.state.holds.is_empty() {
            order.emit(Event::HoldPlaced { hold: HoldType::UnknownOutcome });
        }
        return;
    }
    let message = "the order could not be reserved in time; submit it again under a new order_id";
    submit::reject(order, Reason::new(Code::CommitDeadline, message));
}

/// What was never applied is no longer wanted.
pub(super) fn supersede(order: &mut Deciding<'_>) {
    let prerequisites = order.state.effects.iter().filter(|effect| {
        !effect.may_be_applied() && matches!(effect.kind, Kind::ReservePoints | Kind::Authorize { .. })
    });
    for effect in prerequisites.map(|effect| effect.id.clone()).collect::<Vec<_>>() {
        order.emit(Event::EffectSuperseded { effect });
    }
}

fn settle(order: &mut Deciding<'_>) {
    if order.state.all_cancelled() && matches!(order.state.phase, Phase::Committed | Phase::Fulfilling) {
        order.emit(Event::Cancelling);
    }
    give_back(order);
    supply::settle(order);
    accrue(order);
    erp::post_ready(order);
    finish(order);
}

/// Money and points that nothing will need any more. A void waits while a capture of its tender is on its way.
fn give_back(order: &mut Deciding<'_>) {
    for tender in (0..order.state.tenders.len()).filter_map(|tender| u16::try_from(tender).ok()) {
        let ledger = &order.state.tenders[usize::from(tender)];
        let amount_minor =
            ledger.authorized - ledger.released - ledger.releasing - needed_money(&order.state, tender);
        if amount_minor > 0 && ledger.capturing == 0 {
            order.intend(Kind::Void { tender, amount_minor });
        }
    }
    let (needed, needed_value) = needed_points(&order.state);
    let ledger = &order.state.redemption;
    let points = ledger.reserved - ledger.released - ledger.releasing - needed;
    if points > 0 {
        let all_value = order.state.content().redemption.value_minor;
        let value_minor = (all_value - ledger.released_value - needed_value).max(0);
        order.intend(Kind::ReleasePoints { points, value_minor });
    }
}

/// What a tender pays of the units that have left or still may.
fn needed_money(state: &State, tender: u16) -> Minor {
    if state.phase == Phase::Rejected {
        return 0;
    }
    state.live_spans().map(|span| state.cells().tender_value(usize::from(tender), span)).sum()
}

/// The points of the units that have left or still may, and their value.
fn needed_points(state: &State) -> (Points, Minor) {
    if state.phase == Phase::Rejected {
        return (0, 0);
    }
    state.live_spans().fold((0, 0), |(points, value), span| {
        (points + state.cells().points_count(span), value + state.cells().points_value(span))
    })
}

/// One accrual at a time: the difference between what is earned and what was posted.
fn accrue(order: &mut Deciding<'_>) {
    let target_points = order.state.accrual_target();
    let points_delta = target_points - order.state.accrual.posted;
    if points_delta != 0 && order.state.accrual.posting == 0 {
        let basis_minor = order.state.accrual_basis();
        order.intend(Kind::Accrue { points_delta, target_points, basis_minor });
    }
}

fn finish(order: &mut Deciding<'_>) {
    if order.state.phase.is_terminal() || !is_settled(&order.state, order.context.policies.completion) {
        return;
    }
    if order.state.any_departed() {
        order.emit(Event::Completed);
    } else if order.state.phase == Phase::Cancelling {
        let reason = match &order.state.cancel_reason {
            Some(wish) => Reason::new(Code::CancelledByCustomer, format!("cancelled on request: {wish}")),
            None => Reason::new(cancel_code(&order.state), "every unit was cancelled before it left"),
        };
        order.emit(Event::Cancelled { reason });
    }
}

/// Without a wish for the whole order: refused by allocation, unless the customer took the units off one by one.
fn cancel_code(state: &State) -> Code {
    if state.stock_refused { Code::OutOfStock } else { Code::CancelledByCustomer }
}

/// Every unit is where it ends, every ledger adds up, every document is posted, and nothing is open.
fn is_settled(state: &State, completion: Completion) -> bool {
    let units_end = state.lines.iter().all(|line| match completion {
        Completion::Departed => line.pending + line.released == 0,
        Completion::Delivered => line.pending + line.released + line.shipped == 0,
    });
    let money_ends =
        state.tenders.iter().all(|ledger| ledger.captured + ledger.released == ledger.authorized);
    let points = &state.redemption;
    units_end
        && state.effects.is_empty()
        && state.holds.is_empty()
        && money_ends
        && points.finalized + points.released == points.reserved
        && state.accrual.posted == state.accrual_target()
        && (0..state.documents.len())
            .filter_map(|index| u16::try_from(index).ok())
            .all(|index| state.is_posted(index))
        && state.first_document(DocumentKind::Book).is_some()
}
