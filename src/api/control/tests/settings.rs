//! Other settings of a participant.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{Asked, World, get, post};

#[actix_web::test]
async fn other_settings_of_a_breaker_are_shown_and_kept_in_the_audit() {
    let world = World::new();
    let body = json!({ "reason": "a test of it", "open_ms": 250, "ttl_ms": 60_000 });
    let path = "/api/v1/breakers/erp";
    let done = world.ask(Asked { method: Method::PATCH, ..post(path, "key", &body) }).await;
    assert_eq!((done.status, &done.body["action"]), (200, &json!("breaker.set")), "{done:?}");
    let open_ms = |of: &Value| of["open_ms"].clone();
    assert_eq!((open_ms(&done.body["before"]), open_ms(&done.body["after"])), (json!(5_000), json!(250)));
    assert_eq!(world.ask(get(path)).await.body["settings"]["open_ms"], 250);
    let set = world.ask(get("/api/v1/flow")).await.body["set"].clone();
    assert_eq!((&set[0]["action"], &set[0]["target"]), (&json!("breaker.set"), &json!("erp")), "{set}");
    assert_eq!(world.audit().await[0]["parameters"], json!({ "open_ms": 250 }));
}
