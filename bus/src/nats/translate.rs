//! Messages and errors, from the port's form to that of the client library and back.

use std::str::FromStr;

use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Message};
use domain::envelope::{HeaderWriter, Headers};
use serde::Deserialize;

use crate::ports::{Request, StoreOutcome, Stored};

/// The header names of the contract. Nearly every header has one of them, and a name that is known needs no copy.
const NAMES: [&str; 20] = [
    "ce-id",
    "ce-type",
    "ce-source",
    "ce-time",
    "content-type",
    "Key",
    "ce-correlationid",
    "Effect-Id",
    "Effect-Epoch",
    "Idempotency-Key",
    "ce-sequence",
    "Order-Version",
    "traceparent",
    "tracestate",
    "ce-causationid",
    "ce-expirytime",
    "ce-specversion",
    "Reply-To",
    "Receipt-Deadline-Ms",
    "Commit-Deadline-Ms",
];

/// What the length of a name or value takes beside it, if it has fewer than 4,096 bytes.
const USUAL_LENGTH_BYTES: usize = 2;

/// Its place among them.
fn known(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// None = a name or a value that no header can carry (a line break, say).
pub(super) fn header_map(headers: &Headers) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    let mut there = 0_u32;
    for (at, (text, value)) in headers.iter().enumerate() {
        let place = known(text);
        let name = match place {
            Some(place) => HeaderName::from_static(NAMES[place]),
            None => HeaderName::from_str(text).ok()?,
        };
        let value = HeaderValue::from_str(value).ok()?;
        let bit = place.map_or(0, |place| 1 << place);
        let earlier = || headers.iter().take(at).any(|(earlier, _)| earlier.eq_ignore_ascii_case(text));
        // To append looks for the name by its hash once more, and hardly any name is there twice.
        if there & bit != 0 || (bit == 0 && earlier()) {
            map.append(name, value);
        } else {
            map.insert(name, value);
        }
        there |= bit;
    }
    Some(map)
}

// The library keeps headers in no order of their own, so they are sorted: the same message reads the same every time.
fn headers(map: Option<&HeaderMap>) -> Headers {
    let Some(map) = map else { return Headers::new() };
    let values = map.iter().flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values.iter().map(move |value| (name, value.as_str()))
    });
    let mut pairs: Vec<(&str, &str)> = values.collect();
    pairs.sort_by_key(|(name, _)| *name);
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len() + 2 * USUAL_LENGTH_BYTES).sum();
    let mut writer = HeaderWriter::with_capacity(bytes);
    for (name, value) in pairs {
        writer.push(name, value);
    }
    writer.finish()
}

pub(super) fn raw(message: StreamMessage) -> Stored {
    Stored {
        subject: message.subject.as_str().to_owned(),
        headers: headers(Some(&message.headers)),
        body: message.payload,
        sequence: message.sequence,
        timestamp_ns: nanoseconds(message.time.unix_timestamp_nanos()),
    }
}

/// What a consumer delivered.
pub(super) struct Delivered {
    pub(super) stored: Stored,
    /// Its sequence in the consumer.
    pub(super) consumer_sequence: u64,
    /// How many more the consumer had to deliver then.
    pub(super) pending: u64,
}

/// A delivered message; none = it was not delivered by a consumer.
pub(super) fn delivered(message: async_nats::jetstream::Message) -> Option<Delivered> {
    let info = message.info().ok()?;
    let (consumer_sequence, sequence, pending) = (info.consumer_sequence, info.stream_sequence, info.pending);
    let timestamp_ns = nanoseconds(info.published.unix_timestamp_nanos());
    let (message, _) = message.split();
    let stored = Stored {
        subject: message.subject.as_str().to_owned(),
        headers: headers(message.headers.as_ref()),
        body: message.payload,
        sequence,
        timestamp_ns,
    };
    Some(Delivered { stored, consumer_sequence, pending })
}

pub(super) fn request(message: Message) -> Request {
    Request {
        subject: message.subject.as_str().to_owned(),
        reply_to: message.reply.map(|reply| reply.to_string()),
        headers: headers(message.headers.as_ref()),
        body: message.payload,
    }
}

pub(super) fn nanoseconds(exact: i128) -> i64 {
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// What a stream answers to a publish.
#[derive(Debug, Deserialize)]
struct Ack {
    seq: Option<u64>,
    error: Option<AckError>,
}

#[derive(Debug, Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Reads the answer of a stream to a publish.
pub(super) fn outcome(answer: &[u8]) -> StoreOutcome {
    match serde_json::from_slice(answer) {
        Ok(Ack { error: Some(error), .. }) => refusal(&error),
        Ok(Ack { seq: Some(sequence), error: None }) => StoreOutcome::Stored(sequence),
        Ok(_) | Err(_) => StoreOutcome::Unknown("the answer is no acknowledgement".to_owned()),
    }
}

fn refusal(error: &AckError) -> StoreOutcome {
    let text = || format!("{} ({})", error.description, error.err_code);
    match error.err_code {
        // Wrong last sequence (10071; 10164 while another is in process), wrong last message id (10070), the same id in
        // process (10158) or stored before (10201): somebody was here first, perhaps an earlier attempt of our own.
        10_070 | 10_071 | 10_158 | 10_164 | 10_201 => StoreOutcome::Conflict,
        // The store refused, and says by words that it was the bound of the stream or of the server.
        10_077 if error.description.contains("maximum") => StoreOutcome::Full,
        10_023 | 10_047 => StoreOutcome::Full,
        // Larger than the stream takes; sealed; a header that the stream does not know.
        // Batches: not allowed on the stream (10174), longer than the server takes (10199).
        10_054 | 10_109 | 10_174 | 10_199 | 10_166 | 10_060 => StoreOutcome::Refused(text()),
        _ => StoreOutcome::Unknown(text()),
    }
}

#[cfg(test)]
mod tests {
    use domain::envelope::Headers;

    use super::{header_map, headers, outcome};
    use crate::ports::StoreOutcome;

    #[test]
    fn each_refusal_of_a_stream_has_its_outcome() {
        let error = |code: u64, text: &str| {
            let json = format!(
                r#"{{"error":{{"code":503,"err_code":{code},"description":"{text}"}},"stream":"S","seq":0}}"#
            );
            outcome(json.as_bytes())
        };
        assert_eq!(outcome(br#"{"stream":"S","seq":7}"#), StoreOutcome::Stored(7));
        for code in [10_070, 10_071, 10_158, 10_164, 10_201] {
            assert_eq!(error(code, "wrong last sequence: 3"), StoreOutcome::Conflict, "{code}");
        }
        assert_eq!(error(10_077, "maximum messages exceeded"), StoreOutcome::Full);
        assert_eq!(error(10_047, "insufficient storage resources available"), StoreOutcome::Full);
        assert!(matches!(error(10_077, "disk on fire"), StoreOutcome::Unknown(_)));
        assert!(matches!(error(10_054, "message size exceeds maximum allowed"), StoreOutcome::Refused(_)));
        assert!(matches!(outcome(b"hello"), StoreOutcome::Unknown(_)));
    }

    #[test]
    fn headers_survive_the_way_there_and_back_and_line_breaks_do_not_get_in() {
        let sent = Headers::new().with("Key", "o-1").with("ce-id", "m1");
        assert_eq!(headers(header_map(&sent).as_ref()), sent);
        assert!(header_map(&Headers::new().with("Key", "o-1\r\nKey: o-2")).is_none());
    }

    #[test]
    fn a_header_that_is_there_twice_keeps_both_values() {
        let twice = [("Key", "1"), ("ce-id", "2"), ("Key", "3"), ("x", "4"), ("y", "5"), ("x", "6")];
        let mut sorted = twice;
        sorted.sort_by_key(|(name, _)| *name);
        let found = headers(header_map(&twice.into_iter().collect()).as_ref());
        assert_eq!(found, sorted.into_iter().collect());
    }
}
