//! The participants of the standard order: each command is answered at once, from the command alone, without any books. One
//! message with commands gets one message with answers, so that the same commands always bring the same answers.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bus::ports::{OpenError, Outgoing, Position, SharedBus, Stored};
use domain::decider::Participant;
use domain::envelope::HeaderWriter;
use tokio::sync::watch;
use tokio::time::Instant;

use super::deliver;
use crate::contract::{Command, Naming};

/// How many commands are read at once.
const MOST_AT_ONCE: usize = 256;
/// How long the loop waits for commands before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a warehouse packs. A parcel that left at once would overtake the warehouse's own answer, which comes on another
/// stream, and spare the server that answer.
const PACKING: Duration = Duration::from_millis(20);
const WRITES: &str = "writing to a String cannot fail";

/// Reads the commands to one participant from their beginning and answers them, until `shutdown` says true.
pub async fn answer_all(
    bus: SharedBus,
    naming: Naming,
    participant: Participant,
    shutdown: watch::Receiver<bool>,
) -> Result<(), OpenError> {
    let mut reader = bus.open(&naming.commands(participant), None, Position::default()).await?;
    // In the order in which they are due: every parcel takes equally long. Never more than there are orders under way.
    let mut packing: VecDeque<(Instant, Outgoing)> = VecDeque::new();
    while !*shutdown.borrow() {
        let now = Instant::now();
        while packing.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, parcel)) = packing.pop_front() {
                say(&bus, parcel).await;
            }
        }
        let patience =
            packing.front().map_or(PATIENCE, |(due, _)| due.saturating_duration_since(now).min(PATIENCE));
        for stored in reader.next(MOST_AT_ONCE, patience).await? {
            match answers(&naming, &stored) {
                Ok(said) => {
                    for reply in said.replies {
                        say(&bus, reply).await;
                    }
                    let due = Instant::now() + PACKING;
                    packing.extend(said.facts.into_iter().map(|fact| (due, fact)));
                }
                Err(cause) => tracing::error!(?participant, cause, "a command was not answered"),
            }
        }
    }
    Ok(())
}

async fn say(bus: &SharedBus, message: Outgoing) {
    let subject = message.subject.clone();
    if !deliver(&**bus, message).await {
        tracing::error!(subject, "an answer could not be sent");
    }
}

/// What is said to one message.
#[derive(Debug, Default)]
struct Answers {
    replies: Vec<Outgoing>,
    facts: Vec<Outgoing>,
}

/// One answer or fact, before it is packed.
struct Said<'a> {
    command: &'a Command<'a>,
    mark: char,
    domain: &'static str,
    name: &'static str,
    body: String,
}

impl Said<'_> {
    fn id(&self) -> String {
        format!("{}-{}:{}", self.mark, self.command.effect_id, self.command.epoch)
    }

    /// Facts are nobody's answer.
    fn is_answer(&self) -> bool {
        self.mark == 'r'
    }
}

/// What is said to one message with one command or several.
fn answers(naming: &Naming, stored: &Stored) -> Result<Answers, String> {
    let commands = Command::read_all(stored).map_err(|cause| cause.to_string())?;
    let is_batch = stored.subject.split('.').nth(5) == Some("batch");
    let (mut replies, mut facts) = (Vec::with_capacity(commands.len()), Vec::new());
    for command in &commands {
        let (domain, name, body) = reply(command).ok_or_else(|| unknown(command))?;
        replies.push(Said { command, mark: 'r', domain, name, body });
        if domain == "shipment" {
            facts.push(Said {
                command,
                mark: 'd',
                domain: "shipment",
                name: "departed",
                body: departed(command),
            });
        }
    }
    let id = stored.headers.get("ce-id").unwrap_or_default();
    let messages = |plane: &str, said: &[Said<'_>]| {
        if is_batch && !said.is_empty() {
            vec![batch(naming, plane, id, said)]
        } else {
            said.iter().map(|said| single(naming, plane, said)).collect()
        }
    };
    Ok(Answers { replies: messages("reply", &replies), facts: messages("fact", &facts) })
}

fn unknown(command: &Command<'_>) -> String {
    format!("{}.{} is no command of the standard order", command.domain, command.name)
}

fn single(naming: &Naming, plane: &str, said: &Said<'_>) -> Outgoing {
    let mut headers = HeaderWriter::with_capacity(256);
    headers.push("ce-id", &said.id());
    headers.push("ce-source", source(said.domain));
    headers.push("content-type", "application/json");
    if said.is_answer() {
        headers.push("Effect-Id", said.command.effect_id);
        headers.push("Effect-Epoch", said.command.epoch);
    }
    let headers = headers.finish();
    let subject = naming.subject(plane, said.domain, said.name, said.command.key);
    Outgoing { subject, headers, body: said.body.clone().into() }
}

fn batch(naming: &Naming, plane: &str, command_id: &str, said: &[Said<'_>]) -> Outgoing {
    let (first, mut body) = (&said[0], String::with_capacity(384 * said.len()));
    for item in said {
        body.push(if body.is_empty() { '[' } else { ',' });
        let (domain, name, key, id, source) =
            (item.domain, item.name, item.command.key, item.id(), source(item.domain));
        write!(
            body,
            r#"{{"domain":"{domain}","name":"{name}","key":"{key}","headers":{{"ce-id":"{id}","ce-source":"{source}""#
        )
        .expect(WRITES);
        if item.is_answer() {
            let (effect, epoch) = (item.command.effect_id, item.command.epoch);
            write!(body, r#","Effect-Id":"{effect}","Effect-Epoch":"{epoch}""#).expect(WRITES);
        }
        write!(body, r#"}},"body":{}}}"#, item.body).expect(WRITES);
    }
    body.push(']');
    let mut headers = HeaderWriter::with_capacity(256);
    headers.push("ce-id", &format!("{}b-{command_id}", first.mark));
    headers.push("ce-source", source(first.domain));
    headers.push("content-type", "application/json");
    let headers = headers.finish();
    let subject = naming.subject(plane, first.domain, "batch", first.command.key);
    Outgoing { subject, headers, body: body.into() }
}

const fn source(domain: &str) -> &'static str {
    match domain.as_bytes() {
        b"loyalty" => "/load/loyalty",
        b"payment" => "/load/payment",
        b"allocation" => "/load/allocation",
        b"shipment" => "/load/shipment",
        _ => "/load/erp",
    }
}

/// The answer to a command of the standard order; none = it has no such command.
fn reply(command: &Command<'_>) -> Option<(&'static str, &'static str, String)> {
    let (order, body) = (command.key, &command.body);
    let points = body.points;
    let (tender, amount, currency) = (&body.tender, body.amount_minor, &body.currency);
    let said = match (command.domain, command.name) {
        ("loyalty", "reserve") => (
            "loyalty",
            "reserved",
            format!(r#"{{"order_id":"{order}","points":{points},"reservation_ref":"res-{order}"}}"#),
        ),
        ("loyalty", "finalize") => {
            ("loyalty", "finalized", format!(r#"{{"order_id":"{order}","points":{points}}}"#))
        }
        ("loyalty", "accrue") => {
            let (delta, target) = (body.points_delta, body.target_points);
            let text = format!(r#"{{"order_id":"{order}","points_delta":{delta},"target_points":{target}}}"#);
            ("loyalty", "accrued", text)
        }
        ("payment", "authorize") => (
            "payment",
            "authorized",
            format!(
                r#"{{"order_id":"{order}","tender":"{tender}","amount_minor":{amount},"currency":"{currency}","authorization_ref":"auth-{order}-{tender}"}}"#
            ),
        ),
        ("payment", "capture") => (
            "payment",
            "captured",
            format!(
                r#"{{"order_id":"{order}","tender":"{tender}","amount_minor":{amount},"currency":"{currency}","settlement_ref":"{}"}}"#,
                body.settlement_ref
            ),
        ),
        ("allocation", "allocate") => ("allocation", "allocated", allocated(command)),
        ("fulfillment", "release") => {
            let (shipment, node) = (&body.shipment_id, &body.node);
            let text = format!(r#"{{"order_id":"{order}","shipment_id":"{shipment}","node":"{node}"}}"#);
            ("shipment", "accepted", text)
        }
        ("erp", "post") => {
            let key = &body.document_key;
            let text =
                format!(r#"{{"order_id":"{order}","document_key":"{key}","document_no":"4500000001"}}"#);
            ("erp", "posted", text)
        }
        _ => return None,
    };
    Some(said)
}

fn allocated(command: &Command<'_>) -> String {
    let mut text = format!(r#"{{"order_id":"{}","allocations":["#, command.key);
    let mut comma = "";
    for (number, row) in (1..).zip(&command.body.lines) {
        let (line, sku, quantity) = (row.line.unwrap_or_default(), &row.sku, row.quantity);
        write!(
            text,
            r#"{comma}{{"allocation_ref":"al-{}-{number}","line":{line},"sku":"{sku}","quantity":{quantity},"node":"n-1"}}"#,
            command.key
        )
        .expect(WRITES);
        comma = ",";
    }
    text.push_str("]}");
    text
}

fn departed(command: &Command<'_>) -> String {
    let (order, body) = (command.key, &command.body);
    let (shipment, node) = (&body.shipment_id, &body.node);
    let mut text = format!(
        r#"{{"order_id":"{order}","shipment_id":"{shipment}","parcel_id":"{shipment}-1","node":"{node}","carrier":"dhl","tracking":"trk-{shipment}-1","lines":["#
    );
    let mut comma = "";
    for row in &body.lines {
        let (line, quantity) = (row.line.unwrap_or_default(), row.quantity);
        write!(text, r#"{comma}{{"line":{line},"quantity":{quantity}}}"#).expect(WRITES);
        comma = ",";
    }
    text.push_str(r#"],"departed_at":"2026-11-27T09:00:00Z"}"#);
    text
}

#[cfg(test)]
mod tests {
    use bus::ports::Stored;
    use domain::envelope::Headers;

    use super::{Answers, answers};
    use crate::contract::Naming;

    fn release(subject: &str, body: &str) -> Stored {
        let headers = Headers::new()
            .with("ce-id", "e1:1")
            .with("Key", "raw-0000001-00a")
            .with("Effect-Id", "e1")
            .with("Effect-Epoch", "1")
            .with("Idempotency-Key", "k1");
        let body = body.to_owned().into();
        Stored { subject: subject.to_owned(), headers, body, sequence: 1, timestamp_ns: 1 }
    }

    const BODY: &str = r#"{"order_id":"raw-0000001-00a","shipment_id":"sh-1","node":"n-1","lines":[{"line":1,"sku":"A","quantity":2}]}"#;

    #[test]
    fn a_release_is_accepted_and_departs() {
        let stored = release("retail.v1.cmd.main.fulfillment.release.3", BODY);
        let Answers { mut replies, facts } = answers(&Naming::default(), &stored).unwrap();
        replies.extend(facts);
        let said = replies;
        let subjects: Vec<&str> = said.iter().map(|message| message.subject.as_str()).collect();
        assert_eq!(
            subjects,
            [
                "retail.v1.reply.main.shipment.accepted.raw-0000001-00a",
                "retail.v1.fact.main.shipment.departed.raw-0000001-00a"
            ]
        );
        assert_eq!(said[0].headers.get("Effect-Id"), Some("e1"));
        for message in &said {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            assert_eq!(body["order_id"], "raw-0000001-00a");
        }
    }

    #[test]
    fn a_batch_of_commands_is_answered_by_a_batch_on_each_plane() {
        let item = |effect: &str| {
            format!(
                r#"{{"domain":"fulfillment","name":"release","key":"raw-0000001-00a","headers":{{"Effect-Id":"{effect}","Effect-Epoch":"1","Idempotency-Key":"k"}},"body":{BODY}}}"#
            )
        };
        let body = format!("[{},{}]", item("e1"), item("e2"));
        let said =
            answers(&Naming::default(), &release("retail.v1.cmd.main.fulfillment.batch.3", &body)).unwrap();
        let said = [said.replies, said.facts].concat();
        assert_eq!(said.len(), 2);
        for (message, name) in said.iter().zip(["accepted", "departed"]) {
            let items: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            assert_eq!(items.as_array().unwrap().len(), 2);
            assert_eq!(items[1]["name"], name);
        }
    }
}
