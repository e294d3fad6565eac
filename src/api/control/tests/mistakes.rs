//! What is wrong with an act is told at once, all of it.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Asked, PAUSE, World, post, why};

#[actix_web::test]
async fn each_mistake_is_named_with_field_value_and_remedy() {
    let world = World::new();
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    for (path, body, pointers) in [
        (PAUSE, json!({}), vec!["/reason"]),
        (
            PAUSE,
            json!({ "reason": "no", "scope": "shop", "ttl_ms": 1, "x": 1 }),
            vec!["/scope", "/reason", "/ttl_ms", "/x"],
        ),
        (
            "/api/v1/flow/actions/resume",
            json!({ "reason": "because it is", "ttl_ms": 5_000 }),
            vec!["/ttl_ms"],
        ),
    ] {
        let problem = world.refused(post(path, "key", &body), bad, "validation").await;
        let found: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers, "{problem}");
        assert!(problem["errors"].as_array().unwrap().iter().all(|error| error["message"].is_string()));
    }
    let patch = |path, body: &Value| Asked { method: Method::PATCH, ..post(path, "key", body) };
    let nothing = world.refused(patch("/api/v1/flow/limits/rate", &why()), bad, "validation").await;
    assert!(nothing["detail"].as_str().unwrap().contains("rate, burst and cap"), "{nothing}");
    let missing = world.refused(patch("/api/v1/flow/bulkheads/erp", &why()), bad, "validation").await;
    assert_eq!(missing["errors"][0]["pointer"], "/max_in_flight");
    let nothing = world.refused(patch("/api/v1/breakers/erp", &why()), bad, "validation").await;
    assert!(nothing["detail"].as_str().unwrap().contains("max_in_flight"), "{nothing}");
    let body =
        json!({ "reason": "a test of it", "error_percent": 101, "window_ms": "long", "max_in_flight": 0 });
    let wrong = world.refused(patch("/api/v1/breakers/erp", &body), bad, "validation").await;
    let pointers: Vec<_> =
        wrong["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/error_percent", "/window_ms", "/max_in_flight"], "{wrong}");
    let path = "/api/v1/flow/backpressure";
    let nothing = world.refused(patch(path, &why()), bad, "validation").await;
    assert!(nothing["detail"].as_str().unwrap().contains("bulk_percent and classes"), "{nothing}");
    let body = json!({
        "reason": "a test of it", "answer_delay_ms": 9, "lane_batch": "many", "classes": { "a/b": "urgent", "web": "low" }, "shed": 1
    });
    let wrong = world.refused(patch(path, &body), bad, "validation").await;
    let found: Vec<_> = wrong["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["value"].clone()))
        .collect();
    let expected = [
        ("/answer_delay_ms", json!(9)),
        ("/lane_batch", json!("many")),
        ("/classes/a~1b", json!("urgent")),
        ("/shed", json!(1)),
    ];
    assert_eq!(found, expected, "{wrong}");
    assert!(wrong["errors"][2]["message"].as_str().unwrap().contains("low, normal or high"), "{wrong}");
    let body = json!({ "reason": "a test of it", "classes": ["web"] });
    let wrong = world.refused(patch(path, &body), bad, "validation").await;
    assert_eq!(wrong["errors"][0]["code"], "wrong_type", "{wrong}");
    for asked in [
        post("/api/v1/breakers/sap/actions/reset", "key", &why()),
        Asked {
            method: Method::PATCH,
            ..post("/api/v1/flow/limits/none", "key", &json!({ "rate": 1, "reason": "a test of it" }))
        },
    ] {
        let unknown = world.refused(asked, StatusCode::NOT_FOUND, "not_found").await;
        assert!(unknown["hint"].as_str().unwrap().starts_with("known are: "), "{unknown}");
    }
    let audit = world.audit().await;
    assert_eq!((world.turned().len(), audit.len()), (0, 1), "{audit:?}");
    assert_eq!(
        (&audit[0]["kind"], &audit[0]["target"]),
        (&json!("refused"), &json!("none")),
        "an act, but not possible"
    );
}
