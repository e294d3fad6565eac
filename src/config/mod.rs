//! The configuration of `doorbuster serve`: every key has a default, a unit and a reason in `config/default.toml`.
//!
//! Flags win over the environment (`DOORBUSTER_<SECTION>_<KEY>`), the environment over the file, the file over the
//! defaults. Unknown keys are refused, because a mistyped limit that is silently ignored is found at the peak.

mod layers;
mod validate;

use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use layers::{DEFAULTS, environment_name, flatten};

use crate::cli::ServeOptions;
use crate::exit::Failure;

/// Everything that can be configured, one struct for each component.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The connection to NATS.
    pub nats: Nats,
    /// The HTTP listener.
    pub http: Http,
    /// What an operator may change while the server runs.
    pub control: Control,
    /// What is logged.
    pub log: Log,
    /// The rules of an order.
    pub order: domain::order::Policies,
    /// The rules of a reservation, and how nodes are chosen.
    pub reservation: domain::reservation::Policies,
    /// The rules of a stock cell.
    pub stock: domain::stock::Policies,
    /// The bounds of a counter of promotions and coupons.
    pub counter: Counter,
    /// What an order does while a system is away.
    pub degraded_modes: domain::order::DegradedModes,
    /// The bounds of the actors.
    pub node: actors::config::NodeConfig,
    /// How the work is laid on the machine.
    pub runtime: Runtime,
}

/// The bounds of a counter of promotions and coupons. Its limits are reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Claims that may live in one counter.
    pub claims_most: usize,
    /// Customers that one counter tells apart.
    pub customers_most: usize,
}

/// The connection to NATS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// The server, or several with commas between them.
    pub url: String,
    /// The first token of all subjects, and in upper case of all stream names.
    pub root: String,
    /// What the server does at a write, since it cannot be asked: used only to tell what a power cut may take.
    pub sync: Sync,
}

/// What nats-server was told about fsync (`jetstream.sync_interval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// An fsync before every acknowledgement.
    Always,
    /// The server's default: every two minutes.
    Default,
}

/// The HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens; loopback only, unless `control.beyond_loopback` says why not.
    pub address: SocketAddr,
}

/// What an operator may change while the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Whether the control endpoints are there.
    pub enabled: bool,
    /// Why HTTP may listen beyond loopback although there are no access tokens; empty = it may not.
    pub beyond_loopback: String,
    /// Names under which the server is reached besides loopback.
    pub hosts: Vec<String>,
    /// Idempotency keys that are kept.
    pub idempotency_keys: usize,
    /// Milliseconds that one is kept.
    pub idempotency_ms: u64,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter in the form of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// How the work is laid on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// Threads that the partitions are spread over.
    pub threads: usize,
    /// Milliseconds that a drain may take.
    pub drain_ms: u64,
}

impl Config {
    /// Reads all layers and checks them.
    ///
    /// # Errors
    /// A failure with exit code 2 that names the place, the key, the value, the unit and the remedy; all mistakes of one
    /// layer at once.
    pub fn load(options: &ServeOptions) -> Result<Self, Failure> {
        Self::from_layers(options, std::env::vars())
    }

    /// The same with a given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_layers(
        options: &ServeOptions,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let mut table = layers::defaults();
        if let Some(path) = &options.config {
            layers::lay_file(&mut table, path, &read(path)?)?;
        }
        layers::lay_environment(&mut table, environment)?;
        let flags = [("nats.url", "--nats", &options.nats), ("http.address", "--http", &options.http)];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                layers::lay_text(&mut table, key, flag, value)?;
            }
        }
        let config = Self::deserialize(toml::Value::Table(table)).map_err(|error| {
            Failure::usage(
                format!("configuration: {}", error.message()),
                "compare with config/default.toml, which has every key, its unit and its range",
            )
        })?;
        config.validate()?;
        Ok(config)
    }
}

impl Default for Config {
    /// What `config/default.toml` says.
    fn default() -> Self {
        Self::deserialize(toml::Value::Table(layers::defaults()))
            .expect("config/default.toml is compiled in, and a test reads it")
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("cannot read the configuration file {}: {error}", path.display()),
            "give a readable TOML file with -c, or leave it out to run with the defaults",
        )
    })
}

#[cfg(test)]
mod tests;
