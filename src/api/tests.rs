use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, test, web};
use async_trait::async_trait;
use domain::ids::EntityId;

use super::{Readiness, Surface, Unreadable, View, routes};

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

    async fn order(&self, id: &EntityId) -> Result<Option<View>, Unreadable> {
        match (id.tenant.as_str(), id.key.as_str()) {
            ("main", "o-1") => Ok(Some(View { version: 41, json: r#"{"order_id":"o-1"}"#.to_owned() })),
            ("main", "o-2") => Err(Unreadable::NotNow("recovering".to_owned())),
            ("main", "o-3") => Err(Unreadable::Fault("set aside".to_owned())),
            ("main", "o-4") => Err(Unreadable::Gone("beyond the retention".to_owned())),
            _ => Ok(None),
        }
    }

    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable> {
        Ok(self.order(id).await?.map(|_| r#"{"entries":[]}"#.to_owned()))
    }
}

async fn get(path: &str, if_none_match: Option<&str>) -> (StatusCode, String, String, String) {
    let surface: Arc<dyn Surface> = Arc::new(Fixed);
    let service = test::init_service(App::new().app_data(web::Data::from(surface)).configure(routes)).await;
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
    let surface: Arc<dyn Surface> = Arc::new(Fixed);
    let service = test::init_service(App::new().app_data(web::Data::from(surface)).configure(routes)).await;
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
    ] {
        let (status, kind, _, body) = get(path, None).await;
        assert_eq!((status, kind.as_str()), (expected, "application/problem+json"), "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["status"], expected.as_u16(), "{path}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{path}");
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
