use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test};
use async_trait::async_trait;
use domain::ids::{EntityId, Token};

use super::{Behind, Readiness, Surface, Unreadable, View, routes};
use crate::availability::tests::shelves;
use crate::availability::{Availability, Mistaken, Question};
use crate::reference::report::{ReferenceReport, Report};
use crate::worklist::tests::worklist;
use crate::worklist::{Drift, Question as WorklistQuestion};

/// Knows order `o-1` of tenant `main`, recovers the partition of `o-2`, and is not ready.
struct Fixed;

#[async_trait]
impl Surface for Fixed {
    fn readiness(&self) -> Readiness {
        Readiness::NotReady("partition 3 is recovering".to_owned())
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    async fn entity(&self, id: &EntityId) -> Result<Option<View>, Unreadable> {
        if id.kind.as_str() == "reservation" {
            let json = r#"{"reservation_id":"r-1"}"#.to_owned();
            return Ok((id.key.as_str() == "r-1").then_some(View { version: 5, json }));
        }
        match (id.tenant.as_str(), id.key.as_str()) {
            ("main", "C~berlin") => {
                let victim = r#"{"reservation_id":"r-2","claim_id":"r-2:1:1","quantity":1,"hard":true}"#;
                let json = format!(r#"{{"sku":"C","oversold":1,"victims":[{victim}]}}"#);
                Ok(Some(View { version: 9, json }))
            }
            ("main", "o-1") => Ok(Some(View { version: 41, json: r#"{"order_id":"o-1"}"#.to_owned() })),
            ("main", "o-2") => Err(Unreadable::NotNow("recovering".to_owned())),
            ("main", "o-3") => Err(Unreadable::Fault("set aside".to_owned())),
            ("main", "o-4") => Err(Unreadable::Gone("beyond the retention".to_owned())),
            _ => Ok(None),
        }
    }

    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable> {
        Ok(self.entity(id).await?.map(|_| r#"{"entries":[]}"#.to_owned()))
    }

    fn reference(&self) -> Result<ReferenceReport, Unreadable> {
        Ok(Report::default().show())
    }

    fn availability(
        &self,
        tenant: &Token,
        question: &Question,
    ) -> Result<Result<Availability, Mistaken>, Unreadable> {
        Ok(shelves(&[("A", "berlin", 7), ("A", "hamburg", 2), ("B", "berlin", 1)]).look(tenant, question))
    }

    fn drift(
        &self,
        tenant: &Token,
        question: &WorklistQuestion,
    ) -> Result<Result<Drift, Mistaken>, Unreadable> {
        Ok(worklist().look(tenant, question))
    }
}

fn behind() -> Behind {
    Behind { surface: Arc::new(Fixed), steering: None, hosts: Vec::new() }
}

async fn get(path: &str, if_none_match: Option<&str>) -> (StatusCode, String, String, String) {
    let service = test::init_service(App::new().configure(|service| routes(service, &behind()))).await;
    let mut request = test::TestRequest::get().uri(path);
    if let Some(tag) = if_none_match {
        request = request.insert_header((IF_NONE_MATCH, tag));
    }
    let answer = test::call_service(&service, request.to_request()).await;
    let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, kind, tag) = (answer.status(), header(CONTENT_TYPE), header(ETAG));
    let body = String::from_utf8(test::read_body(answer).await.to_vec()).unwrap();
    (status, kind, tag, body)
}

#[actix_web::test]
async fn head_answers_as_get_does_without_the_body() {
    let service = test::init_service(App::new().configure(|service| routes(service, &behind()))).await;
    let request = test::TestRequest::default().method(Method::HEAD).uri("/api/v1/orders/o-1");
    let answer = test::call_service(&service, request.to_request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers().get(ETAG).unwrap(), "\"41\"");
}

#[actix_web::test]
async fn a_known_order_has_its_version_as_etag() {
    let (status, kind, tag, body) = get("/api/v1/orders/o-1", None).await;
    assert_eq!((status, kind.as_str(), tag.as_str()), (StatusCode::OK, "application/json", "\"41\""));
    assert_eq!(body, r#"{"order_id":"o-1"}"#);
}

#[actix_web::test]
async fn worklists_show_pages_of_cells_and_who_goes_without() {
    let told = async |path: &str| -> serde_json::Value {
        let (status, _, _, body) = get(path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let drifted = told("/api/v1/stock/drift").await;
    assert_eq!((&drifted["cells"][0]["sku"], &drifted["cells"][0]["drift"]), (&"A".into(), &(-2).into()));
    let page = told("/api/v1/stock/drift?show=all&limit=1&after=A~berlin").await;
    assert_eq!((&page["cells"][0]["stale"], &page["next"]), (&true.into(), &"B~berlin".into()));
    let oversold = told("/api/v1/stock/oversold").await;
    assert_eq!(oversold["cells"][0]["victims"][0]["claim_id"], "r-2:1:1");
    assert_eq!((&oversold["cells"][0]["oversold"], &oversold["next"]), (&1.into(), &serde_json::Value::Null));
    for path in ["/drift?show=some", "/drift?limit=x", "/drift?after=A", "/oversold?limit=51"] {
        let (status, _, _, body) = get(&format!("/api/v1/stock{path}"), None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {body}");
        assert!(body.contains("query:"), "{body}");
    }
}

#[actix_web::test]
async fn stock_shows_the_cells_of_one_item_or_of_many_and_what_is_wrong_with_a_question() {
    let cells = async |path: &str| -> Vec<String> {
        let (status, _, _, body) = get(path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let cells = body["cells"].as_array().unwrap();
        cells
            .iter()
            .map(|cell| format!("{}~{}:{}", cell["sku"], cell["node"], cell["available"]).replace('"', ""))
            .collect()
    };
    assert_eq!(cells("/api/v1/stock/A").await, ["A~berlin:7", "A~hamburg:2"]);
    assert_eq!(cells("/api/v1/stock/A?nodes=hamburg").await, ["A~hamburg:2"]);
    assert_eq!(cells("/api/v1/stock/A?tenant=other").await, Vec::<String>::new());
    assert_eq!(cells("/api/v1/stock?skus=B,A,C&nodes=berlin").await, ["B~berlin:1", "A~berlin:7"]);
    for path in
        ["/api/v1/stock", "/api/v1/stock?skus=", "/api/v1/stock/A~berlin", "/api/v1/stock/A?nodes=a.b"]
    {
        let (status, _, _, body) = get(path, None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {body}");
    }
}

#[actix_web::test]
async fn a_reservation_is_shown_as_an_order_is() {
    let (status, _, tag, body) = get("/api/v1/reservations/r-1", None).await;
    assert_eq!((status, tag.as_str()), (StatusCode::OK, "\"5\""));
    assert_eq!(body, r#"{"reservation_id":"r-1"}"#);
    let (status, _, _, body) = get("/api/v1/reservations/o-1", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("has no reservation o-1"), "{body}");
}

#[actix_web::test]
async fn reference_data_shows_what_is_in_force() {
    let (status, _, _, body) = get("/api/v1/reference", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, r#"{"revision":0,"nodes":0,"items":0,"promotions":0,"coupons":0,"refused":[]}"#);
}

#[actix_web::test]
async fn the_version_that_the_client_has_is_not_sent_again() {
    for tag in ["\"41\"", "W/\"41\"", "\"7\", \"41\"", "*"] {
        assert_eq!(get("/api/v1/orders/o-1", Some(tag)).await.0, StatusCode::NOT_MODIFIED, "{tag}");
    }
    assert_eq!(get("/api/v1/orders/o-1", Some("\"40\"")).await.0, StatusCode::OK);
}

#[actix_web::test]
async fn problems_have_the_form_of_rfc_9457() {
    for (path, expected) in [
        ("/api/v1/orders/o-9", StatusCode::NOT_FOUND),
        ("/api/v1/orders/o-9/timeline", StatusCode::NOT_FOUND),
        ("/api/v1/orders/o-1?tenant=other", StatusCode::NOT_FOUND),
        ("/api/v1/orders/o-1?tenant=O.o", StatusCode::BAD_REQUEST),
        ("/api/v1/orders/o%2E1", StatusCode::BAD_REQUEST),
        ("/api/v1/orders/o-2", StatusCode::SERVICE_UNAVAILABLE),
        ("/api/v1/orders/o-3", StatusCode::INTERNAL_SERVER_ERROR),
        ("/api/v1/orders/o-4/timeline", StatusCode::GONE),
        ("/readyz", StatusCode::SERVICE_UNAVAILABLE),
        ("/nowhere", StatusCode::NOT_FOUND),
        ("/api/v1/nowhere", StatusCode::NOT_FOUND),
        ("/api/v1/flow", StatusCode::NOT_FOUND),
    ] {
        let (status, kind, _, body) = get(path, None).await;
        assert_eq!((status, kind.as_str()), (expected, "application/problem+json"), "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["status"], expected.as_u16(), "{path}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{path}");
        assert_eq!(
            body["type"],
            format!("urn:doorbuster:problem:{}", body["code"].as_str().unwrap()),
            "{path}"
        );
        assert_eq!(body["instance"], path.split('?').next().unwrap(), "{path}");
        assert!(body["request_id"].as_str().unwrap().starts_with("req-"), "{path}: {body}");
    }
}

#[actix_web::test]
async fn a_bad_id_is_told_the_allowed_form() {
    let (_, _, _, body) = get("/api/v1/orders/o%2E1", None).await;
    assert!(body.contains("[A-Za-z0-9_~-]{1,96}"), "{body}");
}

#[actix_web::test]
async fn liveness_does_not_depend_on_readiness() {
    assert_eq!(get("/livez", None).await.0, StatusCode::OK);
    assert_eq!(get("/metrics", None).await.0, StatusCode::OK);
    assert!(get("/readyz", None).await.3.contains("partition 3 is recovering"));
}

#[actix_web::test]
async fn the_id_of_a_request_is_taken_over_and_given_back() {
    let service = test::init_service(App::new().configure(|service| routes(service, &behind()))).await;
    for (given, expected) in [(Some("mine-1"), "mine-1"), (Some("not allowed"), "req-"), (None, "req-")] {
        let mut request = test::TestRequest::get().uri("/api/v1/orders/o-9");
        if let Some(given) = given {
            request = request.insert_header(("X-Request-Id", given));
        }
        let answer = test::call_service(&service, request.to_request()).await;
        let id = answer.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        assert!(id.starts_with(expected), "{given:?}: {id}");
        let body: serde_json::Value = test::read_body_json(answer).await;
        assert_eq!(body["request_id"], id);
    }
}

#[actix_web::test]
async fn another_method_is_told_which_there_are() {
    let service = test::init_service(App::new().configure(|service| routes(service, &behind()))).await;
    let request = test::TestRequest::post().uri("/api/v1/orders/o-1");
    let answer = test::call_service(&service, request.to_request()).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers().get("allow").unwrap(), "GET, HEAD");
    let body: serde_json::Value = test::read_body_json(answer).await;
    assert_eq!(body["code"], "method_not_allowed");
}

#[actix_web::test]
async fn the_committed_document_is_the_one_that_the_handlers_make() {
    let committed = include_str!("../../docs/openapi.json");
    let made = super::openapi::document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        std::fs::write(path, &made).unwrap();
        return;
    }
    assert!(
        committed == made,
        "docs/openapi.json is stale: UPDATE_GOLDEN=1 cargo test -p doorbuster --lib the_committed_document"
    );
    let (status, kind, _, body) = get("/api/v1/openapi.json", None).await;
    assert_eq!((status, kind.as_str(), body), (StatusCode::OK, "application/json", made));
}

/// All values of this field, however deep.
fn all_of<'a>(value: &'a serde_json::Value, field: &str, found: &mut Vec<&'a str>) {
    if let Some(text) = value[field].as_str() {
        found.push(text);
    }
    let inner: Vec<_> = match value {
        serde_json::Value::Object(inner) => inner.values().collect(),
        serde_json::Value::Array(inner) => inner.iter().collect(),
        _ => Vec::new(),
    };
    for value in inner {
        all_of(value, field, found);
    }
}

#[actix_web::test]
async fn the_document_is_whole() {
    let document: serde_json::Value = serde_json::from_str(&super::openapi::document()).unwrap();
    let (mut references, mut operations) = (Vec::new(), Vec::new());
    all_of(&document, "$ref", &mut references);
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    all_of(&document, "operationId", &mut operations);
    let number = operations.len();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations.len(), number, "an operation has an id of its own: {operations:?}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let described = answer["$ref"].is_string() || answer["description"].as_str() > Some("");
                assert!(described, "{method} {path} {status}");
            }
        }
    }
}
