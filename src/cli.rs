//! What can be asked on the command line. Data goes to stdout, talk to stderr.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use domain::ids::Token;

use crate::operate::arguments::{AuditOptions, BreakerOptions, FlowOptions};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "doorbuster", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done and clean; 1 a check failed (audit not clean, a difference found); \
                          2 bad usage or configuration; 3 a dependency is missing, too old or unreachable; \
                          of the commands that ask a running server also: 4 it does not answer; 5 it does not take \
                          requests from here; 6 it does not fit to how things are; 7 nothing of that name.";

/// One of the commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system in one process with simulated participants, and audit every order.
    Demo(DemoOptions),
    /// Create the streams on a NATS server, or show how they differ from what is needed.
    Setup(SetupOptions),
    /// Run the order orchestrator against a NATS server that `setup --apply` has prepared.
    Serve(ServeOptions),
    /// Show and change how much work a running server takes: pause, drain, limits, bulkheads.
    Flow(FlowOptions),
    /// Show and force the circuit breakers in front of the participants.
    Breaker(BreakerOptions),
    /// Show who changed what on a running server, and check that record.
    Audit(AuditOptions),
}

/// `doorbuster demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// How many orders to publish.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub orders: u32,
    /// Makes the same orders and the same answers again; without it, a new seed is taken and printed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run on this NATS server, under subjects of its own that are removed at the end; without URL, start a nats-server
    /// that is found on the PATH. Without this flag, everything runs in memory.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub nats: Option<String>,
    /// Which orders: `mixed` has 1-5 lines, splits, refusals and cancels; `standard` is the one order of every load test
    /// (member, three lines, points redeemed, one card, one parcel).
    #[arg(long, value_name = "MIX", default_value = "mixed", value_parser = ["mixed", "standard"])]
    pub mix: String,
    /// Publish so many orders a second; without it, as fast as they are taken.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Commands to the participants, and their answers, share broker messages where several are ready.
    #[arg(long)]
    pub batch: bool,
    /// How orders, commands and answers are written; events are always JSON.
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = ["json", "msgpack"])]
    pub format: String,
    /// Print one JSON object on stdout instead of the summary.
    #[arg(long)]
    pub json: bool,
}

/// `doorbuster setup`.
#[derive(Debug, Clone, Args)]
pub struct SetupOptions {
    /// The NATS server.
    #[arg(long, value_name = "URL", env = "DOORBUSTER_NATS_URL")]
    pub nats: String,
    /// Only show the differences; exit code 1 if there are any. This is what happens without a flag, too.
    #[arg(long, conflicts_with = "apply")]
    pub diff: bool,
    /// Create what is missing and change what differs.
    #[arg(long)]
    pub apply: bool,
    /// Into how many partitions the orders are divided; fixed once the streams are there.
    #[arg(long, value_name = "P", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub partitions: u16,
    /// The first token of all subjects, and in upper case of all stream names; the same as `nats.root` of `serve`.
    #[arg(long, value_name = "ROOT", env = "DOORBUSTER_NATS_ROOT", default_value = "retail", value_parser = root)]
    pub root: Token,
    /// How many servers hold a copy of each stream: 1, 3 or 5.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = replicas)]
    pub replicas: u8,
}

/// `doorbuster serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeOptions {
    /// A TOML file with the keys that differ from `config/default.toml`.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The NATS server; wins over the environment and the file.
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// Where HTTP listens; wins over the environment and the file.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
}

fn root(text: &str) -> Result<Token, String> {
    Token::new(text).map_err(|problem| problem.to_string())
}

fn replicas(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => {
            Err("expected 1, 3 or 5: an even number of copies survives no more failures than one less"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, error::ErrorKind};

    use super::{Arguments, Command};

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nats_without_a_url_means_a_server_of_our_own() {
        let nats = |line: &[&str]| match Arguments::try_parse_from(line).unwrap().command {
            Command::Demo(options) => options.nats,
            other => panic!("{other:?}"),
        };
        assert_eq!(nats(&["doorbuster", "demo"]), None);
        assert_eq!(nats(&["doorbuster", "demo", "--nats"]), Some(String::new()));
        assert_eq!(
            nats(&["doorbuster", "demo", "--nats", "nats://h:1", "--json"]),
            Some("nats://h:1".to_owned())
        );
    }

    #[test]
    fn values_outside_their_range_are_usage_errors() {
        for line in [
            &["doorbuster", "setup", "--nats", "x", "--partitions", "65"][..],
            &["doorbuster", "setup", "--nats", "x", "--replicas", "2"],
            &["doorbuster", "setup", "--nats", "x", "--root", "a.b"],
            &["doorbuster", "setup", "--nats", "x", "--diff", "--apply"],
            &["doorbuster", "demo", "--orders", "0"],
            &["doorbuster", "setup", "--no-such-flag"],
        ] {
            let error = Arguments::try_parse_from(line).expect_err("must be refused");
            assert_eq!(error.exit_code(), 2, "{line:?}");
            assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line:?}");
        }
    }
}
