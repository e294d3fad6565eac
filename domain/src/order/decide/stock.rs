//! Letters of reservations: what they hold, what they cannot hold, and stock that was found later.

use super::allocation::{plan_shipment, share_out};
use super::cancel::out_of_stock;
use super::deciding::{Deciding, Exposure};
use super::shipment::units_of;
use super::submit::reject;
use super::supply::{find_stock, hold};
use crate::decider::Answer;
use crate::ids::Key;
use crate::messages::inbound::reservation::{
    Allocated, BackorderedRow, Consumed, GivenUp, Held, HeldRow, Letter, Refused, Released, ShortRow,
};
use crate::messages::leaf::LineNumber;
use crate::messages::text::{Remark, Text};
use crate::order::effect::{Effect, Kind, Units, UnitsAt};
use crate::order::event::{AllocatedUnits, Event, ExceptionKind};
use crate::order::letter::allocation_seen;
use crate::order::state::{Phase, State};
use crate::order::stock::{Backordered, Stage};
use crate::reason::{Code, Reason};

pub(super) fn letter(order: &mut Deciding<'_>, letter: &Letter) {
    match letter {
        Letter::Held(answer) => held(order, answer),
        Letter::Committed(answer) => committed(order, answer),
        Letter::Refused(answer) => refused(order, answer),
        Letter::Consumed(answer) => consumed(order, answer),
        Letter::Released(answer) => released(order, answer),
        Letter::Allocated(told) => allocated(order, told),
        Letter::GivenUp(told) => given_up(order, told),
    }
}

/// A letter for an order that is not known, any more or yet. Only who tells something is answered, so that he does not tell it
/// for ever; nobody waits for such an order.
pub(super) fn of_nobody(order: &mut Deciding<'_>, letter: &Letter) -> Answer {
    match letter {
        Letter::Allocated(told) => seen(order, &told.reservation_id, &told.allocation_id),
        Letter::GivenUp(told) => seen(order, &told.reservation_id, &told.allocation_id),
        _ => {}
    }
    Answer::Accepted
}

fn seen(order: &mut Deciding<'_>, reservation: &Key, told: &Text) {
    let entity = order.context.entity;
    order.letters.push(allocation_seen(entity, reservation, told.as_str()));
}

/// The open letter to this reservation that the answer can be to, and the index of the reservation.
fn open(order: &Deciding<'_>, id: &Key, fits: impl Fn(&Kind) -> bool) -> Option<(Effect, u16)> {
    let index = order.state.stock.as_ref()?.index_of(id)?;
    let mut open = order.state.effects_where(fits);
    let effect = open.find(|effect| order.state.reservation_of(&effect.kind) == Some(id))?;
    Some((effect.clone(), index))
}

fn asks(kind: &Kind) -> bool {
    matches!(kind, Kind::HoldStock(_) | Kind::AttachReservation { .. })
}

/// What was asked is held: now it can be paid for. After the commit it stands at its nodes already.
fn held(order: &mut Deciding<'_>, answer: &Held) {
    let Some((effect, reservation)) = open(order, &answer.reservation_id, asks) else { return };
    let (lines, backordered) = rows(order, answer);
    let (asked, hard) = match &effect.kind {
        Kind::HoldStock(asked) => (asked.lines.clone(), asked.hard),
        Kind::AttachReservation { lines } => (lines.clone(), false),
        _ => return,
    };
    let event = Event::StockHeld { effect: effect.id.clone(), reservation, lines, backordered };
    if hard {
        stands(order, reservation, event);
        give_up_what_is_nowhere(order);
        return;
    }
    order.emit(event);
    let held = &order.state.stock.as_ref().expect("just held").reservations[usize::from(reservation)];
    let short = asked.iter().find(|units| held.held(units.line) < units.quantity);
    if let Some(units) = short
        && order.state.phase == Phase::Reserving
    {
        let message = too_few(&order.state, *units, held.held(units.line));
        reject(order, Reason::new(Code::OutOfStock, message));
    }
}

fn committed(order: &mut Deciding<'_>, answer: &Held) {
    let fits = |kind: &Kind| matches!(kind, Kind::CommitReservation { .. });
    let Some((effect, reservation)) = open(order, &answer.reservation_id, fits) else { return };
    let (lines, backordered) = rows(order, answer);
    let is_goods = order.state.is_of_goods(reservation);
    let event = Event::StockCommitted { effect: effect.id, reservation, lines, backordered };
    if is_goods {
        stands(order, reservation, event);
        give_up_what_is_nowhere(order);
    } else {
        order.emit(event);
    }
}

/// Units have a node, as `event` says: each node gets a shipment, just as when allocation answers.
fn stands(order: &mut Deciding<'_>, reservation: u16, event: Event) {
    let (Event::StockHeld { lines, .. }
    | Event::StockCommitted { lines, .. }
    | Event::StockFound { lines, .. }) = &event
    else {
        return;
    };
    let Some(stock) = &order.state.stock else { return };
    let id = &stock.reservations[usize::from(reservation)].id;
    let units: Vec<AllocatedUnits> = lines.iter().filter_map(|row| row.allocated(id)).collect();
    let shares = share_out(order, &units);
    order.emit(event);
    for (node, units) in shares.kept {
        plan_shipment(order, node, units);
    }
}

/// What was asked for and neither stands at a node nor waits for stock is not to be had.
fn give_up_what_is_nowhere(order: &mut Deciding<'_>) {
    let nowhere = super::advance::units(&order.state, |line| line.pending - line.backordered);
    out_of_stock(order, &nowhere);
}

fn refused(order: &mut Deciding<'_>, answer: &Refused) {
    let fits = |kind: &Kind| asks(kind) || matches!(kind, Kind::CommitReservation { .. });
    let Some((effect, reservation)) = open(order, &answer.reservation_id, fits) else { return };
    let available = available(&order.state, &answer.lines);
    let code = answer.code.share();
    let lines = available.clone();
    order.emit(Event::StockRefused { effect: effect.id.clone(), reservation, lines, code });
    match &effect.kind {
        Kind::AttachReservation { .. } => unusable(order, answer),
        Kind::HoldStock(asked) if asked.hard => short_after_commit(order, &asked.lines, &available),
        Kind::HoldStock(asked) => {
            let reason = not_held(&order.state, &asked.lines, &available, answer);
            reject_reserving(order, reason);
        }
        // It was lost before the order could say that it is sold: the units look for a node anew.
        _ if order.state.is_of_goods(reservation) => find_stock(order),
        _ => {
            let cause = format!("{} was refused: {}", effect.kind.name(), answer.code.as_str());
            order.exception(ExceptionKind::EffectRefused, cause, Exposure::NONE, Some(&effect.id));
        }
    }
}

fn reject_reserving(order: &mut Deciding<'_>, reason: Reason) {
    if order.state.phase == Phase::Reserving {
        reject(order, reason);
    }
}

/// The customer's reservation expired, is unknown, or holds something else: stock of the order's own, if that is allowed.
fn unusable(order: &mut Deciding<'_>, answer: &Refused) {
    let code = answer.code.as_str();
    let may = order.state.content().supply.as_ref().is_some_and(|supply| supply.fresh_hold);
    if may && code_of(code) != Code::PolicyRefused && hold(order, false, false) {
        return;
    }
    let message = format!(
        "reservation_id {} cannot be used: {code}; make a new reservation, or submit without one under a new order_id",
        answer.reservation_id
    );
    reject_reserving(order, named(code, message));
}

/// The order is committed: what is not to be had is cancelled with its share of money and points, the rest is asked for again.
fn short_after_commit(order: &mut Deciding<'_>, asked: &[Units], available: &[Units]) {
    let pending = |line: u16| order.state.lines[usize::from(line)].pending;
    let short =
        available.iter().filter(|there| asked.iter().any(|units| units.line == there.line)).map(|there| {
            Units { line: there.line, quantity: pending(there.line).saturating_sub(there.quantity) }
        });
    let mut short: Vec<Units> = short.filter(|units| units.quantity > 0).collect();
    if short.is_empty() {
        // It names nothing that still waits: were all asked for again, this could go on for ever.
        short = super::advance::units(&order.state, |line| line.pending);
    }
    out_of_stock(order, &short);
    find_stock(order);
}

fn not_held(state: &State, asked: &[Units], available: &[Units], answer: &Refused) -> Reason {
    let code = answer.code.as_str();
    let short = asked.iter().find_map(|units| {
        let is_short = |there: &&Units| there.line == units.line && there.quantity < units.quantity;
        let there = available.iter().find(is_short)?;
        Some(too_few(state, *units, there.quantity))
    });
    let why = answer.message.as_ref().map(Remark::as_str);
    let message = short.or_else(|| why.map(str::to_owned)).unwrap_or_else(|| match code_of(code) {
        Code::PolicyRefused => {
            "a promotion or coupon of the order is used up; price it again without".to_owned()
        }
        _ => format!("the stock could not be held: {code}"),
    });
    named(code, message)
}

fn too_few(state: &State, asked: Units, available: u32) -> String {
    let line = &state.content().lines[usize::from(asked.line)];
    format!(
        "line {} ({}): {} units ordered, {available} to be had; order fewer, or another article",
        line.line, line.sku, asked.quantity
    )
}

/// The code of the closed list, with the reservation's own beside it if that is another.
fn named(code: &str, message: String) -> Reason {
    let known = code_of(code);
    let reason = Reason::new(known, message);
    if known.as_str() == code { reason } else { reason.from_participant(code) }
}

fn code_of(code: &str) -> Code {
    let codes = [Code::PolicyRefused, Code::Expired, Code::UnknownEntity, Code::Overloaded, Code::Validation];
    codes.into_iter().find(|known| known.as_str() == code).unwrap_or(Code::OutOfStock)
}

fn consumed(order: &mut Deciding<'_>, answer: &Consumed) {
    let fits = |kind: &Kind| matches!(kind, Kind::ConsumeStock { .. });
    if let Some(effect) = named_by(&order.state, answer.movement_id.as_str(), &answer.reservation_id, fits) {
        order.emit(Event::StockConsumed { effect: effect.id });
    }
}

fn released(order: &mut Deciding<'_>, answer: &Released) {
    let fits = |kind: &Kind| matches!(kind, Kind::ReleaseStock { .. });
    let Some(effect) = named_by(&order.state, answer.release_id.as_str(), &answer.reservation_id, fits)
    else {
        return;
    };
    let Kind::ReleaseStock { reservation, last, lines, .. } = effect.kind else { return };
    // The last release names more than is there, so it says nothing of how much went back.
    let lines = if last { Vec::new() } else { lines };
    order.emit(Event::StockReleased { effect: effect.id, reservation, lines });
}

fn named_by(state: &State, effect: &str, id: &Key, fits: impl Fn(&Kind) -> bool) -> Option<Effect> {
    let effect = state.effect(effect).filter(|effect| fits(&effect.kind))?;
    (state.reservation_of(&effect.kind) == Some(id)).then(|| effect.clone())
}

/// Units that had waited have a node.
fn allocated(order: &mut Deciding<'_>, told: &Allocated) {
    let Some((reservation, mut waits)) = news(order, &told.reservation_id, &told.allocation_id) else {
        return;
    };
    let found = at_nodes(order, &told.lines);
    let lines = found.into_iter().filter_map(|row| {
        let quantity = take_from(&mut waits, row.line, row.quantity);
        (quantity > 0).then_some(UnitsAt { quantity, ..row })
    });
    let lines: Vec<UnitsAt> = lines.collect();
    if !lines.is_empty() {
        let allocation_id = told.allocation_id.share();
        stands(order, reservation, Event::StockFound { reservation, allocation_id, lines });
    }
}

/// Units that had waited will get no stock: they are cancelled with their share of money and points.
fn given_up(order: &mut Deciding<'_>, told: &GivenUp) {
    let Some((reservation, mut waits)) = news(order, &told.reservation_id, &told.allocation_id) else {
        return;
    };
    let lines = units_of(&order.state, told.lines.iter()).into_iter().filter_map(|units| {
        let quantity = take_from(&mut waits, units.line, units.quantity);
        (quantity > 0).then_some(Units { quantity, ..units })
    });
    let lines: Vec<Units> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let allocation_id = told.allocation_id.share();
    order.emit(Event::StockGivenUp { reservation, allocation_id, lines: lines.clone() });
    let pending = |line: u16| order.state.lines[usize::from(line)].pending;
    let lost =
        lines.into_iter().map(|units| Units { quantity: units.quantity.min(pending(units.line)), ..units });
    let lost: Vec<Units> = lost.filter(|units| units.quantity > 0).collect();
    out_of_stock(order, &lost);
}

/// What a reservation tells of units that wait is answered as soon as it is understood, and always the same. Gives the index of
/// the reservation and what still waits of each line, if it was not told before: what went back meanwhile is on its way there.
fn news(order: &mut Deciding<'_>, id: &Key, told: &Text) -> Option<(u16, Vec<u32>)> {
    let known = order.state.stock.as_ref().and_then(|stock| {
        let index = stock.index_of(id)?;
        Some((index, &stock.reservations[usize::from(index)]))
    });
    let mut news = None;
    if let Some((index, known)) = known {
        if matches!(known.stage, Stage::Asked | Stage::Held | Stage::Committing) {
            return None; // The answer that says what waits is still on its way: it is told again.
        }
        let is_applied = known.allocations.iter().any(|applied| **applied == *told.as_str());
        if known.stage == Stage::Allocated && !is_applied {
            let waits = order.state.lines.iter().zip(0..).map(|(_, line)| known.waits(line));
            news = Some((index, waits.collect()));
        }
    }
    seen(order, id, told);
    news
}

fn take_from(waits: &mut [u32], line: u16, quantity: u32) -> u32 {
    let waits = &mut waits[usize::from(line)];
    let taken = quantity.min(*waits);
    *waits -= taken;
    taken
}

/// The rows of an answer with our line indexes.
fn rows(order: &mut Deciding<'_>, answer: &Held) -> (Vec<UnitsAt>, Vec<Backordered>) {
    let lines = at_nodes(order, &answer.lines);
    let mut backordered = Vec::with_capacity(answer.backordered.len());
    for BackorderedRow { line, quantity, promised_at } in &answer.backordered {
        if let Some(line) = known_line(order, *line) {
            backordered.push(Backordered { line, quantity: quantity.get(), promised_at: *promised_at });
        }
    }
    (lines, backordered)
}

fn at_nodes(order: &mut Deciding<'_>, rows: &[HeldRow]) -> Vec<UnitsAt> {
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(line) = known_line(order, row.line) {
            lines.push(UnitsAt { line, node: Some(row.node.share()), quantity: row.quantity.get() });
        }
    }
    lines
}

/// The index of a line. One that the order does not have is told to a person.
fn known_line(order: &mut Deciding<'_>, number: LineNumber) -> Option<u16> {
    let index = order.state.content().line_index(number.get()).and_then(|index| u16::try_from(index).ok());
    if index.is_none() {
        let cause = format!("a reservation holds line {}, which the order does not have", number.get());
        order.exception(ExceptionKind::UnknownValue, cause, Exposure::NONE, None);
    }
    index
}

/// What there is of the lines that are named, each line once.
fn available(state: &State, rows: &[ShortRow]) -> Vec<Units> {
    let mut units: Vec<Units> = Vec::new();
    for row in rows {
        let index = state.content().line_index(row.line.get()).and_then(|index| u16::try_from(index).ok());
        let Some(line) = index else { continue };
        match units.iter_mut().find(|known| known.line == line) {
            Some(known) => known.quantity = known.quantity.min(row.available),
            None => units.push(Units { line, quantity: row.available }),
        }
    }
    units
}
