//! Doing an act: reason, consent, the request, and how it went.

use serde_json::{Map, Value, json};

use super::arguments::{ActOptions, TimeToLive};
use super::client::{Client, Said, Verb};
use super::consent::{consent, reason};
use super::ended::Ended;
use super::table::{line, text};
use crate::exit::Exit;

/// An act on its way.
pub(super) struct Act<'a> {
    pub(super) verb: Verb,
    pub(super) path: String,
    pub(super) fields: Map<String, Value>,
    pub(super) ttl: Option<TimeToLive>,
    /// What a person is told before they agree; none = it takes nothing away, so nobody is asked.
    pub(super) warning: Option<String>,
    pub(super) options: &'a ActOptions,
}

impl<'a> Act<'a> {
    /// A POST without fields of its own.
    pub(super) fn post(path: impl Into<String>, options: &'a ActOptions) -> Self {
        Self { verb: Verb::Post, path: path.into(), fields: Map::new(), ttl: None, warning: None, options }
    }

    /// Sets `fields`, which the command calls `what`, or puts back what is configured; none = there is nothing but to look.
    ///
    /// # Errors
    /// Both, or what only an act has and nothing to set: somebody would believe that it is set.
    pub(super) fn setting(
        path: &str,
        (what, fields): (&str, Map<String, Value>),
        is_reset: bool,
        ttl: TimeToLive,
        options: &'a ActOptions,
    ) -> Result<Option<Self>, Ended> {
        let (verb, holds) = if is_reset { (Verb::Delete, None) } else { (Verb::Patch, Some(ttl)) };
        let says_more = options.is_given() || ttl.ttl.is_some();
        match (is_reset, fields.is_empty()) {
            (true, false) => Err(Ended::usage(
                format!("--reset takes no {what}"),
                format!("give the {what}, or --reset, but not both"),
            )),
            (false, true) if says_more => Err(Ended::usage(
                format!("there is a reason or a time, but no {what}"),
                format!("give the {what}, or --reset"),
            )),
            (false, true) => Ok(None),
            _ => {
                let path = path.to_owned();
                Ok(Some(Self { verb, path, fields, ttl: holds, warning: None, options }))
            }
        }
    }

    #[must_use]
    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    #[must_use]
    pub(super) const fn for_a_time(mut self, ttl: TimeToLive) -> Self {
        self.ttl = Some(ttl);
        self
    }

    #[must_use]
    pub(super) fn warned(mut self, warning: impl Into<String>) -> Self {
        self.warning = Some(warning.into());
        self
    }

    /// Does it and says how it went.
    pub(super) fn run(mut self, client: &Client, as_json: bool) -> Result<Exit, Ended> {
        let reason = reason(self.options)?;
        if let Some(warning) = &self.warning {
            consent(self.options, warning)?;
        }
        self.fields.insert("reason".to_owned(), json!(reason));
        if let Some(ttl) = self.ttl.and_then(|ttl| ttl.ttl) {
            self.fields
                .insert("ttl_ms".to_owned(), json!(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)));
        }
        let said = client.act((self.verb, &self.path), self.fields, self.options)?;
        if as_json {
            line(&said.body);
        } else {
            show(&said);
        }
        Ok(Exit::Clean)
    }
}

fn show(Said { body, replayed }: &Said) {
    let how = match (body["applied"].as_bool(), replayed) {
        (_, true) => "was done before",
        (Some(true), false) => "done",
        _ => "could be done; nothing was changed",
    };
    line(format!("{} {}: {how}", text(&body["action"]), text(&body["target"])));
    line(format!("  before  {}", body["before"]));
    if body["applied"] == true {
        line(format!("  after   {}", body["after"]));
    }
    if !body["until"].is_null() {
        line(format!("  until   {}", text(&body["until"])));
    }
    if !body["audit"]["intent"].is_null() {
        line(format!("  audit   {} and {}", text(&body["audit"]["intent"]), text(&body["audit"]["outcome"])));
    }
}

/// A name as one part of a path.
pub(super) fn part(name: &str) -> String {
    let bytes = name.bytes().map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~:*".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(part("channel:web"), "channel:web");
        assert_eq!(part("channel:a/b?c ä"), "channel:a%2Fb%3Fc%20%C3%A4");
    }
}
