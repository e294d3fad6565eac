//! What a demo found: one JSON object for programs, a page for people.

use std::fmt::Write;

use loadtest::auditor::Tally;
use loadtest::demo::Report;
use loadtest::workload::Latency;
use serde::Serialize;

/// Violations that are shown in words; all are counted.
const SHOWN: usize = 10;

/// The object of the contract.
#[derive(Serialize)]
struct Summary<'a> {
    seed: u64,
    orders: Tally,
    seconds: f64,
    orders_per_second: f64,
    latency_ms: Latencies,
    audit: Audit<'a>,
    durability: &'a str,
}

#[derive(Serialize)]
struct Latencies {
    submit_to_committed: Latency,
}

#[derive(Serialize)]
struct Audit<'a> {
    clean: bool,
    checks: u64,
    violations: &'a [String],
}

/// One JSON object on one line.
pub(super) fn json(report: &Report, durability: &str) -> String {
    let verdict = &report.verdict;
    let summary = Summary {
        seed: report.seed,
        orders: report.orders,
        seconds: report.seconds,
        orders_per_second: report.orders_per_second,
        latency_ms: Latencies { submit_to_committed: report.submit_to_committed },
        audit: Audit { clean: verdict.clean, checks: verdict.checks, violations: &verdict.violations },
        durability,
    };
    serde_json::to_string(&summary).expect("finite numbers and texts have a JSON form")
}

/// A page for people.
pub(super) fn text(report: &Report, durability: &str) -> String {
    let (verdict, latency) = (&report.verdict, report.submit_to_committed);
    let orders = report.orders;
    let mut page = format!(
        "\norders       {} submitted: {} completed, {} cancelled, {} rejected, {} open (seed {})\n\
         rate         {:.0} orders/s in {:.1} s, {:.1} broker messages an order\n\
         latency      submit to committed: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, max {:.1} ms\n\
         audit        ",
        orders.submitted,
        orders.completed,
        orders.cancelled,
        orders.rejected,
        orders.open,
        report.seed,
        report.orders_per_second,
        report.seconds,
        report.messages_per_order,
        latency.p50,
        latency.p99,
        latency.p999,
        latency.max,
    );
    // Writing into a string does not fail.
    let _ = if verdict.clean {
        writeln!(page, "clean: {} checks, no violation", verdict.checks)
    } else {
        writeln!(page, "NOT CLEAN: {} violations in {} checks", verdict.violations_total, verdict.checks)
    };
    for violation in verdict.violations.iter().take(SHOWN) {
        let _ = writeln!(page, "             - {violation}");
    }
    let _ = write!(page, "durability   {durability}");
    page
}
