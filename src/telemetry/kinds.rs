//! Which phases are of which kind of entity.

use domain::counter::Counter;
use domain::decider::Decider;
use domain::order::Order;
use domain::reservation::Reservation;
use domain::stock::Stock;

/// Does a phase belong to this kind?
pub(super) type OfKind = fn(&str) -> bool;

/// The metrics of entities by phase. No two kinds share a phase; what is not born yet is an order with messages that wait for it.
pub(super) const PHASES: [(&str, &str, OfKind); 4] = [
    ("orders", "Known orders by phase", |phase| Order::phases().contains(&phase)),
    ("reservations", "Known reservations by phase", |phase| {
        Reservation::phases().contains(&phase) && !Order::phases().contains(&phase)
    }),
    ("stock_cells", "Known stock cells by phase", |phase| Stock::phases().contains(&phase)),
    ("counters", "Known counters of promotions and coupons by phase", |phase| {
        Counter::phases().contains(&phase)
    }),
];
