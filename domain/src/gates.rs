//! What a decision knows of the participants: whether a command may go out now, and whether its breaker holds it back.

use serde::{Deserialize, Serialize};

use crate::decider::Participant;

/// How the circuit breaker of a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It answers: commands go out as its limits allow.
    #[default]
    Closed,
    /// A few commands go out to see whether it answers again.
    HalfOpen,
    /// Nothing goes out.
    Open,
}

impl BreakerState {
    /// All of them, by their [`BreakerState::index`].
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// Its place in [`BreakerState::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word in configuration, API and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// What of a participant's capacity a command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Compensation, and what an operator asked for: it goes first, also into the last part of every limit.
    Urgent,
    /// Everything else.
    Ordinary,
}

/// One gate as a decision sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// May an ordinary command go out now?
    pub ordinary: bool,
    /// May an urgent one?
    pub urgent: bool,
    /// How the breaker stands.
    pub breaker: BreakerState,
}

impl Gate {
    /// Everything may go.
    pub const OPEN: Self = Self { ordinary: true, urgent: true, breaker: BreakerState::Closed };
}

/// For each participant: may a new command go out now? A closed gate makes an effect wait in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gates([Gate; 5]);

impl Gates {
    /// Everything may be sent.
    pub const OPEN: Self = Self([Gate::OPEN; 5]);

    /// Gates in the order of [`Participant::ALL`].
    pub const fn new(gates: [Gate; 5]) -> Self {
        Self(gates)
    }

    /// The same gates with one of them set for every command.
    #[must_use]
    pub fn with(mut self, participant: Participant, open: bool) -> Self {
        let gate = &mut self.0[participant.index()];
        (gate.ordinary, gate.urgent) = (open, open);
        self
    }

    /// The same gates with one of them behind a breaker in this state: an open one lets nothing through.
    #[must_use]
    pub fn with_breaker(self, participant: Participant, breaker: BreakerState) -> Self {
        let mut gates = self.with(participant, breaker != BreakerState::Open);
        gates.0[participant.index()].breaker = breaker;
        gates
    }

    /// The same gates with one of them as given.
    #[must_use]
    pub fn with_gate(mut self, participant: Participant, gate: Gate) -> Self {
        self.0[participant.index()] = gate;
        self
    }

    /// May a new ordinary command go to this participant?
    pub fn open(self, participant: Participant) -> bool {
        self.open_for(participant, Urgency::Ordinary)
    }

    /// May a new command of this urgency go to this participant?
    pub fn open_for(self, participant: Participant, urgency: Urgency) -> bool {
        let gate = self.0[participant.index()];
        match urgency {
            Urgency::Urgent => gate.urgent,
            Urgency::Ordinary => gate.ordinary,
        }
    }

    /// How the breaker of this participant stands.
    pub fn breaker(self, participant: Participant) -> BreakerState {
        self.0[participant.index()].breaker
    }
}
