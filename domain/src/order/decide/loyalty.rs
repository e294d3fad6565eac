//! Answers of the loyalty platform.

use super::deciding::{Deciding, Exposure};
use super::matching::answered;
use super::submit::reject;
use crate::envelope::Envelope;
use crate::messages::inbound::loyalty::{Accrued, Moved, Refused, Reserved};
use crate::money::Points;
use crate::order::effect::{Effect, Kind};
use crate::order::event::{Event, ExceptionKind};
use crate::order::state::Phase;
use crate::reason::{Code, Reason};

pub(super) fn reserved(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Reserved) {
    let Some(effect) = answered(order, envelope, |kind| *kind == Kind::ReservePoints, |_| true) else {
        return;
    };
    let asked = order.state.content().redemption.points;
    let points = answer.points.get();
    let reservation_ref = answer.reservation_ref.share();
    order.emit(Event::PointsReserved { effect: effect.id.clone(), points, reservation_ref });
    differs(order, &effect, asked, points);
    if points < asked && order.state.phase == Phase::Reserving {
        let message = format!("{points} points were reserved, {asked} are needed");
        reject(order, Reason::new(Code::PointsRefused, message));
    }
}

pub(super) fn reserve_refused(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Refused) {
    let Some(effect) = answered(order, envelope, |kind| *kind == Kind::ReservePoints, |_| true) else {
        return;
    };
    refused(order, &effect, answer.code.as_str());
}

/// No points: the order cannot be paid as it was submitted.
pub(super) fn refused(order: &mut Deciding<'_>, effect: &Effect, code: &str) {
    order.emit(Event::PointsRefused { effect: effect.id.clone() });
    if order.state.phase == Phase::Reserving {
        let message = format!("the loyalty platform refused to reserve the points: {code}");
        reject(order, Reason::new(Code::PointsRefused, message).from_participant(code));
    }
}

pub(super) fn finalized(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Moved) {
    let points = answer.points.get();
    let fits = |kind: &Kind| matches!(kind, Kind::FinalizePoints { .. });
    let same = |effect: &Effect| matches!(effect.kind, Kind::FinalizePoints { points: asked, .. } if asked == points);
    let Some(effect) = answered(order, envelope, fits, same) else { return };
    let Kind::FinalizePoints { points: asked, .. } = effect.kind else { return };
    order.emit(Event::PointsFinalized { effect: effect.id.clone(), points });
    differs(order, &effect, asked, points);
}

pub(super) fn released(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Moved) {
    let points = answer.points.get();
    let fits = |kind: &Kind| matches!(kind, Kind::ReleasePoints { .. });
    let same =
        |effect: &Effect| matches!(effect.kind, Kind::ReleasePoints { points: asked, .. } if asked == points);
    let Some(effect) = answered(order, envelope, fits, same) else { return };
    let Kind::ReleasePoints { points: asked, .. } = effect.kind else { return };
    order.emit(Event::PointsReleased { effect: effect.id.clone(), points });
    differs(order, &effect, asked, points);
}

pub(super) fn accrued(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Accrued) {
    let target = answer.target_points.get();
    let fits = |kind: &Kind| matches!(kind, Kind::Accrue { .. });
    let same = |effect: &Effect| matches!(effect.kind, Kind::Accrue { target_points, .. } if target_points == target);
    let Some(effect) = answered(order, envelope, fits, same) else { return };
    let Kind::Accrue { points_delta: asked, .. } = effect.kind else { return };
    let points_delta = answer.points_delta;
    order.emit(Event::Accrued { effect: effect.id.clone(), points_delta, target_points: target });
    differs(order, &effect, asked, points_delta);
}

pub(super) fn accrue_refused(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Refused) {
    let Some(effect) = answered(order, envelope, |kind| matches!(kind, Kind::Accrue { .. }), |_| true) else {
        return;
    };
    super::failed::refused(order, &effect, answer.code.as_str());
}

/// Another amount than asked is a fact all the same; a person must look at it.
fn differs(order: &mut Deciding<'_>, effect: &Effect, asked: Points, answered: Points) {
    if asked != answered {
        let cause = format!("{}: asked for {asked} points, answered {answered}", effect.kind.name());
        let exposure = Exposure::points((asked - answered).abs());
        order.exception(ExceptionKind::AmountDiffers, cause, exposure, Some(&effect.id));
    }
}
