//! Silence, failures, definitive refusals and the commit deadline.

use domain::decider::EffectState;
use domain::order::Policies;
use domain::order::policies::{Resend, UnknownAtDeadline};
use domain::order::state::Phase;
use serde_json::json;

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::units;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[test]
fn given_a_participant_that_is_silent_when_time_passes_then_the_same_is_sent_again_and_again() {
    // invariant: effect-key-never-changes-while-unknown
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let mut waits = Vec::new();
    for _ in 0..7 {
        let sends = desk.sent_of("payment.capture").len();
        let since = desk.now;
        while desk.sent_of("payment.capture").len() == sends {
            desk.pass_ms(50);
        }
        waits.push(desk.now.ms_since(since));
    }
    for (wait, base) in waits.iter().zip([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]) {
        assert!((base..=base + base / 4 + 50).contains(wait), "{wait} for {base}");
    }
    let sends = desk.sent_of("payment.capture");
    assert_eq!(sends.len(), 8);
    assert!(sends.iter().all(|send| *send == sends[0]), "key, epoch and body stay");
}

#[test]
fn given_a_transient_failure_when_its_time_comes_then_it_is_sent_again_with_the_same_key() {
    let mut desk = Desk::with(&card_only());
    let first = desk.last("payment.authorize").clone();
    desk.fail("payment.authorize", "transient");
    assert_eq!(desk.effects()[0].state, EffectState::Retrying);
    assert!(desk.open_commands().is_empty());
    let version = desk.version;
    desk.answer_to(&first, "payment.failed", &json!({"code": "e-42", "class": "transient"}));
    assert_eq!(desk.version, version, "said twice, it does not wait longer");
    desk.pass_ms(2_500);
    assert_eq!(desk.sent_of("payment.authorize"), [&first, &first]);
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}

#[test]
fn given_an_unknown_outcome_when_it_is_told_then_the_command_stays_open_and_keeps_its_key() {
    // invariant: effect-key-never-changes-while-unknown
    let mut desk = Desk::with(&card_only());
    let version = desk.version;
    desk.fail("payment.authorize", "unknown_outcome");
    assert_eq!((desk.version, desk.effects()[0].state), (version, EffectState::Sent));
    desk.pass_ms(2_500);
    let sends = desk.sent_of("payment.authorize");
    assert_eq!((sends.len(), &sends[0].idempotency_key), (2, &sends[1].idempotency_key));
}

#[test]
fn given_a_class_that_is_not_known_when_a_command_fails_then_it_stays_open_and_a_person_is_told() {
    let mut desk = Desk::with(&card_only());
    desk.fail("payment.authorize", "gremlins");
    assert_eq!(desk.exceptions(), ["unknown_value"]);
    assert_eq!((desk.phase(), desk.open_kinds()), (Phase::Reserving, vec!["payment.authorize".to_owned()]));
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}

#[test]
fn given_an_open_order_when_a_command_is_refused_for_good_then_it_stays_open_with_an_exception() {
    // invariant: no-stuck-order
    let expected = [
        ("payment.capture", 4086, 0, Some("payment.capture_failed")),
        ("loyalty.finalize", 0, 1023, None),
        ("loyalty.accrue", 0, 29, None),
        ("payment.void", 3912, 0, None),
        ("loyalty.release", 0, 977, None),
        ("fulfillment.cancel", 0, 0, None),
    ];
    for (kind, minor, points, told) in expected {
        let mut desk = Desk::released(&worked_example());
        desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
        desk.cancel(&[]).unwrap();
        while !desk.open_kinds().contains(&kind.to_owned()) {
            let open = desk.open_kinds();
            desk.yes_to(open.iter().find(|open| *open != "erp.post").unwrap());
        }
        desk.fail(kind, "business");
        let exception = &desk.told_last("exception.opened")["exception"];
        assert_eq!(desk.exceptions(), ["effect_refused"], "{kind}");
        assert_eq!(
            (&exception["exposure_minor"], &exception["exposure_points"]),
            (&json!(minor), &json!(points)),
            "{kind}"
        );
        assert!(exception["effect_id"].as_str().unwrap().contains(kind));
        desk.say_yes("n-1");
        desk.pass_ms(MINUTE_MS);
        desk.say_yes("n-1");
        assert_eq!(desk.phase(), Phase::Fulfilling, "{kind}");
        assert_eq!(desk.sent_of(kind).len(), 1, "{kind} is not sent again");
        if let Some(told) = told {
            assert_eq!(desk.count(told), 1);
        }
    }
}

#[test]
fn given_a_capture_that_is_declined_when_it_answers_then_the_goods_stay_shipped_and_the_money_is_exposed() {
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let declined =
        json!({"tender": "t1", "amount_minor": 1190, "currency": "EUR", "code": "lost_card", "kind": "hard"});
    desk.answer("payment.capture", "payment.capture_declined", &declined);
    assert_eq!(desk.exceptions(), ["effect_refused"]);
    assert_eq!(desk.told_last("exception.opened")["exception"]["exposure_minor"], 1190);
    assert_eq!(desk.view()["tenders"][0]["capturing_minor"], 0);
    desk.say_yes("n-1");
    assert_eq!((desk.phase(), desk.line(0)["shipped"].clone()), (Phase::Fulfilling, json!(1)));
    assert!(desk.sent_of("payment.void").is_empty(), "what is owed is not let go");
    assert!(desk.documents("receipt").is_empty());
}

#[test]
fn given_points_that_are_refused_at_the_accrual_when_it_answers_then_the_order_stays_open() {
    let mut desk = Desk::released(&worked_example());
    desk.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    desk.answer("loyalty.accrue", "loyalty.accrue_refused", &json!({"code": "member_closed"}));
    desk.say_yes("n-1");
    assert_eq!((desk.phase(), desk.status("loyalty").as_str()), (Phase::Fulfilling, "failed"));
    assert_eq!(desk.exceptions(), ["effect_refused"]);
}

/// The ERP and the gateways remember keys for an hour and ten minutes: re-sending stops ten minutes after the first.
fn forgetful() -> Policies {
    let resend = Resend { idempotency_ttl_ms: HOUR_MS + 10 * MINUTE_MS, ..Resend::default() };
    Policies { payment: resend, erp: resend, ..Policies::default() }
}

#[test]
fn given_silence_when_the_participant_may_forget_the_key_then_re_sending_stops_with_an_exception() {
    let mut desk = Desk::released(&units(1));
    desk.policies = forgetful();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.answer_all_but("payment.capture");
    let capture = desk.last("payment.capture").clone();
    desk.pass_ms(9 * MINUTE_MS);
    assert!(desk.exceptions().is_empty());
    desk.pass_ms(2 * MINUTE_MS);
    assert_eq!(desk.exceptions(), ["no_answer"]);
    assert_eq!(desk.state.exceptions[0].effect_id.as_deref(), Some(&*capture.effect_id));
    let sends = desk.sent.len();
    desk.pass_ms(48 * HOUR_MS);
    assert_eq!(desk.sent.len(), sends, "never blindly");
    // If the answer comes after all, it counts.
    desk.answer_to(&capture, "payment.captured", &Desk::body(&capture));
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_a_participant_that_is_down_for_long_when_it_says_so_then_re_sending_goes_on() {
    let mut desk = Desk::committed(&units(1));
    desk.policies = forgetful();
    desk.answer_all_but("erp.post");
    for _ in 0..(30 * 60) {
        if desk.effects()[0].state == EffectState::Sent {
            desk.fail("erp.post", "transient");
        }
        desk.pass_ms(1_000);
    }
    assert!(desk.exceptions().is_empty(), "it was never in doubt");
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.pass_ms(40_000);
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_nothing_in_flight_when_the_commit_deadline_passes_then_the_order_is_rejected() {
    let mut desk = Desk::with(&worked_example());
    desk.yes_to("loyalty.reserve");
    while desk.phase() == Phase::Reserving {
        if desk.effects()[0].state == EffectState::Sent {
            desk.fail("payment.authorize", "transient");
        }
        desk.pass_ms(100);
    }
    assert_eq!(desk.code("order.rejected"), "commit_deadline");
    assert_eq!(desk.now.ms_since(desk.state.content().received_at) / 100, 300);
    assert_eq!(desk.open_kinds(), ["loyalty.release"], "what was never applied is forgotten");
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_an_effect_that_is_due_at_the_deadline_itself_when_both_are_judged_then_it_is_not_sent_again() {
    let mut desk = Desk::with(&card_only());
    desk.fail("payment.authorize", "transient");
    desk.judge_late(60_000);
    assert_eq!(desk.phase(), Phase::Rejected);
    assert_eq!(desk.sent_of("payment.authorize").len(), 1);
    assert!(desk.effects().is_empty());
}

#[test]
fn given_an_unknown_outcome_when_the_commit_deadline_passes_then_the_order_is_held_and_a_late_yes_counts() {
    let mut desk = Desk::with(&card_only());
    desk.pass_ms(31_000);
    assert_eq!(desk.phase(), Phase::Reserving);
    assert_eq!(desk.view()["holds"][0]["type"], "unknown_outcome");
    assert_eq!((desk.count("hold.placed"), desk.status("display").as_str()), (1, "on_hold"));
    assert_eq!(desk.outcome(), None, "the receipt stays pending");
    desk.pass_ms(120_000);
    assert_eq!(desk.count("hold.placed"), 1);
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
    assert_eq!((desk.count("hold.resolved"), desk.view()["holds"].clone()), (1, json!([])));
}

#[test]
fn given_a_held_order_when_the_answer_is_no_or_not_applied_then_it_is_rejected() {
    let mut declined = Desk::with(&card_only());
    declined.pass_ms(31_000);
    declined.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "x", "kind": "hard"}),
    );
    assert_eq!(declined.code("order.rejected"), "payment_declined");
    assert_eq!(declined.count("hold.resolved"), 1);
    let mut in_doubt = Desk::with(&card_only());
    in_doubt.pass_ms(31_000);
    in_doubt.fail("payment.authorize", "transient");
    assert_eq!(in_doubt.phase(), Phase::Reserving, "an earlier send may have been applied all the same");
    in_doubt.cancel(&[]).unwrap();
    assert_eq!(in_doubt.code("order.rejected"), "cancelled_by_customer");
    assert_eq!(in_doubt.open_kinds(), ["payment.authorize"], "found out with the same key");
    in_doubt.pass_ms(40_000);
    in_doubt.yes_to("payment.authorize");
    assert_eq!(in_doubt.numbers("payment.void", "amount_minor"), [2380]);
    in_doubt.ends_as(Phase::Rejected);
}

fn rejecting() -> Desk {
    let mut desk = Desk::new();
    desk.policies = Policies { unknown_at_deadline: UnknownAtDeadline::Reject, ..Policies::default() };
    desk
}

#[test]
fn given_the_policy_to_reject_when_the_deadline_passes_then_a_late_authorization_is_voided() {
    let mut desk = rejecting();
    desk.submit(&card_only()).unwrap();
    desk.pass_ms(31_000);
    assert_eq!(desk.code("order.rejected"), "commit_deadline");
    assert_eq!(desk.open_kinds(), ["payment.authorize"]);
    desk.yes_to("payment.authorize");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2380]);
    desk.ends_as(Phase::Rejected);
    assert_eq!(desk.count("order.committed"), 0);
}

#[test]
fn given_the_policy_to_reject_when_the_deadline_passes_then_late_points_are_released() {
    let mut desk = rejecting();
    desk.submit(&worked_example()).unwrap();
    desk.pass_ms(31_000);
    assert_eq!(desk.phase(), Phase::Rejected);
    desk.yes_to("loyalty.reserve");
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    assert!(desk.sent_of("payment.authorize").is_empty());
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_deadline_of_its_own_when_it_passes_then_the_order_is_given_up_earlier() {
    let mut desk = rejecting();
    let headers = domain::envelope::Headers::new().with("commit-deadline-ms", "5000");
    desk.say(domain::envelope::Plane::Intake, "order.submit", &card_only(), headers).unwrap();
    desk.pass_ms(4_999);
    assert_eq!(desk.phase(), Phase::Reserving);
    desk.pass_ms(1);
    assert_eq!(desk.phase(), Phase::Rejected);
}

#[test]
fn given_an_answer_with_another_amount_when_it_comes_then_it_is_applied_with_an_exception() {
    // invariant: facts-are-never-refused
    let mut desk = Desk::released(&worked_example());
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    let capture = json!({"tender": "t1", "amount_minor": 4000, "currency": "EUR", "settlement_ref": "s"});
    desk.answer("payment.capture", "payment.captured", &capture);
    assert_eq!(desk.view()["tenders"][0]["captured_minor"], 4000);
    assert_eq!(desk.told_last("payment.captured")["settlement_ref"], "main:o-1:payment.capture:1");
    desk.answer("loyalty.finalize", "loyalty.finalized", &json!({"points": 1000}));
    assert_eq!(desk.view()["redemption"]["finalized_points"], 1000);
    desk.answer("loyalty.accrue", "loyalty.accrued", &json!({"points_delta": 20, "target_points": 29}));
    assert_eq!(desk.numbers("loyalty.accrue", "points_delta"), [29, 9], "the difference is posted");
    assert_eq!(desk.exceptions(), ["amount_differs"; 3]);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p2", &[(1, 1), (2, 1)]));
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Fulfilling, "0.86 and 23 points are missing");
}

#[test]
fn given_a_capture_in_another_currency_when_it_answers_then_all_of_it_is_exposed() {
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let capture = json!({"tender": "t1", "amount_minor": 1190, "currency": "USD", "settlement_ref": "s"});
    desk.answer("payment.capture", "payment.captured", &capture);
    assert_eq!(desk.exceptions(), ["amount_differs"]);
    assert_eq!(desk.told_last("exception.opened")["exception"]["exposure_minor"], 1190);
}

#[test]
fn given_a_void_of_less_when_it_answers_then_the_rest_is_voided_too() {
    let mut desk = Desk::committed(&card_only());
    desk.cancel(&[]).unwrap();
    desk.answer(
        "payment.void",
        "payment.voided",
        &json!({"tender": "t1", "amount_minor": 2000, "currency": "EUR"}),
    );
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2380, 380]);
    desk.ends_as(Phase::Cancelled);
}

#[test]
fn given_a_capture_on_its_way_when_units_are_cancelled_then_the_void_waits_for_it() {
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.cancel(&[(1, 1)]).unwrap();
    desk.yes_to("fulfillment.cancel");
    assert!(desk.sent_of("payment.void").is_empty());
    desk.yes_to("payment.capture");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [1190]);
}
