//! Several messages in one: each item is taken as if it had come alone.

use bus::layout::Layout;
use domain::decider::Decider;
use domain::envelope::{Envelope, HeaderWriter, Headers, Plane};
use domain::ids::{Key, Token};
use domain::reason::{DeadReason, Refusal, Violation};

use super::letter::refuse;
use super::rows::{Row, rows};
use super::{Elsewhere, Item, screening};
use crate::config::MOST_BATCH_BYTES;

/// What the batch says for those of its items that do not say it themselves, where a receipt can be asked for.
const SAID_FOR_ALL: [&str; 3] = ["Reply-To", "Receipt-Deadline-Ms", "ce-expirytime"];

/// Takes a batch apart. One that is no array, or too long, is refused as a whole.
pub(super) fn screen<D: Decider>(layout: &Layout, partition: u16, batch: &Envelope) -> Vec<Item<D::Message>> {
    match screening::outside(layout, batch, MOST_BATCH_BYTES).and_then(|()| rows(batch)) {
        Ok(rows) => rows
            .into_iter()
            .zip(0..)
            .map(|(row, index)| item::<D>(layout, partition, batch, row, index))
            .collect(),
        Err(refusal) => vec![Item::Refused(refuse::<D>(layout, batch.clone(), refusal))],
    }
}

fn item<D: Decider>(
    layout: &Layout,
    partition: u16,
    batch: &Envelope,
    mut row: Row<'_>,
    index: u16,
) -> Item<D::Message> {
    let mut violations = std::mem::take(&mut row.violations);
    let (name, key) = address(batch, &row, &mut violations);
    complete(&mut row.headers, batch, key.as_ref(), index);
    let headers = row.headers.finish();
    carried(&headers, &mut violations);
    let envelope = Envelope {
        tenant: batch.tenant.clone(),
        plane: batch.plane,
        domain: batch.domain.clone(),
        name: name.unwrap_or_else(|| batch.name.clone()),
        headers,
        body: row.body,
        stream: batch.stream.clone(),
        sequence: batch.sequence,
        item: Some(index),
        stored_at: batch.stored_at,
    };
    let Some(key) = key.filter(|_| violations.is_empty()) else {
        let refusal = Refusal { reason: DeadReason::Schema, violations };
        return Item::Refused(refuse::<D>(layout, envelope, refusal));
    };
    let own_partition = key.partition(layout.partitions);
    if own_partition == partition {
        return screening::screen::<D>(layout, partition, envelope);
    }
    let Envelope { plane, tenant, domain, name, .. } = &envelope;
    let subject = layout.inbound(*plane, tenant, domain, name, &key);
    Item::Elsewhere(Elsewhere { partition: own_partition, subject, envelope })
}

/// Name and key, as far as they can be told. A field that could not be read has its violation already.
fn address(batch: &Envelope, row: &Row<'_>, violations: &mut Vec<Violation>) -> (Option<Token>, Option<Key>) {
    let known: Vec<&str> = violations.iter().map(|violation| violation.pointer.as_str()).collect();
    let is_read =
        ["/domain", "/name", "/key"].map(|pointer| !known.contains(&pointer) && !known.contains(&""));
    let mut wrong = |pointer: &str, message: String| {
        violations.push(Violation { pointer: pointer.to_owned(), message });
    };
    if is_read[0] && row.domain != batch.domain.as_str() {
        let message = format!("{:?} differs from the subject's, which is {}", &*row.domain, batch.domain);
        wrong("/domain", message);
    }
    let mut name = None;
    if is_read[1] {
        match Token::new(&row.name) {
            Ok(_) if row.name == "batch" => wrong("/name", "a batch cannot hold a batch".to_owned()),
            Ok(token) => name = Some(token),
            Err(error) => wrong("/name", error.to_string()),
        }
    }
    let key = is_read[2]
        .then(|| Key::new(&row.key))
        .and_then(|key| key.map_err(|error| wrong("/key", error.to_string())).ok());
    (name, key)
}

/// Headers as a message of its own could have them, so that an item fares the same in every partition.
fn carried(headers: &Headers, violations: &mut Vec<Violation>) {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let is_value = |value: &str| !value.contains(['\r', '\n']);
    if let Some((name, _)) = headers.iter().find(|(name, value)| !is_name(name) || !is_value(value)) {
        let message = "no header of a message; expected a name of visible ASCII and a value of one line";
        violations.push(Violation { pointer: format!("/headers/{name}"), message: message.to_owned() });
    }
}

/// Without what would command the broker (an expected sequence, say): only we speak to it when we hand on.
pub(super) fn for_the_way(headers: &Headers) -> Headers {
    let commands = |name: &str| name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-"));
    let ours = headers.iter().filter(|(name, _)| !commands(name));
    ours.collect()
}

/// What an item has from its batch: its identity (its own, or the batch's and its place), its key, what is said for all.
fn complete(headers: &mut HeaderWriter, batch: &Envelope, key: Option<&Key>, index: u16) {
    if headers.get("ce-source").is_none() {
        headers.push("ce-source", batch.source());
    }
    if headers.get("ce-id").is_none() {
        headers.push("ce-id", &format!("{}#{index}", batch.id()));
    }
    if let Some(key) = key.filter(|_| headers.get("Key").is_none()) {
        headers.push("Key", key.as_str());
    }
    if !matches!(batch.plane, Plane::Intake | Plane::Ask) {
        return;
    }
    for name in SAID_FOR_ALL {
        if let Some(value) = batch.headers.get(name).filter(|_| headers.get(name).is_none()) {
            headers.push(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::envelope::Headers;

    use super::{carried, for_the_way};

    #[test]
    fn headers_that_no_message_can_have_are_named() {
        let wrong = |headers: &Headers| {
            let mut violations = Vec::new();
            carried(headers, &mut violations);
            violations
        };
        assert_eq!(wrong(&Headers::new().with("Key", "o-1").with("x", "ü b")), []);
        for (name, value) in [("", "v"), ("a b", "v"), ("a:b", "v"), ("é", "v"), ("x", "a\r\nb")] {
            let violations = wrong(&Headers::new().with(name, value));
            assert_eq!(violations[0].pointer, format!("/headers/{name}"));
        }
    }

    #[test]
    fn what_would_command_the_broker_is_not_handed_on() {
        let given = Headers::new().with("nats-expected-last-sequence", "1").with("Nats-Rollup", "all");
        assert_eq!(for_the_way(&given.with("ce-id", "m1")), Headers::new().with("ce-id", "m1"));
    }
}
