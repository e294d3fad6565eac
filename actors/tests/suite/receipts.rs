//! Receipts: nobody who asked for one is left without.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bus::ports::Bus;
use domain::envelope::Plane;
use serde_json::{Value, json};

use crate::world::{World, identity, pass, run, until};

const REPLY: &str = "_INBOX.test";

/// Everything that comes to the inbox.
pub(crate) async fn inbox(world: &World) -> Rc<RefCell<Vec<Value>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let mut subscription = world.memory.subscribe("_INBOX.>").await.unwrap();
    let receipts = Rc::clone(&heard);
    actix::spawn(async move {
        while let Some(receipt) = subscription.next().await {
            receipts.borrow_mut().push(serde_json::from_slice::<Value>(&receipt.body).unwrap());
        }
    });
    heard
}

async fn expect(heard: &Rc<RefCell<Vec<Value>>>, expected: Value) {
    until(&format!("the receipt {expected} is there"), || async { !heard.borrow().is_empty() }).await;
    assert_eq!(heard.borrow_mut().remove(0), expected);
}

fn receipt(outcome: &str, version: u64) -> Value {
    json!({"order_id": "t-1", "outcome": outcome, "order_version": version, "reason": null})
}

#[test]
fn given_new_work_when_it_is_settled_or_its_deadline_passes_then_the_receipt_says_so() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let heard = inbox(&world).await;
        let body = json!({"tally_id": "t-1", "waits": true});
        let headers =
            [("ce-id", "1"), ("ce-source", "/test"), ("Reply-To", REPLY), ("Receipt-Deadline-Ms", "300")];
        world.say(Plane::Intake, "tally.open", "t-1", body.clone(), &headers).await;
        pass(250).await;
        assert!(heard.borrow().is_empty());
        let waiting = || node.flow().backpressure().receipts.there;
        assert_eq!(waiting(), 1);
        expect(&heard, receipt("pending", 1)).await;
        assert_eq!(waiting(), 0);
        world.say(Plane::Intake, "tally.open", "t-1", body.clone(), &headers).await;
        world.say(Plane::Fact, "tally.accept", "t-1", json!({"tally_id": "t-1"}), &identity("2")).await;
        world.until_version(&node, "t-1", 2).await;
        world.add("t-1", 1, "3").await;
        world.until_version(&node, "t-1", 3).await;
        heard.borrow_mut().clear();
        world.say(Plane::Intake, "tally.open", "t-1", body, &headers).await;
        expect(&heard, receipt("accepted", 2)).await;
        pass(1_000).await;
        assert!(heard.borrow().is_empty(), "one message, one receipt: {heard:?}");
    });
}

#[test]
fn given_a_waiting_receipt_when_the_order_is_settled_then_it_is_sent_at_once() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let heard = inbox(&world).await;
        let headers =
            [("ce-id", "1"), ("ce-source", "/test"), ("Reply-To", REPLY), ("Receipt-Deadline-Ms", "20000")];
        world
            .say(Plane::Intake, "tally.open", "t-1", json!({"tally_id": "t-1", "waits": true}), &headers)
            .await;
        world.until_version(&node, "t-1", 1).await;
        world.say(Plane::Fact, "tally.accept", "t-1", json!({"tally_id": "t-1"}), &identity("2")).await;
        expect(&heard, receipt("accepted", 2)).await;
        pass(30_000).await;
        assert!(heard.borrow().is_empty());
    });
}

#[test]
fn given_wishes_and_work_that_cannot_be_when_they_are_taken_then_the_receipt_names_the_reason() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let heard = inbox(&world).await;
        let close = json!({"tally_id": "t-1"});
        let asking = [("ce-source", "/test"), ("Reply-To", REPLY)];
        world.say(Plane::Ask, "tally.close", "t-1", close.clone(), &asking).await;
        until("refused", || async { heard.borrow().len() == 1 }).await;
        let refused = heard.borrow_mut().remove(0);
        assert_eq!(
            (&refused["outcome"], &refused["reason"]["code"]),
            (&json!("rejected"), &json!("not_cancellable"))
        );
        let late = [("ce-expirytime", "2020-01-01T00:00:00Z"), ("Reply-To", REPLY)];
        world.say(Plane::Intake, "tally.open", "t-1", close.clone(), &late).await;
        until("expired", || async { heard.borrow().len() == 1 }).await;
        assert_eq!(heard.borrow_mut().remove(0)["reason"]["code"], "expired");
        assert_eq!(world.view(&node, "t-1").await, None, "nothing is remembered");
        world.open(&node, "t-1").await;
        world.say(Plane::Ask, "tally.close", "t-1", close, &asking).await;
        expect(&heard, receipt("accepted", 2)).await;
        world.say_raw(Plane::Intake, "tally.open", "t-2", "{}", &[("Reply-To", REPLY), ("Key", "t-2")]).await;
        until("wrong shape", || async { heard.borrow().len() == 1 }).await;
        let wrong = heard.borrow_mut().remove(0);
        assert_eq!((&wrong["order_id"], &wrong["reason"]["code"]), (&json!("t-2"), &json!("schema_invalid")));
    });
}

#[test]
fn given_a_reply_to_that_is_not_allowed_when_it_is_taken_then_nothing_is_sent_there() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let mut everything = world.memory.subscribe("shop.>").await.unwrap();
        let headers = [("ce-id", "hostile"), ("Reply-To", "shop.t-1")];
        world.say(Plane::Intake, "tally.open", "t-1", json!({"tally_id": "t-1"}), &headers).await;
        until("it is a dead letter", || async { world.letters().await.len() == 1 }).await;
        assert_eq!(world.letters().await[0].2["violations"][0]["pointer"], "/headers/Reply-To");
        assert_eq!(world.view(&node, "t-1").await, None);
        let heard = tokio::time::timeout(Duration::from_secs(5), everything.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    });
}

#[test]
fn given_a_kind_with_a_form_of_its_own_when_new_work_is_settled_then_its_receipt_has_that_form_every_time() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let heard = inbox(&world).await;
        let own = json!({"tally_id": "own", "outcome": "accepted", "version": 2});
        let headers = [("ce-id", "1"), ("ce-source", "/test"), ("Reply-To", REPLY)];
        let body = json!({"tally_id": "own", "waits": true});
        world.say(Plane::Intake, "tally.open", "own", body.clone(), &headers).await;
        world.until_version(&node, "own", 1).await;
        world.say(Plane::Fact, "tally.accept", "own", json!({"tally_id": "own"}), &identity("2")).await;
        world.until_version(&node, "own", 2).await;
        expect(&heard, own.clone()).await;
        world.say(Plane::Intake, "tally.open", "own", body, &headers).await;
        expect(&heard, own).await;
    });
}
