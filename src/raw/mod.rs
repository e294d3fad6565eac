//! `loadtest raw`: doorbuster against the same messages without any logic, in processes of their own, on one nats-server after
//! the other.
//!
//! Reading order: [`cli`], `contest` (which runs, in which order), `recording` (what relays are to do), `stage` (one run),
//! `child` and `roles` (the processes of a run).

pub(crate) mod child;
pub mod cli;
pub(crate) mod contest;
pub(crate) mod recording;
mod roles;
pub(crate) mod stage;

use cli::{Arguments, Command};
use tokio::runtime::Builder;

use crate::exit::{Exit, Failure};
use crate::serve::signals::until_asked_to_end;
use crate::telemetry;

/// Does what the command line asks, and tells problems on stderr.
pub fn run(arguments: Arguments) -> Exit {
    telemetry::log_to_stderr("error,doorbuster=info");
    start(arguments).unwrap_or_else(|failure: Failure| {
        failure.tell();
        failure.exit
    })
}

fn start(arguments: Arguments) -> Result<Exit, Failure> {
    if let Command::Inside(options) = &arguments.command {
        return crate::table::inside(options);
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(stage::trouble)?;
    let exit = runtime.block_on(async {
        let asked_to_end = until_asked_to_end()?;
        let work = async {
            match arguments.command {
                Command::Raw(options) => Box::pin(contest::hold(&options)).await,
                Command::Standing(options) => Box::pin(crate::standing::measure(&options)).await,
                Command::Stock(options) => Box::pin(crate::hot_cell::measure(&options)).await,
                Command::Table(options) => Box::pin(crate::table::measure(&options)).await,
                Command::Role(options) => Box::pin(roles::play(&options)).await,
                Command::Inside(_) => Ok(Exit::Clean), // it has a runtime of its own
            }
        };
        tokio::select! {
            exit = work => exit,
            // What was started ends with the values that are dropped here.
            () = asked_to_end => Err(Failure {
                exit: Exit::CheckFailed,
                what: "asked to end before all runs were done".to_owned(),
                remedy: "let it run, or ask for fewer --orders or --rounds".to_owned(),
            }),
        }
    });
    // A read of stdin that never comes back must not hold up the end.
    runtime.shutdown_background();
    exit
}
