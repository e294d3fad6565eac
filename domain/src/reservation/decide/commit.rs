//! What is held is sold.

use super::deciding::Deciding;
use super::hold::may_use;
use crate::decider::Answer;
use crate::ids::Key;
use crate::reason::{Code, Reason};
use crate::reservation::effect::Kind;
use crate::reservation::event::Event;
use crate::reservation::message::Commit;
use crate::reservation::state::{ClaimState, Phase};

/// `reservation.commit` of a shop that sells by itself.
pub(super) fn wish(of: &mut Deciding<'_>, wish: &Commit) -> Result<Answer, Reason> {
    may_use(of, &wish.order_id)?;
    if of.state.phase == Phase::Requested {
        let key = &of.context.entity.key;
        return Err(Reason::new(
            Code::Unavailable,
            format!("reservation {key} is still being taken; commit it once its receipt says accepted"),
        ));
    }
    commit(of, &wish.order_id, false);
    Ok(Answer::Accepted)
}

/// `commit` of an order. Asked again it gets the same answer, once every cell knows.
pub(super) fn letter(of: &mut Deciding<'_>, letter: &Commit) {
    if let Err(reason) = may_use(of, &letter.order_id) {
        of.tell_refused(&letter.order_id, &reason);
        return;
    }
    commit(of, &letter.order_id, true);
    if matches!(of.state.phase, Phase::Hard | Phase::Consumed) {
        of.tell_committed(&letter.order_id);
    }
}

fn commit(of: &mut Deciding<'_>, order: &Key, by_order: bool) {
    if of.state.phase != Phase::Soft {
        return;
    }
    of.emit(Event::CommitAsked { order_id: order.clone(), by_order, at: of.context.now });
    let soft = of.state.indexed().filter(|(_, claim)| claim.state == ClaimState::Soft);
    for claim in soft.map(|(index, _)| index).collect::<Vec<_>>() {
        of.intend(Kind::Harden { claim });
    }
}
