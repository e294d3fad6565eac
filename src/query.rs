//! Questions over core NATS, answered from memory: `<root>.v1.query.<tenant>.order.status.<id>` and
//! `….stock.availability.<sku>`.

use std::sync::Arc;
use std::time::Duration;

use bus::layout::Layout;
use bus::ports::{Outgoing, Request, SharedBus};
use bytes::Bytes;
use domain::envelope::Headers;
use domain::ids::{EntityId, Key, Token};
use domain::reason::{Code, Reason};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::{Surface, Unreadable, View};
use crate::availability::Question;

/// How many questions are answered at once; more wait in the connection's own bound.
const AT_ONCE: usize = 64;

/// Until a subscription that ended or was refused is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Which token of a subject is the tenant.
const TENANT: usize = 3;

/// Which token of a subject is the domain.
const DOMAIN: usize = 4;

#[derive(Serialize, Deserialize)]
struct Summary<'a> {
    #[serde(borrow)]
    order_id: &'a RawValue,
    version: u64,
    #[serde(borrow)]
    phase: &'a RawValue,
    #[serde(borrow)]
    status: &'a RawValue,
}

#[derive(Serialize)]
struct Refused<'a> {
    order_id: &'a str,
    reason: Reason,
}

#[derive(Serialize)]
struct Unanswered {
    reason: Reason,
}

/// What can be asked, as domain and name.
const QUESTIONS: [&str; 2] = ["order.status", "stock.availability"];

/// Answers until it is dropped.
pub async fn answer_questions(bus: SharedBus, layout: Layout, surface: Arc<dyn Surface>) {
    let listeners = QUESTIONS.map(|name| listen(&bus, &layout, surface.as_ref(), name));
    futures_util::future::join_all(listeners).await;
}

async fn listen(bus: &SharedBus, layout: &Layout, surface: &dyn Surface, name: &str) {
    let subject = format!("{}.v1.query.*.{name}.*", layout.root);
    loop {
        match bus.subscribe(&subject).await {
            Ok(subscription) => {
                let questions = futures_util::stream::unfold(subscription, |mut subscription| async {
                    subscription.next().await.map(|question| (question, subscription))
                });
                questions
                    .for_each_concurrent(AT_ONCE, |question| answer(bus, layout, surface, question))
                    .await;
            }
            Err(error) => tracing::debug!(%error, "cannot listen to questions"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answer(bus: &SharedBus, layout: &Layout, surface: &dyn Surface, question: Request) {
    let tenant = question.subject.split('.').nth(TENANT).unwrap_or_default();
    // Anywhere else our answer could be read as somebody's message.
    let Some(reply_to) = question.reply_to.filter(|to| layout.receipt_allowed(to, tenant)) else { return };
    let text = if question.subject.split('.').nth(DOMAIN) == Some("stock") {
        availability(surface, &question.subject, &question.body)
    } else {
        status(surface, &question.subject).await
    };
    let headers = Headers::new().with("content-type", "application/json");
    // Who asks sets a deadline; a lost answer is asked for again.
    let _ = bus.send(Outgoing { subject: reply_to, headers, body: Bytes::from(text) });
}

/// How much of some items can be sold where; without a body, of the item that the subject names.
fn availability(surface: &dyn Surface, subject: &str, body: &[u8]) -> String {
    let unanswered = |code, message: String| {
        let unanswered = Unanswered { reason: Reason::new(code, message) };
        serde_json::to_string(&unanswered).expect("plain fields have a JSON form")
    };
    let tenant = match Token::new(subject.split('.').nth(TENANT).unwrap_or_default()) {
        Ok(tenant) => tenant,
        Err(problem) => return unanswered(Code::SchemaInvalid, problem.to_string()),
    };
    let question = if body.is_empty() {
        let sku = subject.rsplit('.').next().unwrap_or_default().to_owned();
        Question { skus: vec![sku], ..Question::default() }
    } else {
        match serde_json::from_slice(body) {
            Ok(question) => question,
            Err(error) => {
                let expected = r#"expected {"skus":[…],"nodes"?:[…],"region"?}"#;
                return unanswered(Code::SchemaInvalid, format!("{error}; {expected}"));
            }
        }
    };
    match surface.availability(&tenant, &question) {
        Ok(Ok(answer)) => serde_json::to_string(&answer).expect("plain fields have a JSON form"),
        Ok(Err(mistaken)) => unanswered(Code::SchemaInvalid, mistaken.to_string()),
        Err(Unreadable::Fault(why)) => unanswered(Code::Quarantined, why),
        Err(Unreadable::NotNow(why) | Unreadable::Gone(why)) => unanswered(Code::Unavailable, why),
    }
}

async fn status(surface: &dyn Surface, subject: &str) -> String {
    let key = subject.rsplit('.').next().unwrap_or_default();
    let tenant = subject.split('.').nth(TENANT).unwrap_or_default();
    let id = match (Token::new(tenant), Key::new(key)) {
        (Ok(tenant), Ok(key)) => {
            EntityId { tenant, kind: Token::new("order").expect("a literal of the allowed form"), key }
        }
        (Err(problem), _) | (_, Err(problem)) => {
            return refused(key, Code::SchemaInvalid, problem.to_string());
        }
    };
    match surface.entity(&id).await {
        Ok(Some(view)) => summary(&view),
        Ok(None) => refused(key, Code::UnknownEntity, format!("tenant {} has no order {key}", id.tenant)),
        Err(Unreadable::Fault(why)) => refused(key, Code::Quarantined, why),
        Err(Unreadable::NotNow(why) | Unreadable::Gone(why)) => refused(key, Code::Unavailable, why),
    }
}

/// The four fields of the answer, cut out of the whole view.
fn summary(view: &View) -> String {
    let summary: Summary<'_> =
        serde_json::from_str(&view.json).expect("a view has order_id, version, phase and status");
    serde_json::to_string(&summary).expect("four fields that were JSON a moment ago")
}

fn refused(order_id: &str, code: Code, message: String) -> String {
    let refused = Refused { order_id, reason: Reason::new(code, message) };
    serde_json::to_string(&refused).expect("plain fields have a JSON form")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use bus::layout::Layout;
    use bus::ports::{Request, SharedBus};
    use bytes::Bytes;
    use domain::envelope::Headers;
    use domain::ids::{EntityId, Token};

    use super::{answer, availability, status};
    use crate::api::{Readiness, Surface, Unreadable, View};
    use crate::availability::tests::shelves;
    use crate::availability::{Availability, Mistaken, Question};
    use crate::composition;

    struct OneOrder;

    #[async_trait]
    impl Surface for OneOrder {
        fn readiness(&self) -> Readiness {
            Readiness::Ready(String::new())
        }

        fn metrics(&self) -> String {
            String::new()
        }

        async fn entity(&self, id: &EntityId) -> Result<Option<View>, Unreadable> {
            let json =
                r#"{"order_id":"o-1","version":3,"phase":"committed","lines":[],"status":{"erp":"none"}}"#;
            let known = id.tenant.as_str() == "main" && id.key.as_str() == "o-1";
            Ok(known.then(|| View { version: 3, json: json.to_owned() }))
        }

        async fn timeline(&self, _: &EntityId) -> Result<Option<String>, Unreadable> {
            Ok(None)
        }

        fn availability(
            &self,
            tenant: &Token,
            question: &Question,
        ) -> Result<Result<Availability, Mistaken>, Unreadable> {
            Ok(shelves(&[("A", "berlin", 7), ("B", "berlin", 1)]).look(tenant, question))
        }
    }

    #[tokio::test]
    async fn a_known_order_is_told_with_version_phase_and_status() {
        let text = status(&OneOrder, "retail.v1.query.main.order.status.o-1").await;
        assert_eq!(text, r#"{"order_id":"o-1","version":3,"phase":"committed","status":{"erp":"none"}}"#);
    }

    #[tokio::test]
    async fn an_unknown_order_and_a_bad_id_are_told_why() {
        let text = status(&OneOrder, "retail.v1.query.other.order.status.o-1").await;
        assert!(text.contains(r#""code":"unknown_entity""#), "{text}");
        let text = status(&OneOrder, "retail.v1.query.main.order.status.o$1").await;
        assert!(text.contains(r#""code":"schema_invalid""#), "{text}");
    }

    #[test]
    fn availability_is_told_of_the_item_of_the_subject_or_those_of_the_body() {
        let cells = |subject: &str, body: &str| -> Vec<(String, u64)> {
            let text = availability(&OneOrder, subject, body.as_bytes());
            let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(answer["as_of"].is_string(), "{answer}");
            let cells = answer["cells"].as_array().unwrap();
            cells
                .iter()
                .map(|cell| (cell["sku"].as_str().unwrap().to_owned(), cell["available"].as_u64().unwrap()))
                .collect()
        };
        let subject = "retail.v1.query.main.stock.availability.A";
        assert_eq!(cells(subject, ""), [("A".to_owned(), 7)]);
        let both = [("B".to_owned(), 1), ("A".to_owned(), 7)];
        assert_eq!(cells(subject, r#"{"skus":["B","A"],"nodes":["berlin"]}"#), both);
        for body in ["[]", r#"{"skus":[]}"#, r#"{"sku":"A"}"#] {
            let text = availability(&OneOrder, subject, body.as_bytes());
            assert!(text.contains(r#""code":"schema_invalid""#), "{text}");
        }
    }

    fn question(reply_to: &str) -> Request {
        let subject = "retail.v1.query.main.order.status.o-1".to_owned();
        Request { subject, reply_to: Some(reply_to.to_owned()), headers: Headers::new(), body: Bytes::new() }
    }

    #[actix::test]
    async fn an_answer_goes_only_where_nobody_takes_it_for_a_message() {
        let layout = Layout::default();
        let bus: SharedBus = composition::memory(&layout);
        let mut heard = bus.subscribe(">").await.unwrap();
        for reply_to in [
            "retail.v1.reply.main.payment.authorized.o-1",
            "retail.v1.receipt.other.me",
            "_INBOX.one",
            "retail.v1.receipt.main.me",
        ] {
            answer(&bus, &layout, &OneOrder, question(reply_to)).await;
        }
        for allowed in ["_INBOX.one", "retail.v1.receipt.main.me"] {
            let message = tokio::time::timeout(Duration::from_secs(5), heard.next()).await.unwrap().unwrap();
            assert_eq!(message.subject, allowed);
        }
    }
}
