//! Peaks, in an open loop with all books audited: a spike of ten times the load, and a steady rate that is known from outside.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use loadtest::run::summary::Point;
use loadtest::run::{Ending, Summary};
use loadtest::table::{Row, Sample};
use tokio::process::Command;

use super::{goals, tell};
use crate::exit::Failure;
use crate::raw::contest::Programs;
use crate::raw::stage::trouble;

/// The rate of the comparison, in orders a second.
const KNOWN_RATE: u32 = 667;
/// Two processors are what the goals are meant for.
const PROCESSORS: f64 = 2.0;
/// How many times the load comes in the spike.
const SPIKE: u32 = 10;
/// How long customers wait in the spike until their order is begun; it is worth nothing to them afterwards.
const EXPIRES: &str = "3s";
/// In milliseconds: after half of that the server tells them to come again, so that nobody waits for nothing.
const PATIENCE: u32 = 1_500;
/// Which place the leg to the completion has among the four.
const COMPLETED: usize = 3;
/// Points that are looked at together where the best moments are looked for.
const BEST: usize = 5;
/// Orders are as quick as before if they take no longer than so many times the median before the spike.
const AS_BEFORE: f64 = 2.0;
/// So many points in a row must be as before, but for one of them.
const CALM: usize = 5;

/// How long the parts take, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// The known rate.
    pub(super) steady: u32,
    /// The ramp that finds the peak.
    pub(super) ramp: u32,
    /// Before the spike.
    pub(super) before: u32,
    /// The spike.
    pub(super) spike: u32,
    /// After it.
    pub(super) after: u32,
}

/// Runs all of it.
pub(super) async fn rows(programs: &Programs, lengths: Lengths) -> Result<(Vec<Row>, Vec<String>), Failure> {
    let folder = tempfile::Builder::new().prefix("doorbuster-loadtest-").tempdir().map_err(trouble)?;
    tell("a steady rate");
    let phases = [("steady", format!("{KNOWN_RATE}/s"), lengths.steady)];
    let steady = run(programs, folder.path(), "steady", &phases, "").await?;
    tell("a ramp that finds the peak");
    let ramp = [("ramp", format!("200..{}/s", 10 * KNOWN_RATE), lengths.ramp)];
    let ramp = run(programs, folder.path(), "ramp", &ramp, "").await?;
    let peak = best(&ramp.points);
    let base = per_second(peak * 2.0) / SPIKE;
    tell(&format!("a spike: {base} orders/s, then {SPIKE} times as many"));
    let phases = [
        ("before", format!("{base}/s"), lengths.before),
        ("spike", format!("{}/s", base * SPIKE), lengths.spike),
        ("after", format!("{base}/s"), lengths.after),
    ];
    let patience =
        format!("expires = \"{EXPIRES}\"\n[server]\n\"node.flow.patience_normal_ms\" = {PATIENCE}\n");
    let spike = run(programs, folder.path(), "spike", &phases, &patience).await?;
    let begins = f64::from(lengths.before);
    let ends = begins + f64::from(lengths.spike);
    let goodput = mean(&spike.points, begins, ends) / peak.max(1.0);
    let back = back_after(&spike.points, begins, ends);
    let note = format!(
        "{base} orders/s, {SPIKE} times as many for {} s; the peak is {peak:.0}; {} of {} waited {PATIENCE} ms and were told to come again; {}",
        lengths.spike,
        spike.orders.turned_away,
        spike.orders.submitted,
        ended(&spike)
    );
    let share = share(&steady);
    let invalid = [("steady", &steady), ("ramp", &ramp), ("spike", &spike)]
        .into_iter()
        .filter(|(_, run)| !counts(run))
        .map(|(name, run)| format!("{name}: {}", ended(run)))
        .collect();
    let rows = vec![
        goals::GOODPUT.row(&Sample::of([goodput]), note),
        goals::BACK.row(
            &Sample::of(back),
            back.map_or("not within the run", |_| "completed p99 within twice what it was"),
        ),
        goals::SHARE.row(&Sample::of(share), format!("server and nats-server; {}", ended(&steady))),
    ];
    Ok((rows, invalid))
}

/// True if a run says what it measured of orders that all add up.
fn counts(run: &Summary) -> bool {
    matches!(run.ending.how, Ending::Good | Ending::ObjectiveMissed)
}

/// One run in a process of its own, in which orders are counted and not timed to the millisecond, so that a generator that shares two
/// processors with an overload may be a little late; on a nats-server and a server of its own.
async fn run(
    programs: &Programs,
    folder: &Path,
    name: &str,
    phases: &[(&str, String, u32)],
    more: &str,
) -> Result<Summary, Failure> {
    let mut text = format!(
        "schema = \"doorbuster-loadtest/1\"\nname = \"{name}\"\nabout = \"A part of the table.\"\n\n[run]\nwarmup = \"0s\"\n\
         patience = \"2m\"\nin_flight = 500_000\nmax_lateness = \"50ms\"\nbatches = true\n{more}\n[mix]\nstandard = 100\n"
    );
    for (label, rate, seconds) in phases {
        write!(text, "\n[[phases]]\nlabel = \"{label}\"\nrate = \"{rate}\"\nover = \"{seconds}s\"\n")
            .expect("writing to a String cannot fail");
    }
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, text).map_err(trouble)?;
    let mut command = Command::new(&programs.loadtest);
    command.arg("run").arg(&file).arg("--doorbuster").arg(&programs.doorbuster).args(["--json", "--quiet"]);
    let output = command.kill_on_drop(true).output().await.map_err(trouble)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Summary::parse(text.trim()).map_err(|cause| {
        let said = String::from_utf8_lossy(&output.stderr);
        trouble(format!("{name}: {cause}; it said: {}", said.trim()))
    })
}

/// How the run was judged, in a few words.
fn ended(summary: &Summary) -> String {
    summary
        .ending
        .reasons
        .first()
        .map_or_else(|| "audited clean".to_owned(), |reason| reason.replace('\n', " "))
}

/// The most orders a second over some points in a row.
fn best(points: &[Point]) -> f64 {
    points.windows(BEST).map(average).fold(0.0, f64::max)
}

/// Completed orders a second between two moments.
fn mean(points: &[Point], begins: f64, ends: f64) -> f64 {
    let within: Vec<Point> =
        points.iter().filter(|point| point.second >= begins && point.second < ends).copied().collect();
    average(&within)
}

fn average(points: &[Point]) -> f64 {
    let count = u32::try_from(points.len()).unwrap_or(u32::MAX).max(1);
    points.iter().map(|point| point.completed).sum::<f64>() / f64::from(count)
}

/// Seconds after the spike until orders complete as quickly as before it, and go on so; none = not within the run. A machine that
/// others use has a slow second now and then, so one of several in a row counts for nothing.
fn back_after(points: &[Point], begins: f64, ends: f64) -> Option<f64> {
    let p99 = |point: &Point| point.p99[COMPLETED];
    let before = Sample::of(points.iter().filter(|point| point.second < begins).filter_map(p99)).median()?;
    let after: Vec<&Point> = points.iter().filter(|point| point.second >= ends).collect();
    // Nothing completed although there is something to complete: slower than anything.
    let is_slow = |point: &Point| p99(point).map_or(point.open > 0, |p99| p99 > before * AS_BEFORE);
    let is_calm =
        |run: &&[&Point]| !is_slow(run[0]) && run.iter().filter(|point| is_slow(point)).count() <= 1;
    after.windows(CALM).find(is_calm).map(|run| run[0].second - ends)
}

/// What server and nats-server took of two processors, in percent.
fn share(summary: &Summary) -> Option<f64> {
    let spent: f64 = summary
        .resources
        .iter()
        .filter(|used| used.process.contains("doorbuster") || used.process.contains("nats-server"))
        .map(|used| used.cpu_seconds)
        .sum();
    let seconds = summary.points.last()?.second;
    (seconds > 0.0 && spent > 0.0).then(|| 100.0 * spent / (seconds * PROCESSORS))
}

fn per_second(rate: f64) -> u32 {
    u32::try_from(Duration::from_secs_f64(rate.clamp(10.0, 1e6)).as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use loadtest::run::summary::Point;

    use super::{back_after, best, mean, per_second};

    fn point(second: u32, completed: f64, p99: f64) -> Point {
        let p99 = [None, None, None, Some(p99)];
        let second = f64::from(second);
        Point {
            second,
            target: 0.0,
            sent: 0.0,
            acked: 0.0,
            committed: 0.0,
            completed,
            ended: 0.0,
            open: 0,
            p50: p99,
            p99,
        }
    }

    fn run(slow: &[u32]) -> Vec<Point> {
        let p99 = |second| if slow.contains(&second) { 500.0 } else { 10.0 };
        (0..30).map(|second| point(second, f64::from(second), p99(second))).collect()
    }

    #[test]
    fn given_a_spike_when_orders_stay_slow_then_the_time_back_counts_from_its_end() {
        let back = |slow: &[u32]| back_after(&run(slow), 10.0, 20.0);
        assert_eq!(back(&[10, 15, 20, 21, 22, 23]), Some(4.0));
        assert_eq!(back(&[10, 19]), Some(0.0));
        assert_eq!(back(&[20, 21, 24]), Some(2.0), "a slow second now and then is not the spike");
        assert_eq!(back(&[20, 22, 24]), Some(3.0));
        assert_eq!(back(&(20..30).collect::<Vec<_>>()), None);
        let mut silent = run(&[]);
        silent.iter_mut().skip(20).for_each(|point| (point.p99, point.open) = ([None; 4], 5));
        assert_eq!(back_after(&silent, 10.0, 20.0), None, "who completes nothing is not back");
    }

    #[test]
    fn given_points_when_rates_are_read_then_only_those_within_count() {
        let points = run(&[]);
        assert!((mean(&points, 10.0, 20.0) - 14.5).abs() < 1e-9);
        assert!((best(&points) - 27.0).abs() < 1e-9);
        assert_eq!(per_second(1_234.9), 1_234);
    }
}
