//! A participant could not do what was asked: later again, perhaps done, or never.

use super::deciding::{Deciding, Exposure};
use super::matching::answered;
use super::{loyalty, payment};
use crate::decider::{EffectState, Participant};
use crate::envelope::Envelope;
use crate::messages::inbound::{Failed, FailureClass};
use crate::order::effect::{Effect, Kind};
use crate::order::event::{Event, ExceptionKind};

pub(super) fn failed(
    order: &mut Deciding<'_>,
    envelope: &Envelope,
    participant: Participant,
    answer: &Failed,
) {
    let Some(effect) = answered(order, envelope, |kind| kind.is_for(participant), |_| true) else {
        return;
    };
    match answer.class {
        FailureClass::Transient => retry(order, &effect),
        // The effect stays as it is: possibly applied, sent again with the same key at its deadline.
        FailureClass::UnknownOutcome => {}
        FailureClass::Business | FailureClass::Contract => match effect.kind {
            Kind::ReservePoints => loyalty::refused(order, &effect, answer.code.as_str()),
            Kind::Authorize { .. } => payment::refused(order, &effect, answer.code.as_str()),
            _ => refused(order, &effect, answer.code.as_str()),
        },
        FailureClass::Unknown => unknown_class(order, &effect),
    }
}

/// Not applied and not remembered: the same again, later.
fn retry(order: &mut Deciding<'_>, effect: &Effect) {
    if effect.state == EffectState::Sent {
        let wait = order.context.policies.wait_ms(&effect.kind, effect.attempts, &effect.id);
        let deadline = order.context.now.plus_ms(wait);
        order.emit(Event::EffectRetrying { effect: effect.id.clone(), deadline });
    }
}

/// A definitive refusal that has no other way: the order stays open, a person decides.
pub(super) fn refused(order: &mut Deciding<'_>, effect: &Effect, code: &str) {
    let exposure = match effect.kind {
        Kind::Capture { amount_minor, .. } | Kind::Void { amount_minor, .. } => Exposure::minor(amount_minor),
        Kind::FinalizePoints { points, .. } | Kind::ReleasePoints { points, .. } => Exposure::points(points),
        Kind::Accrue { points_delta, .. } => Exposure::points(points_delta.abs()),
        _ => Exposure::NONE,
    };
    let id = effect.id.clone();
    order.emit(match effect.kind {
        Kind::Capture { tender, amount_minor, .. } => {
            Event::CaptureDeclined { effect: id, tender, amount_minor, code: code.into() }
        }
        Kind::Post { document } => Event::DocumentRejected { effect: id, document, code: code.into() },
        _ => Event::EffectRefused { effect: id, code: code.into() },
    });
    let cause = format!("{} was refused: {code}", effect.kind.name());
    order.exception(ExceptionKind::EffectRefused, cause, exposure, Some(&effect.id));
}

/// A class that this version does not know is treated as the safest: unknown, with a person looking at it.
fn unknown_class(order: &mut Deciding<'_>, effect: &Effect) {
    let cause = format!("{} failed with a class that is not known here", effect.kind.name());
    order.exception(ExceptionKind::UnknownValue, cause, Exposure::NONE, Some(&effect.id));
}
