//! Random orders in a random world: answers late, twice, backwards; parcels of any size; cancels at any moment. In the
//! end every ledger adds up, whatever the order of events was.

use domain::decider::Command;
use domain::envelope::{Headers, Plane};
use domain::order::state::Phase;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::{Desk, departed_from, kind_of, yes};

/// An answer as it was given: to which command, its kind, its body.
pub(super) type Given = (Command, &'static str, Value);

#[derive(Debug, Clone)]
pub(super) struct Walk {
    lines: Vec<(u32, i64, i64)>,
    fee: i64,
    points_share: i64,
    second_card: bool,
    pub(super) steps: Vec<(u8, u16, u16)>,
}

pub(super) fn walks() -> impl Strategy<Value = Walk> {
    (
        prop::collection::vec((1_u32..6, 0_i64..10_000, 0_i64..2_000), 1..4),
        0_i64..600,
        prop_oneof![Just(0_i64), 1_i64..=100],
        any::<bool>(),
        prop::collection::vec((0_u8..24, any::<u16>(), any::<u16>()), 0..120),
    )
        .prop_map(|(lines, fee, points_share, second_card, steps)| Walk {
            lines,
            fee,
            points_share,
            second_card,
            steps,
        })
}

pub(super) fn body(walk: &Walk) -> Value {
    let rows = walk.lines.iter().enumerate().map(|(index, (quantity, net, tax))| {
        json!({"line": index + 1, "sku": format!("S{index}"), "quantity": quantity, "net_minor": net, "tax_minor": tax})
    });
    let total: i64 = walk.lines.iter().map(|(_, net, tax)| net + tax).sum::<i64>() + walk.fee;
    let value = total * walk.points_share / 100;
    let mut tenders = vec![json!({"tender": "t2", "type": "card", "gateway": "g", "token": "k2"})];
    if walk.second_card && total - value > 1 {
        let first = (total - value) / 3 + 1;
        tenders.insert(
            0,
            json!({"tender": "t1", "type": "card", "gateway": "g", "token": "k1", "amount_minor": first}),
        );
    }
    json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR", "customer": {"member_id": "m"},
        "lines": rows.collect::<Vec<_>>(), "fees": [{"fee": "shipping", "net_minor": walk.fee, "tax_minor": 0}],
        "total_minor": total, "tenders": tenders,
        "redemption": {"points": value * 3, "value_minor": value},
    })
}

/// One step of the world.
pub(super) fn step(
    desk: &mut Desk,
    given: &mut Vec<Given>,
    (what, which, size): (u8, u16, u16),
    parcel: usize,
) {
    let open = desk.open_commands();
    let chosen = open.get(usize::from(which) % open.len().max(1)).cloned();
    match (what, chosen) {
        (0..=8, Some(command)) => {
            let (kind, answer) = answer(&command, size);
            desk.answer_to(&command, kind, &answer);
            if what == 8 {
                desk.answer_to(&command, kind, &answer);
            }
            given.push((command, kind, answer));
        }
        (9, Some(command)) if kind_of(&command).starts_with("fulfillment.cancel") => {
            desk.answer_to(&command, "shipment.cancel_rejected", &Desk::body(&command));
        }
        (9, Some(command)) => {
            let domain = if kind_of(&command).starts_with("fulfillment") {
                "shipment"
            } else {
                command.participant.as_str()
            };
            let failure =
                json!({"code": "busy", "class": if size % 2 == 0 { "transient" } else { "unknown_outcome" }});
            desk.answer_to(&command, &format!("{domain}.failed"), &failure);
        }
        (10..=13, _) => depart(desk, which, size, parcel),
        (14, _) => {
            let lines = desk.state.lines.len().max(1);
            let line = u32::from(which) % u32::try_from(lines).unwrap() + 1;
            let _ = desk.cancel(&[(line, u32::from(size) % 3 + 1)]); // a refusal is an answer, too
        }
        (15, _) if size.is_multiple_of(7) => {
            let _ = desk.cancel(&[]); // a refusal is an answer, too
        }
        (16, _) => desk.pass_ms(i64::from(size) % 5_000),
        (17, Some(command)) => {
            let (kind, answer) = answer(&command, size);
            desk.tell(kind, &answer);
        }
        (18, Some(command)) => {
            let (kind, answer) = answer(&command, size);
            unheard(desk, &command, kind, &answer);
        }
        (19, _) if !given.is_empty() => {
            let (command, kind, answer) = &given[usize::from(which) % given.len()];
            desk.answer_to(command, kind, answer);
        }
        (20, _) => depart_without_node(desk, which, size, parcel),
        _ => {}
    }
}

/// An answer to another epoch says nothing.
fn unheard(desk: &mut Desk, command: &Command, kind: &str, answer: &Value) {
    let version = desk.version;
    let headers = Headers::new()
        .with("Effect-Id", command.effect_id.clone())
        .with("Effect-Epoch", (command.epoch + 1).to_string());
    desk.say(Plane::Reply, kind, answer, headers).unwrap();
    assert_eq!(desk.version, version);
}

/// A store sells what has no node yet.
fn depart_without_node(desk: &mut Desk, which: u16, size: u16, parcel: usize) {
    if !desk.phase().was_committed() {
        return;
    }
    let lines = desk.state.lines.iter().zip(1_u32..).filter(|(line, _)| line.pending > 0);
    let waiting: Vec<(u32, u32)> = lines.map(|(line, number)| (number, line.pending)).collect();
    let Some((line, most)) = waiting.get(usize::from(which) % waiting.len().max(1)).copied() else { return };
    let fact = departed_from("store-7", &format!("q{parcel}"), &[(line, u32::from(size) % most + 1)]);
    desk.fact("shipment.departed", &fact);
}

/// Mostly yes; allocation sometimes gives less, on two nodes, or refuses a line.
fn answer(command: &Command, size: u16) -> (&'static str, Value) {
    let (kind, mut body) = yes(command, if size.is_multiple_of(2) { "n-1" } else { "n-2" });
    if kind == "allocation.allocated" {
        let rows = body["allocations"].as_array_mut().unwrap();
        match size % 11 {
            0 => {
                return (
                    "allocation.refused",
                    json!({"lines": Desk::body(command)["lines"], "code": "none"}),
                );
            }
            1 => {
                let first = Desk::body(command)["lines"][0].clone();
                return (
                    "allocation.refused",
                    json!({"lines": [{"line": first["line"], "quantity": 1}], "code": "none"}),
                );
            }
            2 if rows[0]["quantity"].as_u64().unwrap() > 1 => rows[0]["quantity"] = json!(1),
            3 if rows[0]["quantity"].as_u64().unwrap() > 1 => {
                let mut other = rows[0].clone();
                other["quantity"] = json!(other["quantity"].as_u64().unwrap() - 1);
                other["node"] = json!("n-9");
                other["allocation_ref"] = json!(format!("{}-b", other["allocation_ref"].as_str().unwrap()));
                rows[0]["quantity"] = json!(1);
                rows.push(other);
            }
            _ => {}
        }
    }
    (kind, body)
}

pub(super) fn depart(desk: &mut Desk, which: u16, size: u16, parcel: usize) {
    let open = desk.state.shipments.iter().enumerate().flat_map(|(index, shipment)| {
        shipment.rows.iter().filter(|row| row.open() > 0).map(move |row| (index, row.line, row.open()))
    });
    let open: Vec<(usize, u16, u32)> = open.collect();
    let Some((index, line, most)) = open.get(usize::from(which) % open.len().max(1)).copied() else { return };
    let quantity = u32::from(size) % most + 1;
    let shipment = format!("o-1-s{}", index + 1);
    let fact = departed_from(&shipment, &format!("p{parcel}"), &[(u32::from(line) + 1, quantity)]);
    desk.fact("shipment.departed", &fact);
    if size.is_multiple_of(3) {
        desk.fact("shipment.departed", &fact);
    }
}

/// Everybody answers, everything that can leave leaves.
fn settle(desk: &mut Desk) {
    for round in 0..200 {
        desk.say_yes("n-1");
        desk.pass_ms(40_000);
        if desk.state.phase.is_terminal() && desk.open_commands().is_empty() {
            return;
        }
        depart(desk, 0, 1, 1_000 + round);
    }
    panic!("the order does not end: {:?}", desk.state);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    // invariant: ledger-bounds
    #[test]
    fn whatever_the_world_does_every_ledger_adds_up_in_the_end(walk in walks()) {
        let mut desk = Desk::with(&body(&walk));
        let mut given = Vec::new();
        for (index, next) in walk.steps.iter().enumerate() {
            step(&mut desk, &mut given, *next, index);
        }
        settle(&mut desk);
        check_end(&mut desk, &given)?;
        let told = desk.exceptions();
        prop_assert!(told.iter().all(|kind| *kind == "ambiguous_answer"), "nothing else was out of order: {told:?}");
    }
}

/// The order has ended, every ledger adds up, and no answer changes anything any more.
pub(super) fn check_end(desk: &mut Desk, given: &[Given]) -> Result<(), TestCaseError> {
    // invariant: final-is-final
    let version = desk.version;
    for (command, kind, answer) in given {
        desk.answer_to(command, kind, answer);
    }
    prop_assert_eq!(desk.version, version, "every answer is an old one");
    let state = &desk.state;
    prop_assert!(state.effects.is_empty());
    for ledger in &state.tenders {
        prop_assert_eq!(ledger.captured + ledger.released, ledger.authorized);
    }
    prop_assert_eq!(state.redemption.finalized + state.redemption.released, state.redemption.reserved);
    let departed: Vec<_> = state.departed_spans().collect();
    let fees = if state.any_departed() { state.content().fee_spans().collect() } else { Vec::new() };
    let charged: Vec<_> = departed.iter().chain(&fees).copied().collect();
    for (tender, ledger) in state.tenders.iter().enumerate() {
        let value: i64 = charged.iter().map(|span| state.cells().tender_value(tender, *span)).sum();
        prop_assert_eq!(ledger.captured, value, "captured is the value of the departed units");
    }
    let points: i64 = charged.iter().map(|span| state.cells().points_count(*span)).sum();
    prop_assert_eq!(state.redemption.finalized, points);
    prop_assert_eq!(state.accrual.posted, state.accrual_target());
    let ends = ["order.completed", "order.cancelled", "order.rejected"];
    let ended: Vec<_> = desk.told_kinds().into_iter().filter(|kind| ends.contains(kind)).collect();
    let end = match state.phase {
        Phase::Completed => "order.completed",
        Phase::Cancelled => "order.cancelled",
        _ => "order.rejected",
    };
    prop_assert_eq!(ended, [end]);
    prop_assert_eq!(state.any_departed(), state.phase == Phase::Completed);
    check_documents(desk)
}

/// What was booked was invoiced or taken away, row by row; every receipt is a capture.
fn check_documents(desk: &Desk) -> Result<(), TestCaseError> {
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    for command in desk.sent_of("erp.post") {
        let body = Desk::body(command);
        let kind = body["document"].as_str().unwrap().to_owned();
        let first = desk.sent.iter().position(|other| other.effect_id == command.effect_id).unwrap();
        if !std::ptr::eq(&raw const desk.sent[first], command) {
            continue; // a re-send
        }
        let rows = body["lines"].as_array().unwrap().iter();
        let value: i64 =
            rows.map(|row| row["net_minor"].as_i64().unwrap() + row["tax_minor"].as_i64().unwrap()).sum();
        let paid = body["tenders"].as_array().map_or(0, |tenders| {
            tenders.iter().map(|tender| tender["amount_minor"].as_i64().unwrap()).sum::<i64>()
        });
        *sums.entry(kind.clone()).or_default() += if kind == "receipt" { paid } else { value };
    }
    let sum = |kind: &str| sums.get(kind).copied().unwrap_or_default();
    prop_assert_eq!(sum("book"), sum("invoice") + sum("amend") + sum("cancel"));
    prop_assert_eq!(sum("receipt"), desk.state.tenders.iter().map(|ledger| ledger.captured).sum::<i64>());
    Ok(())
}
