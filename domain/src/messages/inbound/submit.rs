//! `order.submit`: a customer's order as the shop priced it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ids::Key;
use crate::messages::inbound::MOST_LINES;
use crate::messages::json::JsonObject;
use crate::messages::leaf::{LineNumber, Minor, NotOfForm, PerMinor, Points, Quantity};
use crate::messages::record::record;
use crate::messages::shape::{Faults, List, Shape};
use crate::messages::text::{CurrencyCode, Moment, Text};
use crate::sharing::read_text;

/// The lines of an order.
pub type Lines = List<Line, 1, MOST_LINES>;

record! {
    /// `order.submit`. Amounts of lines and fees are for all their units, after discounts.
    pub struct Submit {
        /// The shop's id of the order; also its idempotency key.
        pub order_id: Key,
        /// Where it was bought, `web` for example.
        pub channel: Text,
        /// The currency of every amount.
        pub currency: CurrencyCode,
        /// Who bought it.
        pub customer: Option<Customer>,
        /// What was bought.
        pub lines: Lines,
        /// What else is to be paid.
        pub fees: List<Fee, 0, 100>,
        /// The sum of all lines and fees, tax included.
        pub total_minor: Minor,
        /// The part that is paid with points.
        pub redemption: Option<Redemption>,
        /// How the rest is paid; the last tender pays what is left. May be empty only if points cover all.
        pub tenders: List<Tender, 0, 20>,
        /// Where it goes; passed on whole to allocation and nodes.
        pub ship_to: Option<JsonObject>,
        /// How points are earned; none = as configured.
        pub accrual: Option<Accrual>,
        /// What the shop based its prices on.
        pub references: Option<References>,
        /// Coupon codes that were used.
        pub coupons: List<Text, 0, 100>,
        /// Where the stock comes from.
        pub fulfillment: Option<Fulfillment>,
        /// Stock that was reserved before.
        pub reservation_id: Option<Key>,
        /// When the customer pressed the button.
        pub submitted_at: Option<Moment>,
    }
}

record! {
    /// Opaque references to a person.
    pub struct Customer {
        /// The shop's reference.
        pub customer_id: Option<Text>,
        /// The loyalty platform's reference.
        pub member_id: Option<Text>,
    }
}

record! {
    /// A line of an order.
    pub struct Line {
        /// Its number in the order.
        pub line: LineNumber,
        /// What it is.
        pub sku: Text,
        /// How many units.
        pub quantity: Quantity,
        /// What all units cost without tax.
        pub net_minor: Minor,
        /// The tax on all units.
        pub tax_minor: Minor,
        /// The promotion that its price comes from.
        pub promotion: Option<Promotion>,
    }
}

record! {
    /// A promotion at the time of the order.
    pub struct Promotion {
        /// Which one.
        pub id: Text,
        /// Its version then.
        pub version: Option<u32>,
    }
}

record! {
    /// Something to be paid that is no line, shipping for example.
    pub struct Fee {
        /// Its name.
        pub fee: Text,
        /// What it costs without tax.
        pub net_minor: Minor,
        /// The tax on it.
        pub tax_minor: Minor,
    }
}

record! {
    /// The part of the total that is paid with points.
    pub struct Redemption {
        /// How many points.
        pub points: Points,
        /// What they are worth.
        pub value_minor: Minor,
    }
}

record! {
    /// A way of paying.
    pub struct Tender {
        /// Its name in the order.
        pub tender: Text,
        /// `card` for example.
        pub r#type: Text,
        /// Which gateway.
        pub gateway: Text,
        /// The gateway's token for it.
        pub token: Text,
        /// How much it pays; only the last tender may leave it out.
        pub amount_minor: Option<Minor>,
    }
}

record! {
    /// How points are earned: `points` for every full `per_minor` of shipped value.
    pub struct Accrual {
        /// Points for each step.
        pub points: Points,
        /// The step, in minor units.
        pub per_minor: PerMinor,
        /// The name of the rule.
        pub rule: Option<Text>,
    }
}

record! {
    /// What the shop based its prices on.
    pub struct References {
        /// The version of the prices.
        pub price_version: Option<Text>,
        /// The calculation of the tax.
        pub tax_ref: Option<Text>,
        /// The checkout.
        pub checkout_id: Option<Text>,
    }
}

/// When and by whom stock is set aside. Unlike other words, one that is not known is refused: an order must not be sold by a
/// rule that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum FulfillmentPolicy {
    /// The allocation participant decides after the commit.
    #[default]
    ExternalAllocation,
    /// Held in our own stock before the order is paid for.
    HoldAtSubmit,
    /// Allocated from our own stock after the commit.
    AllocateAfterCommit,
    /// Taken from a reservation made before.
    UseReservation,
}

impl FulfillmentPolicy {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ExternalAllocation, Self::HoldAtSubmit, Self::AllocateAfterCommit, Self::UseReservation];

    /// The word as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExternalAllocation => "external_allocation",
            Self::HoldAtSubmit => "hold_at_submit",
            Self::AllocateAfterCommit => "allocate_after_commit",
            Self::UseReservation => "use_reservation",
        }
    }
}

impl<'de> Deserialize<'de> for FulfillmentPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, |text| {
            let known = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
            known.ok_or(NotOfForm(Self::FORM))
        })
    }
}

impl Shape for FulfillmentPolicy {
    const FORM: &'static str =
        "one of external_allocation, hold_at_submit, allocate_after_commit, use_reservation";
}

record! {
    /// Where the stock of an order comes from.
    pub struct Fulfillment {
        /// When and by whom it is set aside.
        pub policy: FulfillmentPolicy,
    }
}

impl Submit {
    /// Tells this order's content from another's under the same id: the first 16 bytes of SHA-256 over the business
    /// fields. The time of submission does not count, nor does a field that is absent, so a field that a later
    /// version adds changes no hash of an order without it.
    pub fn content_hash(&self) -> [u8; 16] {
        let Self {
            order_id,
            channel,
            currency,
            customer,
            lines,
            fees,
            total_minor,
            redemption,
            tenders,
            ship_to,
            accrual,
            references,
            coupons,
            fulfillment,
            reservation_id,
            submitted_at: _,
        } = self;
        let mut content = Vec::with_capacity(1024);
        put(&mut content, "order_id", order_id);
        put(&mut content, "channel", channel);
        put(&mut content, "currency", currency);
        put(&mut content, "customer", customer);
        put(&mut content, "lines", lines);
        put(&mut content, "fees", fees);
        put(&mut content, "total_minor", total_minor);
        put(&mut content, "redemption", redemption);
        put(&mut content, "tenders", tenders);
        put(&mut content, "ship_to", ship_to);
        put(&mut content, "accrual", accrual);
        put(&mut content, "references", references);
        put(&mut content, "coupons", coupons);
        put(&mut content, "fulfillment", fulfillment);
        put(&mut content, "reservation_id", reservation_id);
        let digest = Sha256::digest(&content);
        *digest.first_chunk().expect("SHA-256 gives 32 bytes")
    }

    /// Faults between fields, each of which is right alone.
    pub(crate) fn check_tenders(&self, faults: &mut Faults) {
        let redeemed = self.redemption.as_ref().map_or(0, |redemption| redemption.value_minor.get());
        let amounts: Vec<bool> = self.tenders.iter().map(|tender| tender.amount_minor.is_some()).collect();
        tender_faults(&amounts, self.total_minor.get(), redeemed, faults);
    }

    /// The same for a body that has other faults too.
    pub(crate) fn check_tenders_of_value(body: &Value, faults: &mut Faults) {
        let none = Vec::new();
        let tenders = match body.get("tenders") {
            Some(Value::Array(tenders)) => tenders,
            None | Some(Value::Null) => &none,
            Some(_) => return,
        };
        let amounts: Vec<bool> = tenders
            .iter()
            .map(|tender| tender.get("amount_minor").is_some_and(|amount| !amount.is_null()))
            .collect();
        let redeemed = body.pointer("/redemption/value_minor").and_then(Value::as_i64).unwrap_or(0);
        let total = body.get("total_minor").and_then(Value::as_i64).unwrap_or(i64::MAX);
        tender_faults(&amounts, total, redeemed, faults);
    }
}

fn tender_faults(has_amount: &[bool], total: i64, redeemed: i64, faults: &mut Faults) {
    let Some((_last, others)) = has_amount.split_last() else {
        if redeemed < total {
            faults.within("tenders", |faults| {
                faults.push(format!(
                    "no tender pays what points leave: {redeemed} of {total}, expected a tender"
                ));
            });
        }
        return;
    };
    for (index, _) in others.iter().enumerate().filter(|(_, has_amount)| !**has_amount) {
        faults.within(format_args!("tenders/{index}/amount_minor"), |faults| {
            faults.push("missing, expected an amount: only the last tender pays what is left");
        });
    }
}

fn put<T: Shape + Serialize>(content: &mut Vec<u8>, name: &str, value: &T) {
    if !value.is_absent() {
        content.extend_from_slice(name.as_bytes());
        content.push(b':');
        serde_json::to_writer(&mut *content, value).expect("texts, numbers and lists can always be written");
        content.push(b'\n');
    }
}
