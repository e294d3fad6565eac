//! What a reservation asks of a cell or a counter, and what they answer. A question that comes again gets the same answer; nothing is
//! applied twice.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::decider::Letter;
use crate::ids::{EntityId, Key, Token};
use crate::messages::body::{Format, read, read_with};
use crate::messages::leaf::{Minor, NotOfForm, Quantity};
use crate::messages::record::{record, words};
use crate::messages::shape::{Faults, Shape};
use crate::messages::text::Text;
use crate::reason::Refusal;
use crate::sharing::read_text;

/// The longest id of a claim: two keys, a line and an ordinal.
const MOST_CLAIM_ID: usize = 200;

/// Names a claim: `<reservation id>:<line>:<ordinal>` in a cell, `<reservation id>:<counter key>` in a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClaimId(Arc<str>);

impl ClaimId {
    /// The id, if it begins with the key of a reservation.
    pub fn new(text: &str) -> Result<Self, NotOfForm> {
        let reservation = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).map(|(key, _)| key);
        let fits = text.len() <= MOST_CLAIM_ID && reservation.is_some_and(|key| Key::new(key).is_ok());
        if fits { Ok(Self(text.into())) } else { Err(NotOfForm(Self::FORM)) }
    }

    /// The text of the letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A share of the text, for who keeps it.
    pub fn share(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// The id of the reservation that a claim belongs to.
pub fn reservation_of(claim_id: &str) -> &str {
    claim_id.split_once(':').map_or(claim_id, |(reservation, _)| reservation)
}

impl<'de> Deserialize<'de> for ClaimId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::new)
    }
}

impl Shape for ClaimId {
    const FORM: &'static str = "the id of a reservation, a colon, and what it claims";
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for ClaimId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClaimId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_~-]{1,96}:.+$" })
    }
}

record! {
    /// `take`: a claim comes to be, or waits if it may.
    pub struct Take {
        /// The claim.
        pub claim_id: ClaimId,
        /// The reservation; the claim's id begins with it.
        pub reservation_id: Key,
        /// Units of a cell, uses of a counter.
        pub quantity: Quantity,
        /// Is it promised at once?
        pub hard: bool,
        /// When it was committed, in milliseconds since 1970, if it may wait for stock: who committed first is served first.
        pub backorder_since: Option<i64>,
        /// What a counter's budget pays, in minor units.
        pub amount_minor: Option<Minor>,
        /// Who uses a counter.
        pub customer_id: Option<Text>,
        /// Where a counter is used.
        pub channel: Option<Text>,
        /// The promotion whose set-aside units of a cell may be taken.
        pub promotion: Option<Text>,
    }
}

record! {
    /// `harden`: soft units are promised; the uses of a counter are final.
    pub struct Harden {
        /// The claim.
        pub claim_id: ClaimId,
    }
}

record! {
    /// `reopen`: final uses of a counter are a claim again, so that they can be given back once. Only who has had them finalized asks.
    pub struct Reopen {
        /// The claim that they were.
        pub claim_id: ClaimId,
        /// How many uses.
        pub quantity: Quantity,
        /// What the budget paid, in minor units.
        pub amount_minor: Option<Minor>,
        /// Who used it.
        pub customer_id: Option<Text>,
    }
}

record! {
    /// `consume`: units of a claim departed.
    pub struct Consume {
        /// The claim.
        pub claim_id: ClaimId,
        /// How many units.
        pub quantity: Quantity,
        /// Names the departure: the same one counts once.
        pub movement_id: Text,
    }
}

record! {
    /// `consume_unclaimed`: units departed that nobody held here.
    pub struct ConsumeUnclaimed {
        /// Whose.
        pub reservation_id: Key,
        /// How many units.
        pub quantity: Quantity,
        /// Names the departure: the same one counts once.
        pub movement_id: Text,
    }
}

record! {
    /// `give_back`: units or uses of a claim are not needed. More than is left = all that is left.
    pub struct GiveBack {
        /// The claim.
        pub claim_id: ClaimId,
        /// Names the release: the same one counts once.
        pub release_id: Text,
        /// How many.
        pub quantity: Quantity,
    }
}

words! {
    /// Why a claim is not there.
    pub enum Why {
        /// There are not enough units.
        OutOfStock = "out_of_stock",
        /// The counter is used up, or not for this customer, channel or time.
        PolicyRefused = "policy_refused",
        /// The promotion or coupon is over.
        Expired = "expired",
        /// Nobody knows this claim.
        UnknownEntity = "unknown_entity",
        /// Too many claims live here already: not now.
        Overloaded = "overloaded",
    }
}

record! {
    /// `taken`: the claim is there. Also sent unasked, when a claim that waited is served.
    pub struct Taken {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where.
        pub cell: Key,
        /// What was taken in the beginning.
        pub quantity: Quantity,
    }
}

record! {
    /// `not_taken`: it is not, or it cannot be hardened.
    pub struct NotTaken {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where not.
        pub cell: Key,
        /// What could be taken.
        pub available: u32,
        /// Why.
        pub code: Why,
        /// When as much may be there, in milliseconds since 1970.
        pub promised_at: Option<i64>,
    }
}

record! {
    /// `backordered`: it waits, and is taken when its turn comes.
    pub struct Backordered {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where.
        pub cell: Key,
        /// When that may be, in milliseconds since 1970: as far as receipts are announced.
        pub promised_at: Option<i64>,
    }
}

record! {
    /// `hardened`.
    pub struct Hardened {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where.
        pub cell: Key,
    }
}

record! {
    /// `reopened`.
    pub struct Reopened {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where.
        pub cell: Key,
    }
}

record! {
    /// `consumed`; without a claim for `consume_unclaimed`.
    pub struct Consumed {
        /// The claim.
        pub claim_id: Option<ClaimId>,
        /// Where.
        pub cell: Key,
        /// The departure.
        pub movement_id: Text,
    }
}

record! {
    /// `given_back`.
    pub struct GivenBack {
        /// The claim.
        pub claim_id: ClaimId,
        /// Where.
        pub cell: Key,
        /// The release.
        pub release_id: Text,
    }
}

/// A question to a cell or a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `take`
    Take(Take),
    /// `harden`
    Harden(Harden),
    /// `reopen`
    Reopen(Reopen),
    /// `consume`
    Consume(Consume),
    /// `consume_unclaimed`
    ConsumeUnclaimed(ConsumeUnclaimed),
    /// `give_back`
    GiveBack(GiveBack),
}

impl Question {
    /// Reads the question with this name; none = there is no such question.
    pub fn read(name: &str, body: &[u8]) -> Result<Option<Self>, Refusal> {
        Ok(Some(match name {
            "take" => Self::Take(read_with(Format::Json, body, Take::check_id, |_, _| {})?),
            "harden" => Self::Harden(read(Format::Json, body)?),
            "reopen" => Self::Reopen(read(Format::Json, body)?),
            "consume" => Self::Consume(read(Format::Json, body)?),
            "consume_unclaimed" => Self::ConsumeUnclaimed(read(Format::Json, body)?),
            "give_back" => Self::GiveBack(read(Format::Json, body)?),
            _ => return Ok(None),
        }))
    }
}

impl Take {
    fn check_id(&self, faults: &mut Faults) {
        if reservation_of(self.claim_id.as_str()) != self.reservation_id.as_str() {
            faults.within("claim_id", |faults| {
                let (claim, reservation) = (self.claim_id.as_str(), &self.reservation_id);
                faults.push(format!("found {claim}, expected an id that begins with {reservation}:"));
            });
        }
    }
}

/// An answer to the reservation with this id.
pub fn answer(entity: &EntityId, reservation: &str, name: &'static str, body: &impl Serialize) -> Letter {
    let mut text = Vec::with_capacity(128);
    serde_json::to_writer(&mut text, body).expect("texts and numbers can always be written");
    Letter {
        to: EntityId {
            tenant: entity.tenant.clone(),
            kind: Token::new("reservation").expect("a lower-case word"),
            key: Key::new(reservation).expect("the id of a claim begins with a key"),
        },
        name,
        body: Bytes::from(text),
    }
}
