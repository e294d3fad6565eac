//! Doorbuster against the bare broker: all contenders in all settings one after the other, forwards and backwards in turns, so that
//! what drifts, drifts for all.

use std::time::Duration;

use loadtest::raw::report::{Contender, Run, Setting};
use loadtest::table::{Row, Sample};

use super::{goals, tell};
use crate::exit::Failure;
use crate::raw::cli::Size;
use crate::raw::contest::{Programs, Recipes, run};
use crate::raw::recording;
use crate::raw::stage::{Conditions, trouble};

/// Submits that share a message where the table says that they come in batches.
const SUBMITS_TOGETHER: u32 = 32;
const UNDER_WAY: u32 = 3_000;
const PATIENCE_SECONDS: u32 = 30;

/// Who runs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Each message alone, without logic.
    Naive,
    /// The server, each message alone.
    Single,
    /// The messages of the server in batches, without logic.
    Packed,
    /// The server, participants in batches.
    Batched,
    /// The server, submits in batches, everything else alone.
    Grouped,
    /// The same with an fsync before each ack.
    GroupedAlways,
    /// The server at half its peak with an fsync before each ack, participants in batches.
    Half,
}

impl Cell {
    const ALL: [Self; 7] = [
        Self::Naive,
        Self::Single,
        Self::Packed,
        Self::Batched,
        Self::Grouped,
        Self::GroupedAlways,
        Self::Half,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Single => "doorbuster, single",
            Self::Packed => "packed",
            Self::Batched => "doorbuster, batched",
            Self::Grouped => "doorbuster, submits in batches",
            Self::GroupedAlways => "doorbuster, submits in batches, fsync always",
            Self::Half => "doorbuster, half the peak, fsync always",
        }
    }

    const fn contender(self) -> Contender {
        match self {
            Self::Naive => Contender::Naive,
            Self::Packed => Contender::Packed,
            _ => Contender::Doorbuster,
        }
    }

    const fn is_batched(self) -> bool {
        matches!(self, Self::Packed | Self::Batched | Self::Half)
    }

    const fn is_always(self) -> bool {
        matches!(self, Self::GroupedAlways | Self::Half)
    }

    fn conditions(self, programs: &Programs, half: u32) -> Conditions {
        Conditions {
            loadtest: programs.loadtest.clone(),
            doorbuster: programs.doorbuster.clone(),
            batched: self.is_batched(),
            always: self.is_always(),
            group: if matches!(self, Self::Grouped | Self::GroupedAlways) { SUBMITS_TOGETHER } else { 1 },
            in_flight: UNDER_WAY,
            rate: (self == Self::Half).then_some(half),
            patience: PATIENCE_SECONDS,
        }
    }

    fn setting(self) -> Setting {
        let mode = if self.is_batched() { "batched" } else { "single" };
        let sync = if self.is_always() { "always" } else { "default" };
        Setting { mode: mode.to_owned(), sync: sync.to_owned() }
    }
}

/// All runs of one cell, by round.
#[derive(Debug, Default)]
struct Seen {
    cost: Vec<f64>,
    rate: Vec<f64>,
    committed_p99_ms: Vec<f64>,
}

impl Seen {
    /// A run that does not count keeps its place, so that rounds stay together.
    fn add(&mut self, run: &Run) {
        let counts = |value: f64| if run.invalid.is_none() { value } else { f64::NAN };
        let cpu = run.cpu_microseconds;
        self.cost.push(counts(cpu.server + cpu.nats + cpu.participants + cpu.load));
        self.rate.push(counts(run.orders_per_second()));
        self.committed_p99_ms.push(counts(run.load.committed_ms.p99));
    }
}

/// Runs everything; the rows, and what did not count.
pub(super) async fn rows(
    programs: &Programs,
    orders: u32,
    rounds: u32,
) -> Result<(Vec<Row>, Vec<String>), Failure> {
    let orders = orders.next_multiple_of(SUBMITS_TOGETHER);
    let size = Size { orders, warm_up: (orders / 4).next_multiple_of(SUBMITS_TOGETHER), rounds };
    let folder = tempfile::Builder::new().prefix("doorbuster-loadtest-").tempdir().map_err(trouble)?;
    tell("recording what relays are to do");
    let (naive, _) = recording::naive(&folder, &Cell::Naive.conditions(programs, 0)).await?;
    let packed = recording::packed(&folder, &Cell::Packed.conditions(programs, 0), size).await?;
    let recipes = Recipes { naive: Some(&naive), packed: Some(&packed) };
    let half = half_of_peak(programs, size, recipes).await?;
    let mut seen: [Seen; Cell::ALL.len()] = Default::default();
    let mut invalid = Vec::new();
    for round in 1..=rounds {
        let mut order: Vec<usize> = (0..Cell::ALL.len()).collect();
        if round.is_multiple_of(2) {
            order.reverse();
        }
        for at in order {
            let cell = Cell::ALL[at];
            let conditions = cell.conditions(programs, half);
            let run = run(size, &conditions, &cell.setting(), cell.contender(), recipes, round).await?;
            seen[at].add(&run);
            let (name, rate, cost) = (cell.name(), run.orders_per_second(), seen[at].cost.last());
            let cost = cost.copied().unwrap_or_default();
            tell(&format!("round {round} of {rounds}: {name}: {rate:.0} orders/s, {cost:.0} us an order"));
            invalid.extend(run.invalid.map(|why| format!("round {round}, {name}: {why}")));
        }
    }
    Ok((summed_up(&seen, half), invalid))
}

/// Half of what the server does with an fsync before each ack.
async fn half_of_peak(programs: &Programs, size: Size, recipes: Recipes<'_>) -> Result<u32, Failure> {
    let conditions = Conditions { rate: None, ..Cell::Half.conditions(programs, 0) };
    let peak = run(size, &conditions, &Cell::Half.setting(), Contender::Doorbuster, recipes, 0).await?;
    let milliseconds = Duration::from_secs_f64(peak.load.seconds.max(1e-3)).as_millis();
    let half = u128::from(peak.load.completed) * 1_000 / milliseconds.max(1) / 2;
    Ok(u32::try_from(half).unwrap_or(u32::MAX).max(1))
}

fn summed_up(seen: &[Seen; Cell::ALL.len()], half: u32) -> Vec<Row> {
    let of = |cell: Cell| &seen[Cell::ALL.iter().position(|each| *each == cell).unwrap_or_default()];
    let median = |values: &[f64]| Sample::of(values.iter().copied()).median().unwrap_or_default();
    let cost = |over: Cell| {
        let (over, under) = (&of(over).cost, &of(Cell::Batched).cost);
        let note = format!("{:.0} against {:.0} us, all processes", median(over), median(under));
        (Sample::ratio(over, under), note)
    };
    let (naive, single) = (&of(Cell::Naive).cost, &of(Cell::Single).cost);
    let single_note = format!("{:.0} against {:.0} us, all processes", median(naive), median(single));
    let (batched, batched_note) = cost(Cell::Naive);
    let (packed, packed_note) = cost(Cell::Packed);
    let batched_p99 = median(&of(Cell::Batched).committed_p99_ms);
    let (always, default) = (&of(Cell::GroupedAlways).rate, &of(Cell::Grouped).rate);
    vec![
        goals::SINGLE.row(&Sample::ratio(naive, single), single_note),
        goals::BATCHED.row(&batched, batched_note),
        goals::PACKED.row(&packed, packed_note),
        goals::RATE.row(
            &Sample::of(of(Cell::Batched).rate.iter().copied()),
            format!("default sync, {UNDER_WAY} under way, committed p99 {batched_p99:.0} ms"),
        ),
        goals::ALWAYS.row(
            &Sample::ratio(always, default),
            format!("{:.0} against {:.0} orders/s", median(always), median(default)),
        ),
        goals::COMMITTED.row(
            &Sample::of(of(Cell::Half).committed_p99_ms.iter().copied()),
            format!("{half} orders/s, participants in batches"),
        ),
    ]
}
