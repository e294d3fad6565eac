//! The control endpoints in process, with a lever for a node and a broker in memory.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use actors::clock::SystemClock;
use actors::flow::Class;
use actors::flow::watermarks::{Watermark, WatermarkChange};
use actors::participant::control::SettingsChange;
use async_trait::async_trait;
use bus::layout::Layout;
use bus::memory::MemoryBus;
use bus::ports::SharedBus;
use domain::ids::EntityId;
use serde_json::{Value, json};

use super::Steering;
use crate::api::{Behind, Readiness, Surface, Unreadable, View, routes};
use crate::control::act::Act;
use crate::control::knobs::{Knobs, Refusal};
use crate::control::lever::Lever;
use crate::control::scope::Scope;
use crate::control::{Bounds, Control};
use crate::reference::report::ReferenceReport;

mod mistakes;
mod settings;

struct Nothing;

#[async_trait]
impl Surface for Nothing {
    fn readiness(&self) -> Readiness {
        Readiness::Ready(String::new())
    }

    fn metrics(&self) -> String {
        String::new()
    }

    async fn entity(&self, _: &EntityId) -> Result<Option<View>, Unreadable> {
        Ok(None)
    }

    async fn timeline(&self, _: &EntityId) -> Result<Option<String>, Unreadable> {
        Ok(None)
    }

    fn reference(&self) -> Result<ReferenceReport, Unreadable> {
        Err(Unreadable::NotNow("nobody watches it".to_owned()))
    }
}

/// None = the server is not that far.
struct Wheel(Option<Arc<Control>>);

impl Steering for Wheel {
    fn control(&self) -> Result<Arc<Control>, Unreadable> {
        self.0.clone().ok_or_else(|| Unreadable::NotNow("starting".to_owned()))
    }
}

struct World {
    bus: MemoryBus,
    lever: Arc<Lever>,
    control: Option<Arc<Control>>,
}

/// What is asked, and what of it differs from a good act.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    body: String,
    headers: Vec<(&'a str, &'a str)>,
    without: &'a str,
}

fn get(path: &str) -> Asked<'_> {
    Asked { method: Method::GET, path, body: String::new(), headers: Vec::new(), without: "" }
}

fn post<'a>(path: &'a str, key: &'a str, body: &Value) -> Asked<'a> {
    let headers = vec![("Idempotency-Key", key), ("Content-Type", "application/json"), ("Operator", "kim")];
    Asked { method: Method::POST, path, body: body.to_string(), headers, without: "" }
}

fn why() -> Value {
    json!({ "reason": "a test of it" })
}

#[derive(Debug)]
struct Answer {
    status: u16,
    replayed: bool,
    kind: String,
    allow: String,
    body: Value,
}

impl World {
    fn new() -> Self {
        let layout = Layout::default();
        let bus = MemoryBus::real_time(&layout);
        let lever = Arc::new(Lever::new(bus.clone()));
        let knobs: Arc<dyn Knobs> = lever.clone();
        let bounds = Bounds { keys: 100, key_expiry_ms: 60_000 };
        let shared: SharedBus = Arc::new(bus.clone());
        let clock = Arc::new(SystemClock);
        let control = Control::new(knobs, (shared, layout), clock, "start".to_owned(), bounds);
        Self { bus, lever, control: Some(Arc::new(control)) }
    }

    async fn ask(&self, asked: Asked<'_>) -> Answer {
        let steering: Arc<dyn Steering> = Arc::new(Wheel(self.control.clone()));
        let hosts = vec!["orders.example".to_owned()];
        let behind = Behind { surface: Arc::new(Nothing), steering: Some(steering), hosts };
        let service = test::init_service(App::new().configure(|service| routes(service, &behind))).await;
        let mut request = test::TestRequest::default().method(asked.method).uri(asked.path);
        let given = asked.headers.iter().any(|(name, _)| *name == "Host");
        if !given {
            request = request.insert_header(("Host", "127.0.0.1:8470"));
        }
        for (name, value) in asked.headers.iter().filter(|(name, _)| *name != asked.without) {
            request = request.insert_header((*name, *value));
        }
        let answer = test::call_service(&service, request.set_payload(asked.body).to_request()).await;
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert!(!header("x-request-id").is_empty(), "{}", asked.path);
        let (status, kind, allow) = (answer.status().as_u16(), header("content-type"), header("allow"));
        let replayed = header("idempotency-replayed") == "true";
        let body = test::read_body(answer).await;
        let body = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
        Answer { status, replayed, kind, allow, body }
    }

    /// The same, and it must be refused so.
    async fn refused(&self, asked: Asked<'_>, status: StatusCode, code: &str) -> Value {
        let what = format!("{} {} {}", asked.method, asked.path, asked.body);
        let answer = self.ask(asked).await;
        assert_eq!(answer.kind, "application/problem+json", "{what}: {answer:?}");
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status.as_u16(), Some(code)),
            "{what}: {answer:?}"
        );
        answer.body
    }

    fn turned(&self) -> Vec<Act> {
        self.lever.turned.lock().unwrap().clone()
    }

    async fn audit(&self) -> Vec<Value> {
        let answer = self.ask(get("/api/v1/audit?after=0&limit=500")).await;
        answer.body["data"].as_array().unwrap().iter().map(|row| row["entry"].clone()).collect()
    }
}

const PAUSE: &str = "/api/v1/flow/actions/pause";

#[actix_web::test]
async fn a_pause_is_done_shown_and_in_the_audit() {
    let world = World::new();
    let body = json!({ "scope": "tenant:main", "reason": "prices are wrong", "ttl_ms": 60_000 });
    let done = world.ask(post(PAUSE, "key-1", &body)).await;
    assert_eq!((done.status, done.replayed, &done.body["applied"]), (200, false, &json!(true)), "{done:?}");
    assert_eq!(done.body["audit"], json!({ "intent": 1, "outcome": 2 }));
    let flow = world.ask(get("/api/v1/flow")).await.body;
    assert_eq!(
        (&flow["mode"], &flow["set"][0]["target"]),
        (&json!("paused"), &json!("tenant:main")),
        "{flow}"
    );
    assert_eq!(
        (&flow["set"][0]["reason"], &flow["set"][0]["operator"]),
        (&json!("prices are wrong"), &json!("kim"))
    );
    assert_eq!(flow["set"][0]["until"], done.body["until"]);
    let audit = world.audit().await;
    assert_eq!(audit.len(), 2, "{audit:?}");
    assert_eq!((&audit[0]["kind"], &audit[1]["kind"]), (&json!("intent"), &json!("outcome")));
    assert_eq!((&audit[1]["result"], &audit[1]["intent"]), (&json!("applied"), &audit[0]["id"]));
    assert_eq!(audit[0]["caller"]["idempotency_key"], "key-1");
    assert!(audit[0]["caller"]["request_id"].as_str().unwrap().starts_with("req-"));
    let verdict = world.ask(get("/api/v1/audit/verify")).await.body;
    assert_eq!((&verdict["intact"], &verdict["entries"]), (&json!(true), &json!(2)), "{verdict}");
}

#[actix_web::test]
async fn every_act_reaches_the_node_as_what_it_is() {
    use crate::control::act::{BreakerAct, Limit};
    use domain::decider::Participant::{Erp, Payment};
    let world = World::new();
    let with = |more: Value| {
        let mut body = why();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let limit = Limit { rate: Some(5), burst: None, cap: None };
    let breaker = |act| Act::Breaker(Payment, act);
    let mut settings = SettingsChange { in_flight: Some(50), ..SettingsChange::default() };
    (settings.numbers[2], settings.numbers[12]) = (Some(40), Some(9));
    let mut watermarks = WatermarkChange::default();
    watermarks.numbers[Watermark::LaneBatch as usize] = Some(9);
    watermarks.classes.insert("web".to_owned(), Class::High);
    for (number, (method, path, body, act)) in [
        (Method::POST, PAUSE, why(), Act::Pause(Scope::All)),
        (
            Method::POST,
            "/api/v1/flow/actions/resume",
            with(json!({ "scope": "partition:3" })),
            Act::Resume(Scope::Partition(3)),
        ),
        (Method::POST, "/api/v1/flow/actions/drain", why(), Act::Drain),
        (Method::POST, "/api/v1/flow/actions/undrain", why(), Act::Undrain),
        (
            Method::PATCH,
            "/api/v1/flow/limits/rate",
            with(json!({ "rate": 5 })),
            Act::SetLimit("rate".to_owned(), limit),
        ),
        (Method::DELETE, "/api/v1/flow/limits/rate", why(), Act::ResetLimit("rate".to_owned())),
        (
            Method::PATCH,
            "/api/v1/flow/backpressure",
            with(json!({ "lane_batch": 9, "classes": { "web": "high" } })),
            Act::SetBackpressure(watermarks),
        ),
        (Method::DELETE, "/api/v1/flow/backpressure", why(), Act::ResetBackpressure),
        (
            Method::PATCH,
            "/api/v1/flow/bulkheads/erp",
            with(json!({ "max_in_flight": 7 })),
            Act::SetBulkhead(Erp, 7),
        ),
        (Method::DELETE, "/api/v1/flow/bulkheads/erp", why(), Act::ResetBulkhead(Erp)),
        (Method::POST, "/api/v1/breakers/payment/actions/force_open", why(), breaker(BreakerAct::ForceOpen)),
        (
            Method::POST,
            "/api/v1/breakers/payment/actions/force_close",
            why(),
            breaker(BreakerAct::ForceClose),
        ),
        (Method::POST, "/api/v1/breakers/payment/actions/half_open", why(), breaker(BreakerAct::HalfOpen)),
        (Method::POST, "/api/v1/breakers/payment/actions/reset", why(), breaker(BreakerAct::Reset)),
        (
            Method::PATCH,
            "/api/v1/breakers/payment",
            with(json!({ "error_percent": 40, "retries_per_second": 9, "max_in_flight": 50 })),
            Act::SetBreaker(Payment, settings),
        ),
        (Method::DELETE, "/api/v1/breakers/payment", why(), Act::ResetBreakerSettings(Payment)),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        let done = world.ask(Asked { method, ..post(path, &key, &body) }).await;
        assert_eq!((done.status, world.turned().last()), (200, Some(&act)), "{path}: {done:?}");
    }
    assert_eq!(world.audit().await.len(), 32);
}

#[actix_web::test]
async fn the_same_key_does_it_once_and_another_payload_is_refused() {
    let world = World::new();
    let body = json!({ "scope": "all", "reason": "the first time" });
    let first = world.ask(post(PAUSE, "key", &body)).await;
    let same = json!({ "reason": "the first time", "scope": "all" });
    for (key, body) in [("key", &body), ("key", &same), ("\"key\"", &body)] {
        let again = world.ask(post(PAUSE, key, body)).await;
        assert_eq!((again.status, again.replayed, &again.body), (200, true, &first.body), "{key}");
    }
    let other = json!({ "scope": "all", "reason": "something else" });
    let code = "idempotency_key_reused";
    world.refused(post(PAUSE, "key", &other), StatusCode::UNPROCESSABLE_ENTITY, code).await;
    let elsewhere = post("/api/v1/flow/actions/drain", "key", &body);
    world
        .refused(Asked { body: why().to_string(), ..elsewhere }, StatusCode::UNPROCESSABLE_ENTITY, code)
        .await;
    assert_eq!((world.turned().len(), world.audit().await.len()), (1, 2));
}

#[actix_web::test]
async fn while_the_first_is_at_work_the_same_key_waits() {
    let world = World::new();
    let hold = Arc::clone(&world.lever.ends).acquire_owned().await.unwrap();
    let first = world.ask(post(PAUSE, "key", &why()));
    let second = async {
        // The first has taken its key once its intent is written.
        while world.audit().await.is_empty() {
            tokio::task::yield_now().await;
        }
        let code = "idempotency_key_running";
        let body = world.refused(post(PAUSE, "key", &why()), StatusCode::CONFLICT, code).await;
        assert_eq!(body["retryable"], true);
        drop(hold);
    };
    let (first, ()) = futures_util::future::join(first, second).await;
    assert_eq!((first.status, world.turned().len()), (200, 1));
}

#[actix_web::test]
async fn what_an_act_needs_is_asked_for_before_anything_else() {
    let world = World::new();
    let (bad, refused) = (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
    let act = |key| post(PAUSE, key, &why());
    let without = |name| Asked { without: name, ..act("key") };
    world.refused(without("Idempotency-Key"), bad, "idempotency_key_missing").await;
    world.refused(act(""), bad, "bad_request").await;
    world.refused(act("a b"), bad, "bad_request").await;
    world
        .refused(without("Content-Type"), StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
        .await;
    world.refused(Asked { body: "{".to_owned(), ..act("key") }, bad, "bad_request").await;
    world.refused(post("/api/v1/flow/actions/pause?dry=1", "key", &why()), bad, "bad_request").await;
    let large = "x".repeat(70_000);
    world.refused(Asked { body: large, ..act("key") }, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
    let with = |name, value| {
        let mut asked = act("key");
        asked.headers.push((name, value));
        asked
    };
    let elsewhere = StatusCode::MISDIRECTED_REQUEST;
    world.refused(with("Host", "evil.example"), elsewhere, "host_refused").await;
    world.refused(with("Origin", "http://evil.example"), refused, "origin_refused").await;
    world.refused(with("Origin", "null"), refused, "origin_refused").await;
    world.refused(with("Sec-Fetch-Site", "cross-site"), refused, "origin_refused").await;
    assert_eq!((world.turned().len(), world.audit().await.len()), (0, 0));
    for (name, value) in
        [("Origin", "http://127.0.0.1:8470"), ("Sec-Fetch-Site", "same-origin"), ("Host", "orders.example")]
    {
        let mut asked = post(PAUSE, name, &json!({ "reason": "a test of it" }));
        asked.headers.push((name, value));
        assert_eq!(world.ask(asked).await.status, 200, "{name}: {value}");
    }
}

#[actix_web::test]
async fn reading_needs_the_right_host_and_takes_other_methods_apart() {
    let world = World::new();
    for path in [
        "/api/v1/flow",
        "/api/v1/breakers",
        "/api/v1/breakers/erp",
        "/api/v1/flow/backpressure",
        "/api/v1/audit",
        "/api/v1/audit/verify",
        "/api/v1/flow/limits",
        "/api/v1/flow/limits/rate",
        "/api/v1/flow/bulkheads",
        "/api/v1/flow/bulkheads/erp",
    ] {
        assert_eq!(world.ask(get(path)).await.status, 200, "{path}");
        let other = Asked { headers: vec![("Host", "evil.example")], ..get(path) };
        world.refused(other, StatusCode::MISDIRECTED_REQUEST, "host_refused").await;
        let put = Asked { method: Method::PUT, ..post(path, "key", &why()) };
        let answer = world.ask(put).await;
        assert!(answer.status == 405 && answer.allow.contains("GET"), "{path}: {answer:?}");
    }
    assert_eq!(world.ask(get(PAUSE)).await.allow, "POST");
    world.refused(get("/api/v1/flow/limits/none"), StatusCode::NOT_FOUND, "not_found").await;
    world.refused(get("/api/v1/breakers/sap"), StatusCode::NOT_FOUND, "not_found").await;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    world.refused(get("/api/v1/audit?limit=501"), bad, "validation").await;
    world.refused(get("/api/v1/audit?limit=many"), StatusCode::BAD_REQUEST, "bad_request").await;
}

#[actix_web::test]
async fn without_an_audit_nothing_is_done_and_the_key_stays_free() {
    let world = World::new();
    world.bus.disconnect();
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    world.refused(post(PAUSE, "key", &why()), unavailable, "audit_unavailable").await;
    assert!(world.turned().is_empty());
    world.bus.reconnect();
    let done = world.ask(post(PAUSE, "key", &why())).await;
    assert_eq!((done.status, done.replayed), (200, false), "{done:?}");
}

#[actix_web::test]
async fn what_the_node_refuses_is_answered_and_kept() {
    let world = World::new();
    *world.lever.refuses.lock().unwrap() = Some(Refusal::Conflict("it is draining".to_owned()));
    let first = world.refused(post(PAUSE, "key", &why()), StatusCode::CONFLICT, "conflict").await;
    *world.lever.refuses.lock().unwrap() = None;
    let again = world.ask(post(PAUSE, "key", &why())).await;
    assert_eq!((again.status, again.replayed, again.body), (409, true, first));
    assert_eq!(world.audit().await[1]["result"], "conflict");
}

#[actix_web::test]
async fn a_dry_run_changes_and_writes_nothing() {
    let world = World::new();
    let tried = world.ask(post("/api/v1/flow/actions/pause?dry_run=true", "key", &why())).await;
    assert_eq!((tried.status, &tried.body["applied"]), (200, &json!(false)), "{tried:?}");
    assert_eq!((world.turned().len(), world.audit().await.len()), (0, 0));
    assert_eq!(world.ask(post(PAUSE, "key", &why())).await.status, 200, "the key is free");
}

#[actix_web::test]
async fn a_server_that_is_not_that_far_says_so() {
    let world = World { control: None, ..World::new() };
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    for asked in [get("/api/v1/flow"), get("/api/v1/audit"), post(PAUSE, "key", &why())] {
        let problem = world.refused(asked, unavailable, "unavailable").await;
        assert_eq!(problem["detail"], "starting");
    }
}
