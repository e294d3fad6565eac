//! Which runs take place, in which order, and what is said of them.

use std::io::Write;
use std::path::{Path, PathBuf};

use bus::nats::find_nats_server;
use loadtest::raw::report::{Contender, Report, Run, Setting};
use loadtest::raw::trace::Totals;
use serde::Serialize;

use super::cli::{Mode, RawOptions, Size, Sync};
use super::recording::{self, Prepared, Ring};
use super::stage::{Conditions, Measured, Server, Stage, trouble};
use crate::exit::{Exit, Failure};

/// With a given rate, later than this is too late for one submit in a hundred.
const MOST_LATENESS_MS: f64 = 50.0;

/// What one relay replays in a setting.
#[derive(Debug, Serialize)]
struct Recorded {
    #[serde(flatten)]
    setting: Setting,
    #[serde(flatten)]
    totals: Totals,
}

/// Everything that was found out.
#[derive(Debug, Serialize)]
struct Output {
    ring: Option<Ring>,
    recordings: Vec<Recorded>,
    #[serde(flatten)]
    report: Report,
}

/// Holds all runs and tells the result.
pub(super) async fn hold(options: &RawOptions) -> Result<Exit, Failure> {
    let base = conditions(options)?;
    let folder = tempfile::Builder::new().prefix("doorbuster-loadtest-").tempdir().map_err(trouble)?;
    let takes_part = |contender| options.contenders.contains(&contender);
    let mut naive = None;
    if takes_part(Contender::Naive) {
        tell("recording orders one after the other");
        naive = Some(recording::naive(&folder, &base).await?);
    }
    let ring = naive.as_ref().map(|(_, ring)| *ring);
    let (mut runs, mut recordings) = (Vec::new(), Vec::new());
    for (setting, conditions) in settings(options, &base) {
        let mut packed = None;
        if takes_part(Contender::Packed) {
            tell(&format!("{} {}: recording", setting.mode, setting.sync));
            let prepared = recording::packed(&folder, &conditions, options.size()).await?;
            let totals = prepared.totals.unwrap_or_default();
            recordings.push(Recorded { setting: setting.clone(), totals });
            packed = Some(prepared);
        }
        let recipes =
            Recipes { naive: naive.as_ref().map(|(prepared, _)| prepared), packed: packed.as_ref() };
        for round in 1..=options.size().rounds {
            for contender in order_of(round).into_iter().filter(|contender| takes_part(*contender)) {
                let run = run(options.size(), &conditions, &setting, contender, recipes, round).await?;
                tell(&format!(
                    "{} {} round {round} {}: {:.0} orders/s{}",
                    setting.mode,
                    setting.sync,
                    contender.as_str(),
                    run.orders_per_second(),
                    run.invalid.as_ref().map_or(String::new(), |why| format!(", INVALID: {why}"))
                ));
                runs.push(run);
            }
        }
    }
    drop(folder);
    say(options, &Output { ring, recordings, report: Report::new(runs) })
}

/// Forwards in the first round, backwards in the second, and so on: what drifts, drifts for all.
fn order_of(round: u32) -> [Contender; 3] {
    let mut order = Contender::ALL;
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

fn conditions(options: &RawOptions) -> Result<Conditions, Failure> {
    let Programs { loadtest, doorbuster } = programs(options.doorbuster.as_deref())?;
    Ok(Conditions {
        loadtest,
        doorbuster,
        batched: false,
        always: false,
        group: options.submit_batch,
        in_flight: options.in_flight,
        rate: options.rate,
        patience: options.patience,
    })
}

/// The programs of a run.
#[derive(Debug)]
pub(crate) struct Programs {
    /// This one.
    pub(crate) loadtest: PathBuf,
    /// The server.
    pub(crate) doorbuster: PathBuf,
}

/// Finds the programs: the server is `named`, or lies beside this one.
pub(crate) fn programs(named: Option<&Path>) -> Result<Programs, Failure> {
    if find_nats_server().is_none() {
        return Err(Failure::unavailable(
            "no nats-server found",
            "set DOORBUSTER_NATS_SERVER to the binary, or put nats-server on the PATH",
        ));
    }
    let loadtest = std::env::current_exe().map_err(trouble)?;
    let beside: PathBuf = loadtest.with_file_name(format!("doorbuster{}", std::env::consts::EXE_SUFFIX));
    let doorbuster = named.map_or(beside, Path::to_path_buf);
    if !doorbuster.is_file() {
        return Err(Failure::unavailable(
            format!("there is no {}", doorbuster.display()),
            "build it with `cargo build --release`, or name it with --doorbuster",
        ));
    }
    Ok(Programs { loadtest, doorbuster })
}

fn settings(options: &RawOptions, base: &Conditions) -> Vec<(Setting, Conditions)> {
    let mut settings = Vec::new();
    for (batched, mode, left_out) in [(false, "single", Mode::Batched), (true, "batched", Mode::Single)] {
        for (always, sync, omitted) in [(false, "default", Sync::Always), (true, "always", Sync::Default)] {
            if options.mode != left_out && options.sync != omitted {
                let setting = Setting { mode: mode.to_owned(), sync: sync.to_owned() };
                settings.push((setting, Conditions { batched, always, ..base.clone() }));
            }
        }
    }
    settings
}

/// What the relays are to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipes<'a> {
    pub(crate) naive: Option<&'a Prepared>,
    pub(crate) packed: Option<&'a Prepared>,
}

/// One run of one contender, in processes of its own.
pub(crate) async fn run(
    size: Size,
    conditions: &Conditions,
    setting: &Setting,
    contender: Contender,
    recipes: Recipes<'_>,
    round: u32,
) -> Result<Run, Failure> {
    let recipe = match contender {
        Contender::Naive => recipes.naive,
        Contender::Packed => recipes.packed,
        Contender::Doorbuster => None,
    };
    let server = recipe.map_or(Server::Doorbuster, |prepared| Server::Relay(prepared.file.path()));
    // Every message alone, so submits too.
    let group = if contender == Contender::Naive { 1 } else { conditions.group };
    let mut stage = Stage::open(&Conditions { group, ..conditions.clone() }, server).await?;
    let measured = stage.run(size).await?;
    let mut invalid = why_invalid(&measured);
    let mut published = None;
    if let Some(prepared) = recipe {
        let report = stage.rest(prepared.totals).await?;
        published = Some(report.totals);
        if invalid.is_none()
            && prepared.totals.is_some_and(|totals| totals != report.totals || report.left > 0)
        {
            invalid = Some(format!("the relay published {:?} of {:?}", report.totals, prepared.totals));
        }
    }
    stage.close().await?;
    let Measured { load, cpu, streams, .. } = measured;
    Ok(Run {
        contender,
        setting: setting.clone(),
        round,
        load,
        cpu_microseconds: cpu,
        streams,
        published,
        invalid,
    })
}

fn why_invalid(measured: &Measured) -> Option<String> {
    let (warm_up, load) = (&measured.warm_up, &measured.load);
    for report in [warm_up, load] {
        if !report.is_whole() {
            let (submitted, committed, completed) = (report.submitted, report.committed, report.completed);
            let (strange, first) = (report.strange, report.first_strange.as_deref().unwrap_or("none"));
            return Some(format!(
                "{submitted} submitted, {committed} committed, {completed} completed, {strange} strange messages (first: {first})"
            ));
        }
    }
    if let Some((name, _)) = measured.streams.iter().find(|(name, _)| name.ends_with("_DLQ")) {
        return Some(format!("{name} has messages"));
    }
    (load.lateness_ms.p99 > MOST_LATENESS_MS)
        .then(|| format!("submits were up to {:.0} ms late: the rate is too high", load.lateness_ms.p99))
}

fn tell(what: &str) {
    // With stderr closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{what}");
}

fn say(options: &RawOptions, output: &Output) -> Result<Exit, Failure> {
    let exit = if output.report.is_valid() { Exit::Clean } else { Exit::CheckFailed };
    let mut out = std::io::stdout().lock();
    let written = if options.json {
        let text = serde_json::to_string(output).map_err(trouble)?;
        writeln!(out, "{text}")
    } else {
        let ring = output.ring.map_or(String::new(), |ring| {
            format!(
                "ring of an order: {} inputs, {} commands, {} events\n\n",
                ring.inputs, ring.commands, ring.events
            )
        });
        write!(out, "{ring}{}", output.report.table())
    };
    written.map_err(trouble)?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use loadtest::raw::report::Contender;

    use super::order_of;

    #[test]
    fn every_second_round_runs_backwards() {
        assert_eq!(order_of(1), Contender::ALL);
        assert_eq!(order_of(2), [Contender::Doorbuster, Contender::Packed, Contender::Naive]);
        assert_eq!(order_of(3), order_of(1));
    }
}
