//! `loadtest run` and its relatives: scenarios against a server that is started for them, one that runs already, or one in this
//! process.
//!
//! Reading order: [`cli`], `stage` (whom the orders are sent to), `server` (a server that is started, killed and started again),
//! `display` (progress), then one function for each command here.

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

use loadtest::run::{DriveError, Ending, Heard, Setting, Summary, drive, text};
use loadtest::scenario::{Scenario, builtin, schema};

use crate::composition;
use crate::serve::signals::until_asked_to_end;
use crate::telemetry;
use cli::{Arguments, Command, InitOptions, ListOptions, RunOptions, TargetOptions, ValidateOptions};
use display::Display;
use stage::Stage;
use trouble::Trouble;

/// Does what the command line asks, and tells problems on stderr.
pub fn run(arguments: Arguments) -> ExitCode {
    let ended = match arguments.command {
        Command::Measure(command) => return crate::raw::run(crate::raw::cli::Arguments { command }).into(),
        Command::Run(options) => run_scenario(&options),
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
    if let Some(folder) = &options.out {
        make_folder(folder)?;
    }
    let summary = composition::block_on(Box::pin(measured(&scenario, &options.target, options.quiet)))?;
    if let Some(folder) = &options.out {
        write(&folder.join("summary.json"), &format!("{}\n", summary.json()))?;
    }
    print(&if options.json { summary.json() } else { text::text(&summary) });
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
    let display = Display::new(quiet);
    let setting = Setting {
        scenario: Arc::new(scenario.clone()),
        run: stage.run.clone(),
        naming: stage.naming.clone(),
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
    let resources = stage.close().await?;
    let mut summary = driven.map_err(|error| broken_off(&error))?;
    summary.resources = resources;
    Ok(summary)
}

fn broken_off(error: &DriveError) -> Trouble {
    let remedy = match error {
        DriveError::Open(_) => "run `doorbuster setup --apply` on the target, or look at what was said above",
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
