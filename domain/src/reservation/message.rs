//! What a reservation is told: by shops (intake, ask), by orders, by cells and counters (letters).

use crate::decider::Addressed;
use crate::envelope::{Envelope, Plane};
use crate::ids::{EntityId, Key, Token};
use crate::letter;
use crate::messages::body::{Format, read, read_with};
use crate::messages::decode::check_type;
use crate::messages::inbound::MOST_LINES;
use crate::messages::leaf::{LineNumber, Minor, Quantity};
use crate::messages::record::{record, words};
use crate::messages::shape::{Faults, List};
use crate::messages::text::{Remark, Text};
use crate::reason::{DeadReason, Refusal};

/// The most units-at-a-node rows in one letter: every line spread over a few nodes.
const MOST_ROWS: usize = 4_000;
/// The most promotions and coupons of one order.
const MOST_COUNTERS: usize = 600;

record! {
    /// Units of a line that shall be set aside.
    pub struct HoldLine {
        /// Its number.
        pub line: LineNumber,
        /// What it is.
        pub sku: Text,
        /// How many units.
        pub quantity: Quantity,
        /// The only node that may serve it.
        pub node: Option<Text>,
        /// The promotion that it is sold under: units that are set aside for it may be taken.
        pub promotion: Option<Text>,
    }
}

words! {
    /// What is counted besides units.
    pub enum CounterKind {
        /// Uses and budget of a promotion.
        Promotion = "promotion",
        /// Uses and budget of a coupon.
        Coupon = "coupon",
    }
}

record! {
    /// A use of a promotion or coupon.
    pub struct CounterUse {
        /// Which of the two.
        pub counter: CounterKind,
        /// Its id or code.
        pub id: Text,
        /// How often it is used.
        pub uses: u32,
        /// The money that is counted, in minor units.
        pub amount_minor: Minor,
        /// Who uses it.
        pub customer_id: Option<Text>,
    }
}

record! {
    /// `reservation.hold`: set goods aside for a customer who has not paid.
    pub struct Hold {
        /// The reservation.
        pub reservation_id: Key,
        /// Which units.
        pub lines: List<HoldLine, 1, MOST_LINES>,
        /// For how long, in milliseconds; missing = as configured.
        pub ttl_ms: Option<Quantity>,
        /// The only order that may use it.
        pub order_id: Option<Key>,
        /// Where the goods go.
        pub region: Option<Text>,
        /// Where they are sold.
        pub channel: Option<Text>,
        /// Where the customer collects them.
        pub pickup_node: Option<Text>,
        /// Over how many nodes they may be split.
        pub split_limit: Option<Quantity>,
    }
}

record! {
    /// `reservation.extend`: hold it longer.
    pub struct Extend {
        /// The reservation.
        pub reservation_id: Key,
        /// For how long from now, in milliseconds.
        pub ttl_ms: Quantity,
    }
}

record! {
    /// `reservation.commit`, and the letter of an order: what is held is sold.
    pub struct Commit {
        /// The reservation.
        pub reservation_id: Key,
        /// The order that it is sold with.
        pub order_id: Key,
    }
}

record! {
    /// `reservation.release`: it is not needed any more.
    pub struct GiveUp {
        /// The reservation.
        pub reservation_id: Key,
        /// Why.
        pub reason: Remark,
    }
}

record! {
    /// `hold` of an order.
    pub struct HoldForOrder {
        /// The reservation that shall be.
        pub reservation_id: Key,
        /// The order.
        pub order_id: Key,
        /// Which units.
        pub lines: List<HoldLine, 0, MOST_LINES>,
        /// Which uses.
        pub counters: List<CounterUse, 0, MOST_COUNTERS>,
        /// The order is committed already.
        pub hard: Option<bool>,
        /// Where the goods go.
        pub region: Option<Text>,
        /// Where they were sold.
        pub channel: Option<Text>,
        /// Where the customer collects them.
        pub pickup_node: Option<Text>,
        /// Over how many nodes they may be split.
        pub split_limit: Option<u32>,
        /// May units wait for stock that is to come?
        pub backorder: Option<bool>,
    }
}

record! {
    /// `attach` of an order: the reservation is for it from now on.
    pub struct Attach {
        /// The reservation.
        pub reservation_id: Key,
        /// The order.
        pub order_id: Key,
        /// What the order needs of it.
        pub lines: List<HoldLine, 0, MOST_LINES>,
    }
}

record! {
    /// Units of a line, at a node where one is named.
    pub struct UnitsAt {
        /// Which line.
        pub line: LineNumber,
        /// How many units.
        pub quantity: Quantity,
        /// Which node.
        pub node: Option<Text>,
        /// What it is; only needed where the reservation does not know the line.
        pub sku: Option<Text>,
    }
}

record! {
    /// `consume` of an order: these units have left.
    pub struct Consume {
        /// The reservation.
        pub reservation_id: Key,
        /// The order.
        pub order_id: Key,
        /// Names the departure: applied once.
        pub movement_id: Text,
        /// What left, and from where.
        pub lines: List<UnitsAt, 0, MOST_ROWS>,
    }
}

record! {
    /// `release` of an order: these units, or everything, are not needed.
    pub struct Release {
        /// The reservation.
        pub reservation_id: Key,
        /// The order.
        pub order_id: Key,
        /// Names the release: applied once.
        pub release_id: Text,
        /// Everything?
        pub all: Option<bool>,
        /// Which units, where it is not everything.
        pub lines: List<UnitsAt, 0, MOST_ROWS>,
        /// Why.
        pub reason: Option<Remark>,
    }
}

record! {
    /// `allocation_seen` of an order.
    pub struct AllocationSeen {
        /// The reservation.
        pub reservation_id: Key,
        /// What was seen.
        pub allocation_id: Text,
    }
}

record! {
    /// `taken` and `backordered` of a cell or counter.
    pub struct Claimed {
        /// The claim.
        pub claim_id: Text,
        /// How much it holds.
        pub quantity: Option<u32>,
        /// When the rest is expected, in milliseconds since 1970.
        pub promised_at: Option<i64>,
    }
}

record! {
    /// `not_taken` of a cell or counter.
    pub struct NotTaken {
        /// The claim.
        pub claim_id: Text,
        /// How much there is.
        pub available: Option<u32>,
        /// Why not, as the cell names it.
        pub code: Text,
    }
}

record! {
    /// `hardened` of a cell or counter.
    pub struct Hardened {
        /// The claim.
        pub claim_id: Text,
    }
}

record! {
    /// `reopened` of a counter.
    pub struct Reopened {
        /// The claim.
        pub claim_id: Text,
    }
}

record! {
    /// `consumed` of a cell.
    pub struct Consumed {
        /// The movement, as the reservation named it.
        pub movement_id: Text,
    }
}

record! {
    /// `given_back` of a cell or counter.
    pub struct GivenBack {
        /// The claim.
        pub claim_id: Text,
        /// The release, as the reservation named it.
        pub release_id: Text,
    }
}

/// A message to a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named by its body")]
pub enum Message {
    Hold(Box<Hold>),
    Extend(Extend),
    CommitWish(Commit),
    GiveUp(GiveUp),
    HoldForOrder(Box<HoldForOrder>),
    Attach(Box<Attach>),
    Commit(Commit),
    Consume(Consume),
    Release(Release),
    AllocationSeen(AllocationSeen),
    Taken(Claimed),
    Backordered(Claimed),
    NotTaken(NotTaken),
    Hardened(Hardened),
    Reopened(Reopened),
    Consumed(Consumed),
    GivenBack(GivenBack),
}

/// The messages from outside, as plane, domain and name.
pub const KNOWN: &[(Plane, &str, &str)] = &[
    (Plane::Intake, "reservation", "hold"),
    (Plane::Ask, "reservation", "extend"),
    (Plane::Ask, "reservation", "commit"),
    (Plane::Ask, "reservation", "release"),
];

/// The schema of a message from outside, by its name.
#[cfg(feature = "schemas")]
pub(crate) fn schema(name: &str) -> schemars::Schema {
    use crate::schema::of_incoming;
    match name {
        "extend" => of_incoming::<Extend>(),
        "commit" => of_incoming::<Commit>(),
        "release" => of_incoming::<GiveUp>(),
        _ => of_incoming::<Hold>(),
    }
}

/// Reads a message to a reservation. `Err` is why it becomes a dead letter.
pub fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
    if envelope.plane == Plane::Internal {
        let entity = letter::recipient(envelope)?;
        let message = read_letter(envelope)?.ok_or_else(|| unknown(envelope))?;
        return Ok(Addressed { entity, pointer: "", message });
    }
    check_type(envelope)?;
    let format = Format::of_content_type(envelope.headers.get("content-type"))?;
    let (key, message) = read_outside(envelope, format)?.ok_or_else(|| unknown(envelope))?;
    let kind = Token::new("reservation").expect("a lower-case word");
    let entity = EntityId { tenant: envelope.tenant.clone(), kind, key };
    Ok(Addressed { entity, pointer: "/reservation_id", message })
}

fn read_outside(envelope: &Envelope, format: Format) -> Result<Option<(Key, Message)>, Refusal> {
    if envelope.domain.as_str() != "reservation" {
        return Ok(None);
    }
    let body = &envelope.body;
    Ok(match (envelope.plane, envelope.name.as_str()) {
        (Plane::Intake, "hold") => {
            let hold: Hold = read_with(format, body, check_lines, |_, _| {})?;
            Some((hold.reservation_id.clone(), Message::Hold(Box::new(hold))))
        }
        (Plane::Ask, "extend") => {
            let wish: Extend = read(format, body)?;
            Some((wish.reservation_id.clone(), Message::Extend(wish)))
        }
        (Plane::Ask, "commit") => {
            let wish: Commit = read(format, body)?;
            Some((wish.reservation_id.clone(), Message::CommitWish(wish)))
        }
        (Plane::Ask, "release") => {
            let wish: GiveUp = read(format, body)?;
            Some((wish.reservation_id.clone(), Message::GiveUp(wish)))
        }
        _ => None,
    })
}

/// Each line has a number of its own.
fn check_lines(hold: &Hold, faults: &mut Faults) {
    for (index, line) in hold.lines.iter().enumerate() {
        if hold.lines[..index].iter().any(|before| before.line == line.line) {
            faults.within(format_args!("lines/{index}/line"), |faults| {
                faults.push(format!("found {} twice, expected a number of its own", line.line.get()));
            });
        }
    }
}

fn read_letter(envelope: &Envelope) -> Result<Option<Message>, Refusal> {
    let body = &envelope.body;
    let json = Format::Json;
    Ok(Some(match envelope.name.as_str() {
        "hold" => Message::HoldForOrder(Box::new(read(json, body)?)),
        "attach" => Message::Attach(Box::new(read(json, body)?)),
        "commit" => Message::Commit(read(json, body)?),
        "consume" => Message::Consume(read(json, body)?),
        "release" => Message::Release(read(json, body)?),
        "allocation_seen" => Message::AllocationSeen(read(json, body)?),
        "taken" => Message::Taken(read(json, body)?),
        "backordered" => Message::Backordered(read(json, body)?),
        "not_taken" => Message::NotTaken(read(json, body)?),
        "hardened" => Message::Hardened(read(json, body)?),
        "reopened" => Message::Reopened(read(json, body)?),
        "consumed" => Message::Consumed(read(json, body)?),
        "given_back" => Message::GivenBack(read(json, body)?),
        _ => return Ok(None),
    }))
}

fn unknown(envelope: &Envelope) -> Refusal {
    let known: Vec<String> =
        KNOWN.iter().map(|(plane, domain, name)| format!("{}/{domain}.{name}", plane.as_str())).collect();
    let subject = envelope.subject("retail", None);
    Refusal::new(
        DeadReason::UnknownType,
        "",
        format!("{subject} names no message to a reservation; known: {}", known.join(", ")),
    )
}
