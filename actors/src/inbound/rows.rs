//! The rows of a batch, in either format. Only the array and the items are taken apart; bodies stay the bytes that came.

use std::borrow::Cow;

use bytes::Bytes;
use domain::envelope::{Envelope, HeaderWriter};
use domain::messages::body::from_json;
use domain::messages::depth::{PackFault, pack_length};
use domain::reason::{DeadReason, Refusal, Violation};
use rmp::decode::{read_array_len, read_bin_len, read_map_len, read_str_from_slice};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::screening::is_message_pack;
use crate::config::MOST_BATCH_ITEMS;

/// One item as it stands in the array. What is wrong with it concerns no other item.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    pub(super) domain: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) key: Cow<'a, str>,
    pub(super) headers: HeaderWriter,
    /// The body alone; the whole item if it has none.
    pub(super) body: Bytes,
    pub(super) violations: Vec<Violation>,
}

/// The value of a field, not read yet.
#[derive(Debug, Clone, Copy)]
enum Raw<'a> {
    Json(&'a RawValue),
    Pack(&'a [u8]),
}

/// The five fields of an item that count; none = it is no object.
type Fields<'a> = Option<[Option<Raw<'a>>; 5]>;

const FIELDS: [&str; 5] = ["domain", "name", "key", "headers", "body"];

/// The rows of a batch, in order. Refused as a whole is what is no array, or too long.
pub(super) fn rows(batch: &Envelope) -> Result<Vec<Row<'_>>, Refusal> {
    let bytes = &batch.body;
    if !is_message_pack(&batch.headers) {
        if let Ok(items) = from_json::<Vec<GoodItem<'_>>>(bytes) {
            few_enough(items.len())?;
            return Ok(items.into_iter().map(|item| item.row(bytes)).collect());
        }
        // Something is wrong somewhere: read again, field by field, so that it concerns only the item that has it.
        let items: Vec<JsonItem<'_>> = serde_json::from_slice(bytes).map_err(no_array)?;
        few_enough(items.len())?;
        let is_bare = |item: &JsonItem<'_>| item.0.is_none_or(|fields| fields[4].is_none());
        let whole = if items.iter().any(is_bare) { whole_json(bytes)? } else { Vec::new() };
        let raw = |at: usize| whole.get(at).map(|raw| bytes.slice_ref(raw.get().as_bytes()));
        return Ok(items.iter().enumerate().map(|(at, item)| row(bytes, &item.0, || raw(at))).collect());
    }
    let mut rest = &bytes[..];
    let count = read_array_len(&mut rest).map_err(no_array)? as usize;
    few_enough(count)?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        let (item, after) = rest.split_at(pack_length(rest).map_err(no_array)?);
        rows.push(row(bytes, &pack_fields(item).map_err(no_array)?, || Some(bytes.slice_ref(item))));
        rest = after;
    }
    if rest.is_empty() { Ok(rows) } else { Err(no_array(PackFault::Trailing)) }
}

fn no_array(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(DeadReason::Schema, "", format!("expected an array of items: {error}"))
}

fn few_enough(count: usize) -> Result<(), Refusal> {
    if count <= MOST_BATCH_ITEMS {
        return Ok(());
    }
    let text = format!("{count} items, at most {MOST_BATCH_ITEMS} are taken");
    Err(Refusal::new(DeadReason::Oversize, "", text))
}

/// Each item as text; looked for only if one of them is wrong.
fn whole_json(bytes: &[u8]) -> Result<Vec<&RawValue>, Refusal> {
    serde_json::from_slice(bytes).map_err(no_array)
}

/// Reads the fields of one item, and names everything that is wrong with them.
fn row<'a>(batch: &Bytes, fields: &Fields<'a>, whole: impl Fn() -> Option<Bytes>) -> Row<'a> {
    let mut row = Row::default();
    let mut wrong = |pointer: &str, message: String| {
        row.violations.push(Violation { pointer: pointer.to_owned(), message });
    };
    let Some([domain, name, key, headers, body]) = fields else {
        wrong("", "not an item {domain, name, key, headers, body}".to_owned());
        row.body = whole().unwrap_or_default();
        return row;
    };
    let mut text = |field: &Option<Raw<'a>>, pointer| {
        let read = field.map_or_else(|| Err("missing, expected a text".to_owned()), Raw::text);
        read.unwrap_or_else(|problem| {
            wrong(pointer, problem);
            Cow::default()
        })
    };
    (row.domain, row.name, row.key) = (text(domain, "/domain"), text(name, "/name"), text(key, "/key"));
    match headers.map_or_else(|| Ok(HeaderWriter::default()), Raw::headers) {
        Ok(headers) => row.headers = headers,
        Err(problem) => wrong("/headers", problem),
    }
    if let Some(body) = body {
        row.body = body.body(batch, &mut row.headers);
    } else {
        wrong("/body", "missing".to_owned());
        row.body = whole().unwrap_or_default();
    }
    row
}

impl<'a> Raw<'a> {
    fn text(self) -> Result<Cow<'a, str>, String> {
        match self {
            Self::Json(raw) => {
                serde_json::from_str::<Text<'a>>(raw.get()).map(|text| text.0).map_err(|e| e.to_string())
            }
            Self::Pack(raw) => read_str_from_slice(raw)
                .map(|(text, _)| Cow::Borrowed(text))
                .map_err(|_| "expected a text".to_owned()),
        }
    }

    fn headers(self) -> Result<HeaderWriter, String> {
        match self {
            Self::Json(raw) => {
                serde_json::from_str::<Option<Pairs>>(raw.get()).map_err(|error| error.to_string())
            }
            // Its length and nesting are those of bytes that are there.
            Self::Pack(raw) => rmp_serde::from_slice::<Option<Pairs>>(raw).map_err(|error| error.to_string()),
        }
        .map(|pairs| pairs.map_or_else(HeaderWriter::default, |pairs| pairs.0))
    }

    /// The bytes of the body, and what `content-type` is true of them: the batch's own format, or, where MessagePack carries
    /// them as `bin`, what the item says.
    fn body(self, batch: &Bytes, headers: &mut HeaderWriter) -> Bytes {
        match self {
            Self::Json(raw) => {
                without_content_type(headers);
                batch.slice_ref(raw.get().as_bytes())
            }
            Self::Pack(raw) => {
                let mut inner = raw;
                if read_bin_len(&mut inner).is_ok() {
                    return batch.slice_ref(inner);
                }
                without_content_type(headers);
                headers.push("content-type", "application/msgpack");
                batch.slice_ref(raw)
            }
        }
    }
}

fn without_content_type(headers: &mut HeaderWriter) {
    let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    if headers.iter().any(|(name, _)| is_type(name)) {
        let mut others = HeaderWriter::default();
        for (name, value) in headers.iter().filter(|(name, _)| !is_type(name)) {
            others.push(name, value);
        }
        *headers = others;
    }
}

fn pack_fields(item: &[u8]) -> Result<Fields<'_>, PackFault> {
    let mut rest = item;
    let Ok(pairs) = read_map_len(&mut rest) else { return Ok(None) };
    let mut fields = [None; 5];
    for _ in 0..pairs {
        let (name, after) = rest.split_at(pack_length(rest)?);
        let (value, after) = after.split_at(pack_length(after)?);
        rest = after;
        let place =
            read_str_from_slice(name).ok().and_then(|(name, _)| FIELDS.iter().position(|f| *f == name));
        if let Some(place) = place {
            fields[place] = Some(Raw::Pack(value));
        }
    }
    Ok(Some(fields))
}

/// An item of a JSON batch with nothing wrong with it: read in one go, as nearly all of them are.
struct GoodItem<'a> {
    texts: [Cow<'a, str>; 3],
    headers: HeaderWriter,
    body: &'a RawValue,
}

impl<'a> GoodItem<'a> {
    fn row(self, batch: &Bytes) -> Row<'a> {
        let Self { texts: [domain, name, key], mut headers, body } = self;
        let body = Raw::Json(body).body(batch, &mut headers);
        Row { domain, name, key, headers, body, violations: Vec::new() }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for GoodItem<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(GoodItemVisitor)
    }
}

struct GoodItemVisitor;

impl<'de> Visitor<'de> for GoodItemVisitor {
    type Value = GoodItem<'de>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an item {domain, name, key, headers, body}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GoodItem<'de>, A::Error> {
        let (mut texts, mut headers, mut body) = ([None, None, None], None, None);
        while let Some(Text(name)) = map.next_key()? {
            match FIELDS.iter().position(|field| *field == name) {
                Some(place @ 0..3) => texts[place] = Some(map.next_value::<Text<'de>>()?.0),
                Some(3) => headers = map.next_value::<Option<Pairs>>()?,
                Some(_) => body = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let ([Some(domain), Some(name), Some(key)], Some(body)) = (texts, body) else {
            return Err(A::Error::custom("a field is missing"));
        };
        let headers = headers.map_or_else(HeaderWriter::default, |pairs| pairs.0);
        Ok(GoodItem { texts: [domain, name, key], headers, body })
    }
}

/// An item of a JSON batch. An array by position is none, nor is anything but an object.
struct JsonItem<'a>(Fields<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for JsonItem<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

macro_rules! no_item {
    ($($visit:ident($type:ty)),*) => {
        $(fn $visit<E: de::Error>(self, _: $type) -> Result<JsonItem<'de>, E> {
            Ok(JsonItem(None))
        })*
    };
}

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = JsonItem<'de>;

    no_item!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an item {domain, name, key, headers, body}")
    }

    fn visit_unit<E>(self) -> Result<JsonItem<'de>, E> {
        Ok(JsonItem(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonItem<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonItem(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonItem<'de>, A::Error> {
        let mut fields = [None; 5];
        while let Some(Text(name)) = map.next_key()? {
            let value = map.next_value::<&RawValue>()?;
            if let Some(place) = FIELDS.iter().position(|field| *field == name) {
                fields[place] = Some(Raw::Json(value));
            }
        }
        Ok(JsonItem(Some(fields)))
    }
}

/// A text that is borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the headers of an item take in most cases, with what it is given besides its own.
const USUAL_HEADER_BYTES: usize = 512;

/// Headers in the order in which they stand.
struct Pairs(HeaderWriter);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object of header names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut headers = HeaderWriter::with_capacity(USUAL_HEADER_BYTES);
        while let Some(Text(name)) = map.next_key()? {
            let Text(value) =
                map.next_value().map_err(|error| A::Error::custom(format!("{name:.80}: {error}")))?;
            headers.push(&name, &value);
        }
        Ok(Pairs(headers))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::envelope::{Envelope, Headers, Plane};
    use domain::ids::Token;
    use domain::time::Timestamp;

    use super::{Row, rows};

    fn batch(body: &'static str) -> Envelope {
        Envelope {
            tenant: Token::new("main").unwrap(),
            plane: Plane::Reply,
            domain: Token::new("payment").unwrap(),
            name: Token::new("batch").unwrap(),
            headers: Headers::new(),
            body: Bytes::from_static(body.as_bytes()),
            stream: "RETAIL_REPLIES".into(),
            sequence: 1,
            item: None,
            stored_at: Timestamp(0),
        }
    }

    #[test]
    fn an_item_reads_the_same_beside_good_ones_and_beside_a_wrong_one() {
        const GOOD: &str = r#"{"key":"ö-\"1","name":"authorized","domain":"payment","more":[1],"headers":{"ce-id":"a","Content-Type":"x"},"body":{"a":[1, 2]}},
            {"domain":"payment","name":"n","key":"k","headers":null,"body":null,"key":"twice"}"#;
        let text =
            |rows: Vec<Row<'_>>| -> Vec<String> { rows.iter().map(|row| format!("{row:?}")).collect() };
        let (alone, beside) = (format!("[{GOOD}]"), format!("[{GOOD},[]]"));
        let (alone, beside) = (batch(alone.leak()), batch(beside.leak()));
        let (alone, beside) = (text(rows(&alone).unwrap()), text(rows(&beside).unwrap()));
        assert_eq!(alone, beside[..2]);
        assert!(alone[1].contains("twice") && beside[2].contains("not an item"), "{alone:?} {beside:?}");
    }
}
