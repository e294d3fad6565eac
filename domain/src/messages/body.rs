//! From the bytes of a body to a typed message, or to everything that is wrong with it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::messages::depth::{MOST_DEPTH, check_pack, json_is_deeper_than};
use crate::messages::shape::{Faults, Shape};
use crate::reason::{DeadReason, Refusal};

/// The largest body that is read.
pub const MOST_BODY_BYTES: usize = 256 * 1024;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Format {
    /// `application/json`, and what is meant without a `content-type`.
    #[default]
    #[serde(rename = "json")]
    Json,
    /// `application/msgpack`.
    #[serde(rename = "msgpack")]
    MessagePack,
}

impl Format {
    /// The `content-type` of a body in this format.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// The format that a `content-type` names; parameters such as `charset` do not count.
    pub fn of_content_type(content_type: Option<&str>) -> Result<Self, Refusal> {
        let Some(content_type) = content_type else { return Ok(Self::Json) };
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.is_empty() || media_type.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else if media_type.eq_ignore_ascii_case("application/msgpack") {
            Ok(Self::MessagePack)
        } else {
            Err(Refusal::new(
                DeadReason::Schema,
                "/headers/content-type",
                format!("found {media_type:.80}, expected application/json or application/msgpack"),
            ))
        }
    }
}

/// Reads a body. `Err` is `oversize`, or `schema` with at least one violation.
pub fn read<T: Shape>(format: Format, bytes: &[u8]) -> Result<T, Refusal> {
    read_with(format, bytes, |_, _| {}, |_, _| {})
}

/// Reads a body that has rules between its fields: `check` sees a body that could be read, `check_value` one with
/// other faults.
pub(crate) fn read_with<T: Shape>(
    format: Format,
    bytes: &[u8],
    check: impl FnOnce(&T, &mut Faults),
    check_value: impl FnOnce(&Value, &mut Faults),
) -> Result<T, Refusal> {
    check_bytes(format, bytes)?;
    let typed: Result<T, String> = match format {
        Format::Json => from_json(bytes).map_err(|error| error.to_string()),
        Format::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
    };
    let mut faults = Faults::default();
    let error = match typed {
        Ok(message) => {
            check(&message, &mut faults);
            if faults.is_empty() {
                return Ok(message);
            }
            String::new()
        }
        Err(error) => {
            match value(format, bytes) {
                Ok(value) => {
                    T::check(&value, &mut faults);
                    check_value(&value, &mut faults);
                }
                Err(message) => faults.push(message),
            }
            error
        }
    };
    if faults.is_empty() {
        // The check finds what the contract says; reading may refuse more, a field that is there twice for example.
        faults.push(error);
    }
    Err(Refusal { reason: DeadReason::Schema, violations: faults.into_violations() })
}

/// Reads JSON. That the bytes are text is looked at for all of them at once, which costs a fraction of looking at each text.
pub fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    match str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        // What is not looked at may be anything, and what is wrong has its place.
        Err(_) => serde_json::from_slice(bytes),
    }
}

/// The same value in `MessagePack`: maps with names, whole numbers as such. `Err` says why `json` is no JSON.
pub fn message_pack_of(json: &[u8]) -> Result<Vec<u8>, String> {
    let value: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    rmp_serde::to_vec_named(&value).map_err(|error| error.to_string())
}

/// The same value in JSON. `Err` says why `pack` is not one complete `MessagePack` value that JSON can hold.
pub fn json_of(pack: &[u8]) -> Result<Vec<u8>, String> {
    check_pack(pack).map_err(|fault| fault.to_string())?;
    let value: Value = rmp_serde::from_slice(pack).map_err(|error| error.to_string())?;
    serde_json::to_vec(&value).map_err(|error| error.to_string())
}

fn check_bytes(format: Format, bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > MOST_BODY_BYTES {
        let message = format!("{} bytes, expected at most {MOST_BODY_BYTES}", bytes.len());
        return Err(Refusal::new(DeadReason::Oversize, "", message));
    }
    match format {
        Format::Json if json_is_deeper_than(bytes, MOST_DEPTH) => {
            Err(Refusal::new(DeadReason::Schema, "", format!("nested deeper than {MOST_DEPTH}")))
        }
        Format::Json => Ok(()),
        Format::MessagePack => {
            check_pack(bytes).map_err(|fault| Refusal::new(DeadReason::Schema, "", fault.to_string()))
        }
    }
}

fn value(format: Format, bytes: &[u8]) -> Result<Value, String> {
    match format {
        Format::Json if bytes.is_empty() => Err("the body is empty, expected a JSON object".to_owned()),
        Format::Json => serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}")),
        Format::MessagePack => {
            rmp_serde::from_slice(bytes).map_err(|error| format!("not MessagePack: {error}"))
        }
    }
}
