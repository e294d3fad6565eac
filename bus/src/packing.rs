//! Several messages in one broker message (CONTRACT: batches and pages): the broker's cost for each message is most of the
//! cost of an order.

use domain::envelope::Headers;
use domain::messages::body::{Format, message_pack_of};
use rmp::encode::{write_array_len, write_map_len, write_str};

use crate::ports::Outgoing;

/// How many items a batch may have (CONTRACT: inbound batch).
const MOST_ITEMS: usize = 64;

/// How many bytes a batch may have; leaves room below the 256 KiB that a message may have.
const MOST_BYTES: usize = 192 * 1024;

/// What an item needs besides its body and the values of its headers, roughly.
const ITEM_BYTES: usize = 512;

/// A message that may share a broker message with others of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packable {
    /// The message; its body is JSON.
    pub message: Outgoing,
    /// The entity that it is for.
    pub key: String,
    /// The partition of that entity.
    pub partition: u16,
}

/// The same message with its JSON body in `format`.
pub fn encoded(mut message: Outgoing, format: Format) -> Outgoing {
    if format == Format::MessagePack {
        message.body = message_pack_of(&message.body).expect("what we send is made as JSON").into();
        let headers = message.headers.iter().filter(|(name, _)| *name != "content-type");
        let headers: Headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        message.headers = headers.with("content-type", format.content_type());
    }
    message
}

/// Packs messages of one plane, tenant, domain and partition into batches of `format`, in their order; gives each broker
/// message with the number of messages in it. One alone is sent as itself.
pub fn pack(messages: Vec<Packable>, format: Format) -> Vec<(Outgoing, usize)> {
    // Most often there is one place only: a record is of one partition, and few have several tenants.
    let mut places: Vec<(String, u16, Vec<Packable>)> = Vec::new();
    for item in messages {
        let (front, partition) = (front(&item.message.subject), item.partition);
        match places.iter_mut().find(|(known, number, _)| *number == partition && known == front) {
            Some((_, _, items)) => items.push(item),
            None => places.push((front.to_owned(), partition, vec![item])),
        }
    }
    let mut packed = Vec::new();
    for (front, _, items) in places {
        let (mut open, mut bytes) = (Vec::new(), 0);
        for item in items {
            let size = item.message.body.len() + ITEM_BYTES;
            if open.len() >= MOST_ITEMS || bytes + size > MOST_BYTES {
                packed.extend(close(&front, &mut open, format));
                bytes = 0;
            }
            bytes += size;
            open.push(item);
        }
        packed.extend(close(&front, &mut open, format));
    }
    packed
}

/// `<root>.v1.<plane>.<tenant>.<domain>`.
fn front(subject: &str) -> &str {
    subject.rsplitn(3, '.').nth(2).unwrap_or(subject)
}

fn close(front: &str, open: &mut Vec<Packable>, format: Format) -> Option<(Outgoing, usize)> {
    if open.len() < 2 {
        return open.pop().map(|alone| (encoded(alone.message, format), 1));
    }
    let (first, count) = (&open[0].message, open.len());
    let header = |name: &str| first.headers.get(name).unwrap_or_default().to_owned();
    let domain = front.rsplit('.').next().unwrap_or_default();
    let headers = Headers::new()
        .with("ce-id", format!("{}+{}", header("ce-id"), count - 1))
        .with("ce-type", format!("retail.{domain}.batch.v1"))
        .with("ce-source", header("ce-source"))
        .with("content-type", format.content_type());
    // On what we send the last token is the partition, on what others send the key of any item: the first one's serves both.
    let last = first.subject.rsplit('.').next().unwrap_or_default();
    let body = match format {
        Format::Json => json_body(domain, open).into(),
        Format::MessagePack => pack_body(domain, open).into(),
    };
    let batch = Outgoing { subject: format!("{front}.batch.{last}"), headers, body };
    open.clear();
    Some((batch, count))
}

/// The JSON array. Bodies are JSON already and are not read again.
fn json_body(domain: &str, items: &[Packable]) -> Vec<u8> {
    let mut json = Vec::with_capacity(items.iter().map(|item| item.message.body.len() + ITEM_BYTES).sum());
    for Packable { message, key, .. } in items {
        json.push(if json.is_empty() { b'[' } else { b',' });
        let name = message.subject.rsplit('.').nth(1).unwrap_or_default();
        for piece in
            [r#"{"domain":""#, domain, r#"","name":""#, name, r#"","key":""#, key, r#"","headers":{"#]
        {
            json.extend_from_slice(piece.as_bytes());
        }
        let mut comma = "\"";
        for (name, value) in message.headers.iter().filter(|(name, _)| *name != "content-type") {
            for piece in [comma, name, "\":"] {
                json.extend_from_slice(piece.as_bytes());
            }
            push_text(&mut json, value);
            comma = ",\"";
        }
        json.extend_from_slice(br#"},"body":"#);
        json.extend_from_slice(&message.body);
        json.push(b'}');
    }
    json.push(b']');
    json
}

/// A JSON text. Nearly none has anything to escape, which is seen faster than it is escaped.
fn push_text(json: &mut Vec<u8>, text: &str) {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        serde_json::to_writer(json, text).expect("text is plain data, and memory does not refuse");
        return;
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// The same array in MessagePack.
fn pack_body(domain: &str, items: &[Packable]) -> Vec<u8> {
    const WRITES: &str = "writing to a Vec cannot fail";
    let length = |count: usize| u32::try_from(count).expect("a batch has few items with few headers");
    let mut bytes = Vec::with_capacity(items.iter().map(|item| item.message.body.len() + ITEM_BYTES).sum());
    let text = |bytes: &mut Vec<u8>, text: &str| write_str(bytes, text).expect(WRITES);
    write_array_len(&mut bytes, length(items.len())).expect(WRITES);
    for Packable { message, key, .. } in items {
        let name = message.subject.rsplit('.').nth(1).unwrap_or_default();
        write_map_len(&mut bytes, 5).expect(WRITES);
        for (field, value) in [("domain", domain), ("name", name), ("key", key)] {
            text(&mut bytes, field);
            text(&mut bytes, value);
        }
        text(&mut bytes, "headers");
        let headers: Vec<_> = message.headers.iter().filter(|(name, _)| *name != "content-type").collect();
        write_map_len(&mut bytes, length(headers.len())).expect(WRITES);
        for (name, value) in headers {
            text(&mut bytes, name);
            text(&mut bytes, value);
        }
        text(&mut bytes, "body");
        bytes.extend(message_pack_of(&message.body).expect("what we send is made as JSON"));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use domain::envelope::Headers;

    use domain::messages::body::{Format, json_of};

    use super::{Packable, encoded, pack};
    use crate::ports::Outgoing;

    fn command(name: &str, partition: u16, key: &str) -> Packable {
        let message = Outgoing {
            subject: format!("retail.v1.cmd.main.payment.{name}.{partition}"),
            headers: Headers::new().with("ce-id", format!("e-{key}")).with("Key", key),
            body: format!(r#"{{"order_id":"{key}"}}"#).into(),
        };
        Packable { message, key: key.to_owned(), partition }
    }

    #[test]
    fn messages_to_one_place_share_a_message_in_their_order() {
        let packed = pack(
            vec![command("capture", 3, "a"), command("void", 4, "c"), command("void", 3, "b")],
            Format::Json,
        );
        let subjects: Vec<&str> = packed.iter().map(|(message, _)| message.subject.as_str()).collect();
        assert_eq!(subjects, ["retail.v1.cmd.main.payment.batch.3", "retail.v1.cmd.main.payment.void.4"]);
        let items: serde_json::Value = serde_json::from_slice(&packed[0].0.body).unwrap();
        assert_eq!(items[0]["name"], "capture");
        assert_eq!(items[1]["key"], "b");
        assert_eq!(items[1]["headers"]["Key"], "b");
        assert_eq!(items[1]["body"]["order_id"], "b");
    }

    #[test]
    fn a_batch_has_at_most_64_items_and_keeps_below_the_size_of_a_message() {
        let packed = pack((0..130).map(|n| command("void", 1, &format!("k{n}"))).collect(), Format::Json);
        for (message, count) in &packed {
            let items: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            assert_eq!(items.as_array().unwrap().len(), *count);
        }
        assert_eq!(packed.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [64, 64, 2]);
        let mut large = command("void", 1, "k");
        large.message.body = format!(r#"{{"order_id":"{}"}}"#, "x".repeat(100 * 1024)).into();
        assert_eq!(pack(vec![large.clone(), large], Format::Json).len(), 2);
    }

    #[test]
    fn a_reader_of_message_pack_is_sent_the_same_in_message_pack() {
        let commands = || vec![command("capture", 3, "a"), command("void", 3, "b"), command("void", 4, "c")];
        let (json, packed) = (pack(commands(), Format::Json), pack(commands(), Format::MessagePack));
        for ((json, one), (packed, other)) in json.iter().zip(&packed) {
            assert_eq!((one, &json.subject), (other, &packed.subject));
            assert_eq!(packed.headers.get("content-type"), Some("application/msgpack"));
            let value = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
            assert_eq!(value(&json_of(&packed.body).unwrap()), value(&json.body));
        }
        let alone = command("void", 4, "c").message;
        assert_eq!(encoded(alone.clone(), Format::Json), alone);
        assert_eq!(encoded(alone.clone(), Format::MessagePack), packed[1].0);
    }
}
