//! The `data` of business events of stock cells and of counters. Where something moved, the numbers after it stand beside it, so that
//! whoever reads all events of a cell can add them up.

use crate::decider::Published;
use crate::messages::outbound::commands::outgoing;
use crate::messages::outbound::events::event_data;

outgoing! {
    /// The numbers of a cell.
    pub struct Level {
        /// Units that are there, sold or not; negative if more departed than were known of.
        pub on_hand: i64,
        /// Units that are held and may still be let go.
        pub soft: i64,
        /// Units that are promised.
        pub hard: i64,
        /// Units that wait for stock.
        pub backordered: i64,
        /// Units that can be sold now.
        pub available: u32,
    }
}

outgoing! {
    /// `stock.reserved`: units are held, or those of a claim that waited.
    pub struct StockReserved<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// By whom.
        pub reservation_id: &'a str,
        /// The claim.
        pub claim_id: &'a str,
        /// How many units.
        pub quantity: u32,
        /// Are they promised already?
        pub hard: bool,
        /// The promotion that they were set aside for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub promotion: Option<&'a str>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.backordered`: units wait for stock.
    pub struct StockBackordered<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// Who waits.
        pub reservation_id: &'a str,
        /// The claim.
        pub claim_id: &'a str,
        /// How many units.
        pub quantity: u32,
        /// Since when, RFC 3339: who waits longest is served first.
        pub since: String,
        /// When they may be there, RFC 3339, as far as receipts are announced.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub promised_at: Option<String>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.moved`: anything else that changed the numbers of a cell.
    pub struct StockMoved<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// `hardened`, `given_back`, `consumed`, `counted`, `received` or `adjusted`.
        pub r#move: &'a str,
        /// Units; for `counted` and `adjusted` by how many there are more.
        pub quantity: i64,
        /// The claim, if it is about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub claim_id: Option<&'a str>,
        /// Its reservation.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reservation_id: Option<&'a str>,
        /// The movement or the release.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub movement_id: Option<&'a str>,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<&'a str>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.discrepancy`: books and goods do not agree.
    pub struct StockDiscrepancy<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// `drift` (a count found other units than we knew of), `unclaimed_departure` (units left that nobody held),
        /// `included_in_count` (a fact came that is older than the last count; it was not added), `not_set_aside` (too many
        /// promotions have units set aside) or `movement_conflict` (a movement came again and says something else; the first counts).
        pub kind: &'a str,
        /// How many units there are more, or fewer if it is negative, than we knew of; of a conflict, how many there would be more
        /// if it were believed.
        pub quantity: i64,
        /// Units that were counted; of a drift.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub counted: Option<i64>,
        /// Units that should have been there at that moment, as far as we knew; of a drift.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expected: Option<i64>,
        /// The movement that showed it.
        pub movement_id: &'a str,
        /// When it was counted, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub as_of: Option<String>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// A claim that cannot be served if nothing comes in.
    pub struct Victim<'a> {
        /// Whose.
        pub reservation_id: &'a str,
        /// The claim.
        pub claim_id: &'a str,
        /// How many of its units.
        pub quantity: u32,
        /// Are they promised?
        pub hard: bool,
    }
}

outgoing! {
    /// `stock.oversold`: more is held than there is and may be sold beyond it; or no longer.
    pub struct StockOversold<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// How many units are missing; 0 = it is over.
        pub quantity: i64,
        /// The newest claims that together hold them, newest first; at most 100.
        pub victims: Vec<Victim<'a>>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.threshold`: what can be sold crossed a threshold. Told once for each crossing.
    pub struct StockThreshold<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// The least threshold that it is not above; missing = it is above all of them again.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub threshold: Option<u32>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.feed`: nothing was heard of the cell for too long, or something again.
    pub struct StockFeed<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// Is what is known too old?
        pub stale: bool,
        /// What is done meanwhile: `use_last_known_minus_buffer`, `stop_selling` or `accept_as_backorder`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub policy: Option<&'a str>,
        /// Since when nothing was heard, RFC 3339.
        pub heard_at: String,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `stock.set_aside`: units are for a promotion alone, or for everybody again.
    pub struct StockSetAside<'a> {
        /// What.
        pub sku: &'a str,
        /// Where.
        pub node: &'a str,
        /// The promotion.
        pub promotion: &'a str,
        /// How many units; 0 = none any more.
        pub quantity: u32,
        /// Until when, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub until: Option<String>,
        /// The cell after it.
        pub level: Level,
    }
}

outgoing! {
    /// `counter.moved`: uses of a promotion or a coupon.
    pub struct CounterMoved<'a> {
        /// `promotion~<id>` or `coupon~<code>`.
        pub counter: &'a str,
        /// `reserved`, `finalized`, `reopened` (final uses are about to be given back), `consumed` or `given_back`.
        pub r#move: &'a str,
        /// Whose.
        pub reservation_id: &'a str,
        /// The claim.
        pub claim_id: &'a str,
        /// How many uses.
        pub uses: i64,
        /// How much of the budget, in minor units.
        pub amount_minor: i64,
        /// All uses after it, reserved ones included.
        pub uses_taken: i64,
        /// All of the budget that is taken after it, in minor units.
        pub budget_taken_minor: i64,
    }
}

event_data! {
    Reserved(StockReserved) = "stock.reserved",
    Backordered(StockBackordered) = "stock.backordered",
    Moved(StockMoved) = "stock.moved" if asked,
    Discrepancy(StockDiscrepancy) = "stock.discrepancy",
    Oversold(StockOversold) = "stock.oversold",
    Threshold(StockThreshold) = "stock.threshold",
    Feed(StockFeed) = "stock.feed" if asked,
    SetAside(StockSetAside) = "stock.set_aside" if asked,
    CounterMoved(CounterMoved) = "counter.moved" if asked,
}
