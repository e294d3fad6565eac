//! The random walks of orders, with reservations that answer, fall silent, or lie. Whatever happens, the order ends with every
//! ledger added up; and if they were honest, nothing is held for an order that has ended.

use domain::decider::Decider;
use domain::order::Order;
use domain::order::state::State;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::Desk;
use super::random_walk::{Given, Walk, body, check_end, depart, step, walks};
use super::shelf::{Said, Shelf, Shop};

#[derive(Debug, Clone)]
struct World {
    walk: Walk,
    policy: &'static str,
    backorder: bool,
    deaf_to_nodes: bool,
    /// Units of each sku at each of two nodes.
    stock: Vec<(u64, u64)>,
    /// What the post does between the steps of the walk.
    post: Vec<(u8, u8)>,
}

fn worlds() -> impl Strategy<Value = World> {
    (
        walks(),
        prop::sample::select(
            &["hold_at_submit", "allocate_after_commit", "use_reservation", "external_allocation"][..],
        ),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec((0_u64..8, 0_u64..8), 4),
        prop::collection::vec((0_u8..12, any::<u8>()), 1..60),
    )
        .prop_map(|(walk, policy, backorder, deaf_to_nodes, stock, post)| World {
            walk,
            policy,
            backorder,
            deaf_to_nodes,
            stock,
            post,
        })
}

fn shop(world: &World) -> Shop {
    let mut shelf = Shelf::default();
    shelf.deaf_to_nodes = world.deaf_to_nodes;
    for (index, (first, second)) in world.stock.iter().enumerate() {
        shelf = shelf.with(&format!("S{index}"), "n-1", *first).with(&format!("S{index}"), "n-2", *second);
    }
    shelf.uses = [("coupon~BF26".to_owned(), world.stock[3].0 % 2)].into();
    let mut shop = Shop::of(shelf);
    shop.desk.policies.reference.put(1, "coupon.BF26", Some(br#"{"uses": 1}"#)).unwrap();
    shop.desk.policies.stock.backorder = world.backorder;
    let mut body = body(&world.walk);
    body["fulfillment"] = json!({"policy": world.policy});
    if world.stock[3].1.is_multiple_of(2) {
        body["coupons"] = json!(["BF26"]);
    }
    if world.policy == "use_reservation" {
        body["reservation_id"] = json!("r-7");
        reserve(&mut shop.shelf, &body);
    }
    shop.desk.submit(&body).unwrap();
    shop
}

/// The customer reserved what the order wants, if it was there.
fn reserve(shelf: &mut Shelf, body: &Value) {
    let lines: Vec<(u64, String, u64)> = body["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let number = |field: &str| row[field].as_u64().unwrap();
            (number("line"), row["sku"].as_str().unwrap().to_owned(), number("quantity"))
        })
        .collect();
    let there = |sku: &str| {
        ["n-1", "n-2"].iter().map(|node| shelf.stock[&(sku.to_owned(), (*node).to_owned())]).sum::<u64>()
    };
    if lines.iter().all(|(_, sku, units)| there(sku) >= *units) {
        let lines: Vec<(u64, &str, u64)> =
            lines.iter().map(|(line, sku, units)| (*line, sku.as_str(), *units)).collect();
        *shelf = std::mem::take(shelf).reserved("r-7", &lines);
    }
}

/// What the post does: letters arrive in their order or are lost, answers too, and old answers come again.
fn post(shop: &mut Shop, (what, which): (u8, u8)) {
    match what {
        0..=3 => drop(shop.hear(false)),
        4 => drop(shop.hear(true)),
        5..=8 => drop(shop.tell()),
        9 => drop(shop.said.pop_front()),
        10 if !shop.heard.is_empty() => {
            let (name, body) = shop.heard[usize::from(which) % shop.heard.len()].clone();
            shop.desk.write(name, &body);
        }
        11 => shop.receive(
            &format!("S{}", which % 3),
            if which % 2 == 0 { "n-1" } else { "n-3" },
            u64::from(which % 4),
        ),
        _ => {}
    }
}

/// Everybody answers, everything that can leave leaves, stock comes for all that waits. For what still waits then no stock was
/// ever asked for, and the customer gives up.
fn settle(shop: &mut Shop) {
    for round in 0..300 {
        if round == 100 {
            let _ = shop.desk.cancel(&[]); // a refusal is an answer, too
        }
        shop.settle();
        if Order::is_final(&shop.desk.state) {
            return;
        }
        shop.desk.pass_ms(40_000);
        for sku in ["S0", "S1", "S2"] {
            shop.receive(sku, "n-2", 1);
        }
        shop.settle();
        depart(&mut shop.desk, 0, 1, 1_000 + round);
    }
    panic!("the order does not end: {:?}", shop.desk.state);
}

/// Only what is out of the walk's hands is out of order.
fn only_expected(desk: &Desk) -> bool {
    desk.exceptions().iter().all(|kind| ["ambiguous_answer", "effect_refused"].contains(kind))
}

fn walk(world: &World, shop: &mut Shop, given: &mut Vec<Given>, lies: &mut impl FnMut(&mut Shop, u8)) {
    for (index, next) in world.walk.steps.iter().enumerate() {
        let does = world.post[index % world.post.len()];
        post(shop, does);
        lies(shop, does.1);
        step(&mut shop.desk, given, *next, index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    // invariant: final-orders-hold-nothing
    #[test]
    fn whatever_honest_reservations_and_the_post_do_an_order_that_has_ended_holds_nothing(world in worlds()) {
        let (mut shop, mut given) = (shop(&world), Vec::new());
        let customers = if shop.desk.phase() == domain::order::state::Phase::Rejected { shop.shelf.held() } else { 0 };
        walk(&world, &mut shop, &mut given, &mut |_, _| {});
        settle(&mut shop);
        check_end(&mut shop.desk, &given)?;
        let version = shop.desk.version;
        for (name, body) in shop.heard.clone() {
            shop.desk.write(name, &body);
        }
        prop_assert_eq!(shop.desk.version, version, "every letter is an old one");
        prop_assert!(only_expected(&shop.desk), "{:?}", shop.desk.exceptions());
        let refused = shop.heard.iter().any(|(name, body)| *name == "reservation_refused" && body["reservation_id"] == "r-7");
        if !refused {
            prop_assert_eq!(shop.shelf.held(), customers, "{:?}", shop.desk.letter_names());
        }
        prop_assert!(holds_nothing(&shop.desk.state));
    }

    #[test]
    fn whatever_lying_reservations_say_every_ledger_of_the_order_adds_up(world in worlds(), seed in any::<u16>()) {
        let (mut shop, mut given) = (shop(&world), Vec::new());
        let mut lie = seed;
        walk(&world, &mut shop, &mut given, &mut |shop, which| {
            lie = lie.wrapping_mul(31).wrapping_add(u16::from(which));
            if lie.is_multiple_of(3)
                && let Some((name, body)) = a_lie(shop, lie)
            {
                shop.desk.write(name, &body);
            }
        });
        settle(&mut shop);
        check_end(&mut shop.desk, &given)?;
        prop_assert!(holds_nothing(&shop.desk.state), "{:?}", shop.desk.state.stock);
    }
}

/// As far as the order knows: what it took has left or went back.
fn holds_nothing(state: &State) -> bool {
    let stock = state.stock.as_ref();
    stock.is_none_or(|stock| stock.reservations.iter().all(|known| known.rows.is_empty()))
}

/// Something that a reservation of the order might say, and that is not so.
fn a_lie(shop: &Shop, draw: u16) -> Option<Said> {
    let letters = &shop.desk.letters;
    let letter = letters.get(usize::from(draw / 7) % letters.len().max(1))?;
    let asked: Value = serde_json::from_slice(&letter.body).unwrap();
    let id = letter.to.key.as_str();
    let (line, quantity) = (u64::from(draw % 5) + 1, u64::from(draw % 4) + 1);
    let node = if draw.is_multiple_of(2) { "n-1" } else { "n-8" };
    let rows = json!([{"line": line, "sku": "S0", "node": node, "quantity": quantity}]);
    let waits = json!([{"line": line % 3 + 1, "sku": "S1", "quantity": quantity}]);
    let short = json!([{"line": line, "sku": "S0", "available": quantity}]);
    Some(match draw % 9 {
        0 => ("reservation_held", json!({"reservation_id": id, "lines": rows, "backordered": waits})),
        1 => ("reservation_committed", json!({"reservation_id": id, "lines": rows, "backordered": waits})),
        2 => ("reservation_refused", json!({"reservation_id": id, "code": "out_of_stock", "lines": short})),
        3 => ("reservation_refused", json!({"reservation_id": id, "code": "expired"})),
        4 => (
            "reservation_allocated",
            json!({"reservation_id": id, "allocation_id": format!("lie-{draw}"), "lines": rows}),
        ),
        5 => {
            ("reservation_consumed", json!({"reservation_id": id, "movement_id": asked.get("movement_id")?}))
        }
        6 => ("reservation_released", json!({"reservation_id": id, "release_id": asked.get("release_id")?})),
        7 => (
            "reservation_given_up",
            json!({"reservation_id": id, "allocation_id": format!("gone-{draw}"), "lines": waits}),
        ),
        _ => ("reservation_committed", json!({"reservation_id": id})),
    })
}
