//! What can be asked of `loadtest`. Data goes to stdout, talk to stderr.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::raw::report::Contender;

use crate::hot_cell::options::StockOptions;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, about = "Measures doorbuster", arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a run was invalid (an order was lost or not completed, or the generator \
                          could not keep up); 2 bad usage; 3 a dependency is missing, too old or unreachable.";

/// One of the commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure doorbuster against the same messages without any logic, on a nats-server of its own. Linux only: processor
    /// times come from /proc.
    Raw(RawOptions),
    /// Measure very many orders that wait, and very many stock cells: memory live and passivated, restart after kill -9, and an ERP
    /// that is away. Linux only.
    Standing(StandingOptions),
    /// Measure one stock cell that everybody wants: holds over NATS and in one process, and questions for what is left meanwhile.
    /// Linux only.
    Stock(StockOptions),
    /// Measure everything that is aimed at in one go, and say what is met. Linux only.
    Table(TableOptions),
    /// A process of a run.
    #[command(hide = true)]
    Role(RoleOptions),
    /// A measurement inside a process of its own.
    #[command(hide = true)]
    Inside(InsideOptions),
}

/// `loadtest table`.
#[derive(Debug, Clone, Args)]
pub struct TableOptions {
    /// How often each contender runs; the order turns around from round to round. Fewer than five say little.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// Smaller runs, and 30,000 orders instead of a million: within five minutes.
    #[arg(long)]
    pub quick: bool,
    /// How many orders each run has instead; ten times as many wait.
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = clap::value_parser!(u32).range(10..=50_000))]
    pub orders: Option<u32>,
    /// Measure only these parts, with commas between.
    #[arg(long, value_name = "PARTS", value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// The server to measure; without it, the `doorbuster` beside this program.
    #[arg(long, value_name = "FILE")]
    pub doorbuster: Option<PathBuf>,
    /// Print one JSON object on stdout instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Against the bare broker.
    Ring,
    /// The engine without a broker.
    Engine,
    /// Very many orders that wait.
    Standing,
    /// A spike, and a steady rate that is known from outside.
    Peaks,
}

const ROUNDS: u32 = 6;
const QUICK_ROUNDS: u32 = 5;

impl TableOptions {
    /// How often each contender runs.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { QUICK_ROUNDS } else { ROUNDS })
    }

    /// True if a part is to be measured.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// A measurement inside a process of its own; it prints one line.
#[derive(Debug, Clone, Args)]
pub struct InsideOptions {
    /// What is measured.
    #[arg(value_enum)]
    pub what: Inside,
    /// How many orders, or holds of a cell.
    #[arg(long)]
    pub orders: u32,
    /// How often.
    #[arg(long)]
    pub rounds: u32,
}

/// What is measured inside a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inside {
    /// Order messages a second and core.
    Engine,
    /// Actors against a loop.
    Shards,
    /// One stock cell that everybody wants.
    Cell,
}

impl Inside {
    /// Its word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Shards => "shards",
            Self::Cell => "cell",
        }
    }
}

/// `loadtest standing`.
#[derive(Debug, Clone, Args)]
pub struct StandingOptions {
    /// How many orders wait.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub orders: u32,
    /// How many more orders are not booked because the ERP is away.
    #[arg(long, value_name = "N", default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub erp_orders: u32,
    /// How many stock cells there are, first alone and then with as many orders; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub cells: u32,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub json: bool,
    /// Milliseconds that memory may settle before it is measured: orders at rest are packed after two seconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=600_000))]
    pub settle: u32,
}

/// Whether participants take batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Every command and answer alone.
    Single,
    /// Commands and answers in batches of up to 64.
    Batched,
    /// Both, one after the other.
    Both,
}

/// When nats-server writes to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// Every two minutes, as the server does by itself.
    Default,
    /// Before every ack: `sync_interval: always`.
    Always,
    /// Both, one after the other.
    Both,
}

/// `loadtest raw`.
#[derive(Debug, Clone, Args)]
pub struct RawOptions {
    /// How many orders are counted in each run.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub orders: u32,
    /// How many orders go before those that are counted; without it, a fifth of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub warm_up: Option<u32>,
    /// How often each contender runs; the order turns around from round to round.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Submit so many orders a second; without it, as many as there is room for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// How many orders are under way at most: by default enough that the machine is busy, so latencies are those of a full queue.
    #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub in_flight: u32,
    /// How many submits share a message; 1 = each comes alone. The naive contender always takes them alone.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub submit_batch: u32,
    /// Whether commands and answers share messages.
    #[arg(long, value_enum, default_value_t = Mode::Both)]
    pub mode: Mode,
    /// When nats-server writes to disk.
    #[arg(long, value_enum, default_value_t = Sync::Both)]
    pub sync: Sync,
    /// Who takes part, with commas between.
    #[arg(long, value_name = "WHO", value_delimiter = ',', value_parser = contender, default_value = "naive,packed,doorbuster")]
    pub contenders: Vec<Contender>,
    /// The server to measure; without it, the `doorbuster` beside this program.
    #[arg(long, value_name = "FILE")]
    pub doorbuster: Option<PathBuf>,
    /// Seconds without any progress after which a run is given up.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub patience: u32,
    /// A short look: 300 orders, one round.
    #[arg(long, conflicts_with_all = ["orders", "rounds", "warm_up"])]
    pub quick: bool,
    /// Print one JSON object on stdout instead of the tables.
    #[arg(long)]
    pub json: bool,
}

fn contender(text: &str) -> Result<Contender, String> {
    let found = Contender::ALL.into_iter().find(|contender| contender.as_str() == text);
    found.ok_or_else(|| "expected naive, packed or doorbuster".to_owned())
}

/// How many orders and rounds are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Counted orders of a run.
    pub orders: u32,
    /// Orders before them.
    pub warm_up: u32,
    /// Rounds.
    pub rounds: u32,
}

const QUICK: Size = Size { orders: 300, warm_up: 60, rounds: 1 };

impl RawOptions {
    /// The size of the runs; whole groups where submits share messages.
    pub fn size(&self) -> Size {
        let size = if self.quick {
            QUICK
        } else {
            let warm_up = self.warm_up.unwrap_or_else(|| (self.orders / 5).max(1));
            Size { orders: self.orders, warm_up, rounds: self.rounds }
        };
        let whole = |orders: u32| orders.next_multiple_of(self.submit_batch.max(1));
        Size { orders: whole(size.orders), warm_up: whole(size.warm_up), rounds: size.rounds }
    }
}

/// A process of a run: it says `ready` on stdout, does what it reads from stdin, and ends with it.
#[derive(Debug, Clone, Args)]
pub struct RoleOptions {
    /// Which one.
    #[arg(value_enum)]
    pub role: Role,
    /// The NATS server.
    #[arg(long)]
    pub nats: String,
    /// How many orders share a submit.
    #[arg(long, default_value_t = 1)]
    pub group: u32,
    /// How many orders are under way at most.
    #[arg(long, default_value_t = 1)]
    pub in_flight: u32,
    /// Orders a second.
    #[arg(long)]
    pub rate: Option<u32>,
    /// Seconds without progress.
    #[arg(long, default_value_t = 30)]
    pub patience: u32,
    /// What a relay is to do.
    #[arg(long)]
    pub recipe: Option<PathBuf>,
}

/// The processes that are this program again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The shop.
    Load,
    /// All participants.
    Participants,
    /// In the place of the server.
    Relay,
}

impl Role {
    /// Its word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Participants => "participants",
            Self::Relay => "relay",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Command, QUICK, RawOptions, Size};

    fn options(line: &[&str]) -> RawOptions {
        match Arguments::try_parse_from([&["loadtest", "raw"], line].concat()).unwrap().command {
            Command::Raw(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn runs_have_whole_groups() {
        assert_eq!(options(&["--quick"]).size(), QUICK);
        let size = options(&["--orders", "100", "--submit-batch", "16", "--rounds", "2"]).size();
        assert_eq!(size, Size { orders: 112, warm_up: 32, rounds: 2 });
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_a_usage_error() {
        for line in [
            &["--orders", "0"][..],
            &["--contenders", "fast"],
            &["--quick", "--orders", "5"],
            &["--submit-batch", "65"],
        ] {
            let error = Arguments::try_parse_from([&["loadtest", "raw"], line].concat())
                .expect_err("must be refused");
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
