//! Atomic batches: all messages go out at once, the last one commits them and brings the answer for all.

use async_nats::{HeaderValue, RequestErrorKind};

use super::bus::{expecting, too_large};
use super::connect::Connection;
use super::translate;
use crate::ports::{Expect, MOST_IN_BATCH, Outgoing, StoreOutcome};

/// The headers of a message in a batch take this many bytes at the most, besides its own.
const BATCH_HEADERS: usize = 128;

/// One attempt. Each has a batch id of its own, so that it never mixes with what came of an earlier one.
pub(super) async fn store(connection: &Connection, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
    let count = messages.len();
    if count == 0 || count > MOST_IN_BATCH {
        return StoreOutcome::Refused(format!("a batch has 1 to {MOST_IN_BATCH} messages"));
    }
    let client = &connection.client;
    for message in &messages {
        if let Some(refused) = too_large(client, message) {
            return refused;
        }
        let most = client.max_payload();
        if most > 0 && message.body.len() + BATCH_HEADERS > most {
            return StoreOutcome::Refused(format!("larger than {most} bytes"));
        }
    }
    let mut losses = connection.watch();
    // Without a connection the library would queue the messages and send them at some later time.
    if !connection.is_up() {
        return StoreOutcome::Unknown("no connection".to_owned());
    }
    tokio::select! {
        biased;
        outcome = send(connection, messages, expect) => outcome,
        () = losses.lost() => StoreOutcome::Unknown("the connection was lost".to_owned()),
    }
}

async fn send(connection: &Connection, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
    let client = &connection.client;
    let (count, id) = (messages.len(), client.new_inbox());
    let id = id.rsplit('.').next().unwrap_or(&id).to_owned();
    for (place, message) in (1_usize..).zip(messages) {
        let Some(mut headers) = translate::header_map(&message.headers) else {
            return StoreOutcome::Refused("a header holds what no header can carry".to_owned());
        };
        if place == 1 {
            expecting(&mut headers, expect);
        }
        headers.insert("Nats-Batch-Id", id.as_str());
        headers.insert("Nats-Batch-Sequence", HeaderValue::from(place));
        if place < count {
            let sent = client.publish_with_headers(message.subject, headers, message.body).await;
            if let Err(error) = sent {
                return StoreOutcome::Unknown(error.to_string());
            }
            continue;
        }
        headers.insert("Nats-Batch-Commit", "1");
        let request = async_nats::Request::new().payload(message.body).headers(headers);
        return match client.send_request(message.subject, request).await {
            Ok(answer) => first_of(translate::outcome(&answer.payload), count),
            // Without a stream for it nobody answers either, but a batch goes to a stream that was there before.
            Err(error) => match error.kind() {
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    StoreOutcome::Refused(error.to_string())
                }
                RequestErrorKind::NoResponders | RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                    StoreOutcome::Unknown(error.to_string())
                }
            },
        };
    }
    StoreOutcome::Refused("a batch without messages".to_owned())
}

/// The stream names the sequence of the last message; all of them stand one behind the other.
fn first_of(outcome: StoreOutcome, count: usize) -> StoreOutcome {
    let before = u64::try_from(count - 1).expect("a length is a u64");
    match outcome {
        StoreOutcome::Stored(last) => StoreOutcome::Stored(last.saturating_sub(before)),
        other => other,
    }
}
