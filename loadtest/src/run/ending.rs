//! How a load test ends: what the shell sees.

use serde::{Deserialize, Serialize};

/// How it ended. Where several are true, [`Ending::worst`] says which counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everything held.
    Good,
    /// The program could not do its work.
    Internal,
    /// The command line is wrong.
    Usage,
    /// The scenario is wrong.
    ScenarioInvalid,
    /// The broker or the server is missing, too old or out of reach, or has no streams.
    Unreachable,
    /// An objective was missed.
    ObjectiveMissed,
    /// An invariant was violated.
    InvariantViolated,
    /// The generator could not keep up, so the measurements mean nothing.
    RunInvalid,
    /// Worse than the baseline.
    Regression,
    /// Stopped because an objective did not hold for too long.
    Aborted,
    /// Somebody asked it to end; what was measured until then is told.
    Interrupted,
}

impl Ending {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::ScenarioInvalid => 3,
            Self::Unreachable => 4,
            Self::ObjectiveMissed => 10,
            Self::InvariantViolated => 11,
            Self::RunInvalid => 12,
            Self::Regression => 13,
            Self::Aborted => 14,
            Self::Interrupted => 130,
        }
    }

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "passed",
            Self::Internal => "internal error",
            Self::Usage => "bad usage",
            Self::ScenarioInvalid => "scenario invalid",
            Self::Unreachable => "target unreachable",
            Self::ObjectiveMissed => "objective missed",
            Self::InvariantViolated => "invariant violated",
            Self::RunInvalid => "run invalid",
            Self::Regression => "regression",
            Self::Aborted => "aborted by an objective",
            Self::Interrupted => "interrupted",
        }
    }

    /// Of several, the one that the shell sees: an interrupted run says nothing about the rest, a wrong order is worse than any
    /// number, and numbers of an invalid run mean nothing.
    pub fn worst(all: &[Self]) -> Self {
        const ORDER: [Ending; 6] = [
            Ending::Interrupted,
            Ending::InvariantViolated,
            Ending::RunInvalid,
            Ending::Aborted,
            Ending::ObjectiveMissed,
            Ending::Regression,
        ];
        ORDER.into_iter().find(|ending| all.contains(ending)).unwrap_or(Self::Good)
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn exit_codes_are_those_that_are_told() {
        let all = [
            (Ending::Good, 0),
            (Ending::Internal, 1),
            (Ending::Usage, 2),
            (Ending::ScenarioInvalid, 3),
            (Ending::Unreachable, 4),
            (Ending::ObjectiveMissed, 10),
            (Ending::InvariantViolated, 11),
            (Ending::RunInvalid, 12),
            (Ending::Regression, 13),
            (Ending::Aborted, 14),
            (Ending::Interrupted, 130),
        ];
        for (ending, code) in all {
            assert_eq!(ending.code(), code, "{ending:?}");
        }
    }

    #[test]
    fn a_wrong_order_is_worse_than_a_slow_one() {
        let all = [Ending::ObjectiveMissed, Ending::InvariantViolated, Ending::RunInvalid];
        assert_eq!(Ending::worst(&all), Ending::InvariantViolated);
        assert_eq!(Ending::worst(&[Ending::Regression, Ending::RunInvalid]), Ending::RunInvalid);
        assert_eq!(Ending::worst(&[]), Ending::Good);
    }
}
