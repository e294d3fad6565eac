//! How a command that asks a server ends when it does not get what it wants.

use std::io::Write;

use serde_json::{Value, json};

use crate::exit::Exit;

/// Why a command did not do its work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    code: String,
    pub(super) what: String,
    pub(super) remedy: String,
    /// What the server said.
    problem: Option<Value>,
}

impl Ended {
    fn new(exit: Exit, code: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), what: what.into(), remedy: remedy.into(), problem: None }
    }

    pub(super) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", what, remedy)
    }

    pub(super) fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, "unreachable", what, remedy)
    }

    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::CheckFailed, "failed", what, "")
    }

    /// The problem that the server answered with.
    pub(super) fn problem(status: u16, problem: Value) -> Self {
        let exit = match status {
            401 | 403 | 421 => Exit::Refused,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            400..=499 if status != 429 => Exit::Usage,
            _ => Exit::CheckFailed,
        };
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        let (code, what, remedy) = (text("code"), text("detail"), text("hint"));
        Self { exit, code, what, remedy, problem: Some(problem) }
    }

    /// Says it: on stderr in words, or on stdout as JSON.
    pub(super) fn tell(&self, as_json: bool) {
        // Whoever closed the stream does not want to read it; the exit code still says how it went.
        let _ = if as_json {
            writeln!(std::io::stdout(), "{}", self.json())
        } else {
            write!(std::io::stderr(), "{}", self.words())
        };
    }

    fn json(&self) -> Value {
        self.problem.clone().unwrap_or_else(
            || json!({ "code": self.code, "detail": self.what, "hint": self.remedy, "errors": [] }),
        )
    }

    fn words(&self) -> String {
        let problem = self.problem.as_ref();
        let mistakes =
            problem.and_then(|problem| problem["errors"].as_array()).map_or(&[][..], Vec::as_slice);
        let mistake = |mistake: &Value| {
            let pointer = mistake["pointer"].as_str().unwrap_or_default();
            let message = mistake["message"].as_str().unwrap_or_default();
            let given = mistake.get("value").map(|value| format!(" = {value}")).unwrap_or_default();
            format!("  --> {pointer}{given}: {message}\n")
        };
        // What is wrong stands below with its place and value: the headline need not say it, too.
        let mut messages = mistakes.iter().filter_map(|mistake| mistake["message"].as_str());
        let is_said_below = messages.any(|message| self.what.contains(message));
        let title = problem.and_then(|problem| problem["title"].as_str()).filter(|_| is_said_below);
        let mut lines = vec![format!("error[{}]: {}\n", self.code, title.unwrap_or(&self.what))];
        lines.extend(mistakes.iter().map(mistake));
        if !self.remedy.is_empty() {
            lines.push(format!("  = help: {}\n", self.remedy));
        }
        if let Some(id) = problem.and_then(|problem| problem["request_id"].as_str()) {
            lines.push(format!("  = request: {id}\n"));
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Ended;
    use crate::exit::Exit;

    #[test]
    fn the_exit_code_says_what_kind_of_problem_it_is() {
        for (status, exit) in [
            (400, Exit::Usage),
            (422, Exit::Usage),
            (403, Exit::Refused),
            (421, Exit::Refused),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (429, Exit::CheckFailed),
            (503, Exit::CheckFailed),
        ] {
            assert_eq!(Ended::problem(status, json!({})).exit, exit, "{status}");
        }
    }

    #[test]
    fn a_problem_is_told_with_each_mistake_and_the_remedy() {
        let problem = json!({
            "code": "validation", "detail": "the request has mistakes", "hint": "correct them", "request_id": "req-1",
            "errors": [{ "pointer": "/ttl_ms", "message": "must be from 1 to 2 ms", "value": 5 }],
        });
        let told = Ended::problem(422, problem).words();
        assert_eq!(
            told,
            "error[validation]: the request has mistakes\n  --> /ttl_ms = 5: must be from 1 to 2 ms\n  \
             = help: correct them\n  = request: req-1\n"
        );
    }

    #[test]
    fn the_only_mistake_is_told_once() {
        let problem = json!({
            "code": "validation", "title": "The request has mistakes", "detail": "/ttl_ms: must be from 1 to 2 ms",
            "errors": [{ "pointer": "/ttl_ms", "message": "must be from 1 to 2 ms", "value": 5 }],
        });
        let told = Ended::problem(422, problem).words();
        assert_eq!(
            told,
            "error[validation]: The request has mistakes\n  --> /ttl_ms = 5: must be from 1 to 2 ms\n"
        );
    }
}
