//! What a journaled decision survives, in words, as far as it can be known from here.

use std::fmt;

use super::connect::Version;

/// How often the server writes to disk. Clients cannot ask for it, so the operator says it (`nats.sync`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// `sync_interval: always`: before the ack.
    Always,
    /// The server's default: every two minutes.
    Interval,
    /// Nobody has said.
    #[default]
    Unknown,
}

impl Sync {
    /// Reads the configured word: `always`, or `default` for the server's interval; anything else is unknown.
    pub fn parse(word: &str) -> Self {
        match word {
            "always" => Self::Always,
            "default" => Self::Interval,
            _ => Self::Unknown,
        }
    }
}

/// What is known about the durability of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurabilityProfile {
    /// How many servers hold each stream.
    pub replicas: u8,
    /// How often they write to disk.
    pub sync: Sync,
    /// The version of the server; none = the embedded broker.
    pub server: Option<Version>,
}

impl fmt::Display for DurabilityProfile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(version) = self.server else {
            return out.write_str("embedded: everything is in the memory of this process and ends with it");
        };
        write!(out, "nats-server {version}, {} replica(s): ", self.replicas)?;
        out.write_str(match (self.replicas > 1, self.sync) {
            (true, Sync::Always) => "survives killed processes, power loss of all servers and the loss of a minority of disks",
            (true, Sync::Interval) => {
                "survives killed processes and one server; power loss of all may take the last two minutes"
            }
            (true, Sync::Unknown) => {
                "survives killed processes and one server; whether it survives power loss of all is unknown \
                 (sync_interval cannot be asked for; say it with nats.sync)"
            }
            (false, Sync::Always) => "survives killed processes and power loss, but not the loss of the disk",
            (false, Sync::Interval) => {
                "survives killed processes; power loss may take the last two minutes; the loss of the disk takes all"
            }
            (false, Sync::Unknown) => {
                "survives killed processes, not the loss of the disk; whether it survives power loss is unknown \
                 (sync_interval cannot be asked for; say it with nats.sync)"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DurabilityProfile, Sync};
    use crate::nats::OLDEST_SERVER;

    #[test]
    fn a_profile_says_what_is_not_known() {
        let profile = |sync| DurabilityProfile { replicas: 1, sync, server: Some(OLDEST_SERVER) }.to_string();
        assert!(profile(Sync::parse("")).contains("unknown"));
        assert!(profile(Sync::parse("always")).contains("power loss, but not the loss of the disk"));
        assert!(profile(Sync::parse("default")).contains("two minutes"));
    }
}
