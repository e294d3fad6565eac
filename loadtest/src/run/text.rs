//! A summary as a page of text.

use std::fmt::Write as _;

use super::summary::{Quantiles, Summary};

/// Violations that are shown in words; all are counted.
const SHOWN: usize = 10;

/// The page. Writing into a string does not fail, so the results of that are dropped.
pub fn text(summary: &Summary) -> String {
    let mut page = String::new();
    head(&mut page, summary);
    times(&mut page, summary);
    results(&mut page, summary);
    foot(&mut page, summary);
    page
}

fn head(page: &mut String, summary: &Summary) {
    let (orders, measured, environment) = (summary.orders, summary.measured, &summary.environment);
    let _ = writeln!(page, "\n{} — {}", summary.scenario.name, environment.target);
    let _ = writeln!(
        page,
        "orders      {} submitted: {} completed, {} cancelled, {} rejected, {} open (seed {})",
        orders.submitted,
        orders.completed,
        orders.cancelled,
        orders.rejected,
        orders.open,
        summary.scenario.seed
    );
    if orders.turned_away > 0 {
        let _ = writeln!(page, "turned away {} that the server did not begin", orders.turned_away);
    }
    let _ = writeln!(
        page,
        "measured    {} orders after {} s of warm-up, {:.1} completed/s, {:.1} broker messages an order, {:.1} s in all",
        measured.counted,
        summary.scenario.warm_up,
        measured.throughput,
        measured.messages_per_order,
        measured.seconds
    );
    if measured.poison + measured.dead_letters > 0 {
        let _ =
            writeln!(page, "poison      {} sent, {} dead letters", measured.poison, measured.dead_letters);
    }
}

fn times(page: &mut String, summary: &Summary) {
    let columns = ["count", "p50", "p90", "p99", "p99.9", "max"].map(|name| format!("{name:>10}")).concat();
    let _ = writeln!(page, "\nmilliseconds from the intended moment{columns:>62}");
    for leg in &summary.legs {
        row(page, leg.leg.as_str(), &leg.corrected);
        row(page, "  from the sending (raw)", &leg.raw);
    }
    row(page, "lateness of the generator", &summary.lateness);
    for phase in &summary.phases {
        row(page, &format!("commit, phase {}", phase.label), &phase.legs[2]);
    }
    for class in &summary.classes {
        row(page, &format!("commit, class {}", class.name), &class.legs[2]);
    }
}

fn row(page: &mut String, name: &str, times: &Quantiles) {
    let values = [times.p50, times.p90, times.p99, times.p999, times.max];
    let values = values.map(|value| format!("{value:>10.1}")).concat();
    let _ = writeln!(page, "{name:<39}{:>10}{values}", times.count);
}

fn results(page: &mut String, summary: &Summary) {
    let _ = writeln!(page);
    for one in &summary.objectives {
        let word = if one.met { "met   " } else { "MISSED" };
        let value = one.value.map_or_else(|| "nothing measured".to_owned(), |value| one.unit.show(value));
        let part = one.part.as_ref().map_or_else(String::new, |part| format!(" ({part})"));
        let limit = one.unit.show(one.limit);
        let _ = writeln!(page, "{word}  {}{part}: {value}, must be {} {limit}", one.name, one.comparison);
    }
    for one in &summary.invariants {
        let word = match (one.violations, one.is_on) {
            (_, false) => "(off) ",
            (0, true) => "held  ",
            (_, true) => "BROKEN",
        };
        let _ = writeln!(page, "{word}  {}: {} violations", one.name, one.violations);
    }
    for violation in summary.verdict.violations.iter().take(SHOWN) {
        let _ = writeln!(page, "        - {violation}");
    }
    for error in &summary.errors {
        let _ = writeln!(page, "errors  {} x {}, such as {}", error.count, error.code, error.example);
    }
}

fn foot(page: &mut String, summary: &Summary) {
    let environment = &summary.environment;
    let _ = writeln!(
        page,
        "\naudit       {} checks, {} violations",
        summary.verdict.checks, summary.verdict.violations_total
    );
    let _ = writeln!(page, "durability  {}", environment.durability);
    let _ = writeln!(
        page,
        "with        {}; {} cores, {}",
        environment.version, environment.cores, environment.system
    );
    for seconds in &summary.restarts {
        let _ = writeln!(page, "restarted   ready {seconds:.2} s after kill -9");
    }
    for one in &summary.resources {
        let (cpu, memory) = (one.cpu_seconds, one.resident_mib);
        let _ = writeln!(
            page,
            "used        {}: {cpu:.1} s of processor time, {memory:.0} MiB at the end",
            one.process
        );
    }
    let _ = writeln!(page, "command     {}", environment.command);
    let ending = &summary.ending;
    let _ = writeln!(page, "\n{} (exit code {})", ending.how.as_str().to_uppercase(), ending.code);
    for reason in &ending.reasons {
        let _ = writeln!(page, "  {reason}");
    }
}
