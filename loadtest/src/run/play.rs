//! A run while it goes on: hears pages, changes participants when it is time, tells how far it is, and finds its end.

use std::sync::Arc;
use std::time::Duration;

use bus::ports::{OpenError, Outgoing, Reader};
use domain::decider::Participant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::arrivals::rate_at;
use super::conduct::{behaviours_at, faults_at};
use super::driver::Progress;
use super::judgement::{Evidence, Watch};
use super::observer::Observer;
use super::recorder::Times;
use super::shop::Signal;
use crate::scenario::objective::Unit;
use crate::scenario::{FaultKind, Scenario};
use crate::simulators::{Outbox, Profiles, Simulators};

/// How long to wait for pages before looking around.
const LOOK_AROUND: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_secs(1);
const CLOSED_WITHIN: Duration = Duration::from_secs(20);

/// A run that goes on.
pub(super) struct Play<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) base: Profiles,
    pub(super) observer: &'a Arc<Observer>,
    pub(super) simulators: Option<&'a Simulators>,
    pub(super) restarts: Option<&'a mpsc::Sender<()>>,
    pub(super) signal: &'a watch::Sender<Signal>,
    /// Tells those who tell the stock that no more orders come.
    pub(super) quieten: &'a watch::Sender<bool>,
    pub(super) start: Instant,
    pub(super) behaviours: Option<Profiles>,
    pub(super) restarted: usize,
    pub(super) watch: Watch,
    /// Tells when the shop has sent everything.
    pub(super) closed: oneshot::Receiver<()>,
    pub(super) is_closed: bool,
    /// When something of this run moved last.
    pub(super) last_end: Instant,
}

impl Play<'_> {
    /// Gives the objective that stopped the run, if one did.
    pub(super) async fn until_settled(
        &mut self,
        mut pages: Box<dyn Reader>,
        wishes: &Outbox,
        progress: &impl Fn(&Progress),
    ) -> Result<Option<String>, OpenError> {
        let (mut told, mut aborted) = (self.start, None);
        loop {
            match pages.next(256, LOOK_AROUND).await {
                Ok(messages) => {
                    let now = Instant::now();
                    for stored in &messages {
                        let (due, is_ours) = self.observer.page(stored, now);
                        self.wish(due, wishes).await;
                        if is_ours {
                            self.last_end = now;
                        }
                    }
                }
                Err(OpenError::Unavailable(cause)) => {
                    tracing::debug!(%cause, "waiting for the broker");
                    tokio::time::sleep(LOOK_AROUND).await;
                }
                Err(lost) => return Err(lost),
            }
            let now = Instant::now();
            self.lead(now - self.start);
            self.is_closed =
                self.is_closed || self.closed.try_recv() != Err(oneshot::error::TryRecvError::Empty);
            if self.is_closed {
                self.quieten.send_replace(true);
            }
            let is_settled = self.look_after();
            if now - told >= TICK {
                told = now;
                aborted = aborted.or_else(|| self.second(now, progress));
                if aborted.is_some() {
                    self.signal.send_if_modified(|signal| {
                        let is_open = *signal == Signal::Open;
                        *signal = (*signal).max(Signal::Close);
                        is_open
                    });
                }
            }
            if (self.is_closed && is_settled) || self.is_stuck(now) {
                self.second(now, progress);
                return Ok(aborted);
            }
        }
    }

    /// A shop that was told to give up says what it could not send.
    pub(super) async fn until_closed(&mut self) {
        if !self.is_closed && timeout(CLOSED_WITHIN, &mut self.closed).await.is_err() {
            tracing::warn!("the shop does not end");
        }
    }

    async fn wish(&self, due: Vec<Outgoing>, wishes: &Outbox) {
        for wish in due {
            wishes.put(wish).await;
        }
    }

    /// Participants change, and the server is killed, when it is time.
    fn lead(&mut self, at: Duration) {
        let now = behaviours_at(self.scenario, &self.base, at);
        if let Some(simulators) = self.simulators {
            for participant in Participant::ALL {
                let profile = now.of(participant);
                if self.behaviours.is_some_and(|before| before.of(participant) == profile) {
                    continue;
                }
                simulators.behave(participant, *profile);
            }
        }
        self.behaviours = Some(now);
        let restarts = self.scenario.faults.iter().filter(|fault| fault.kind == FaultKind::Restart);
        let due = restarts.filter(|fault| fault.at <= at).count();
        if due > self.restarted {
            self.restarted = due;
            if let Some(restarts) = self.restarts {
                // One that is not over yet is restart enough.
                let _ = restarts.try_send(());
            }
        }
    }

    /// Lets clean orders be forgotten; true if every order that was sent has ended.
    fn look_after(&self) -> bool {
        let mut state = self.observer.state();
        state.recorder.series.roll(Instant::now());
        let forgotten = state.auditor.take_forgotten();
        if let Some(simulators) = self.simulators {
            simulators.forget(&forgotten);
        }
        state.auditor.is_settled()
    }

    /// All orders had time to come, nothing is wrong any more, and nothing moves.
    fn is_stuck(&self, now: Instant) -> bool {
        let patience = self.scenario.patience;
        let quiet_since =
            self.last_end.max(self.start + self.scenario.duration().max(self.scenario.healed_at()));
        now.saturating_duration_since(quiet_since) > patience
    }

    /// Tells how far it is; gives the objective that stops the run.
    fn second(&mut self, now: Instant, progress: &impl Fn(&Progress)) -> Option<String> {
        let (at, scenario) = (now - self.start, self.scenario);
        let state = self.observer.state();
        let recorder = &state.recorder;
        let evidence = Evidence { recorder, orders: state.auditor.tally(), dead_letters: 0 };
        let stopping = self.watch.look(scenario, &evidence, at);
        let results = scenario.objectives.iter().map(|objective| evidence.judge(scenario, objective));
        let is_time = |unit| unit == Unit::Milliseconds;
        let missed = results.filter(|one| is_time(one.unit) && one.value.is_some() && !one.met);
        let mut begin = Duration::ZERO;
        let phase = scenario.phases.iter().find(|phase| {
            begin += phase.over;
            at < begin
        });
        let told = Progress {
            elapsed: at,
            duration: scenario.duration(),
            phase: phase.map(|phase| phase.label.clone()),
            target: rate_at(&scenario.phases, at),
            last: recorder.series.last().copied(),
            orders: state.auditor.tally(),
            legs: recorder.corrected.each_ref().map(Times::quantiles),
            lateness_p99: recorder.lateness.quantiles().p99,
            faults: faults_at(scenario, at),
            missed: missed.map(|one| one.name).collect(),
        };
        drop(state);
        progress(&told);
        stopping
    }
}
