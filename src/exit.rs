//! How a command ends: the exit codes of the contract, and what is said when it could not do its work.

use std::io::Write;
use std::process::ExitCode;

/// The exit codes of the contract; those from 4 on are of the commands that ask a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and clean.
    Clean,
    /// A check failed: the audit is not clean, or a difference was found.
    CheckFailed,
    /// Bad usage or configuration.
    Usage,
    /// A dependency is missing, too old or unreachable.
    Unavailable,
    /// The server that was asked does not answer.
    Unreachable,
    /// It does not take requests from here.
    Refused,
    /// What was asked for does not fit to how things are.
    Conflict,
    /// It knows nothing of that name.
    NotFound,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::CheckFailed => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::Conflict => 6,
            Self::NotFound => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work, in words for whoever typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  remedy: {remedy}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong, with the value that caused it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Failure {
    /// A mistake in the command line or the configuration.
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), remedy: remedy.into() }
    }

    /// Something that is needed is missing, too old or out of reach.
    pub fn unavailable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, what: what.into(), remedy: remedy.into() }
    }

    /// Says it on stderr.
    pub fn tell(&self) {
        // With stderr closed there is nobody to tell; the exit code still says it.
        let _ = writeln!(std::io::stderr(), "error: {self}");
    }
}
