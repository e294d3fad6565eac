//! What the auditor catches: a perfect run is clean, and each spoiled one is found by the check that is made for it.

use loadtest::auditor::Check;
use loadtest::ledger::Change;
use serde_json::{Value, json};

use crate::fabricated::{Court, Step, Story, verdict, worked_story};

#[test]
fn given_the_worked_example_done_right_when_audited_then_it_is_clean() {
    let verdict = verdict(&worked_story("o-1"));
    assert_eq!(verdict.violations, Vec::<String>::new());
    assert!(verdict.clean && verdict.checks > 80, "{verdict:?}");
    assert_eq!((verdict.orders.submitted, verdict.orders.completed, verdict.orders.open), (1, 1, 0));
}

#[test]
fn given_many_clean_orders_when_audited_then_all_but_the_last_are_forgotten() {
    let mut court = Court::new(5);
    for number in 0..200 {
        court.hear(&worked_story(&format!("o-{number}")));
    }
    assert_eq!(court.auditor.take_forgotten().len(), 195);
    assert!(court.auditor.verdict().clean && court.auditor.is_settled());
}

/// The spoiled story must be found by `check` and, as a proof of the test itself, the unspoiled one must not.
fn assert_caught(check: Check, spoil: impl FnOnce(&mut Story)) {
    let mut story = worked_story("o-1");
    spoil(&mut story);
    let verdict = verdict(&story);
    let is_caught = verdict.violations.iter().any(|text| text.starts_with(&format!("{}: ", check.name())));
    assert!(is_caught && !verdict.clean, "{} not found in {:#?}", check.name(), verdict.violations);
}

fn is_command(step: &Step, domain: &str, name: &str) -> bool {
    matches!(step, Step::Command { domain: d, name: n, .. } if *d == domain && *n == name)
}

fn place(story: &Story, is_it: impl Fn(&Step) -> bool) -> usize {
    story.steps.iter().position(is_it).unwrap()
}

fn tells(step: &Step, kind: &str) -> bool {
    matches!(step, Step::Page(events) if events.iter().any(|event| event["type"] == kind))
}

fn events_of<'a>(story: &'a mut Story, kind: &'a str) -> impl Iterator<Item = &'a mut Value> {
    let pages = story.steps.iter_mut().filter_map(|step| match step {
        Step::Page(events) => Some(events),
        _ => None,
    });
    pages.flatten().filter(move |event| event["type"] == kind)
}

#[test]
fn given_an_effect_that_changes_its_key_unrefused_when_audited_then_it_is_caught() {
    assert_caught(Check::EffectKeyStays, |story| {
        let at = place(story, |step| is_command(step, "payment", "capture"));
        let mut again = story.steps[at].clone();
        if let Step::Command { key, epoch, .. } = &mut again {
            *epoch = 2;
            key.push_str("-other");
        }
        story.steps.insert(at + 2, again);
    });
}

#[test]
fn given_a_key_with_a_second_payload_when_audited_then_it_is_caught() {
    assert_caught(Check::KeyHasOnePayload, |story| {
        let at = place(story, |step| is_command(step, "payment", "capture"));
        let mut again = story.steps[at].clone();
        if let Step::Command { body, .. } = &mut again {
            body["amount_minor"] = json!(1);
        }
        story.steps.insert(at + 1, again);
    });
}

#[test]
fn given_a_capture_one_minor_unit_off_when_audited_then_it_is_caught_though_all_books_agree() {
    for wrong in [4085, 4087] {
        assert_caught(Check::CapturedIsDeparted, |story| {
            for step in &mut story.steps {
                match step {
                    Step::Applied { change: Change::Captured { amount_minor, .. }, .. }
                        if *amount_minor == 4086 =>
                    {
                        *amount_minor = wrong;
                    }
                    Step::Command { body, .. } if body["amount_minor"] == 4086 => {
                        body["amount_minor"] = json!(wrong);
                    }
                    _ => {}
                }
            }
            for event in
                events_of(story, "payment.captured").filter(|event| event["data"]["amount_minor"] == 4086)
            {
                event["data"]["amount_minor"] = json!(wrong);
            }
        });
    }
}

#[test]
fn given_a_lost_page_when_audited_then_it_is_caught() {
    assert_caught(Check::EventsAreDense, |story| {
        let at = place(story, |step| tells(step, "shipment.accepted"));
        story.steps.remove(at);
    });
    assert_caught(Check::OrderEnds, |story| {
        let at = place(story, |step| tells(step, "order.completed"));
        story.steps.remove(at);
    });
}

#[test]
fn given_a_page_told_twice_when_audited_then_it_is_caught() {
    assert_caught(Check::EventsAreDense, |story| {
        let at = place(story, |step| tells(step, "payment.captured"));
        story.steps.insert(at + 1, story.steps[at].clone());
    });
}

#[test]
fn given_a_departure_that_was_consumed_but_not_applied_when_audited_then_it_is_caught() {
    let one_more = |story: &mut Story| {
        let at = place(story, |step| tells(step, "order.completed"));
        let change = crate::fabricated::departed(crate::fabricated::units(1, 1));
        story.steps.insert(at, Step::Applied { key: "sh-1/p3".to_owned(), effect: String::new(), change });
    };
    assert_caught(Check::CapturedIsDeparted, one_more);
    assert_caught(Check::EventsAgreeWithLedgers, one_more);
}

#[test]
fn given_a_submit_that_was_consumed_but_not_applied_when_audited_then_it_is_caught() {
    assert_caught(Check::OrderEnds, |story| story.steps.clear());
}

#[test]
fn given_an_effect_applied_twice_when_audited_then_it_is_caught() {
    assert_caught(Check::KeyAppliedOnce, |story| {
        let at = place(story, |step| is_command(step, "payment", "capture")) + 1;
        story.steps.insert(at, story.steps[at].clone());
    });
}

#[test]
fn given_points_that_are_not_released_when_audited_then_it_is_caught() {
    assert_caught(Check::PointsAreSpent, |story| {
        story.steps.retain(|step| !matches!(step, Step::Applied { change: Change::PointsReleased(_), .. }));
    });
}

#[test]
fn given_a_void_that_is_forgotten_when_audited_then_it_is_caught() {
    assert_caught(Check::AuthorizedIsSpent, |story| {
        story.steps.retain(|step| !matches!(step, Step::Applied { change: Change::Voided { .. }, .. }));
    });
}

#[test]
fn given_one_point_too_many_earned_when_audited_then_it_is_caught() {
    assert_caught(Check::AccrualIsTheRule, |story| {
        for step in &mut story.steps {
            if let Step::Applied { change: Change::PointsAccrued(points), .. } = step {
                *points += 1;
            }
        }
    });
}

#[test]
fn given_a_receipt_document_that_is_missing_or_too_early_when_audited_then_it_is_caught() {
    let is_receipt =
        |step: &Step| matches!(step, Step::Command { body, .. } if body["document"] == "receipt");
    assert_caught(Check::DocumentsAreComplete, |story| {
        let at = place(story, is_receipt);
        story.steps.drain(at..at + 2);
    });
    assert_caught(Check::DocumentsInOrder, |story| {
        let from = place(story, is_receipt);
        let to =
            place(story, |step| matches!(step, Step::Command { body, .. } if body["document"] == "invoice"));
        let early = story.steps.remove(from);
        story.steps.insert(to, early);
    });
}

#[test]
fn given_units_that_are_not_given_back_when_audited_then_it_is_caught() {
    assert_caught(Check::UnitsAreConserved, |story| {
        story
            .steps
            .retain(|step| !matches!(step, Step::Applied { change: Change::AllocationReleased(_), .. }));
    });
}

#[test]
fn given_an_event_after_the_end_was_forgotten_when_audited_then_it_is_caught() {
    let mut court = Court::new(0);
    let story = worked_story("o-1");
    court.hear(&story);
    assert!(court.auditor.verdict().clean);
    court.step("o-1", &story.steps[0]);
    assert!(court.auditor.verdict().violations[0].starts_with("final-is-final: o-1"));
}

#[test]
fn given_a_rejection_that_nothing_explains_when_audited_then_it_is_caught() {
    assert_caught(Check::FinalIsFinal, |story| {
        for event in events_of(story, "order.completed") {
            event["type"] = json!("order.rejected");
        }
    });
}

#[test]
fn given_a_receipt_that_says_no_to_a_committed_order_when_audited_then_it_is_caught() {
    assert_caught(Check::ReceiptIsTrue, |story| {
        let at = place(story, |step| matches!(step, Step::Receipt(_)));
        story.steps[at] = Step::Receipt(false);
    });
}
