//! `loadtest run` and its relatives: scenarios against a server that is started for them, one that runs already, or one in this
//! process.
//!
//! Reading order: [`cli`], `stage` (whom the orders are sent to), `server` (a server that is started, killed and started again),
//! `api` (one that runs already, over HTTP), `display` (progress), then one function for each command here.

mod api;
pub mod cli;
mod display;
mod server;
mod stage;
mod trouble;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use loadtest::run::compare::{self, compare};
use loadtest::run::search::{Search, Step};
use loadtest::run::{DriveError, Ending, Heard, Setting, Summary, drive, export, page, text};
use loadtest::scenario::{Scenario, builtin, schema};

use crate::composition;
use crate::serve::signals::until_asked_to_end;
use crate::telemetry;
use cli::{
    Arguments, Command, CompareOptions, InitOptions, ListOptions, ReportOptions, RunOptions, SearchOptions,
    TargetOptions, ValidateOptions,
};
use display::Display;
use stage::Stage;
use trouble::Trouble;

/// Does what the command line asks, and tells problems on stderr.
pub fn run(arguments: Arguments) -> ExitCode {
    let ended = match arguments.command {
        Command::Measure(command) => return crate::raw::run(crate::raw::cli::Arguments { command }).into(),
        Command::Run(options) => run_scenario(&options),
        Command::Search(options) => search(&options),
        Command::Compare(options) => compare_runs(&options),
        Command::Report(options) => report(&options),
        Command::Validate(options) => Ok(validate(&options)),
        Command::Init(options) => init(&options),
        Command::List(options) => Ok(list(options)),
    };
    let ending = ended.unwrap_or_else(|trouble| {
        trouble.tell();
        trouble.ending
    });
    ending.code().into()
}

fn print(text: &str) {
    // Whoever closed stdout does not want to read it; the exit code still says how it went.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn run_scenario(options: &RunOptions) -> Result<Ending, Trouble> {
    telemetry::log_to_stderr("error,doorbuster=warn,loadtest=warn");
    let scenario = adapted(options)?;
    // What cannot be read or written is told before the run, not after it.
    let baseline = options.baseline.as_deref().map(summary_in).transpose()?;
    if let Some(folder) = &options.out {
        make_folder(folder)?;
    }
    let mut summary = composition::block_on(Box::pin(measured(&scenario, &options.target, options.quiet)))?;
    let mut difference = String::new();
    if let Some(before) = &baseline {
        let comparison = compare(before, &summary, options.max_regression);
        for one in comparison.regressions() {
            let (before, after) = (one.unit.show(one.before), one.unit.show(one.after));
            summary.also(Ending::Regression, format!("{} was {before}, is {after}", one.what));
        }
        difference = format!("\nagainst the baseline\n{}", compare::text(&comparison));
    }
    let against = baseline.as_ref().map(|before| (before, options.max_regression));
    if let Some(folder) = &options.out {
        write(&folder.join("summary.json"), &format!("{}\n", summary.json()))?;
        write(&folder.join("report.html"), &page(&summary, against))?;
    }
    if let Some(file) = &options.html {
        write(file, &page(&summary, against))?;
    }
    if let Some(file) = &options.junit {
        write(file, &export::junit(&summary))?;
    }
    if let Some(file) = &options.csv {
        write(file, &export::csv(&summary))?;
    }
    if let Some(file) = &options.hdr {
        write(file, &summary.hdr_log)?;
    }
    print(&if options.json { summary.json() } else { text::text(&summary) + &difference });
    Ok(summary.ending.how)
}

/// The scenario as the command line wants it.
fn adapted(options: &RunOptions) -> Result<Scenario, Trouble> {
    let mut scenario = read(&options.scenario, options.time_scale)?;
    if let Some(seed) = options.seed {
        scenario.seed = seed;
    }
    if let Some(rate) = options.rate {
        scenario = scenario.at_rate(rate, options.duration.unwrap_or_else(|| scenario.duration()));
    }
    Ok(scenario)
}

/// Runs a scenario once, on a stage of its own.
async fn measured(scenario: &Scenario, target: &TargetOptions, quiet: bool) -> Result<Summary, Trouble> {
    let asked_to_end = until_asked_to_end()?;
    let mut stage = Stage::open(scenario, target).await?;
    let (display, run) = (Display::new(quiet), stage.run.clone());
    let naming = stage.naming.clone().with_tenants(&scenario.data.tenants);
    let setting = Setting {
        scenario: Arc::new(scenario.clone()),
        run: run.clone(),
        naming: naming.clone(),
        partitions: stage.partitions,
        external_participants: target.external_participants,
        bus: stage.bus.clone(),
        place: stage.place(),
        restarts: stage.restarts(),
        environment: stage.environment(target),
    };
    let heard = Heard { progress: |progress: &_| display.show(progress), asked_to_end };
    let driven = Box::pin(drive(setting, heard)).await;
    drop(display);
    let (resources, restarts) = stage.close().await?;
    let mut summary = driven.map_err(|error| broken_off(&error))?;
    summary.resources = resources;
    summary.restarts = restarts;
    // An order that has not ended is told already.
    if let Some(api) = target.api.as_deref().filter(|_| summary.orders.open == 0) {
        api::agree(api, &run, &naming, &mut summary).await;
    }
    Ok(summary)
}

/// Runs after run, each on a stage of its own, until the highest rate is found.
fn search(options: &SearchOptions) -> Result<Ending, Trouble> {
    telemetry::log_to_stderr("error,doorbuster=warn,loadtest=warn");
    let mut scenario = read(&options.scenario, None)?;
    if !options.slo.is_empty() {
        scenario.objectives.clone_from(&options.slo);
    }
    let (mut search, mut steps) = (Search::new(options.min, options.max.max(options.min)), Vec::new());
    while let Some(rate) = search.next() {
        let step = scenario.at_rate(rate, options.duration);
        let summary = composition::block_on(Box::pin(measured(&step, &options.target, options.quiet)))?;
        if summary.ending.how == Ending::Interrupted {
            return Ok(Ending::Interrupted);
        }
        let step = Step::of(rate, &summary);
        if !options.json {
            print(&step.line());
        }
        search.tell(step.held);
        steps.push(step);
    }
    let found = search.found();
    if options.json {
        print(&serde_json::json!({ "rate": found, "steps": steps }).to_string());
    } else {
        print(&found.map_or_else(
            || format!("nothing from {:.1}/s on holds", options.min),
            |rate| format!("the highest rate that holds, twice: {rate:.1} orders a second"),
        ));
    }
    Ok(if found.is_some() { Ending::Good } else { Ending::ObjectiveMissed })
}

fn compare_runs(options: &CompareOptions) -> Result<Ending, Trouble> {
    let (before, after) = (summary_in(&options.before)?, summary_in(&options.after)?);
    let comparison = compare(&before, &after, options.max_regression);
    print(&if options.json {
        serde_json::to_string(&comparison).expect("finite numbers and texts have a JSON form")
    } else {
        compare::text(&comparison).trim_end().to_owned()
    });
    let is_worse = comparison.regressions().next().is_some();
    Ok(if is_worse { Ending::Regression } else { Ending::Good })
}

/// The report is the work, so its exit code says only whether it was made.
fn report(options: &ReportOptions) -> Result<Ending, Trouble> {
    let summary = summary_in(&options.summary)?;
    let baseline = options.baseline.as_deref().map(summary_in).transpose()?;
    if let Some(file) = &options.html {
        let against = baseline.as_ref().map(|before| (before, options.max_regression));
        write(file, &page(&summary, against))?;
        return Ok(Ending::Good);
    }
    print(&text::text(&summary));
    if let Some(before) = &baseline {
        print(&compare::text(&compare(before, &summary, options.max_regression)));
    }
    Ok(Ending::Good)
}

fn summary_in(path: &Path) -> Result<Summary, Trouble> {
    let unreadable = |cause: String| {
        let what = format!("cannot read the summary {}: {cause}", path.display());
        Trouble::new(Ending::Usage, what, "give a summary.json that `loadtest run --out` has written")
    };
    let text = std::fs::read_to_string(path).map_err(|cause| unreadable(cause.to_string()))?;
    Summary::parse(&text).map_err(unreadable)
}

fn broken_off(error: &DriveError) -> Trouble {
    let remedy = match error {
        DriveError::Open(_) => "run `doorbuster setup --apply` on the target, or look at what was said above",
        DriveError::Stock(_) => "look whether the server watches reference data (GET /api/v1/reference)",
        DriveError::Unavailable(_) | DriveError::Shop(_) => {
            "look after the NATS server, then run the scenario again"
        }
    };
    Trouble::new(Ending::Unreachable, format!("the run broke off: {error}"), remedy)
}

/// A file, or a scenario of the program.
fn read(name: &str, faster: Option<u32>) -> Result<Scenario, Trouble> {
    let path = Path::new(name);
    let builtin = builtin::named(name).filter(|_| !path.is_file());
    let (title, text) = if let Some(builtin) = builtin {
        (builtin.name.to_owned(), builtin.text.to_owned())
    } else {
        let text = std::fs::read_to_string(path).map_err(|cause| {
            let names: Vec<&str> = builtin::ALL.iter().map(|builtin| builtin.name).collect();
            let remedy = format!("give a readable file, or one of {}", names.join(", "));
            Trouble::new(Ending::ScenarioInvalid, format!("cannot read the scenario {name}: {cause}"), remedy)
        })?;
        (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text)
    };
    Scenario::parse(&title, &text, faster).map_err(|problems| {
        let what = problems.to_string().replace('\n', "\n  ");
        let remedy =
            "correct all of these; `loadtest validate --schema` prints every key with its form and meaning";
        Trouble::new(Ending::ScenarioInvalid, format!("{name} is no valid scenario:\n  {what}"), remedy)
    })
}

fn validate(options: &ValidateOptions) -> Ending {
    if options.schema {
        print(&serde_json::to_string_pretty(&schema()).expect("a schema is plain data"));
    }
    let mut invalid = None;
    for name in &options.scenarios {
        match read(name, None).and_then(|scenario| server::configuration(&scenario).map(|_| scenario)) {
            Ok(scenario) => {
                let duration = loadtest::scenario::quantity::written(scenario.duration());
                let orders: f64 = scenario.phases.iter().map(loadtest::run::arrivals::expected).sum();
                print(&format!("{name}: valid, about {orders:.0} orders in {duration}"));
            }
            // The next file may have mistakes, too.
            Err(trouble) => {
                trouble.tell();
                invalid = Some(trouble.ending);
            }
        }
    }
    invalid.unwrap_or(Ending::Good)
}

fn init(options: &InitOptions) -> Result<Ending, Trouble> {
    let builtin = builtin::named(&options.name).ok_or_else(|| {
        let names: Vec<&str> = builtin::ALL.iter().map(|builtin| builtin.name).collect();
        let what = format!("there is no scenario {}", options.name);
        Trouble::new(Ending::Usage, what, format!("give one of {}", names.join(", ")))
    })?;
    let Some(path) = &options.out else {
        print(builtin.text.trim_end());
        return Ok(Ending::Good);
    };
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(builtin.text.as_bytes()));
    written.map_err(|cause| {
        let what = format!("cannot write {}: {cause}", path.display());
        Trouble::new(Ending::Usage, what, "give the name of a file that does not exist yet")
    })?;
    Ok(Ending::Good)
}

fn list(options: ListOptions) -> Ending {
    let scenarios = builtin::ALL.iter().map(|builtin| {
        Scenario::parse(builtin.name, builtin.text, None)
            .expect("a test parses every scenario of the program")
    });
    let rows: Vec<_> = scenarios
        .map(|scenario| {
            let duration = loadtest::scenario::quantity::written(scenario.duration());
            (scenario.name, duration, scenario.about)
        })
        .collect();
    if options.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, duration, about)| serde_json::json!({ "name": name, "duration": duration, "about": about }))
            .collect();
        print(&serde_json::Value::from(rows).to_string());
    } else {
        for (name, duration, about) in rows {
            print(&format!("{name:<18} {duration:>6}  {about}"));
        }
    }
    Ending::Good
}

fn make_folder(folder: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(folder).map_err(|cause| {
        let what = format!("cannot make the folder {}: {cause}", folder.display());
        Trouble::new(Ending::Usage, what, "give a folder that can be written")
    })
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|cause| {
        let what = format!("cannot write {}: {cause}", path.display());
        Trouble::new(Ending::Internal, what, "look at the rights and the free space of the folder")
    })
}

/// How long something that was started for a run may take to be ready or to end.
const MOMENT: Duration = Duration::from_mins(1);
