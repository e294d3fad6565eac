//! What can be asked of `loadtest`. Data goes to stdout, talk to stderr.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use domain::ids::Token;
use loadtest::scenario::objective::{Metric, Objective};
use loadtest::scenario::quantity;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, about = "Loads and measures doorbuster", arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all held; 1 internal error; 2 bad usage; 3 scenario invalid; 4 target unreachable or \
                          without streams; 10 an objective was missed; 11 an invariant was violated; 12 run invalid (the \
                          generator could not keep up); 13 worse than the baseline; 14 stopped by abort_after; 130 interrupted \
                          (what was measured is told). `raw` and `standing`: 0 done; 1 a run was invalid; 2 bad usage; 3 a \
                          dependency is missing.";

/// One of the commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario, judge every order, and tell what was measured.
    Run(RunOptions),
    /// Find the highest rate that still meets the objectives: a run at each rate, on fresh streams.
    Search(SearchOptions),
    /// Compare two summaries.
    Compare(CompareOptions),
    /// Make a page of a summary: text, or HTML with charts.
    Report(ReportOptions),
    /// Check scenarios, and tell all their mistakes at once.
    Validate(ValidateOptions),
    /// Print a scenario to begin with, or write it to a file.
    Init(InitOptions),
    /// List the scenarios that come with the program.
    List(ListOptions),
    /// Measurements of their own kind.
    #[command(flatten)]
    Measure(crate::raw::cli::Command),
}

/// Where the orders go.
#[derive(Debug, Clone, Args)]
pub struct TargetOptions {
    /// Send the orders to a server that runs already, through this NATS server. Without it, a nats-server and `doorbuster serve`
    /// are started for the run, with fresh streams, and ended after it.
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Where that server answers HTTP: it must be ready before the run begins, and know a sample of the orders after it.
    #[arg(long, value_name = "URL", requires = "target")]
    pub api: Option<String>,
    /// Everything in this process, on a broker in memory: no durability, no network, no kill -9.
    #[arg(long, conflicts_with = "target")]
    pub embedded: bool,
    /// Play the shops only: others answer the commands, and their books are not judged.
    #[arg(long, requires = "target")]
    pub external_participants: bool,
    /// The first token of all subjects of the target.
    #[arg(long, value_name = "ROOT", default_value = "retail", requires = "target", value_parser = root)]
    pub root: Token,
    /// The server to start; without it, the `doorbuster` beside this program.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "embedded"])]
    pub doorbuster: Option<PathBuf>,
}

/// `loadtest run`.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// A file, or the name of a scenario of the program (`loadtest list`).
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// Where the orders go.
    #[command(flatten)]
    pub target: TargetOptions,
    /// Makes other orders, arrivals and answers than the scenario's seed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// One steady rate, such as 500/s, instead of the phases and faults of the scenario.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<f64>,
    /// How long at that rate, such as 2m; without it, as long as the scenario.
    #[arg(long, value_name = "TIME", requires = "rate", value_parser = time)]
    pub duration: Option<std::time::Duration>,
    /// Phases, warm-up and faults take so many times less; wins over the scenario.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub time_scale: Option<u32>,
    /// Write `summary.json` and `report.html` there.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Write the HTML report to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write objectives, invariants and the end of the run as a `JUnit` report to this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write what happened when to this file: rates and percentiles of each second.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the times of each leg to this file, as a log of `HdrHistogram`s (V2).
    #[arg(long, value_name = "FILE")]
    pub hdr: Option<PathBuf>,
    /// Compare with the summary in this file.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// What may be worse than the baseline by how much.
    #[arg(long, value_name = "SHARE", default_value = "5%", requires = "baseline", value_parser = share)]
    pub max_regression: f64,
    /// Print the summary as one JSON object on stdout instead of a page.
    #[arg(long)]
    pub json: bool,
    /// No progress on stderr.
    #[arg(long)]
    pub quiet: bool,
}

/// `loadtest search`.
#[derive(Debug, Clone, Args)]
pub struct SearchOptions {
    /// A file, or the name of a scenario of the program: its orders and participants, without its phases and faults.
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// What must hold, such as 'commit.p99<50ms', instead of the objectives of the scenario; may be given several times.
    #[arg(long, value_name = "SLO", value_parser = objective)]
    pub slo: Vec<Objective>,
    /// The lowest rate.
    #[arg(long, value_name = "RATE", default_value = "50/s", value_parser = rate)]
    pub min: f64,
    /// The highest rate.
    #[arg(long, value_name = "RATE", default_value = "100k/s", value_parser = rate)]
    pub max: f64,
    /// How long at each rate; the first quarter of it is warm-up at most.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub duration: std::time::Duration,
    /// Where the orders go.
    #[command(flatten)]
    pub target: TargetOptions,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// No progress on stderr.
    #[arg(long)]
    pub quiet: bool,
}

/// `loadtest compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareOptions {
    /// The summary of the first run.
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The summary of the second run.
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// What may be worse by how much.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    pub max_regression: f64,
    /// Print one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `loadtest report`.
#[derive(Debug, Clone, Args)]
pub struct ReportOptions {
    /// The summary.
    #[arg(value_name = "SUMMARY")]
    pub summary: PathBuf,
    /// Write HTML to this file instead of text to stdout.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Compare with the summary in this file.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// What may be worse than the baseline by how much.
    #[arg(long, value_name = "SHARE", default_value = "5%", requires = "baseline", value_parser = share)]
    pub max_regression: f64,
}

/// `loadtest validate`.
#[derive(Debug, Clone, Args)]
pub struct ValidateOptions {
    /// Files, or names of scenarios of the program.
    #[arg(value_name = "SCENARIO", required_unless_present = "schema")]
    pub scenarios: Vec<String>,
    /// Print the JSON Schema of scenarios.
    #[arg(long)]
    pub schema: bool,
}

/// `loadtest init`.
#[derive(Debug, Clone, Args)]
pub struct InitOptions {
    /// The scenario of the program to begin with.
    #[arg(value_name = "NAME", default_value = "steady")]
    pub name: String,
    /// Write it there instead of to stdout; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `loadtest list`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ListOptions {
    /// Print one JSON array on stdout.
    #[arg(long)]
    pub json: bool,
}

fn root(text: &str) -> Result<Token, String> {
    Token::new(text).map_err(|problem| problem.to_string())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate =
        quantity::rate(text).filter(|rate| *rate > 0.0 && *rate <= loadtest::scenario::outline::MOST_RATE);
    rate.ok_or_else(|| "expected a rate such as 500/s or 1.5k/s".to_owned())
}

fn time(text: &str) -> Result<std::time::Duration, String> {
    let time = quantity::time(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "expected a time such as 20s or 1m30s".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    quantity::share(text).ok_or_else(|| "expected a part of a hundred such as 5%".to_owned())
}

fn objective(text: &str) -> Result<Objective, String> {
    Objective::parse(text).ok_or_else(|| {
        format!(
            "expected a metric, < or >, and a limit, such as 'commit.p99<50ms'; metrics: {}",
            Metric::EXPECTED
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, error::ErrorKind};

    use super::{Arguments, Command};

    #[test]
    fn the_command_line_is_well_formed_and_keeps_the_other_measurements() {
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["loadtest", "raw", "--quick"]).unwrap();
        assert!(matches!(parsed.command, Command::Measure(_)));
    }

    #[test]
    fn what_contradicts_itself_or_is_no_quantity_is_a_usage_error() {
        for line in [
            &["run"][..],
            &["run", "steady", "--embedded", "--target", "nats://h:1"],
            &["run", "steady", "--external-participants"],
            &["run", "steady", "--rate", "fast"],
            &["run", "steady", "--duration", "5s"],
            &["run", "steady", "--max-regression", "5%"],
            &["search", "steady", "--slo", "commit.p99"],
            &["compare", "a.json"],
        ] {
            let error =
                Arguments::try_parse_from([&["loadtest"], line].concat()).expect_err("must be refused");
            assert_eq!(error.exit_code(), 2, "{line:?}");
            assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line:?}");
        }
    }
}
