//! Every rule of an order. A message, a timer or a freed place in a wait list is judged on a working copy of the
//! state; then [`advance`] brings the order as far as the new facts allow.

mod advance;
mod allocation;
mod cancel;
mod deciding;
mod demand;
mod erp;
mod failed;
mod loyalty;
mod matching;
mod payment;
mod shipment;
mod stock;
mod submit;
mod supply;
mod timer;

pub(super) use self::timer::next_deadline;

use self::deciding::Deciding;
use super::{Order, Policies, State, event::Event, state::Phase, status};
use crate::decider::{Answer, Context, Decision, EffectState, Input};
use crate::envelope::{Envelope, Plane};
use crate::messages::Message;
use crate::reason::{DeadReason, Reason};
use crate::stock::Posted;

/// Judges one input.
pub(super) fn decide(
    state: &State,
    input: &Input<'_, Message>,
    context: &Context<'_, Policies, Posted>,
) -> Result<Decision<Order>, Reason> {
    let mut order = Deciding::new(state, context);
    let answer = match input {
        Input::Message(envelope, message) => judge(&mut order, envelope, message)?,
        Input::Timer => {
            timer::due(&mut order);
            Answer::Accepted
        }
        Input::Release(effect) => {
            release(&mut order, effect);
            Answer::Accepted
        }
    };
    if order.has_events() {
        advance::advance(&mut order);
        let status = status::derive(&order.state);
        if status != order.state.status {
            order.emit(Event::StatusChanged(status));
        }
    }
    Ok(order.finish(answer))
}

fn judge(order: &mut Deciding<'_>, envelope: &Envelope, message: &Message) -> Result<Answer, Reason> {
    if let Message::Submit(submit) = message {
        return submit::submit(order, envelope, submit);
    }
    if order.state.phase == Phase::Unborn {
        return Ok(match message {
            Message::Reservation(letter) => stock::of_nobody(order, letter),
            _ => park(order, envelope),
        });
    }
    apply(order, envelope, message)
}

/// Applies anything but a submit to an order that exists.
fn apply(order: &mut Deciding<'_>, envelope: &Envelope, message: &Message) -> Result<Answer, Reason> {
    match message {
        Message::Submit(_) => {}
        Message::Cancel(wish) => return cancel::cancel(order, wish),
        Message::PointsReserved(answer) => loyalty::reserved(order, envelope, answer),
        Message::PointsRefused(answer) => loyalty::reserve_refused(order, envelope, answer),
        Message::PointsFinalized(answer) => loyalty::finalized(order, envelope, answer),
        Message::PointsReleased(answer) => loyalty::released(order, envelope, answer),
        Message::PointsAccrued(answer) => loyalty::accrued(order, envelope, answer),
        Message::AccrualRefused(answer) => loyalty::accrue_refused(order, envelope, answer),
        Message::Authorized(answer) => payment::authorized(order, envelope, answer),
        Message::Declined(answer) => payment::declined(order, envelope, answer),
        Message::Captured(answer) => payment::captured(order, envelope, answer),
        Message::CaptureDeclined(answer) => payment::capture_declined(order, envelope, answer),
        Message::Voided(answer) => payment::voided(order, envelope, answer),
        Message::Allocated(answer) => allocation::allocated(order, envelope, answer),
        Message::AllocationRefused(answer) => allocation::refused(order, envelope, answer),
        Message::AllocationReleased(answer) => allocation::released(order, envelope, answer),
        Message::ShipmentAccepted(answer) => shipment::accepted(order, envelope, answer),
        Message::ShipmentRejected(answer) => shipment::rejected(order, envelope, answer),
        Message::ShipmentCancelAccepted(answer) => shipment::cancel_accepted(order, envelope, answer),
        Message::ShipmentCancelRejected(answer) => shipment::cancel_rejected(order, envelope, answer),
        Message::Departed(fact) => shipment::departed(order, envelope, fact),
        Message::Delivered(fact) => shipment::delivered(order, fact),
        Message::DocumentPosted(answer) => erp::posted(order, envelope, answer),
        Message::DocumentRejected(answer) => erp::rejected(order, envelope, answer),
        Message::Reservation(letter) => stock::letter(order, letter),
        Message::Failed(participant, answer) => failed::failed(order, envelope, *participant, answer),
    }
    Ok(Answer::Accepted)
}

/// A fact or a wish for an order that nobody has submitted yet waits for it, bounded in number and time.
fn park(order: &mut Deciding<'_>, envelope: &Envelope) -> Answer {
    if order.state.parked.len() >= order.context.policies.parked_most {
        order.dead.push((envelope.clone(), DeadReason::UnknownEntity));
        return Answer::Rejected(Reason::new(
            crate::reason::Code::UnknownEntity,
            format!(
                "no order {} and too many messages wait for it already; submit it first",
                order.context.entity.key
            ),
        ));
    }
    let until = order.context.now.plus_ms(order.context.policies.parking_ms);
    order.emit(Event::Parked { envelope: Box::new(envelope.clone()), until });
    if envelope.plane == Plane::Ask { Answer::Later } else { Answer::Accepted }
}

/// A waiting effect has its turn.
fn release(order: &mut Deciding<'_>, effect: &str) {
    let waits = order.state.effect(effect).is_some_and(|open| open.state == EffectState::Waiting);
    if waits {
        order.send_again(effect);
    }
}
