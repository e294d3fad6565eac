//! What was measured, as a table for people and as data for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::accounting::Flow;
use super::load::LoadReport;
use super::trace::Totals;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// A relay with every message alone.
    Naive,
    /// A relay with exactly the messages of the server.
    Packed,
    /// The server.
    Doorbuster,
}

impl Contender {
    /// All of them, in the order of the first round.
    pub const ALL: [Self; 3] = [Self::Naive, Self::Packed, Self::Doorbuster];

    /// Its name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Packed => "packed",
            Self::Doorbuster => "doorbuster",
        }
    }
}

/// Under which conditions a run took place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// `single` or `batched`.
    pub mode: String,
    /// `default` or `always`.
    pub sync: String,
}

/// Processor time of each process for an order, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cpu {
    /// The server, or the relay in its place.
    pub server: f64,
    /// nats-server.
    pub nats: f64,
    /// All participants.
    pub participants: f64,
    /// The shop.
    pub load: f64,
}

impl Cpu {
    /// Server and broker: what an operator pays for.
    pub fn of_operator(&self) -> f64 {
        self.server + self.nats
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who.
    pub contender: Contender,
    /// How.
    #[serde(flatten)]
    pub setting: Setting,
    /// In which round, from 1.
    pub round: u32,
    /// What the shop saw.
    pub load: LoadReport,
    /// Processor time for an order.
    pub cpu_microseconds: Cpu,
    /// Stored messages and bytes for an order, by stream.
    pub streams: BTreeMap<String, Flow>,
    /// What a relay published, warm-up included.
    pub published: Option<Totals>,
    /// Why the run does not count; none = it does.
    pub invalid: Option<String>,
}

impl Run {
    /// Completed orders a second.
    pub fn orders_per_second(&self) -> f64 {
        super::accounting::as_f64(self.load.completed) / self.load.seconds.max(1e-9)
    }

    fn messages(&self) -> f64 {
        self.streams.values().map(|flow| flow.messages).sum()
    }

    fn bytes(&self) -> f64 {
        self.streams.values().map(|flow| flow.bytes).sum()
    }
}

/// The middle of several rounds, and the ends.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// The middle value, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of these values; zeros if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let Some((least, most)) = values.first().copied().zip(values.last().copied()) else {
            return Self::default();
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { median, least, most }
    }
}

/// Medians over the rounds of one contender in one setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Who.
    pub contender: Contender,
    /// How.
    #[serde(flatten)]
    pub setting: Setting,
    /// How many runs counted.
    pub runs: usize,
    /// Completed orders a second.
    pub orders_per_second: Spread,
    /// Microseconds of the server or relay for an order.
    pub server: Spread,
    /// Microseconds of nats-server for an order.
    pub nats: Spread,
    /// Microseconds of participants and shop for an order.
    pub outside: Spread,
    /// Microseconds of server and nats-server together for an order.
    pub operator: Spread,
    /// Stored messages for an order.
    pub messages: Spread,
    /// Stored bytes for an order.
    pub bytes: Spread,
    /// Core messages for an order: receipts.
    pub core_messages: Spread,
    /// Submit to committed, milliseconds: the middle order.
    pub committed_p50_ms: Spread,
    /// Submit to committed, milliseconds: 99 of 100 orders.
    pub committed_p99_ms: Spread,
    /// Submit to completed, milliseconds: the middle order.
    pub completed_p50_ms: Spread,
    /// Submit to completed, milliseconds: 99 of 100 orders.
    pub completed_p99_ms: Spread,
}

/// One contender or setting against another, by their medians.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// What against what.
    pub name: String,
    /// Under which conditions.
    pub setting: String,
    /// Orders a second: more is better.
    pub orders_per_second: f64,
    /// Microseconds of server and nats-server: less is better.
    pub operator: f64,
    /// Microseconds of the server or relay alone.
    pub server: f64,
    /// Milliseconds from submit to committed, 99 of 100 orders.
    pub committed_p99: f64,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Every run, in the order in which they took place.
    pub runs: Vec<Run>,
    /// Medians.
    pub summaries: Vec<Summary>,
    /// Medians against medians.
    pub ratios: Vec<Ratio>,
}

impl Report {
    /// Sums up; runs that do not count are only listed.
    pub fn new(runs: Vec<Run>) -> Self {
        let mut groups: BTreeMap<(Setting, Contender), Vec<&Run>> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.invalid.is_none()) {
            groups.entry((run.setting.clone(), run.contender)).or_default().push(run);
        }
        let summaries: Vec<Summary> = groups
            .into_iter()
            .map(|((setting, contender), runs)| summary(contender, setting, &runs))
            .collect();
        let ratios = ratios(&summaries);
        Self { runs, summaries, ratios }
    }

    /// True if every run counts.
    pub fn is_valid(&self) -> bool {
        self.runs.iter().all(|run| run.invalid.is_none())
    }

    /// The tables.
    pub fn table(&self) -> String {
        let mut page = String::from(
            "mode     sync     contender   orders/s  (min-max)        cpu us/order: server   nats  outside  msgs/order  KB/order  committed ms p50/p99  completed ms p50/p99\n",
        );
        for row in &self.summaries {
            let _ = writeln!(
                page,
                "{:<8} {:<8} {:<11} {:>8.0}  {:<18} {:>18.1} {:>6.1} {:>8.1} {:>11.2} {:>9.1}  {:>9.1}/{:<10.1} {:>9.1}/{:<10.1}",
                row.setting.mode,
                row.setting.sync,
                row.contender.as_str(),
                row.orders_per_second.median,
                format!("({:.0}-{:.0})", row.orders_per_second.least, row.orders_per_second.most),
                row.server.median,
                row.nats.median,
                row.outside.median,
                row.messages.median + row.core_messages.median,
                row.bytes.median / 1_000.0,
                row.committed_p50_ms.median,
                row.committed_p99_ms.median,
                row.completed_p50_ms.median,
                row.completed_p99_ms.median,
            );
        }
        page.push_str("\nratio                        setting           orders/s  cpu server+nats  cpu server  committed p99\n");
        for row in &self.ratios {
            let _ = writeln!(
                page,
                "{:<28} {:<17} {:>8.2} {:>16.2} {:>11.2} {:>14.2}",
                row.name, row.setting, row.orders_per_second, row.operator, row.server, row.committed_p99
            );
        }
        for run in &self.runs {
            if let Some(why) = &run.invalid {
                let (mode, sync) = (&run.setting.mode, &run.setting.sync);
                let _ = writeln!(
                    page,
                    "INVALID {} {mode} {sync} round {}: {why}",
                    run.contender.as_str(),
                    run.round
                );
            }
        }
        page
    }
}

fn summary(contender: Contender, setting: Setting, runs: &[&Run]) -> Summary {
    let spread = |value: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| value(run)));
    let core = |run: &Run| {
        super::accounting::as_f64(run.load.receipts) / super::accounting::as_f64(run.load.submitted.max(1))
    };
    Summary {
        contender,
        setting,
        runs: runs.len(),
        orders_per_second: spread(Run::orders_per_second),
        server: spread(|run| run.cpu_microseconds.server),
        nats: spread(|run| run.cpu_microseconds.nats),
        outside: spread(|run| run.cpu_microseconds.participants + run.cpu_microseconds.load),
        operator: spread(|run| run.cpu_microseconds.of_operator()),
        messages: spread(Run::messages),
        bytes: spread(Run::bytes),
        core_messages: Spread::of(runs.iter().map(|run| core(run))),
        committed_p50_ms: spread(|run| run.load.committed_ms.p50),
        committed_p99_ms: spread(|run| run.load.committed_ms.p99),
        completed_p50_ms: spread(|run| run.load.completed_ms.p50),
        completed_p99_ms: spread(|run| run.load.completed_ms.p99),
    }
}

fn ratios(summaries: &[Summary]) -> Vec<Ratio> {
    let find = |contender: Contender, mode: &str, sync: &str| {
        summaries
            .iter()
            .find(|row| row.contender == contender && row.setting.mode == mode && row.setting.sync == sync)
    };
    let mut ratios = Vec::new();
    for row in summaries {
        let Setting { mode, sync } = &row.setting;
        if row.contender == Contender::Doorbuster {
            for other in [Contender::Naive, Contender::Packed] {
                let name = format!("doorbuster / {}", other.as_str());
                ratios.extend(
                    find(other, mode, sync).map(|other| ratio(name, format!("{mode} {sync}"), row, other)),
                );
            }
        }
        if sync == "always" {
            let name = format!("{}: always / default", row.contender.as_str());
            ratios.extend(
                find(row.contender, mode, "default").map(|other| ratio(name, mode.clone(), row, other)),
            );
        }
    }
    ratios
}

fn ratio(name: String, setting: String, one: &Summary, other: &Summary) -> Ratio {
    let of = |value: fn(&Summary) -> Spread| value(one).median / value(other).median;
    Ratio {
        name,
        setting,
        orders_per_second: of(|row| row.orders_per_second),
        operator: of(|row| row.operator),
        server: of(|row| row.server),
        committed_p99: of(|row| row.committed_p99_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::{Contender, Cpu, LoadReport, Report, Run, Setting, Spread};

    fn run(contender: Contender, sync: &str, seconds: f64, invalid: Option<&str>) -> Run {
        Run {
            contender,
            setting: Setting { mode: "single".to_owned(), sync: sync.to_owned() },
            round: 1,
            load: LoadReport {
                submitted: 100,
                committed: 100,
                completed: 100,
                seconds,
                ..LoadReport::default()
            },
            cpu_microseconds: Cpu { server: 10.0, nats: 30.0 * seconds, ..Cpu::default() },
            streams: [].into(),
            published: None,
            invalid: invalid.map(str::to_owned),
        }
    }

    #[test]
    fn the_median_stands_between_the_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0, 9.0]);
        assert_eq!(spread, Spread { median: 2.5, least: 1.0, most: 9.0 });
        assert_eq!(Spread::of([]), Spread::default());
    }

    #[test]
    fn contenders_are_compared_in_one_setting_and_settings_for_one_contender() {
        let report = Report::new(vec![
            run(Contender::Packed, "default", 1.0, None),
            run(Contender::Doorbuster, "default", 2.0, None),
            run(Contender::Doorbuster, "always", 4.0, None),
            run(Contender::Naive, "default", 1.0, Some("an order was lost")),
        ]);
        assert!(!report.is_valid());
        let names: Vec<&str> = report.ratios.iter().map(|ratio| ratio.name.as_str()).collect();
        assert_eq!(names, ["doorbuster: always / default", "doorbuster / packed"]);
        for ratio in &report.ratios {
            assert!((ratio.orders_per_second - 0.5).abs() < 1e-9, "{ratio:?}");
        }
        let table = report.table();
        assert!(table.contains("an order was lost") && table.contains("doorbuster / packed"), "{table}");
    }
}
