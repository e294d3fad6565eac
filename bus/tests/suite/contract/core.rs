//! Guarantee 8 and core messages: sends, subscriptions, requests.

use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{Outgoing, SharedBus};
use domain::decider::Participant;

use super::{PATIENCE, bodies, layout, message, read};

pub(crate) async fn a_send_reaches_the_stream_and_the_listeners(bus: SharedBus) {
    let layout = layout();
    let mut listening = bus.subscribe("retail.v1.cmd.*.erp.>").await.unwrap();
    assert!(bus.send(message(layout.command("main", "erp", "post", 2), "document")));
    let heard = tokio::time::timeout(PATIENCE, listening.next()).await.unwrap().unwrap();
    assert_eq!(
        (heard.subject, &heard.body[..]),
        (layout.command("main", "erp", "post", 2), b"document".as_slice())
    );
    assert_eq!(heard.headers.get("key"), Some("o-1"));
    let stream = layout.name(StreamId::Commands(Participant::Erp));
    let mut reader = bus.open(&stream, None, bus::ports::Position::default()).await.unwrap();
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["document"]);
}

pub(crate) async fn a_request_gets_its_answer(bus: SharedBus) {
    let mut service = bus.subscribe("retail.v1.query.main.order.status.*").await.unwrap();
    let answering = bus.clone();
    let answered = tokio::spawn(async move {
        let question = service.next().await.unwrap();
        let subject = question.reply_to.unwrap();
        answering.send(Outgoing { subject, headers: question.headers, body: question.body })
    });
    let question = message("retail.v1.query.main.order.status.o-1".to_owned(), "how is it?");
    let answer = bus.request(question, PATIENCE).await.unwrap();
    assert_eq!((&answer.body[..], answer.headers.get("ce-id")), (b"how is it?".as_slice(), Some("m-1")));
    assert!(answered.await.unwrap());
}

pub(crate) async fn a_request_that_nobody_hears_fails_at_once(bus: SharedBus) {
    let question = message("retail.v1.query.main.nobody.home.x".to_owned(), "?");
    let asking = bus.request(question, Duration::from_mins(1));
    assert!(tokio::time::timeout(PATIENCE, asking).await.unwrap().is_err());
}
