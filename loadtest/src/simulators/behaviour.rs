//! How reliable a participant is. All chance depends on the seed, the idempotency key and the number of the send alone.

use std::time::Duration;

use domain::by_participant::ByParticipant;
use domain::messages::body::Format;

use crate::chance::{Dice, PerMille};

/// How a participant answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// It takes nothing and answers nothing: what is sent to it is lost, and must be sent again.
    pub away: bool,
    /// The shortest time until an answer.
    pub latency_least: Duration,
    /// The longest time until an answer.
    pub latency_most: Duration,
    /// How often it refuses for good what it could have done.
    pub refusals: PerMille,
    /// How often it says the same message twice (same `ce-id`).
    pub duplicates: PerMille,
    /// How often it says the same thing again under another `ce-id`.
    pub echoes: PerMille,
    /// How often a send gets no answer at all.
    pub silences: PerMille,
    /// How often an answer comes only after `lateness`.
    pub late_answers: PerMille,
    /// How late that is.
    pub lateness: Duration,
    /// How often the first send is answered by "not applied, try again".
    pub transients: PerMille,
    /// How often the first send is answered by "no idea".
    pub unknown_outcomes: PerMille,
    /// Answers go out in batches where several are ready, by partition of so many; none = each alone.
    pub batches: Option<u16>,
    /// How answers are written; commands are read in either format.
    pub format: Format,
}

impl Profile {
    /// Quick and faultless.
    pub const CALM: Self = Self {
        away: false,
        latency_least: Duration::ZERO,
        latency_most: Duration::from_millis(2),
        refusals: 0,
        duplicates: 0,
        echoes: 0,
        silences: 0,
        late_answers: 0,
        lateness: Duration::ZERO,
        transients: 0,
        unknown_outcomes: 0,
        batches: None,
        format: Format::Json,
    };

    /// Repeats itself, is sometimes silent or unsure, never so late that an order is given up.
    pub const NOISY: Self = Self {
        latency_most: Duration::from_millis(20),
        duplicates: 30,
        echoes: 20,
        silences: 5,
        transients: 10,
        unknown_outcomes: 5,
        ..Self::CALM
    };

    /// As noisy, and now and then later than any deadline.
    pub const UNRELIABLE: Self = Self {
        silences: 30,
        late_answers: 20,
        lateness: Duration::from_secs(45),
        refusals: 10,
        ..Self::NOISY
    };

    /// Can an order be given up at its deadline because of this participant?
    pub const fn is_patient(&self) -> bool {
        !self.away && self.late_answers == 0 && self.silences < 20
    }
}

/// The profiles of all participants.
pub type Profiles = ByParticipant<Profile>;

/// False if an order can be given up at its deadline because of somebody.
pub const fn are_patient(profiles: &Profiles) -> bool {
    profiles.loyalty.is_patient() && profiles.payment.is_patient()
}

/// What is done with one send of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It is applied, but nobody is told.
    Silence,
    /// "Not applied, try again."
    Transient,
    /// It is applied, but the answer is "no idea".
    UnknownOutcome,
    /// The definite answer.
    Answer,
}

/// How one send of a command is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) reaction: Reaction,
    pub(super) after: Duration,
    pub(super) is_repeated: bool,
    pub(super) is_echoed: bool,
}

impl Profile {
    /// How send number `times` (from 1) of a command is met.
    pub(super) fn manner(&self, seed: u64, key: &str, times: u32) -> Manner {
        let mut dice = Dice::new(seed ^ u64::from(times), &[key]);
        let reaction = if dice.happens(self.silences) {
            Reaction::Silence
        } else if times == 1 && dice.happens(self.transients) {
            Reaction::Transient
        } else if times == 1 && dice.happens(self.unknown_outcomes) {
            Reaction::UnknownOutcome
        } else {
            Reaction::Answer
        };
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let latency =
            Duration::from_micros(dice.between(micros(self.latency_least), micros(self.latency_most)));
        let after = if dice.happens(self.late_answers) { latency + self.lateness } else { latency };
        let (is_repeated, is_echoed) = (dice.happens(self.duplicates), dice.happens(self.echoes));
        Manner { reaction, after, is_repeated, is_echoed }
    }

    /// Is this command refused for good?
    pub(super) fn refuses(&self, seed: u64, key: &str) -> bool {
        Dice::new(seed, &["refusal", key]).happens(self.refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, Reaction};

    #[test]
    fn given_a_profile_when_the_same_send_is_met_twice_then_it_is_met_alike() {
        let manner = Profile::NOISY.manner(1, "k", 1);
        assert_eq!(manner, Profile::NOISY.manner(1, "k", 1));
        assert!((1..50).any(|send| Profile::NOISY.manner(1, "k", send).after != manner.after));
    }

    #[test]
    fn given_a_silent_participant_when_it_is_asked_often_then_it_answers_in_the_end() {
        let often_silent = Profile { silences: 500, ..Profile::CALM };
        assert!((1..40).any(|send| often_silent.manner(3, "k", send).reaction == Reaction::Answer));
    }
}
