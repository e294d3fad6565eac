//! What this product runs: orders, reservations, stock cells and counters, side by side as one decider.
//!
//! Orders are first, so they are written as if they were alone, and old journals are read. Each kind that follows stands under
//! its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::InForce;
use domain::counter::limits::Most;
use domain::counter::{self, Counter};
use domain::decider::Decider;
use domain::kinds::Both;
use domain::messages::leaf::Minor;
use domain::order::{self, Order};
use domain::reference::{Limits, Reference};
use domain::reservation::Reservation;
use domain::stock::Stock;

use crate::config::Config;

/// All kinds of entity.
pub type Kinds = Both<Both<Both<Order, Reservation>, Stock>, Counter>;

/// The policies of all kinds: orders and reservations, then cells, then counters.
pub type Policies = <Kinds as Decider>::Policies;

/// What entities show to each other: what stock cells say of themselves.
pub type Posted = <Kinds as Decider>::Posted;

/// As they are configured, without any reference data.
pub fn policies(config: &Config) -> InForce<Policies> {
    let order = order::Policies { degraded_modes: config.degraded_modes, ..config.order.clone() };
    let counter = counter::Policies {
        claims_most: config.counter.claims_most,
        customers_most: config.counter.customers_most,
        ..counter::Policies::default()
    };
    InForce::from((((order, config.reservation.clone()), config.stock.clone()), counter))
}

/// Puts new reference data into force: what is limited for orders, nodes and items for reservations, limits for counters.
pub fn take_reference(in_force: &InForce<Policies>, reference: &Reference) {
    let limits = Arc::new(limits(reference));
    in_force.change(|(((order, reservation), _), counter)| {
        order.reference = reference.clone();
        reservation.reference = reference.clone();
        counter.limits = limits;
    });
}

/// The limits by the keys of their counters.
fn limits(reference: &Reference) -> BTreeMap<Arc<str>, counter::Limits> {
    let promotions = reference.promotions().map(|(id, limits)| (format!("promotion~{id}"), limits));
    let coupons = reference.coupons().map(|(code, limits)| (format!("coupon~{code}"), limits));
    promotions.chain(coupons).map(|(key, limits)| (Arc::from(key), of_counter(limits))).collect()
}

fn of_counter(limits: &Limits) -> counter::Limits {
    counter::Limits {
        most: Most {
            uses: limits.uses,
            budget_minor: limits.budget_minor.map(Minor::get),
            per_customer: limits.per_customer,
        },
        channels: limits.channels.iter().map(|channel| Arc::from(channel.as_str())).collect(),
        from: limits.begins_at(),
        until: limits.ends_at(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use domain::decider::Decider;
    use domain::reference::Reference;

    use super::{Kinds, Order, limits};

    type Event = <Kinds as Decider>::Event;
    type State = <Kinds as Decider>::State;

    /// All golden files of a folder that are written in the format of the journal.
    fn golden(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("domain/tests/golden").join(folder);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let packed = files.map(|file| file.unwrap().path());
        let packed: Vec<_> =
            packed.filter(|path| path.extension().is_some_and(|end| end == "msgpack")).collect();
        assert!(!packed.is_empty(), "{}", folder.display());
        packed
    }

    #[test]
    fn given_four_kinds_when_one_of_them_is_kept_then_an_order_takes_as_much_room_as_alone() {
        assert_eq!(size_of::<State>(), size_of::<<Order as Decider>::State>());
        assert_eq!(size_of::<Event>(), size_of::<<Order as Decider>::Event>());
        assert_eq!(size_of::<<Kinds as Decider>::Message>(), size_of::<<Order as Decider>::Message>());
    }

    #[test]
    fn given_recorded_events_of_orders_when_read_as_one_of_many_kinds_then_every_byte_is_written_again() {
        for path in golden("events/v1") {
            let packed = fs::read(&path).unwrap();
            let event: Event =
                rmp_serde::from_slice(&packed).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            assert_eq!(rmp_serde::to_vec_named(&event).unwrap(), packed, "{path:?}");
        }
    }

    #[test]
    fn given_recorded_events_of_other_kinds_when_written_then_they_stand_under_their_name() {
        for kind in ["reservation", "stock", "counter"] {
            for path in golden(&format!("{kind}/events/v1")) {
                // A map of one entry, with the name as its key.
                let mut named = vec![0x81, 0xa0 | u8::try_from(kind.len()).unwrap()];
                named.extend(kind.as_bytes());
                named.extend(fs::read(&path).unwrap());
                let event: Event =
                    rmp_serde::from_slice(&named).unwrap_or_else(|error| panic!("{path:?}: {error}"));
                assert_eq!(rmp_serde::to_vec_named(&event).unwrap(), named, "{path:?}");
            }
        }
    }

    #[test]
    fn given_recorded_states_when_read_as_one_of_many_kinds_then_they_are_written_as_their_kind_writes_them()
    {
        for path in golden("").into_iter().chain(golden("reservation")).chain(golden("stock")) {
            let packed = fs::read(&path).unwrap();
            let kind = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let mut named = Vec::new();
            if kind != "golden" {
                named.extend([0x81, 0xa0 | u8::try_from(kind.len()).unwrap()]);
                named.extend(kind.as_bytes());
            }
            named.extend(&packed);
            let state: State =
                rmp_serde::from_slice(&named).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            if kind == "golden" {
                // An older form of an order: alone, too, it is written in today's.
                let alone: <Order as Decider>::State = rmp_serde::from_slice(&packed).unwrap();
                named = rmp_serde::to_vec_named(&alone).unwrap();
            }
            assert_eq!(rmp_serde::to_vec_named(&state).unwrap(), named, "{path:?}");
        }
    }

    #[test]
    fn given_limits_of_a_promotion_and_a_coupon_then_their_counters_have_them() {
        let mut reference = Reference::default();
        reference
            .put(1, "promotion.BF", Some(br#"{"uses":5,"budget_minor":900,"channels":["web"]}"#))
            .unwrap();
        reference
            .put(2, "coupon.TEN", Some(br#"{"per_customer":1,"until":"2026-12-01T00:00:00Z"}"#))
            .unwrap();
        let limits = limits(&reference);
        let (promotion, coupon) = (&limits["promotion~BF"], &limits["coupon~TEN"]);
        assert_eq!((promotion.most.uses, promotion.most.budget_minor), (Some(5), Some(900)));
        assert_eq!(promotion.channels.iter().map(|channel| &**channel).collect::<Vec<_>>(), ["web"]);
        assert_eq!((coupon.most.per_customer, coupon.most.uses), (Some(1), None));
        assert!(coupon.until.is_some() && coupon.from.is_none() && limits.len() == 2);
    }
}
