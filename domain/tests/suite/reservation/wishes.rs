//! What shops ask for: to hold, to hold longer, to sell, to let go; and an order that comes for what a shop held.

use domain::decider::{Answer, Decider};
use domain::envelope::Plane;
use domain::reason::Code;
use domain::reservation::Reservation;
use domain::reservation::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, hold, skus};

const TTL: i64 = 60_000;

fn shop_hold(lines: &[(u32, &str, u32)]) -> Value {
    json!({"reservation_id": "r-1", "lines": skus(lines), "ttl_ms": TTL})
}

fn held() -> Desk {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 5)]);
    let answer = desk.say(Plane::Intake, "hold", &shop_hold(&[(1, "A", 2), (2, "B", 1)])).unwrap();
    assert_eq!(answer, Answer::Later);
    desk.run();
    desk
}

fn attach(order: &str, lines: &[(u32, &str, u32)]) -> Value {
    json!({"reservation_id": "r-1", "order_id": order, "lines": skus(lines)})
}

fn ask(desk: &mut Desk, name: &str, more: &Value) -> Result<Answer, domain::reason::Reason> {
    let mut body = json!({"reservation_id": "r-1"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    desk.say(Plane::Ask, name, &body)
}

#[test]
fn given_a_hold_of_a_shop_when_its_time_is_over_then_everything_goes_back() {
    let mut desk = held();
    assert_eq!(Reservation::outcome(desk.state("r-1")).unwrap().rejected, None);
    assert_eq!(desk.view("r-1")["expires_at"], "1970-01-01T00:17:40Z");
    desk.pass_ms(TTL - 1);
    assert_eq!(desk.phase("r-1"), Phase::Soft);
    desk.pass_ms(1);
    desk.run();
    assert_eq!(desk.phase("r-1"), Phase::Expired);
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["B~n1"].held()), (0, 0));
    assert_eq!(desk.events("r-1"), ["reservation.held", "reservation.expired"]);
    desk.letter("attach", &attach("o-1", &[(1, "A", 2)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_refused")["code"], "expired");
}

#[test]
fn given_a_hold_that_is_not_complete_when_its_time_is_over_then_it_is_refused_and_leaves_nothing() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    desk.say(Plane::Intake, "hold", &shop_hold(&[(1, "A", 2)])).unwrap();
    desk.step_mail(0, 1);
    desk.mail.clear();
    desk.pass_ms(TTL);
    desk.run();
    assert_eq!(desk.phase("r-1"), Phase::Refused);
    let outcome = Reservation::outcome(desk.state("r-1")).unwrap();
    assert_eq!(outcome.rejected.unwrap().code, Code::Expired);
    assert_eq!(desk.toys["A~n1"].held(), 0);
}

#[test]
fn given_a_hold_when_the_same_comes_again_then_it_is_the_same_and_another_is_a_conflict() {
    let mut desk = held();
    let same = shop_hold(&[(1, "A", 2), (2, "B", 1)]);
    assert_eq!(desk.say(Plane::Intake, "hold", &same).unwrap(), Answer::Later);
    let other = desk.say(Plane::Intake, "hold", &shop_hold(&[(1, "A", 1)])).unwrap_err();
    assert_eq!(other.code, Code::IdempotencyConflict);
}

#[test]
fn given_an_extension_when_it_is_asked_for_then_the_time_is_longer_never_shorter_and_not_for_ever() {
    let mut desk = held();
    desk.policies.lifetime_most_ms = 100_000;
    let start = desk.now;
    for (ttl, expected) in [(90_000, 90_000), (1_000, 90_000), (3_000_000, 100_000)] {
        assert_eq!(ask(&mut desk, "extend", &json!({"ttl_ms": ttl})).unwrap(), Answer::Accepted);
        assert_eq!(desk.state("r-1").expires_at, Some(start.plus_ms(expected)), "{ttl}");
    }
    desk.pass_ms(100_000);
    assert_eq!(ask(&mut desk, "extend", &json!({"ttl_ms": 1})).unwrap_err().code, Code::Expired);
    let unknown = desk.say(Plane::Ask, "extend", &json!({"reservation_id": "r-9", "ttl_ms": 1})).unwrap_err();
    assert_eq!(unknown.code, Code::UnknownEntity);
}

#[test]
fn given_an_order_that_comes_in_time_when_it_attaches_then_the_time_stands_still_until_it_lets_go() {
    let mut desk = held();
    desk.pass_ms(TTL - 1);
    desk.letter("attach", &attach("o-1", &[(1, "A", 2), (2, "B", 1)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_held")["lines"].as_array().unwrap().len(), 2);
    desk.pass_ms(10 * TTL);
    assert_eq!(desk.phase("r-1"), Phase::Soft, "a payment may be open");
    desk.letter("attach", &attach("o-1", &[(1, "A", 2), (2, "B", 1)]));
    desk.run();
    assert_eq!(desk.count_told("reservation_held"), 2);
    let refused = ask(&mut desk, "release", &json!({"reason": "mine"})).unwrap_err();
    assert!(refused.message.contains("cancel order o-1"), "{refused:?}");
    let release = json!({"reservation_id": "r-1", "order_id": "o-1", "release_id": "x", "all": true});
    desk.letter("release", &release);
    desk.run();
    assert_eq!((desk.phase("r-1"), desk.toys["A~n1"].held()), (Phase::Released, 0));
}

#[test]
fn given_an_order_that_comes_at_the_last_moment_when_time_is_over_then_time_wins_before_its_timer_came() {
    let mut desk = held();
    desk.now = desk.now.plus_ms(TTL);
    desk.letter("attach", &attach("o-1", &[(1, "A", 2)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_refused")["code"], "expired");
    desk.pass_ms(0);
    assert_eq!(desk.phase("r-1"), Phase::Expired);
}

#[test]
fn given_an_order_that_needs_less_when_it_attaches_then_the_rest_goes_back_and_one_that_needs_more_is_refused()
 {
    let mut desk = held();
    for misfit in [&[(1, "A", 3)][..], &[(1, "B", 1)], &[(3, "A", 1)], &[(1, "A", 1), (1, "A", 1)]] {
        desk.letter("attach", &attach("o-2", misfit));
        desk.run();
        assert_eq!(desk.told_order("reservation_refused")["code"], "validation", "{misfit:?}");
    }
    desk.letter("attach", &attach("o-1", &[(1, "A", 1)]));
    desk.run();
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["B~n1"].held()), (1, 0));
    let told = desk.told_order("reservation_held");
    assert_eq!(told["lines"], json!([{"line": 1, "sku": "A", "node": "n1", "quantity": 1}]));
}

#[test]
fn given_a_hold_that_names_its_order_when_another_attaches_then_it_is_refused() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    let mut body = shop_hold(&[(1, "A", 2)]);
    body["order_id"] = json!("o-1");
    desk.say(Plane::Intake, "hold", &body).unwrap();
    desk.letter("attach", &attach("o-2", &[(1, "A", 2)]));
    desk.letter("attach", &attach("o-1", &[(1, "A", 2)]));
    assert_eq!(desk.phase("r-1"), Phase::Requested);
    desk.run();
    assert_eq!(desk.count_told("reservation_refused"), 1);
    assert_eq!(desk.told_order("reservation_refused")["code"], "policy_refused");
    assert_eq!(desk.count_told("reservation_held"), 1, "once everything is held");
}

#[test]
fn given_a_shop_that_sells_by_itself_when_it_commits_and_releases_then_nobody_else_is_told() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    desk.say(Plane::Intake, "hold", &shop_hold(&[(1, "A", 2)])).unwrap();
    let early = ask(&mut desk, "commit", &json!({"order_id": "pos-1"})).unwrap_err();
    assert_eq!(early.code, Code::Unavailable);
    desk.run();
    assert_eq!(ask(&mut desk, "commit", &json!({"order_id": "pos-1"})).unwrap(), Answer::Accepted);
    desk.run();
    assert_eq!(desk.phase("r-1"), Phase::Hard);
    assert!(desk.inbox.is_empty());
    assert_eq!(ask(&mut desk, "release", &json!({"reason": "wrong till"})).unwrap(), Answer::Accepted);
    desk.run();
    assert_eq!((desk.phase("r-1"), desk.toys["A~n1"].held()), (Phase::Released, 0));
    assert_eq!(ask(&mut desk, "commit", &json!({"order_id": "pos-1"})).unwrap_err().code, Code::Expired);
}

#[test]
fn given_a_release_before_the_hold_when_the_hold_comes_then_the_release_wins() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    assert_eq!(ask(&mut desk, "release", &json!({"reason": "closed the tab"})).unwrap(), Answer::Accepted);
    let refused = desk.say(Plane::Intake, "hold", &shop_hold(&[(1, "A", 2)])).unwrap_err();
    assert_eq!(refused.code, Code::Expired);
    assert_eq!(desk.view("r-1")["phase"], "released");
}

#[test]
fn given_two_reservations_for_the_last_units_when_both_are_held_then_one_gets_all_and_the_other_nothing() {
    let mut desk = Desk::new(&[("A~n1", 2), ("B~n1", 2)]);
    desk.letter("hold", &hold("o-1", &[(1, "B", 2), (2, "A", 2)]));
    desk.letter("hold", &hold("o-2", &[(1, "A", 2), (2, "B", 2)]));
    desk.run();
    let mut phases = [desk.phase("o-1"), desk.phase("o-2")];
    phases.sort();
    assert_eq!(phases, [Phase::Soft, Phase::Refused]);
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["B~n1"].held()), (2, 2));
    assert_eq!(desk.toys["A~n1"].claims.len(), 1);
}
