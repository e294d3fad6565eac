//! What can be asked of `loadtest stock`.

use std::path::PathBuf;

use clap::Args;

/// `loadtest stock`.
#[derive(Debug, Clone, Args)]
pub struct StockOptions {
    /// How many holds are counted in each phase over NATS; a fifth as many go before them.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub holds: u32,
    /// How many connections the shoppers have.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub connections: u32,
    /// How many holds may be unanswered, over all connections; a cell takes 10,000 live claims by default.
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(64..=8_000))]
    pub in_flight: u32,
    /// Every hold and release is a message of its own; otherwise up to 64 share one.
    #[arg(long)]
    pub single: bool,
    /// How often somebody asks for the availability meanwhile, each over HTTP and over NATS, in a second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub questions: u32,
    /// How many rounds without a broker, in one process; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub rounds: u32,
    /// How many holds each of those rounds has.
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub round_holds: u32,
    /// The server to measure; without it, the `doorbuster` beside this program.
    #[arg(long, value_name = "FILE")]
    pub doorbuster: Option<PathBuf>,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    pub json: bool,
}
