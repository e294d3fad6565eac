//! Which open effect does an answer answer? By its `Effect-Id`; without one by its references, where that is
//! unambiguous. No effect = the answer was applied before, or is none of ours: nothing happens.

use super::deciding::{Deciding, Exposure};
use crate::envelope::Envelope;
use crate::order::effect::{Effect, Kind};
use crate::order::event::ExceptionKind;

/// The open effect that this answer settles, or one that was given up, if it was applied all the same. `fits` says which kinds it can answer, `refers` what it refers to.
pub(super) fn answered(
    order: &mut Deciding<'_>,
    envelope: &Envelope,
    fits: impl Fn(&Kind) -> bool,
    refers: impl Fn(&Effect) -> bool,
) -> Option<Effect> {
    if let Some(id) = envelope.headers.get("Effect-Id").filter(|id| !id.is_empty()) {
        let open = order.state.effect_ever_sent(id).filter(|effect| fits(&effect.kind))?;
        let epoch = envelope.headers.get("Effect-Epoch").and_then(|epoch| epoch.parse::<u32>().ok());
        return epoch.is_none_or(|epoch| epoch == open.epoch).then(|| open.clone());
    }
    let mut candidates = order.state.effects_where(&fits).filter(|effect| refers(effect));
    let first = candidates.next().cloned();
    if candidates.next().is_none() {
        let given_up = || order.state.given_up.iter().find(|effect| fits(&effect.kind) && refers(effect));
        return first.or_else(|| given_up().cloned());
    }
    drop(candidates);
    let cause = format!("{} without Effect-Id fits several open commands; echo Effect-Id", envelope.kind());
    order.exception(ExceptionKind::AmbiguousAnswer, cause, Exposure::NONE, None);
    None
}
