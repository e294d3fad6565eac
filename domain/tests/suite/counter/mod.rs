//! Counters: uses and budgets of promotions and coupons.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::claims::Amount;
use domain::counter::{Counter, Limits, Most};
use domain::decider::Decider;
use domain::envelope::Plane;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::envelope;
use crate::stock_desk::{Desk, Said, names, take};

type Coupon = Desk<Counter>;

fn with(most: Most) -> Coupon {
    let mut coupon = Coupon::new("coupon~BF26");
    limit(&mut coupon, Limits { most, ..Limits::default() });
    coupon
}

fn limit(coupon: &mut Coupon, limits: Limits) {
    coupon.policies.limits = Arc::new(BTreeMap::from([("coupon~BF26".into(), limits)]));
}

fn used(n: u32, uses: u32, minor: i64, customer: &str) -> Value {
    let mut body = take(&format!("r-{n}:coupon~BF26"), uses);
    (body["amount_minor"], body["customer_id"], body["channel"]) =
        (json!(minor), json!(customer), json!("web"));
    body
}

impl Coupon {
    fn take_uses(&mut self, n: u32, uses: u32, minor: i64, customer: &str) -> Vec<Said> {
        self.ask("take", &used(n, uses, minor, customer))
    }
}

#[test]
fn given_a_limit_of_uses_when_they_are_taken_then_not_one_more_is_given() {
    let mut coupon = with(Most { uses: Some(3), ..Most::default() });
    assert_eq!(names(&coupon.take_uses(1, 2, 0, "c-1")), ["taken"]);
    let said = coupon.take_uses(2, 2, 0, "c-2");
    assert_eq!(names(&said), ["not_taken policy_refused"]);
    assert_eq!(said[0].1["available"], 1);
    assert_eq!(names(&coupon.take_uses(3, 1, 0, "c-3")), ["taken"]);
    assert_eq!(coupon.last("counter.moved")["uses_taken"], 3);
}

#[test]
fn given_a_budget_when_it_is_used_up_then_only_what_costs_nothing_of_it_is_given() {
    let mut coupon = with(Most { budget_minor: Some(1_000), ..Most::default() });
    assert_eq!(names(&coupon.take_uses(1, 1, 700, "c-1")), ["taken"]);
    assert_eq!(names(&coupon.take_uses(2, 1, 301, "c-1")), ["not_taken policy_refused"]);
    assert_eq!(names(&coupon.take_uses(3, 1, 300, "c-1")), ["taken"]);
    assert_eq!(names(&coupon.take_uses(4, 1, 0, "c-1")), ["taken"]);
}

#[test]
fn given_a_limit_per_customer_when_he_has_used_it_then_others_still_may_and_nobody_unknown() {
    let mut coupon = with(Most { per_customer: Some(1), ..Most::default() });
    assert_eq!(names(&coupon.take_uses(1, 1, 0, "c-1")), ["taken"]);
    assert_eq!(names(&coupon.take_uses(2, 1, 0, "c-1")), ["not_taken policy_refused"]);
    assert_eq!(names(&coupon.take_uses(3, 1, 0, "c-2")), ["taken"]);
    assert_eq!(names(&coupon.ask("take", &take("r-4:coupon~BF26", 1))), ["not_taken policy_refused"]);
    let back = json!({"claim_id": "r-1:coupon~BF26", "release_id": "x", "quantity": 1});
    assert_eq!(names(&coupon.ask("give_back", &back)), ["given_back"]);
    assert_eq!(names(&coupon.take_uses(5, 1, 0, "c-1")), ["taken"]);
}

#[test]
fn given_a_time_and_channels_when_it_is_not_then_or_not_there_then_it_is_refused() {
    let mut coupon = with(Most::default());
    let (from, until) = (coupon.now.plus_ms(1_000), coupon.now.plus_ms(2_000));
    limit(&mut coupon, Limits { from: Some(from), until: Some(until), ..Limits::default() });
    assert_eq!(names(&coupon.take_uses(1, 1, 0, "c-1")), ["not_taken policy_refused"]);
    coupon.pass_ms(1_000);
    assert_eq!(names(&coupon.take_uses(1, 1, 0, "c-1")), ["taken"]);
    coupon.pass_ms(1_000);
    assert_eq!(names(&coupon.take_uses(2, 1, 0, "c-1")), ["not_taken expired"]);
    let harden = json!({"claim_id": "r-1:coupon~BF26"});
    assert_eq!(
        names(&coupon.ask("harden", &harden)),
        ["hardened"],
        "what was reserved in time becomes final"
    );
    limit(&mut coupon, Limits { channels: vec!["store".into()], ..Limits::default() });
    assert_eq!(names(&coupon.take_uses(2, 1, 0, "c-1")), ["not_taken policy_refused"]);
}

#[test]
fn given_uses_when_the_limit_is_lowered_below_them_then_only_new_ones_are_refused() {
    let mut coupon = with(Most { uses: Some(5), ..Most::default() });
    coupon.take_uses(1, 4, 0, "c-1");
    limit(&mut coupon, Limits { most: Most { uses: Some(2), ..Most::default() }, ..Limits::default() });
    let said = coupon.take_uses(2, 1, 0, "c-2");
    assert_eq!(
        (names(&said), &said[0].1["available"]),
        (vec!["not_taken policy_refused".to_owned()], &json!(0))
    );
    assert_eq!(names(&coupon.take_uses(1, 4, 0, "c-1")), ["taken"], "asked again");
    assert_eq!(names(&coupon.ask("harden", &json!({"claim_id": "r-1:coupon~BF26"}))), ["hardened"]);
    assert_eq!((coupon.state.claims.len(), coupon.state.consumed.units), (0, 4));
}

fn back(n: u32, uses: u32, minor: i64, customer: &str) -> Value {
    json!({"claim_id": format!("r-{n}:coupon~BF26"), "quantity": uses, "amount_minor": minor, "customer_id": customer})
}

// invariant: applied-once
#[test]
fn given_a_commit_and_a_cancel_when_they_come_twice_then_uses_and_money_are_final_and_given_back_once() {
    let mut coupon = with(Most { uses: Some(5), budget_minor: Some(100), per_customer: Some(5) });
    let claim = "r-1:coupon~BF26";
    assert_eq!(names(&coupon.take_uses(1, 3, 100, "c-1")), ["taken"]);
    for _ in 0..2 {
        assert_eq!(names(&coupon.ask("harden", &json!({"claim_id": claim}))), ["hardened"]);
    }
    assert_eq!((coupon.state.taken(), coupon.state.claims.len()), (Amount { units: 3, minor: 100 }, 0));
    for _ in 0..2 {
        assert_eq!(names(&coupon.ask("reopen", &back(1, 3, 100, "c-1"))), ["reopened"]);
    }
    assert_eq!((coupon.state.taken(), coupon.state.claims.len()), (Amount { units: 3, minor: 100 }, 1));
    for _ in 0..2 {
        let back = json!({"claim_id": claim, "release_id": "x-1", "quantity": 9});
        assert_eq!(names(&coupon.ask("give_back", &back)), ["given_back"]);
    }
    assert_eq!((coupon.state.taken(), coupon.state.customers.len()), (Amount::ZERO, 0));
    let words: Vec<_> = coupon.told.iter().map(|(_, data)| data["move"].as_str().unwrap()).collect();
    assert_eq!(words, ["reserved", "finalized", "reopened", "given_back"]);
    assert_eq!(names(&coupon.ask("harden", &json!({"claim_id": "r-9:x"}))), ["hardened"], "said before");
    let unclaimed = json!({"reservation_id": "r-1", "quantity": 1, "movement_id": "p-9"});
    assert_eq!(names(&coupon.ask("consume_unclaimed", &unclaimed)), ["consumed"]);
    assert_eq!(coupon.count("counter.moved"), 4);
}

#[test]
fn given_uses_that_an_older_version_made_final_when_they_are_given_back_then_their_claim_is_found() {
    let mut coupon = with(Most { uses: Some(5), ..Most::default() });
    coupon.take_uses(1, 3, 0, "c-1");
    let claim: Arc<str> = "r-1:coupon~BF26".into();
    let amount = Amount { units: 3, minor: 0 };
    coupon.happened(&domain::counter::Event::Hardened { claim, amount });
    let view: Value = serde_json::from_str(&coupon.view()).unwrap();
    assert_eq!((&view["reserved"]["uses"], &view["finalized"]["uses"]), (&json!(0), &json!(3)));
    assert_eq!(names(&coupon.ask("reopen", &back(1, 3, 0, "c-1"))), ["reopened"]);
    let back = json!({"claim_id": "r-1:coupon~BF26", "release_id": "x-1", "quantity": 3});
    assert_eq!(names(&coupon.ask("give_back", &back)), ["given_back"]);
    assert_eq!(coupon.state.taken(), Amount::ZERO);
}

#[test]
fn given_no_room_for_a_claim_when_final_uses_shall_come_back_then_there_is_no_answer_until_there_is() {
    let mut coupon = with(Most { uses: Some(5), ..Most::default() });
    coupon.take_uses(1, 1, 0, "c-1");
    coupon.ask("harden", &json!({"claim_id": "r-1:coupon~BF26"}));
    coupon.policies.claims_most = 1;
    coupon.take_uses(2, 1, 0, "c-2");
    assert!(coupon.ask("reopen", &back(1, 1, 0, "c-1")).is_empty(), "who asks, asks again");
    coupon.ask("harden", &json!({"claim_id": "r-2:coupon~BF26"}));
    assert_eq!(names(&coupon.ask("reopen", &back(1, 1, 0, "c-1"))), ["reopened"]);
}

#[test]
fn given_a_hundred_thousand_orders_when_they_go_through_one_counter_then_only_those_under_way_have_claims() {
    const UNDER_WAY: u32 = 20;
    let mut coupon = with(Most { uses: Some(200_000), budget_minor: Some(1_000_000_000), ..Most::default() });
    let (mut most, mut used) = (0, 0);
    for n in 0..100_000 + UNDER_WAY {
        if n < 100_000 {
            assert_eq!(names(&coupon.take_uses(n, 1, 100, "c-1")), ["taken"]);
        }
        let Some(n) = n.checked_sub(UNDER_WAY) else { continue };
        let claim = format!("r-{n}:coupon~BF26");
        let give_back = json!({"claim_id": claim, "release_id": format!("x-{n}"), "quantity": 1});
        if n % 5 == 0 {
            coupon.ask("give_back", &give_back); // rejected before the commit
            continue;
        }
        coupon.ask("harden", &json!({"claim_id": claim}));
        if n % 7 == 0 {
            coupon.ask("reopen", &back(n, 1, 100, "c-1")); // cancelled as a whole after it
            coupon.ask("give_back", &give_back);
            continue;
        }
        used += 1;
        most = most.max(coupon.state.claims.len());
        // What was told and recorded is not what this is about.
        coupon.told.clear();
        coupon.events.clear();
    }
    assert!(most <= 21, "{most}");
    assert_eq!(coupon.state.taken(), Amount { units: used, minor: used * 100 });
    assert!(coupon.state.claims.is_empty());
    let snapshot = rmp_serde::to_vec_named(&coupon.state).unwrap();
    assert!(snapshot.len() < 100, "{} bytes", snapshot.len());
}

#[test]
fn given_as_many_customers_as_a_counter_tells_apart_when_one_more_comes_then_it_is_overloaded() {
    let mut coupon = with(Most { per_customer: Some(2), ..Most::default() });
    coupon.policies.customers_most = 1;
    assert_eq!(names(&coupon.take_uses(1, 1, 0, "c-1")), ["taken"]);
    assert_eq!(names(&coupon.take_uses(2, 1, 0, "c-2")), ["not_taken overloaded"]);
    assert_eq!(names(&coupon.take_uses(3, 1, 0, "c-1")), ["taken"]);
    coupon.policies.claims_most = 2;
    assert_eq!(names(&coupon.take_uses(4, 1, 0, "c-1")), ["not_taken policy_refused"]);
}

#[test]
fn given_a_counter_when_somebody_outside_speaks_to_it_then_there_is_no_such_message() {
    let mut message = envelope(Plane::Ask, "counter", "take", used(1, 1, 0, "c").to_string());
    message.headers.push("ce-subject", "coupon~BF26");
    assert!(Counter::decode(&message).is_err());
    message.plane = Plane::Internal;
    message.domain = domain::ids::Token::new("reservation").unwrap();
    assert!(Counter::decode(&message).is_err());
    message.domain = Counter::kind();
    assert_eq!(Counter::decode(&message).unwrap().entity.to_string(), "main:counter:coupon~BF26");
}

proptest! {
    // invariant: counted-once
    #[test]
    fn any_steps_never_pass_a_limit_and_count_what_is_taken(
        steps in prop::collection::vec((0_u8..5, 0_u32..8, 1_u32..4, 0_i64..90), 0..120)
    ) {
        let most = Most { uses: Some(9), budget_minor: Some(200), per_customer: Some(4) };
        let mut coupon = with(most);
        let mut ended = std::collections::BTreeSet::new();
        for (index, (what, n, size, minor)) in steps.into_iter().enumerate() {
            let claim = format!("r-{n}:coupon~BF26");
            let step = |name: &str| json!({"claim_id": claim, "quantity": size, name: index.to_string()});
            match what {
                0 | 1 if !ended.contains(&n) => drop(coupon.take_uses(n, size, minor, &format!("c-{}", n % 3))),
                2 => drop(coupon.ask("harden", &json!({"claim_id": claim}))),
                3 => drop(coupon.ask("consume", &step("movement_id"))),
                4 => drop(coupon.ask("give_back", &step("release_id"))),
                _ => {}
            }
            // Whoever has ended a claim does not ask for it again.
            if what > 1 && coupon.state.claims.get(&claim).is_none() {
                ended.insert(n);
            }
            let taken = coupon.state.taken();
            prop_assert!((0..=9).contains(&taken.units) && (0..=200).contains(&taken.minor), "{:?}", taken);
            let by_customer: i64 = coupon.state.customers.iter().map(|(_, uses)| *uses).sum();
            prop_assert_eq!(by_customer, taken.units);
            prop_assert!(coupon.state.customers.iter().all(|(_, uses)| (1..=4).contains(uses)));
            if let Some((_, last)) = coupon.told.last() {
                prop_assert_eq!((&last["uses_taken"], &last["budget_taken_minor"]), (&json!(taken.units), &json!(taken.minor)));
            }
        }
    }
}
