//! The JSON document that the API shows of a cell.

use serde::Serialize;

use super::message::sku_and_node;
use super::state::State;
use super::{decide, published};
use crate::ids::EntityId;
use crate::messages::outbound::stock_events::{self, Level};

#[derive(Serialize)]
struct View<'a> {
    sku: &'a str,
    node: &'a str,
    version: u64,
    level: Level,
    safety: u32,
    oversell_cap: u32,
    claims: ClaimsView,
    inbound: Vec<InboundView>,
    set_aside: Vec<AsideView<'a>>,
    feed: FeedView,
    /// Units held beyond what is there and may be sold beyond it.
    oversold: i64,
    /// The newest claims that together hold them, newest first; at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    victims: Vec<stock_events::Victim<'a>>,
    /// The least configured threshold that `available` is not above.
    threshold: Option<u32>,
}

#[derive(Serialize)]
struct ClaimsView {
    live: usize,
    waiting: usize,
    /// The most bytes that they take in a snapshot.
    bytes: usize,
}

#[derive(Serialize)]
struct InboundView {
    quantity: u32,
    expected_at: String,
}

#[derive(Serialize)]
struct AsideView<'a> {
    promotion: &'a str,
    quantity: u32,
    used: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize)]
struct FeedView {
    stale: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buffer: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<CountView>,
}

/// The last count against what we knew: how far the books are apart.
#[derive(Serialize)]
struct CountView {
    on_hand: i64,
    as_of: String,
    drift: i64,
}

/// Renders the view; a cell that nobody has told of is shown empty.
pub(super) fn view(entity: &EntityId, state: &State, version: u64) -> String {
    let (sku, node) = sku_and_node(entity.key.as_str());
    let inbound = state.feed.inbound.iter().map(|inbound| InboundView {
        quantity: inbound.quantity,
        expected_at: inbound.expected_at.to_string(),
    });
    let set_aside = state.feed.set_aside.iter().map(|aside| AsideView {
        promotion: &aside.promotion,
        quantity: aside.quantity,
        used: aside.used,
        until: aside.until.map(|until| until.to_string()),
    });
    let victims = match state.missing() {
        0 => Vec::new(),
        missing => decide::victims(state, missing),
    };
    let view = View {
        sku,
        node,
        version,
        level: state.level(),
        safety: state.safety,
        oversell_cap: state.oversell_cap,
        claims: ClaimsView {
            live: state.claims.len(),
            waiting: state.waiting.len(),
            bytes: state.claim_bytes(),
        },
        inbound: inbound.collect(),
        set_aside: set_aside.collect(),
        feed: feed(state),
        oversold: state.missing(),
        victims: victims.iter().map(published::victim).collect(),
        threshold: state.standing,
    };
    serde_json::to_string(&view).expect("texts and numbers can always be written")
}

fn feed(state: &State) -> FeedView {
    let feed = &state.feed;
    FeedView {
        stale: feed.stale.is_some(),
        policy: feed.stale.map(|stale| stale.policy.as_str()),
        buffer: feed.stale.map(|stale| stale.buffer),
        heard_at: (feed.heard_at.0 != 0).then(|| feed.heard_at.to_string()),
        counted: feed.counted.map(|counted| CountView {
            on_hand: counted.on_hand,
            as_of: counted.as_of.to_string(),
            drift: counted.drift,
        }),
    }
}
