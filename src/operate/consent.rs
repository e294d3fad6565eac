//! What a person is asked before an act: only on a terminal, and never if they say so.

use std::io::{BufRead, IsTerminal, Write};

use super::arguments::ActOptions;
use super::ended::Ended;

/// The reason: as given, or as typed.
pub(super) fn reason(options: &ActOptions) -> Result<String, Ended> {
    if let Some(reason) = &options.reason {
        return Ok(reason.clone());
    }
    may_ask(options, "--reason is missing", "say why with --reason \"...\"; the audit keeps it")?;
    ask("Reason (kept in the audit): ")
}

/// Asks whether it shall be done, after saying what that means.
pub(super) fn consent(options: &ActOptions, what: &str) -> Result<(), Ended> {
    if options.yes || options.dry_run {
        return Ok(());
    }
    may_ask(options, &format!("{what}: nobody is there to be asked"), "say --yes")?;
    match ask(&format!("{what}. Go on? [y/N] "))?.to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Ended::usage("nothing was done", "say --yes to do it without being asked")),
    }
}

fn may_ask(options: &ActOptions, what: &str, remedy: &str) -> Result<(), Ended> {
    if options.no_input || !std::io::stdin().is_terminal() {
        return Err(Ended::usage(what, remedy));
    }
    Ok(())
}

fn ask(question: &str) -> Result<String, Ended> {
    let mut out = std::io::stderr();
    // With stderr closed the question is not seen, and the answer will be empty.
    let _ = write!(out, "{question}").and_then(|()| out.flush());
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Ended::failed(format!("cannot read the answer: {error}")))?;
    Ok(line.trim().to_owned())
}
