//! Why a command could not do its work, with the exit codes of load tests.

use std::io::Write;

use loadtest::run::Ending;

use crate::exit::{Exit, Failure};

/// What went wrong and what to do about it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) ending: Ending,
    what: String,
    remedy: String,
}

impl Trouble {
    pub(super) fn new(ending: Ending, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { ending, what: what.into(), remedy: remedy.into() }
    }

    /// Says it on stderr.
    pub(super) fn tell(&self) {
        // With stderr closed there is nobody to tell; the exit code still says it.
        let _ = writeln!(std::io::stderr(), "error: {}\n  remedy: {}", self.what, self.remedy);
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let ending = match failure.exit {
            Exit::Usage => Ending::Usage,
            Exit::Unavailable | Exit::Unreachable => Ending::Unreachable,
            Exit::Clean | Exit::CheckFailed | Exit::Refused | Exit::Conflict | Exit::NotFound => {
                Ending::Internal
            }
        };
        Self::new(ending, failure.what, failure.remedy)
    }
}
