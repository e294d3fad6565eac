//! What is aimed at on two cores, with nats-server, shop, participants and doorbuster together.

use loadtest::table::{Better, Goal};

/// Processor time of all processes for an order, single messages.
pub(super) const SINGLE: Goal =
    more("single messages: cost of an order, raw naive / doorbuster", "x", 1.2, 1.5);
/// The same with participants in batches.
pub(super) const BATCHED: Goal =
    more("participants in batches: cost of an order, raw naive / doorbuster", "x", 2.0, 3.0);
/// Against the same messages without logic.
pub(super) const PACKED: Goal =
    more("participants in batches: cost of an order, raw packed / doorbuster", "x", 0.5, 0.75);
/// Complete orders.
pub(super) const RATE: Goal = more("complete orders, participants in batches", "orders/s", 8_000.0, 15_000.0);
/// What writing to disk before each ack leaves of the rate.
pub(super) const ALWAYS: Goal =
    more("fsync always / default: orders/s, submits in batches, the rest single", "x", 0.7, 0.9);
/// Without a broker.
pub(super) const ENGINE: Goal =
    more("engine without broker: order messages a second and core", "messages/s", 300_000.0, 600_000.0);
/// What actors cost.
pub(super) const ACTORS: Goal = more("actor per order / plain shard loop, the same rules", "x", 0.5, 0.8);
/// What very many orders cost the others.
pub(super) const MANY: Goal = less("cost of a message among all live orders / among 1,000", "x", 2.0, 1.4);
/// Memory of an order that waits.
pub(super) const LIVE: Goal = less("resident memory of an idle order: live actor", "kB", 2.0, 1.5);
/// Memory of an order that has left memory.
pub(super) const PASSIVATED: Goal = less("resident memory of an idle order: passivated", "kB", 0.5, 0.2);
/// Latency under half load.
pub(super) const COMMITTED: Goal =
    less("submit to committed at half the peak, fsync always, p99", "ms", 25.0, 5.0);
/// Restart: the first input is handled.
pub(super) const FIRST_INPUT: Goal = less("restart with all orders live: first input", "s", 5.0, 2.0);
/// Restart: everybody answers.
pub(super) const ALL_LIVE: Goal = less("restart with all orders live: all answer", "s", 15.0, 5.0);

/// A spike does not make the server slower than it can be.
pub(super) const GOODPUT: Goal = more("spike of ten times the load: completed orders / peak", "x", 0.9, 0.95);
/// How soon a spike is over.
pub(super) const BACK: Goal = less("spike of ten times the load: orders as before after", "s", 10.0, 5.0);
/// What a rate that is known from outside takes.
pub(super) const SHARE: Goal = less("667 orders/s: share of two cores", "%", 25.0, 10.0);

const fn more(name: &'static str, unit: &'static str, at_least: f64, aim: f64) -> Goal {
    Goal { name, unit, better: Better::More, at_least, aim }
}

const fn less(name: &'static str, unit: &'static str, at_least: f64, aim: f64) -> Goal {
    Goal { name, unit, better: Better::Less, at_least, aim }
}
