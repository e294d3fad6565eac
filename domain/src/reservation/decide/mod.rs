//! Every rule of a reservation. An input is judged on a working copy of the state; then [`advance`] brings the reservation as far
//! as the new facts allow.

mod advance;
mod cells;
mod commit;
mod consume;
mod cut;
mod deciding;
mod hold;
mod release;
mod source;
mod timer;

pub(super) use self::timer::next_deadline;

use self::deciding::Deciding;
use super::{Message, Policies, Reservation, State};
use crate::decider::{Answer, Context, Decision, Input};
use crate::envelope::Envelope;
use crate::reason::Reason;
use crate::stock::Posted;

/// Judges one input.
pub(super) fn decide(
    state: &State,
    input: &Input<'_, Message>,
    context: &Context<'_, Policies, Posted>,
) -> Result<Decision<Reservation>, Reason> {
    let mut reservation = Deciding::new(state, context);
    let answer = match input {
        Input::Message(envelope, message) => judge(&mut reservation, envelope, message)?,
        Input::Timer => {
            timer::due(&mut reservation);
            Answer::Accepted
        }
        // Nothing of a reservation waits for anybody's gate.
        Input::Release(_) => Answer::Accepted,
    };
    if reservation.has_events() {
        advance::advance(&mut reservation);
    }
    Ok(reservation.finish(answer))
}

fn judge(of: &mut Deciding<'_>, envelope: &Envelope, message: &Message) -> Result<Answer, Reason> {
    match message {
        Message::Hold(hold) => return hold::from_outside(of, envelope, hold),
        Message::Extend(wish) => return hold::extend(of, wish),
        Message::CommitWish(wish) => return commit::wish(of, wish),
        Message::GiveUp(wish) => return release::wish(of, wish),
        Message::HoldForOrder(hold) => hold::for_order(of, envelope, hold),
        Message::Attach(attach) => hold::attach(of, attach),
        Message::Commit(letter) => commit::letter(of, letter),
        Message::Consume(letter) => consume::letter(of, letter),
        Message::Release(letter) => release::letter(of, letter),
        Message::AllocationSeen(letter) => cells::seen(of, letter),
        Message::Taken(answer) => cells::taken(of, answer),
        Message::Backordered(answer) => cells::backordered(of, answer),
        Message::NotTaken(answer) => cells::not_taken(of, answer),
        Message::Hardened(answer) => cells::hardened(of, answer),
        Message::Reopened(answer) => cells::reopened(of, answer),
        Message::Consumed(answer) => cells::consumed(of, answer),
        Message::GivenBack(answer) => cells::given_back(of, answer),
    }
    Ok(Answer::Accepted)
}
