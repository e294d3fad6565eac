//! Which part of the intake an act is about.

use std::fmt;
use std::str::FromStr;

use domain::ids::Token;

/// A part of the intake, as it is written everywhere: `all`, `tenant:main`, `channel:web`, `partition:3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    All,
    /// What belongs to one tenant.
    Tenant(Token),
    /// What comes over one sales channel.
    Channel(String),
    /// What falls into one partition.
    Partition(u16),
}

/// The allowed forms, in words.
pub const FORMS: &str = "`all`, `tenant:<name>`, `channel:<name>` or `partition:<number>`";

/// The longest name of a channel.
const LONGEST_CHANNEL: usize = 64;

fn is_channel(name: &str) -> bool {
    (1..=LONGEST_CHANNEL).contains(&name.len())
        && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let token = |name: &str| Token::new(name).map_err(|problem| problem.to_string());
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("tenant", name)) => token(name).map(Self::Tenant),
            Some(("channel", name)) if is_channel(name) => Ok(Self::Channel(name.to_owned())),
            Some(("channel", name)) => Err(format!(
                "{name:?} is no channel: expected 1 to {LONGEST_CHANNEL} characters without blanks"
            )),
            Some(("partition", number)) => number
                .parse()
                .map(Self::Partition)
                .map_err(|_| format!("{number:?} is no number of a partition; they are counted from 0")),
            _ => Err(format!("{text:?} is no scope: expected {FORMS}")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all"),
            Self::Tenant(name) => write!(out, "tenant:{name}"),
            Self::Channel(name) => write!(out, "channel:{name}"),
            Self::Partition(number) => write!(out, "partition:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_reads_as_it_is_written() {
        for text in ["all", "tenant:main", "channel:web", "partition:63"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_scope_is_told_what_one_is() {
        for (text, expected) in [
            ("", "`all`"),
            ("everything", "`all`"),
            ("store:7", "`partition:<number>`"),
            ("tenant:", "[a-z0-9_-]{1,32}"),
            ("tenant:Main", "[a-z0-9_-]{1,32}"),
            ("channel:", "without blanks"),
            ("channel:a b", "without blanks"),
            ("partition:x", "counted from 0"),
            ("partition:-1", "counted from 0"),
        ] {
            let told = text.parse::<Scope>().unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
