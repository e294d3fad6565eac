//! Units, or all of them, are not needed any more. This always succeeds.

use super::cut::cut;
use super::deciding::{Deciding, of_another};
use crate::decider::Answer;
use crate::reason::{Code, Reason};
use crate::reservation::effect::Units;
use crate::reservation::event::{End, Event};
use crate::reservation::letters;
use crate::reservation::message::{GiveUp, Release};
use crate::reservation::state::Phase;

/// `reservation.release` of a shop. What belongs to an order ends with the order.
pub(super) fn wish(of: &mut Deciding<'_>, wish: &GiveUp) -> Result<Answer, Reason> {
    if of.state.phase == Phase::Unborn {
        bar(of);
        return Ok(Answer::Accepted);
    }
    if of.state.phase.is_final() {
        return Ok(Answer::Accepted);
    }
    if let Some(order) = &of.its_order() {
        let reason = of_another(of, order);
        let message = format!("{}; cancel order {order} instead", reason.message);
        return Err(Reason::new(reason.code, message));
    }
    let reason = Reason::new(Code::CancelledByCustomer, wish.reason.as_str());
    give_up(of, Some(reason));
    Ok(Answer::Accepted)
}

/// `release` of an order.
pub(super) fn letter(of: &mut Deciding<'_>, letter: &Release) {
    if of.state.phase == Phase::Unborn {
        bar(of);
    } else if !of.state.phase.is_final() && is_its_own(of, letter) {
        release(of, letter);
    }
    let answer = letters::released(of.context.entity, &letter.order_id, letter.release_id.as_str());
    of.answer(answer);
}

/// A hold that comes later finds it ended.
fn bar(of: &mut Deciding<'_>) {
    let entity = of.context.entity;
    let (tenant, reservation_id) = (entity.tenant.clone(), entity.key.clone());
    let message =
        format!("reservation {reservation_id} was released before it was held; make one under a new id");
    let reason = Box::new(Reason::new(Code::Expired, message));
    of.emit(Event::Barred { tenant, reservation_id, reason, version: of.context.version });
}

/// An order that never had the reservation gives nothing of it back: it belongs to who made it.
fn is_its_own(of: &Deciding<'_>, letter: &Release) -> bool {
    let named = of.state.content.as_ref().and_then(|content| content.asked.order_id.as_ref());
    of.state.order_id.as_ref().or(named) == Some(&letter.order_id)
}

fn release(of: &mut Deciding<'_>, letter: &Release) {
    let release_id = letter.release_id.share();
    if of.state.applied.contains(&release_id) {
        return;
    }
    if letter.all == Some(true) {
        give_up(of, None);
        return;
    }
    let mut released: Vec<Units> = Vec::new();
    for row in &letter.lines {
        let Some(line) = of.state.content().line_index(row.line.get()) else { continue };
        let node = row.node.as_ref().map(crate::messages::text::Text::as_str);
        let quantity = cut(of, line, node, row.quantity.get());
        if quantity > 0 {
            released.push(Units { line, quantity });
        }
    }
    of.emit(Event::Released { release_id, lines: released });
}

fn give_up(of: &mut Deciding<'_>, reason: Option<Reason>) {
    let lines = u16::try_from(of.state.lines.len()).unwrap_or(u16::MAX);
    if of.state.phase == Phase::Requested {
        let reason = reason.unwrap_or_else(|| {
            let message = "released before everything was held; make a reservation under a new id";
            Reason::new(Code::CancelledByCustomer, message)
        });
        of.refuse(&reason, Vec::new());
    } else if of.state.any_left() {
        for line in 0..lines {
            cut(of, line, None, u32::MAX);
        }
        of.end(End::Consumed, reason);
    } else {
        of.end(End::Released, reason);
    }
}
