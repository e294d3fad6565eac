//! Every rule of a cell. A fact or a question is judged on a working copy of the state; then `follow` does what the new numbers ask for.

mod deciding;
mod facts;
mod follow;
mod questions;

pub(super) use self::follow::victims;

use self::deciding::Deciding;
use super::feed::Stale;
use super::{Event, Message, Policies, Posted, State, Stock};
use crate::decider::{Context, Decision, Input};
use crate::time::Timestamp;

/// Judges one input. Nothing is refused: a claim that cannot be had is an answer, and what happened has happened.
pub(super) fn decide(
    state: &State,
    input: &Input<'_, Message>,
    context: &Context<'_, Policies, Posted>,
) -> Decision<Stock> {
    let mut cell = Deciding::new(state, context);
    end_set_asides(&mut cell);
    match input {
        Input::Message(_, Message::Question(question)) => {
            judge_age(&mut cell);
            questions::judge(&mut cell, question);
        }
        Input::Message(envelope, fact) => facts::judge(&mut cell, envelope, fact),
        Input::Timer => judge_age(&mut cell),
        Input::Release(_) => {}
    }
    follow::follow(&mut cell, matches!(input, Input::Timer));
    cell.finish()
}

/// When a timer must come next: at once if more can be served than one decision does.
pub(super) fn next_deadline(state: &State) -> Option<Timestamp> {
    if state.can_serve() {
        return Some(Timestamp::default());
    }
    let ages_at = state.feed.fresh_until.filter(|_| state.feed.stale.is_none());
    state.feed.set_aside.iter().filter_map(|aside| aside.until).chain(ages_at).min()
}

/// What is set aside for a promotion whose time is over is for everybody again.
fn end_set_asides(cell: &mut Deciding<'_>) {
    let now = cell.context.now;
    let over = cell.state.feed.set_aside.iter().filter(|aside| aside.until.is_some_and(|until| until <= now));
    for promotion in over.map(|aside| aside.promotion.clone()).collect::<Vec<_>>() {
        cell.emit(Event::SetAsideEnded { promotion });
    }
}

/// What is known gets old, under the rules in force now.
fn judge_age(cell: &mut Deciding<'_>) {
    let feed = &cell.state.feed;
    if feed.fresh_until.is_none_or(|until| until > cell.context.now) {
        return;
    }
    let policies = cell.context.policies;
    let stale = Stale { policy: policies.when_stale, buffer: policies.stale_buffer };
    if feed.stale != Some(stale) {
        cell.emit(Event::FeedStale(stale));
    }
}
