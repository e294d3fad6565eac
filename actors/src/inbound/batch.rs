//! Several messages in one: each item is taken as if it had come alone.

use std::collections::BTreeMap;

use bus::layout::Layout;
use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::Decider;
use domain::envelope::{Envelope, Headers};
use domain::ids::{Key, Token};
use domain::reason::{DeadReason, Refusal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::letter::refuse;
use super::screening::{self, MOST_DEPTH};
use super::{Elsewhere, Item};
use crate::config::MOST_BATCH_ITEMS;

/// Array and item stand around each body.
const LEVELS_AROUND_A_BODY: usize = 2;

#[derive(Deserialize)]
struct BatchItem<'a> {
    domain: String,
    name: String,
    key: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Takes a batch apart. One that is no array, or too long, is refused as a whole.
pub(super) fn screen<D: Decider>(layout: &Layout, partition: u16, batch: &Envelope) -> Vec<Item<D::Message>> {
    let whole = |refusal| vec![Item::Refused(refuse::<D>(layout, batch.clone(), refusal))];
    let checked = screening::outside(layout, batch)
        .and_then(|()| screening::depth(batch, MOST_DEPTH + LEVELS_AROUND_A_BODY))
        .and_then(|()| as_json(batch));
    let json = match checked {
        Ok(json) => json,
        Err(refusal) => return whole(refusal),
    };
    let rows: Vec<&RawValue> = match serde_json::from_slice(&json) {
        Ok(rows) => rows,
        Err(error) => {
            return whole(Refusal::new(
                DeadReason::Schema,
                "",
                format!("expected an array of items: {error}"),
            ));
        }
    };
    if rows.len() > MOST_BATCH_ITEMS {
        let text = format!("{} items, at most {MOST_BATCH_ITEMS} are taken", rows.len());
        return whole(Refusal::new(DeadReason::Oversize, "", text));
    }
    rows.iter().zip(0..).map(|(row, index)| item::<D>(layout, partition, batch, &json, row, index)).collect()
}

fn as_json(batch: &Envelope) -> Result<Bytes, Refusal> {
    if !screening::is_message_pack(&batch.headers) {
        return Ok(batch.body.clone());
    }
    let refusal =
        |error: String| Refusal::new(DeadReason::Schema, "", format!("expected an array of items: {error}"));
    let value: serde_json::Value =
        rmp_serde::from_slice(&batch.body).map_err(|error| refusal(error.to_string()))?;
    serde_json::to_vec(&value).map(Bytes::from).map_err(|error| refusal(error.to_string()))
}

fn item<D: Decider>(
    layout: &Layout,
    partition: u16,
    batch: &Envelope,
    json: &Bytes,
    row: &RawValue,
    index: u16,
) -> Item<D::Message> {
    let mut envelope = Envelope { item: Some(index), ..batch.clone() };
    let parsed = match serde_json::from_str::<BatchItem<'_>>(row.get()) {
        Ok(parsed) => parsed,
        Err(error) => {
            envelope.body = json.slice_ref(row.get().as_bytes());
            envelope.headers = headers(batch, BTreeMap::new(), index);
            let text = format!("not an item {{domain, name, key, headers, body}}: {error}");
            return Item::Refused(refuse::<D>(layout, envelope, Refusal::new(DeadReason::Schema, "", text)));
        }
    };
    envelope.body = json.slice_ref(parsed.body.get().as_bytes());
    envelope.headers = headers(batch, parsed.headers, index);
    let key = match address(&mut envelope, batch, &parsed.domain, &parsed.name, &parsed.key) {
        Ok(key) => key,
        Err(refusal) => return Item::Refused(refuse::<D>(layout, envelope, refusal)),
    };
    if let Err(refusal) = carried(&envelope.headers) {
        return Item::Refused(refuse::<D>(layout, envelope, refusal));
    }
    let own_partition = key.partition(layout.partitions);
    if own_partition == partition {
        return screening::screen::<D>(layout, partition, envelope);
    }
    let Envelope { plane, tenant, domain, name, headers, body, .. } = &envelope;
    let subject = layout.inbound(*plane, tenant, domain, name, &key);
    let message = Outgoing { subject, headers: for_the_way(headers), body: body.clone() };
    Item::Elsewhere(Elsewhere { partition: own_partition, message, envelope })
}

fn address(
    envelope: &mut Envelope,
    batch: &Envelope,
    domain: &str,
    name: &str,
    key: &str,
) -> Result<Key, Refusal> {
    let wrong = |pointer: &str, text: String| Refusal::new(DeadReason::Schema, pointer, text);
    envelope.name = Token::new(name).map_err(|error| wrong("/name", error.to_string()))?;
    if name == "batch" {
        return Err(wrong("/name", "a batch cannot hold a batch".to_owned()));
    }
    if domain != batch.domain.as_str() {
        return Err(wrong(
            "/domain",
            format!("{domain:?} differs from the subject's, which is {}", batch.domain),
        ));
    }
    Key::new(key).map_err(|error| wrong("/key", error.to_string()))
}

/// Headers as a message of its own could have them, so that an item fares the same in every partition.
fn carried(headers: &Headers) -> Result<(), Refusal> {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let is_value = |value: &str| !value.contains(['\r', '\n']);
    let wrong = headers.iter().find(|(name, value)| !is_name(name) || !is_value(value));
    wrong.map_or(Ok(()), |(name, _)| {
        let text = "no header of a message; expected a name of visible ASCII and a value of one line";
        Err(Refusal::new(DeadReason::Schema, format!("/headers/{name}"), text.to_owned()))
    })
}

/// Without what would command the broker (an expected sequence, say): only we speak to it when we hand on.
fn for_the_way(headers: &Headers) -> Headers {
    let commands = |name: &str| name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-"));
    let ours = headers.iter().filter(|(name, _)| !commands(name));
    ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The item's headers, with its identity: its own, or the batch's and its place.
fn headers(batch: &Envelope, own: BTreeMap<String, String>, index: u16) -> Headers {
    let mut headers: Headers =
        own.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")).collect();
    if headers.get("ce-source").is_none() {
        headers.push("ce-source", batch.source().to_owned());
    }
    if headers.get("ce-id").is_none() {
        headers.push("ce-id", format!("{}#{index}", batch.id()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use domain::envelope::Headers;

    use super::{carried, for_the_way};

    #[test]
    fn headers_that_no_message_can_have_are_named() {
        assert!(carried(&Headers::new().with("Key", "o-1").with("x", "ü b")).is_ok());
        for (name, value) in [("", "v"), ("a b", "v"), ("a:b", "v"), ("é", "v"), ("x", "a\r\nb")] {
            let refusal = carried(&Headers::new().with(name, value)).unwrap_err();
            assert_eq!(refusal.violations[0].pointer, format!("/headers/{name}"));
        }
    }

    #[test]
    fn what_would_command_the_broker_is_not_handed_on() {
        let given = Headers::new().with("nats-expected-last-sequence", "1").with("Nats-Rollup", "all");
        assert_eq!(for_the_way(&given.with("ce-id", "m1")), Headers::new().with("ce-id", "m1"));
    }
}
