//! A cell stays small enough for a snapshot, whatever reservations do, and says "not now" before it is too large.

use serde_json::json;

use super::with;
use crate::stock_desk::{names, take};

/// What the runtime takes for one snapshot, with room for its frame.
const SNAPSHOT_BYTES: usize = 700_000;

#[test]
fn given_as_many_claims_as_may_be_when_one_more_comes_then_it_is_overloaded_and_one_that_ends_makes_room() {
    let mut cell = with(100_000);
    cell.policies.claims_most = 3;
    for n in 0..3 {
        assert_eq!(names(&cell.take(&format!("r-{n}:1:1"), 1)), ["taken"]);
    }
    let version = cell.version;
    assert_eq!(names(&cell.take("r-9:1:1", 1)), ["not_taken overloaded"]);
    assert_eq!(names(&cell.take_or_wait("r-9:1:1", 100_000, 0)), ["not_taken overloaded"]);
    assert_eq!(cell.version, version);
    cell.give_back("r-0:1:1", 1, "x-1");
    assert_eq!(names(&cell.take("r-9:1:1", 1)), ["taken"]);
}

#[test]
fn given_long_ids_and_many_parcels_when_claims_come_without_end_then_a_snapshot_stays_below_its_bound() {
    let mut cell = with(1_000_000_000);
    cell.policies.claims_most = usize::MAX;
    let long = "r".repeat(60);
    let mut n = 0_u32;
    let claim = |n: u32| format!("{long}{n:06}:{n:03}:1");
    // Every second one has many units, of which all but the last depart one by one.
    loop {
        let said = if n.is_multiple_of(3) {
            cell.take_or_wait(&claim(n), 2_000_000_000, i64::from(n))
        } else {
            cell.take(&claim(n), 18)
        };
        if names(&said) == ["not_taken overloaded"] || n > 20_000 {
            break;
        }
        n += 1;
    }
    assert!((1_000..20_000).contains(&n), "{n}");
    for n in (0..n.min(900)).filter(|n| n % 3 == 1) {
        for parcel in 0..17 {
            cell.consume(&claim(n), 1, &format!("p-{parcel}"));
        }
    }
    for n in 0..1_500 {
        cell.now = cell.now.plus_ms(1);
        cell.receive(1, &format!("m-{n}"));
        let expected_at = cell.now.plus_ms(1_000_000).to_string();
        cell.fact(
            "inbound",
            &super::fact(
                &json!({"quantity": 1, "expected_at": expected_at, "movement_id": format!("i-{n}")}),
            ),
        );
    }
    let written = rmp_serde::to_vec_named(&cell.state).unwrap();
    assert!(written.len() < SNAPSHOT_BYTES, "{} bytes", written.len());
    assert!(cell.state.claim_bytes() > 500_000, "the bound is used");
    let back: domain::stock::State = rmp_serde::from_slice(&written).unwrap();
    assert!(back == cell.state);
}

#[test]
fn given_usual_ids_when_ten_thousand_claims_live_then_they_fit() {
    let mut cell = with(100_000);
    for n in 0..10_000 {
        let body = take(&format!("o-2026-1127-{n:06}:1:1"), 1);
        assert_eq!(names(&cell.ask("take", &body)), ["taken"], "{n}");
    }
    assert_eq!(names(&cell.take("r-9:1:1", 1)), ["not_taken overloaded"]);
    let written = rmp_serde::to_vec_named(&cell.state).unwrap();
    assert!(written.len() < SNAPSHOT_BYTES, "{} bytes", written.len());
}
