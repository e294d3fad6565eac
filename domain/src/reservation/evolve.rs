//! How each event changes the state. Total and free of judgement: whatever was recorded can be replayed.

use std::sync::Arc;

use super::content::Content;
use super::effect::{Effect, Kind, Units};
use super::event::Event;
use super::state::{Claim, ClaimState, LineUnits, Missing, Phase, RefusedCell, State, Target};
use crate::reason::Reason;
use crate::sourcing::{Row, Shortage};
use crate::time::Timestamp;

/// How many movements and releases a reservation remembers. Its order repeats only the open ones.
pub(super) const APPLIED_MOST: usize = 256;

/// Absorbs one event.
pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Requested(content) => requested(state, content),
        Event::Barred { tenant, reservation_id, reason, version } => {
            state.id = Some((tenant.clone(), reservation_id.clone()));
            state.phase = Phase::Released;
            state.outcome = Some((*version, Some(Reason::clone(reason))));
        }
        Event::Sourced { again, rows, short, record } => {
            state.record = Some(Arc::clone(record));
            state.tries += u16::from(*again);
            sourced(state, rows, short);
        }
        Event::LookedAgain { lines } => looked_again(state, lines),
        Event::Held { version, overdue_at } => {
            state.phase = if state.content().asked.hard { Phase::Hard } else { Phase::Soft };
            state.outcome = Some((*version, None));
            state.overdue_at = *overdue_at;
        }
        Event::Refused { reason, lines, version } => {
            state.outcome = Some((*version, Some(Reason::clone(reason))));
            state.available.clone_from(lines);
            close_all(state, Phase::Refused);
            // Also of units that had no claim yet nothing is wanted any more.
            let State { content, lines, .. } = state;
            let asked = content.iter().flat_map(|content| &content.asked.lines);
            for (line, asked) in lines.iter_mut().zip(asked) {
                line.released = asked.quantity - line.consumed;
            }
        }
        Event::Attached { order_id, overdue_at } => {
            state.order_id = Some(order_id.clone());
            state.is_an_orders = true;
            state.expires_at = None;
            state.overdue_at = Some(*overdue_at);
        }
        Event::Extended { expires_at } => state.expires_at = Some(*expires_at),
        Event::CommitAsked { order_id, by_order, at } => {
            state.is_an_orders |= *by_order;
            commit_asked(state, order_id, *at);
        }
        Event::Committed { overdue_at } => {
            state.phase = Phase::Hard;
            state.overdue_at = *overdue_at;
        }
        Event::Parked { look_again_at, give_up_at, .. } => {
            state.look_again_at = Some(*look_again_at);
            state.give_up_at = Some(*give_up_at);
        }
        // The claim says it already.
        Event::Allocated { .. } => {}
        Event::Overdue => {
            state.overdue = true;
            state.overdue_at = None;
        }
        Event::Ended { end, version, .. } => {
            state.outcome.get_or_insert((*version, None));
            close_all(state, (*end).into());
        }
        Event::LetterWritten { .. } | Event::LetterSent { .. } | Event::LetterAnswered { .. } => {
            letters(state, event);
        }
        Event::Taken { .. }
        | Event::NotTaken { .. }
        | Event::Backordered { .. }
        | Event::Hardened { .. }
        | Event::ClaimCut { .. } => claims(state, event),
        Event::Departed { movement_id, .. } | Event::Unaccounted { movement_id, .. } => {
            remember(state, movement_id);
        }
        Event::Released { release_id, .. } => remember(state, release_id),
        Event::MissingCut { line, quantity } => {
            take_missing(state, *line, *quantity, false);
            state.lines[usize::from(*line)].released += quantity;
        }
        Event::GivenUp { lines } => given_up(state, lines),
    }
}

fn looked_again(state: &mut State, lines: &[Units]) {
    state.refused_cells.clear();
    state.tries = 0;
    state.look_again_at = None;
    for units in lines {
        take_missing(state, units.line, units.quantity, true);
    }
}

fn given_up(state: &mut State, lines: &[Units]) {
    for Units { line, quantity } in lines {
        take_missing(state, *line, *quantity, true);
        state.lines[usize::from(*line)].given_up += quantity;
    }
    nothing_is_parked(state);
}

fn requested(state: &mut State, content: &Content) {
    let asked = &content.asked;
    state.phase = Phase::Requested;
    state.id = Some((content.tenant.clone(), content.reservation_id.clone()));
    state.expires_at = content.expires_at;
    if asked.by_order {
        state.order_id.clone_from(&asked.order_id);
        state.is_an_orders = true;
    }
    if asked.hard {
        state.committed_at = Some(content.at);
    }
    state.lines = vec![LineUnits::default(); asked.lines.len()].into();
    let counters = asked.counters.iter().zip(0_u16..).map(|(used, index)| Claim {
        target: Target::Counter(index),
        quantity: used.uses,
        open: used.uses,
        surplus: 0,
        consumed: 0,
        waits_since: None,
        promised_at: None,
        state: ClaimState::Planned,
    });
    state.claims = counters.collect::<Vec<_>>().into();
    state.content = Some(Arc::new(content.clone()));
}

fn planned(line: u16, node: &Arc<str>, quantity: u32, waits_since: Option<Timestamp>) -> Claim {
    Claim {
        target: Target::Cell { line, node: Arc::clone(node) },
        quantity,
        open: quantity,
        surplus: 0,
        consumed: 0,
        waits_since,
        promised_at: None,
        state: ClaimState::Planned,
    }
}

/// Rows become claims. What is short waits at its node if it is sold, and is only noted before.
fn sourced(state: &mut State, rows: &[Row], short: &[Shortage]) {
    for row in rows {
        state.claims.push(planned(row.line, &row.node, row.quantity, None));
    }
    for Shortage { line, quantity, node } in short {
        match (node, state.committed_at) {
            (Some(node), Some(since)) => state.claims.push(planned(*line, node, *quantity, Some(since))),
            _ => {
                state.missing.push(Missing { line: *line, quantity: *quantity, node: node.clone() });
            }
        }
    }
    nothing_is_parked(state);
}

/// Once every unit has a place again, a later shortage has its whole time.
fn nothing_is_parked(state: &mut State) {
    if state.missing.iter().all(|missing| missing.node.is_some()) {
        (state.look_again_at, state.give_up_at) = (None, None);
    }
}

fn commit_asked(state: &mut State, order_id: &crate::ids::Key, at: Timestamp) {
    state.phase = Phase::Committing;
    state.order_id = Some(order_id.clone());
    state.expires_at = None;
    state.committed_at = Some(at);
    for missing in std::mem::take(&mut state.missing) {
        match &missing.node {
            Some(node) => state.claims.push(planned(missing.line, node, missing.quantity, Some(at))),
            None => state.missing.push(missing),
        }
    }
}

/// It is over. What its cells held was given back before; what is left was never asked for, or are uses that stay used.
fn close_all(state: &mut State, phase: Phase) {
    state.phase = phase;
    (state.expires_at, state.overdue_at, state.look_again_at, state.give_up_at) = (None, None, None, None);
    for missing in std::mem::take(&mut state.missing) {
        state.lines[usize::from(missing.line)].released += missing.quantity;
    }
    let closed = if phase == Phase::Consumed { ClaimState::Consumed } else { ClaimState::Released };
    let State { claims, lines, .. } = state;
    for claim in claims.iter_mut().filter(|claim| !claim.state.is_over()) {
        if let Target::Cell { line, .. } = claim.target {
            lines[usize::from(line)].released += claim.open;
        }
        claim.open = 0;
        claim.state = closed;
    }
}

fn letters(state: &mut State, event: &Event) {
    match event {
        Event::LetterWritten { kind, at, deadline } => {
            written(state, kind);
            state.letters += 1;
            let ordinal = state.letters;
            let (tenant, key) = state.id.as_ref().expect("only what was heard of writes letters");
            let id = format!("{tenant}:{key}:{}:{ordinal}", kind.name()).into();
            let effect =
                Effect { id, ordinal, kind: kind.clone(), attempts: 1, sent_at: *at, deadline: *deadline };
            state.effects.push(effect);
        }
        Event::LetterSent { letter, deadline } => {
            if let Some(effect) = state.effects.iter_mut().find(|effect| effect.ordinal == *letter) {
                effect.attempts += 1;
                effect.deadline = *deadline;
            }
        }
        Event::LetterAnswered { letter } => state.effects.retain(|effect| effect.ordinal != *letter),
        _ => {}
    }
}

/// What a letter changes as soon as it is decided.
fn written(state: &mut State, kind: &Kind) {
    match kind {
        Kind::Take { claim } => {
            let asked = &mut state.claims[usize::from(*claim)];
            // What was cut before is not asked for.
            asked.quantity = asked.open;
            asked.state = ClaimState::Taking;
        }
        Kind::Harden { claim } => state.claims[usize::from(*claim)].state = ClaimState::Hardening,
        Kind::Reopen { claim } => {
            let back = &mut state.claims[usize::from(*claim)];
            (back.open, back.surplus) = (0, 0);
            close(state, *claim);
        }
        Kind::GiveBack { claim, quantity } => {
            let given = &mut state.claims[usize::from(*claim)];
            let surplus = given.surplus.min(*quantity);
            given.surplus -= surplus;
            let units = given.open.min(quantity - surplus);
            given.open -= units;
            let is_over = given.open == 0 && given.surplus == 0 && !given.state.is_over();
            if let Target::Cell { line, .. } = given.target {
                state.lines[usize::from(line)].released += units;
            }
            if is_over {
                close(state, *claim);
            }
        }
        Kind::Consume { claim, quantity } => {
            let left = &mut state.claims[usize::from(*claim)];
            left.open -= left.open.min(*quantity);
            left.consumed += quantity;
            let is_over = left.open == 0 && left.surplus == 0;
            if let Target::Cell { line, .. } = left.target {
                state.lines[usize::from(line)].consumed += quantity;
            }
            if is_over {
                close(state, *claim);
            }
        }
        Kind::ConsumeUnclaimed { line, quantity, .. } => {
            if let Some(line) = line {
                state.lines[usize::from(*line)].unclaimed += quantity;
            }
        }
        Kind::TellAllocated { .. } | Kind::TellGivenUp { .. } => {}
    }
}

/// A claim has nothing left: what was asked of its cell before is not asked again.
fn close(state: &mut State, claim: u16) {
    let closed = &mut state.claims[usize::from(claim)];
    closed.state = if closed.consumed > 0 { ClaimState::Consumed } else { ClaimState::Released };
    state
        .effects
        .retain(|effect| effect.kind != (Kind::Take { claim }) && effect.kind != (Kind::Harden { claim }));
}

fn claims(state: &mut State, event: &Event) {
    match event {
        Event::Taken { claim, quantity } => {
            state.effects.retain(|effect| effect.kind != (Kind::Take { claim: *claim }));
            let is_sold = state.committed_at.is_some();
            let is_cell = matches!(state.claims[usize::from(*claim)].target, Target::Cell { .. });
            let taken = &mut state.claims[usize::from(*claim)];
            taken.open = taken.open.min(*quantity);
            taken.surplus = taken.surplus.min(*quantity - taken.open);
            // Uses are always reserved first.
            taken.state = if is_sold && is_cell { ClaimState::Hard } else { ClaimState::Soft };
        }
        Event::Hardened { claim } => {
            state.effects.retain(|effect| effect.kind != (Kind::Harden { claim: *claim }));
            state.claims[usize::from(*claim)].state = ClaimState::Hard;
        }
        Event::NotTaken { claim, available, .. } => not_taken(state, *claim, *available),
        Event::Backordered { claim, promised_at, deadline } => {
            let waiting = &mut state.claims[usize::from(*claim)];
            waiting.state = ClaimState::Waiting;
            waiting.promised_at = *promised_at;
            let take = Kind::Take { claim: *claim };
            if let Some(effect) = state.effects.iter_mut().find(|effect| effect.kind == take) {
                effect.deadline = *deadline;
            }
        }
        Event::ClaimCut { claim, quantity } => {
            let cut = &mut state.claims[usize::from(*claim)];
            cut.open -= cut.open.min(*quantity);
            if cut.state == ClaimState::Planned {
                if cut.open == 0 {
                    cut.state = ClaimState::Released;
                }
            } else {
                cut.surplus += quantity;
            }
            if let Target::Cell { line, .. } = cut.target {
                state.lines[usize::from(line)].released += quantity;
            }
        }
        _ => {}
    }
}

fn not_taken(state: &mut State, claim: u16, available: u32) {
    state.effects.retain(|effect| effect.kind.claim() != Some(claim));
    let refused = &mut state.claims[usize::from(claim)];
    let (was_held, waits) = (refused.state.is_held(), refused.waits_since.is_some());
    refused.state = if was_held { ClaimState::Reassigned } else { ClaimState::Refused };
    (refused.open, refused.surplus) = (0, 0);
    let Target::Cell { line, node } = refused.target.clone() else { return };
    let asked = state.content().line(line);
    let (sku, promotion) = (Arc::clone(&asked.sku), asked.promotion.clone());
    let is_it = |cell: &&mut RefusedCell| cell.is(&sku, &node, promotion.as_deref());
    match state.refused_cells.iter_mut().find(is_it) {
        Some(known) => {
            known.available = known.available.min(available);
            known.is_closed |= waits;
        }
        None => state.refused_cells.push(RefusedCell { sku, node, promotion, available, is_closed: waits }),
    }
}

/// Takes units out of what is missing; `nowhere` = of those that cannot be filled, else any.
fn take_missing(state: &mut State, line: u16, quantity: u32, nowhere: bool) {
    let mut left = quantity;
    let of_line = |missing: &&mut Missing| missing.line == line && !(nowhere && missing.node.is_some());
    for missing in state.missing.iter_mut().filter(of_line) {
        let taken = missing.quantity.min(left);
        missing.quantity -= taken;
        left -= taken;
    }
    state.missing.retain(|missing| missing.quantity > 0);
    if !nowhere {
        nothing_is_parked(state);
    }
}

fn remember(state: &mut State, id: &Arc<str>) {
    if state.applied.iter().any(|known| known == id) {
        return;
    }
    if state.applied.len() >= APPLIED_MOST {
        state.applied.remove(0);
    }
    state.applied.push(Arc::clone(id));
}
