//! Asking the server over HTTP. An act whose answer is lost is asked for again under its key: so it is done once, and nobody
//! has to guess whether it was.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use serde_json::{Map, Value};
use ureq::Agent;

use super::arguments::ActOptions;
use super::ended::Ended;
use crate::api::control::{IDEMPOTENCY_KEY, OPERATOR};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long an answer may take. Longer than the server tries to write an act into the audit.
const ANSWER: Duration = Duration::from_secs(30);

/// How often an act without an answer is asked for.
const ATTEMPTS: u32 = 3;

/// How a request changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Post,
    Patch,
    Delete,
}

/// One server.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    api: String,
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) body: Value,
    /// It is the answer to the same act that was asked for before.
    pub(super) replayed: bool,
}

impl Client {
    pub(super) fn new(api: &str) -> Result<Self, Ended> {
        let api = api.trim_end_matches('/');
        if !api.starts_with("http://") {
            return Err(Ended::usage(
                format!("--api {api:?}: expected a URL that begins with http://"),
                "give the address that `serve` listens on, for example http://127.0.0.1:8470",
            ));
        }
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .http_status_as_error(false)
            // The server is on loopback; a proxy of the environment would be asked for its own.
            .proxy(None)
            .max_redirects(0);
        Ok(Self { agent: config.build().new_agent(), api: api.to_owned() })
    }

    /// GET.
    pub(super) fn get(&self, path: &str) -> Result<Value, Ended> {
        let answer = self.agent.get(format!("{}{path}", self.api)).call();
        Ok(said(answer.map_err(|error| self.unreachable(&error))?)?.body)
    }

    /// An act.
    pub(super) fn act(
        &self,
        (verb, path): (Verb, &str),
        body: Map<String, Value>,
        options: &ActOptions,
    ) -> Result<Said, Ended> {
        let query = if options.dry_run { "?dry_run=true" } else { "" };
        let url = format!("{}{path}{query}", self.api);
        let key = options.idempotency_key.clone().unwrap_or_else(new_key);
        let body = Value::Object(body).to_string();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let request = match verb {
                Verb::Post => self.agent.post(&url),
                Verb::Patch => self.agent.patch(&url),
                Verb::Delete => self.agent.delete(&url).force_send_body(),
            };
            let mut request = request.header(IDEMPOTENCY_KEY, &key).content_type("application/json");
            if let Some(operator) = operator(options) {
                request = request.header(OPERATOR, operator);
            }
            match request.send(&body) {
                Ok(answer) => return said(answer),
                Err(error) => last = Some(error),
            }
        }
        let error = last.expect("there was at least one attempt");
        let mut ended = self.unreachable(&error);
        ended.remedy =
            format!("{}; the same command with --idempotency-key {key} does it once", ended.remedy);
        Err(ended)
    }

    fn unreachable(&self, error: &ureq::Error) -> Ended {
        Ended::unreachable(
            format!("{}: {error}", self.api),
            "start `doorbuster serve`, or name its address with --api or DOORBUSTER_API",
        )
    }
}

fn said(mut answer: ureq::http::Response<ureq::Body>) -> Result<Said, Ended> {
    let status = answer.status().as_u16();
    let replayed = answer.headers().contains_key("idempotency-replayed");
    let text = answer.body_mut().read_to_string();
    let text = text.map_err(|error| Ended::failed(format!("the answer ended early: {error}")))?;
    let body = serde_json::from_str(&text)
        .map_err(|error| Ended::failed(format!("the answer ({status}) is no JSON: {error}")))?;
    if (200..300).contains(&status) { Ok(Said { body, replayed }) } else { Err(Ended::problem(status, body)) }
}

/// Who asks: as given, or whom the system knows.
fn operator(options: &ActOptions) -> Option<String> {
    let known = options.operator.clone().or_else(|| std::env::var("USER").ok());
    known.filter(|name| {
        !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

/// A key that nobody else takes: 128 random bits.
fn new_key() -> String {
    let chance = || RandomState::new().hash_one(std::process::id());
    format!("cli-{:016x}{:016x}", chance(), chance())
}
