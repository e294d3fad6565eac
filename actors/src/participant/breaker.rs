//! The circuit breaker of a participant: pure, with the time passed in. What it decides is carried out by the gate.
//!
//! ```text
//!            too many errors or slow answers
//!   Closed ────────────────────────────────► Open
//!     ▲                                       │ open_ms
//!     │ most probes are answered in time      ▼
//!     └──────────────────────────────────── HalfOpen ──► Open if most of them are not
//! ```
//!
//! An operator may force a state, for a time or for good; forced, it follows nothing but the operator and the clock.

use std::collections::VecDeque;

use domain::gates::BreakerState;
use domain::time::Timestamp;

use super::settings::ParticipantSettings;

/// How many commands came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outcomes {
    /// Answered in time, whatever the answer.
    pub(crate) answered: u32,
    /// Answered, but late.
    pub(crate) slow: u32,
    /// "Not applied, try again", or silence until the first deadline. One that is answered after that counts as both, so of a
    /// participant that is only slow, half of the outcomes are answers.
    pub(crate) failed: u32,
}

impl Outcomes {
    pub(crate) const fn is_empty(self) -> bool {
        self.total() == 0
    }

    const fn total(self) -> u32 {
        self.answered.saturating_add(self.slow).saturating_add(self.failed)
    }

    const fn plus(self, more: Self) -> Self {
        Self {
            answered: self.answered.saturating_add(more.answered),
            slow: self.slow.saturating_add(more.slow),
            failed: self.failed.saturating_add(more.failed),
        }
    }
}

/// `part` of `all` in percent; 0 of nothing.
fn percent(part: u32, all: u32) -> u32 {
    u32::try_from(u64::from(part) * 100 / u64::from(all.max(1))).unwrap_or(100)
}

/// Slices of a window: what leaves it leaves in steps of a tenth.
const SLICES: i64 = 10;

/// The outcomes of the last while.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Window {
    /// By the number of the slice, oldest first; at most [`SLICES`].
    slices: VecDeque<(i64, Outcomes)>,
}

impl Window {
    fn add(&mut self, slice: i64, outcomes: Outcomes) {
        self.forget(slice);
        match self.slices.back_mut().filter(|(newest, _)| *newest >= slice) {
            Some((_, counted)) => *counted = counted.plus(outcomes),
            None => self.slices.push_back((slice, outcomes)),
        }
    }

    fn forget(&mut self, slice: i64) {
        while self.slices.front().is_some_and(|(oldest, _)| *oldest <= slice - SLICES) {
            self.slices.pop_front();
        }
    }

    fn sum(&self) -> Outcomes {
        self.slices.iter().fold(Outcomes::default(), |sum, (_, outcomes)| sum.plus(*outcomes))
    }
}

/// A state that an operator has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forced {
    /// Open or closed.
    pub open: bool,
    /// Until when; none = until the operator takes it back.
    pub until: Option<Timestamp>,
}

/// The breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breaker {
    settings: ParticipantSettings,
    state: BreakerState,
    since: Timestamp,
    window: Window,
    /// Answers in time since it is half open.
    good: u32,
    /// Everything else since then.
    bad: u32,
    forced: Option<Forced>,
}

impl Breaker {
    pub(crate) fn new(settings: ParticipantSettings, now: Timestamp) -> Self {
        let (window, state) = (Window::default(), BreakerState::Closed);
        Self { settings, state, since: now, window, good: 0, bad: 0, forced: None }
    }

    pub(crate) const fn state(&self) -> BreakerState {
        self.state
    }

    /// Since when it is in its state.
    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    pub(crate) const fn forced(&self) -> Option<Forced> {
        self.forced
    }

    /// Of the window: errors in percent of all outcomes, slow answers in percent of all answers, and how many outcomes.
    pub(crate) fn ratios(&self) -> (u32, u32, u32) {
        let sum = self.window.sum();
        let answers = sum.answered.saturating_add(sum.slow);
        (percent(sum.failed, sum.total()), percent(sum.slow, answers), sum.total())
    }

    /// Takes in what happened since the last look, and what the clock asks for; `probed` = some of its probes are out.
    pub(crate) fn look(&mut self, outcomes: Outcomes, probed: bool, now: Timestamp) {
        let slice_ms = i64::from(self.settings.window_ms).max(SLICES) / SLICES;
        let slice = now.0.div_euclid(slice_ms);
        self.window.forget(slice);
        if !outcomes.is_empty() {
            self.window.add(slice, outcomes);
        }
        if let Some(forced) = self.forced {
            if forced.until.is_none_or(|until| until > now) {
                return;
            }
            // Nobody knows how the participant is by now: it is asked first.
            self.forced = None;
            let next = if forced.open { BreakerState::HalfOpen } else { BreakerState::Closed };
            self.enter(next, now);
            return;
        }
        match self.state {
            BreakerState::Closed if self.is_bad() => self.enter(BreakerState::Open, now),
            BreakerState::Open if now.ms_since(self.since) >= i64::from(self.settings.open_ms) => {
                self.enter(BreakerState::HalfOpen, now);
            }
            BreakerState::Closed | BreakerState::Open => {}
            BreakerState::HalfOpen => self.judge_probes(outcomes, probed, now),
        }
    }

    /// The majority of the probes decides; after a while, of those that came back. Silence is no answer, but while nothing is
    /// asked there is none.
    fn judge_probes(&mut self, outcomes: Outcomes, probed: bool, now: Timestamp) {
        self.good = self.good.saturating_add(outcomes.answered);
        self.bad = self.bad.saturating_add(outcomes.failed).saturating_add(outcomes.slow);
        let majority = self.settings.probes / 2 + 1;
        let is_over = now.ms_since(self.since) >= self.patience_ms();
        if self.good.max(self.bad) >= majority || (is_over && (probed || self.good + self.bad > 0)) {
            let next = if self.good > self.bad { BreakerState::Closed } else { BreakerState::Open };
            self.enter(next, now);
        }
    }

    /// How long probes may take.
    fn patience_ms(&self) -> i64 {
        i64::from(self.settings.open_ms.max(self.settings.slow_ms))
    }

    fn is_bad(&self) -> bool {
        let (errors, slow, outcomes) = self.ratios();
        let settings = &self.settings;
        outcomes >= settings.least_outcomes
            && (errors >= settings.error_percent || slow >= settings.slow_percent)
    }

    fn enter(&mut self, state: BreakerState, now: Timestamp) {
        self.state = state;
        self.since = now;
        (self.good, self.bad) = (0, 0);
        if state != BreakerState::Open {
            self.window = Window::default();
        }
    }

    /// It is asked first: after a start with a backlog, or because an operator wants to know.
    pub(crate) fn probe(&mut self, now: Timestamp) {
        self.forced = None;
        self.enter(BreakerState::HalfOpen, now);
    }

    /// Sets the state, whatever the outcomes say.
    pub(crate) fn force(&mut self, forced: Forced, now: Timestamp) {
        self.forced = Some(forced);
        let state = if forced.open { BreakerState::Open } else { BreakerState::Closed };
        if state != self.state {
            self.enter(state, now);
        }
    }

    /// Judges by other settings from now on. Of another window nothing is known yet; a forced state stays.
    pub(crate) fn set_settings(&mut self, settings: ParticipantSettings) {
        if settings.window_ms != self.settings.window_ms {
            self.window = Window::default();
        }
        self.settings = settings;
    }

    /// Back to the beginning: closed, and nothing has happened.
    pub(crate) fn reset(&mut self, now: Timestamp) {
        self.forced = None;
        self.enter(BreakerState::Closed, now);
    }
}

#[cfg(test)]
mod tests {
    use domain::gates::BreakerState::{self, Closed, HalfOpen, Open};
    use domain::time::Timestamp;

    use super::super::settings::ParticipantSettings;
    use super::{Breaker, Forced, Outcomes};

    const SETTINGS: ParticipantSettings = ParticipantSettings {
        rate_per_second: 100,
        burst: 100,
        error_percent: 50,
        slow_percent: 80,
        slow_ms: 500,
        window_ms: 1_000,
        least_outcomes: 10,
        open_ms: 2_000,
        probes: 3,
        ramp_ms: 0,
        ramp_from_percent: 100,
        retry_percent: 0,
        retries_per_second: 1,
    };

    const fn good(answered: u32) -> Outcomes {
        Outcomes { answered, slow: 0, failed: 0 }
    }

    const fn outcomes(answered: u32, slow: u32, failed: u32) -> Outcomes {
        Outcomes { answered, slow, failed }
    }

    /// A breaker in this state since 0.
    fn given(state: BreakerState) -> Breaker {
        let mut breaker = Breaker::new(SETTINGS, Timestamp(0));
        breaker.enter(state, Timestamp(0));
        breaker
    }

    #[test]
    fn given_a_state_when_outcomes_come_then_it_goes_where_the_table_says() {
        let table = [
            ("few outcomes decide nothing", Closed, 500, outcomes(0, 0, 9), Closed),
            ("too many errors", Closed, 500, outcomes(5, 0, 5), Open),
            ("not too many errors", Closed, 500, outcomes(6, 0, 5), Closed),
            ("too many slow answers", Closed, 500, outcomes(2, 8, 0), Open),
            ("not too many slow answers", Closed, 500, outcomes(3, 8, 0), Closed),
            ("slow answers count among answers", Closed, 500, outcomes(2, 8, 8), Open),
            ("errors and slow answers each have their own limit", Closed, 500, outcomes(3, 4, 4), Closed),
            ("an answer does not close it", Open, 1_999, good(100), Open),
            ("after its time it is probed", Open, 2_000, outcomes(0, 0, 0), HalfOpen),
            ("one answer of three probes decides nothing", HalfOpen, 100, good(1), HalfOpen),
            ("most are answered", HalfOpen, 100, good(2), Closed),
            ("one error decides nothing", HalfOpen, 100, outcomes(1, 0, 1), HalfOpen),
            ("most are errors", HalfOpen, 100, outcomes(1, 0, 2), Open),
            ("a slow answer is no good one", HalfOpen, 100, outcomes(0, 1, 1), Open),
            ("one error, and nothing else came back", HalfOpen, 2_000, outcomes(0, 0, 1), Open),
            ("silence decides nothing here", HalfOpen, 60_000, outcomes(0, 0, 0), HalfOpen),
            ("there was not more to ask", HalfOpen, 2_000, good(1), Closed),
        ];
        for (what, state, at, outcomes, then) in table {
            let mut breaker = given(state);
            breaker.look(outcomes, false, Timestamp(at));
            assert_eq!(breaker.state(), then, "{what}");
            let since = if then == state { 0 } else { at };
            assert_eq!(breaker.since(), Timestamp(since), "{what}");
        }
    }

    #[test]
    fn given_other_settings_then_what_was_counted_is_judged_by_them_unless_the_window_is_another() {
        let mut breaker = given(Closed);
        breaker.look(outcomes(6, 0, 4), false, Timestamp(50));
        assert_eq!(breaker.state(), Closed);
        let strict = ParticipantSettings { error_percent: 40, ..SETTINGS };
        let mut other = breaker.clone();
        breaker.set_settings(strict);
        breaker.look(outcomes(0, 0, 0), false, Timestamp(60));
        assert_eq!(breaker.state(), Open);
        other.set_settings(ParticipantSettings { window_ms: 5_000, ..strict });
        other.look(outcomes(0, 0, 0), false, Timestamp(60));
        assert_eq!((other.state(), other.ratios()), (Closed, (0, 0, 0)));
    }

    #[test]
    fn given_outcomes_when_the_window_has_passed_then_they_count_no_more() {
        let mut breaker = given(Closed);
        breaker.look(outcomes(0, 0, 9), false, Timestamp(50));
        breaker.look(outcomes(0, 0, 0), false, Timestamp(999));
        assert_eq!(breaker.ratios(), (100, 0, 9));
        breaker.look(outcomes(0, 0, 9), false, Timestamp(1_000));
        assert_eq!((breaker.state(), breaker.ratios()), (Closed, (100, 0, 9)));
        breaker.look(outcomes(0, 0, 1), false, Timestamp(1_899));
        assert_eq!(breaker.state(), Open, "nine of the window and one more");
    }

    #[test]
    fn given_half_open_when_nothing_comes_back_then_it_opens_again_if_it_was_asked() {
        for (probed, at, then) in [(true, 1_999, HalfOpen), (true, 2_000, Open), (false, 60_000, HalfOpen)] {
            let mut breaker = given(HalfOpen);
            breaker.look(good(0), probed, Timestamp(at));
            assert_eq!(breaker.state(), then, "{probed} {at}");
        }
    }

    #[test]
    fn given_a_forced_state_when_outcomes_contradict_it_then_it_stays_until_its_time_is_over() {
        let until = Some(Timestamp(5_000));
        let mut breaker = given(Closed);
        breaker.force(Forced { open: true, until }, Timestamp(10));
        breaker.look(good(100), false, Timestamp(4_999));
        assert_eq!((breaker.state(), breaker.since()), (Open, Timestamp(10)));
        breaker.look(good(0), false, Timestamp(5_000));
        assert_eq!((breaker.state(), breaker.forced()), (HalfOpen, None));

        let mut breaker = given(Open);
        breaker.force(Forced { open: false, until }, Timestamp(10));
        breaker.look(outcomes(0, 0, 100), false, Timestamp(4_999));
        assert_eq!(breaker.state(), Closed);
        breaker.look(outcomes(0, 0, 100), false, Timestamp(5_000));
        assert_eq!((breaker.state(), breaker.ratios()), (Closed, (0, 0, 0)), "it begins anew");
        breaker.look(outcomes(0, 0, 10), false, Timestamp(5_100));
        assert_eq!(breaker.state(), Open);
    }

    #[test]
    fn given_a_forced_state_without_an_end_when_it_is_taken_back_then_it_follows_the_outcomes_again() {
        let mut breaker = given(Closed);
        breaker.force(Forced { open: true, until: None }, Timestamp(0));
        breaker.look(good(1), false, Timestamp(i64::MAX / 2));
        assert_eq!(breaker.state(), Open);
        breaker.probe(Timestamp(7));
        assert_eq!((breaker.state(), breaker.forced()), (HalfOpen, None));
        breaker.force(Forced { open: true, until: None }, Timestamp(8));
        breaker.reset(Timestamp(9));
        assert_eq!((breaker.state(), breaker.forced(), breaker.since()), (Closed, None, Timestamp(9)));
    }
}
