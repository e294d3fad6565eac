//! Answers of the payment gateways.

use super::deciding::{Deciding, Exposure};
use super::matching::answered;
use super::submit::reject;
use crate::envelope::Envelope;
use crate::messages::inbound::payment::{Authorized, CaptureDeclined, Captured, Declined, Voided};
use crate::money::Minor;
use crate::order::effect::{Effect, Kind};
use crate::order::event::{Event, ExceptionKind};
use crate::order::state::Phase;
use crate::reason::{Code, Reason};

pub(super) fn authorized(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Authorized) {
    let Some(effect) = of_tender(order, envelope, answer.tender.as_str(), is_authorize, |_| true) else {
        return;
    };
    let Kind::Authorize { tender } = effect.kind else { return };
    let content = order.state.content();
    let asked = content.tenders[usize::from(tender)].amount_minor;
    let other_currency = *content.currency != *answer.currency.as_str();
    let amount_minor = answer.amount_minor.get();
    let authorization_ref = answer.authorization_ref.share();
    order.emit(Event::Authorized { effect: effect.id.clone(), tender, amount_minor, authorization_ref });
    if order.state.phase != Phase::Reserving {
        return;
    }
    if amount_minor < asked || other_currency {
        let message = format!("asked to authorize {asked}, got {amount_minor} {}", answer.currency.as_str());
        reject(order, Reason::new(Code::AmountMismatch, message));
    } else {
        differs(order, &effect, asked, amount_minor, answer.currency.as_str());
    }
}

pub(super) fn declined(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Declined) {
    let Some(effect) = of_tender(order, envelope, answer.tender.as_str(), is_authorize, |_| true) else {
        return;
    };
    refused(order, &effect, answer.code.as_str());
}

/// No money: the order cannot be paid as it was submitted.
pub(super) fn refused(order: &mut Deciding<'_>, effect: &Effect, code: &str) {
    let Kind::Authorize { tender } = effect.kind else { return };
    let amount_minor = order.state.content().tenders[usize::from(tender)].amount_minor;
    order.emit(Event::Declined { effect: effect.id.clone(), tender, amount_minor });
    if order.state.phase == Phase::Reserving {
        let message = format!("the gateway declined the payment: {code}");
        reject(order, Reason::new(Code::PaymentDeclined, message).from_participant(code));
    }
}

pub(super) fn captured(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Captured) {
    let reference = answer.settlement_ref.as_str();
    let same = |effect: &Effect| *effect.id == *reference;
    let Some(effect) = of_tender(order, envelope, answer.tender.as_str(), is_capture, same) else { return };
    let Kind::Capture { tender, amount_minor: asked, departure } = effect.kind else { return };
    let amount_minor = answer.amount_minor.get();
    // The reference that we sent names the capture in settlement files, whatever the answer calls it.
    let settlement_ref = effect.id.clone();
    order.emit(Event::Captured { effect: effect.id.clone(), tender, amount_minor, settlement_ref });
    differs(order, &effect, asked, amount_minor, answer.currency.as_str());
    super::erp::receipt_due(order, tender, amount_minor, departure, &effect.id);
}

pub(super) fn capture_declined(order: &mut Deciding<'_>, envelope: &Envelope, answer: &CaptureDeclined) {
    let amount = answer.amount_minor.get();
    let same =
        |effect: &Effect| matches!(effect.kind, Kind::Capture { amount_minor, .. } if amount_minor == amount);
    let Some(effect) = of_tender(order, envelope, answer.tender.as_str(), is_capture, same) else { return };
    super::failed::refused(order, &effect, answer.code.as_str());
}

pub(super) fn voided(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Voided) {
    let amount = answer.amount_minor.get();
    let same =
        |effect: &Effect| matches!(effect.kind, Kind::Void { amount_minor, .. } if amount_minor == amount);
    let Some(effect) = of_tender(order, envelope, answer.tender.as_str(), is_void, same) else { return };
    let Kind::Void { tender, amount_minor: asked } = effect.kind else { return };
    order.emit(Event::Voided { effect: effect.id.clone(), tender, amount_minor: amount });
    differs(order, &effect, asked, amount, answer.currency.as_str());
}

const fn is_authorize(kind: &Kind) -> bool {
    matches!(kind, Kind::Authorize { .. })
}

const fn is_capture(kind: &Kind) -> bool {
    matches!(kind, Kind::Capture { .. })
}

const fn is_void(kind: &Kind) -> bool {
    matches!(kind, Kind::Void { .. })
}

/// The open effect of this tender that the answer settles.
fn of_tender(
    order: &mut Deciding<'_>,
    envelope: &Envelope,
    tender: &str,
    fits: impl Fn(&Kind) -> bool,
    refers: impl Fn(&Effect) -> bool,
) -> Option<Effect> {
    let index = order.state.content().tender_index(tender).and_then(|index| u16::try_from(index).ok())?;
    let fits = |kind: &Kind| {
        let of = match kind {
            Kind::Authorize { tender } | Kind::Capture { tender, .. } | Kind::Void { tender, .. } => *tender,
            _ => return false,
        };
        of == index && fits(kind)
    };
    answered(order, envelope, fits, refers)
}

/// Another amount or currency than asked is a fact all the same; a person must look at it.
fn differs(order: &mut Deciding<'_>, effect: &Effect, asked: Minor, answered: Minor, currency: &str) {
    let expected = &*order.state.content().currency;
    let is_other = *expected != *currency;
    if asked == answered && !is_other {
        return;
    }
    let kind = effect.kind.name();
    let cause = format!("{kind}: asked for {asked} {expected}, answered {answered} {currency}");
    let exposure = if is_other { asked } else { (asked - answered).abs() };
    order.exception(ExceptionKind::AmountDiffers, cause, Exposure::minor(exposure), Some(&effect.id));
}
