//! The same facts and answers in any order, each any number of times, end in the same ledgers.

use domain::decider::{Command, Decider};
use domain::envelope::{Envelope, Plane};
use domain::order::Order;
use domain::order::state::Phase;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::{Desk, departed, departed_from, worked_example, yes};
use super::steps::two_cards;

/// What an order ends with.
#[derive(Debug, PartialEq)]
struct End {
    phase: Phase,
    tenders: Vec<(i64, i64, i64)>,
    points: (i64, i64, i64),
    accrued: (i64, i64),
    units: Vec<(u32, u32, u32)>,
    /// Value of all documents of a kind; there may be more of them or fewer, but they say the same in all.
    documents: Vec<(&'static str, i64)>,
}

fn end(desk: &Desk) -> End {
    let state = &desk.state;
    let tenders = state.tenders.iter().map(|ledger| (ledger.authorized, ledger.captured, ledger.released));
    let units = state.lines.iter().map(|line| (line.shipped, line.delivered, line.cancelled));
    let points = &state.redemption;
    let documents = ["book", "amend", "ship", "invoice"].map(|kind| {
        let rows = desk
            .documents(kind)
            .into_iter()
            .flat_map(|document| document["lines"].as_array().unwrap().clone());
        let amount = |row: &Value, field: &str| row[field].as_i64().unwrap();
        (kind, rows.map(|row| amount(&row, "net_minor") + amount(&row, "tax_minor")).sum())
    });
    End {
        phase: state.phase,
        tenders: tenders.collect(),
        points: (points.reserved, points.finalized, points.released),
        accrued: (state.accrual.posted, state.accrual_target()),
        units: units.collect(),
        documents: documents.into(),
    }
}

/// What the world says of its own accord: departures over two nodes, deliveries, and a node that gives one unit back.
struct World {
    order: Value,
    facts: Vec<(&'static str, Value)>,
    cancel: Vec<(u32, u32)>,
}

fn worlds() -> Vec<World> {
    let delivered = |shipment: &str, parcel: &str| json!({"shipment_id": shipment, "parcel_id": parcel, "delivered_at": "2026-11-28T10:00:00Z"});
    vec![
        World {
            order: worked_example(),
            facts: vec![
                ("shipment.departed", departed("p1", &[(1, 1)])),
                ("shipment.departed", departed("p2", &[(1, 1), (2, 1)])),
                ("shipment.delivered", delivered("o-1-s1", "p1")),
                ("shipment.delivered", delivered("o-1-s1", "p2")),
            ],
            cancel: vec![(1, 1)],
        },
        World {
            order: two_cards(),
            facts: vec![
                ("shipment.departed", departed_from("o-1-s1", "p1", &[(1, 1)])),
                ("shipment.departed", departed_from("o-1-s1", "p2", &[(2, 2)])),
                ("shipment.delivered", delivered("o-1-s1", "p2")),
                ("shipment.departed", departed_from("o-1-s1", "p3", &[(1, 1)])),
            ],
            cancel: vec![],
        },
    ]
}

/// A released order, with the wish to cancel at its node already told.
fn begun(world: &World) -> Desk {
    let mut desk = Desk::released(&world.order);
    if !world.cancel.is_empty() {
        desk.cancel(&world.cancel).unwrap();
    }
    desk
}

/// Every fact, then every answer, as it comes.
fn in_order(world: &World) -> End {
    let mut desk = begun(world);
    for (kind, body) in &world.facts {
        desk.fact(kind, body);
        desk.say_yes("n-1");
    }
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Completed);
    end(&desk)
}

/// The definitive answer of a participant: the same bytes however often it is given.
fn answer(desk: &Desk, command: &Command) -> Envelope {
    let (kind, body) = yes(command, "n-1");
    let mut message = desk.message(Plane::Reply, kind, &body, &format!("answer-{}", command.effect_id));
    message.headers.push("Effect-Id", command.effect_id.clone());
    message.headers.push("Effect-Epoch", command.epoch.to_string());
    message
}

/// Facts and answers in the order that `choices` draws, each again and again.
fn shuffled(world: &World, choices: &[u16]) -> End {
    let mut desk = begun(world);
    let facts = world.facts.iter().enumerate();
    let mut waiting: Vec<Envelope> = facts
        .map(|(at, (kind, body))| desk.message(Plane::Fact, kind, body, &format!("fact-{at}")))
        .collect();
    let mut done: Vec<Envelope> = Vec::new();
    let mut asked: usize = 0;
    let mut draw = choices.iter().copied().cycle();
    loop {
        let news = desk.sent[asked..].iter().map(|command| answer(&desk, command)).collect::<Vec<_>>();
        asked = desk.sent.len();
        waiting.extend(news);
        if waiting.is_empty() {
            break;
        }
        let drawn = usize::from(draw.next().expect("a cycle has no end"));
        let message = waiting.remove(drawn % waiting.len());
        desk.deliver(&message).unwrap();
        done.push(message);
        if drawn.is_multiple_of(3) {
            let again = done[drawn % done.len()].clone();
            desk.deliver(&again).unwrap();
        }
    }
    let version = desk.version;
    for message in &done {
        desk.deliver(message).unwrap();
    }
    assert_eq!(desk.version, version, "after the end every message is an old one");
    assert!(Order::is_final(&desk.state), "open: {:?}", desk.open_kinds());
    end(&desk)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn given_the_same_messages_when_they_come_doubled_and_in_any_order_then_the_ledgers_end_the_same(
        choices in prop::collection::vec(any::<u16>(), 1..80)
    ) {
        // invariant: applied-once
        for world in worlds() {
            prop_assert_eq!(shuffled(&world, &choices), in_order(&world));
        }
    }
}

#[test]
fn given_the_facts_backwards_when_everything_is_answered_last_first_then_the_ledgers_end_the_same() {
    for world in worlds() {
        assert_eq!(shuffled(&world, &[u16::MAX]), in_order(&world));
    }
}

#[test]
fn given_the_first_world_when_it_ends_then_its_ledgers_are_those_of_the_worked_example() {
    let end = in_order(&worlds()[0]);
    assert_eq!(end.tenders, [(7998, 6219, 1779)]);
    assert_eq!((end.points, end.accrued), ((2000, 1555, 445), (47, 47)));
    assert_eq!(end.units, [(0, 2, 1), (0, 1, 0)]);
    assert_eq!(end.documents, [("book", 8998), ("amend", 2002), ("ship", 6397), ("invoice", 6996)]);
}
