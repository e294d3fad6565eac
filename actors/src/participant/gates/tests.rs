//! What a gate lets through, and what a decision sees of it.

use std::sync::Arc;

use domain::decider::Participant;
use domain::gates::{BreakerState, Urgency};
use domain::time::Timestamp;

use super::{Gates, HeldBy};
use crate::config::{InFlight, NodeConfig, Participants};
use crate::metrics::Metrics;
use crate::participant::Outcomes;
use crate::participant::settings::ParticipantSettings;

const NOW: Timestamp = Timestamp(1_795_766_400_000);

fn gates(in_flight: u32, settings: ParticipantSettings) -> Gates {
    let config = NodeConfig {
        in_flight_commands: InFlight { erp: in_flight, ..NodeConfig::default().in_flight_commands },
        participants: Participants { erp: settings, ..Participants::default() },
        ..NodeConfig::default()
    };
    Gates::new(&config, 4, NOW, Arc::default())
}

#[test]
fn a_gate_closes_at_its_cap_and_opens_with_an_answer() {
    let gates = gates(2, ParticipantSettings::default());
    gates.adjust(Participant::Erp, 2);
    let view = gates.snapshot(NOW);
    assert!(!view.open(Participant::Erp) && view.open(Participant::Payment));
    gates.adjust(Participant::Erp, 1);
    assert_eq!(gates.room(Participant::Erp, Urgency::Urgent, NOW), 0);
    gates.adjust(Participant::Erp, -3);
    assert!(gates.snapshot(NOW).open(Participant::Erp));
}

#[test]
fn a_small_cap_keeps_a_place_for_what_is_urgent_unless_it_has_only_one() {
    let ordinary_of_urgent = |cap, in_flight| {
        let gates = gates(cap, ParticipantSettings::default());
        gates.adjust(Participant::Erp, in_flight);
        let view = gates.snapshot(NOW);
        let [ordinary, urgent] = [Urgency::Ordinary, Urgency::Urgent].map(|urgency| {
            let room = gates.room(Participant::Erp, urgency, NOW);
            assert_eq!(view.open_for(Participant::Erp, urgency), room > 0, "{urgency:?} {cap} {in_flight}");
            room
        });
        (ordinary, urgent)
    };
    for (cap, in_flight, then) in [
        (1, 0, (1, 1)),
        (1, 1, (0, 0)),
        (2, 0, (1, 2)),
        (2, 1, (0, 1)),
        (19, 18, (0, 1)),
        (19, 19, (0, 0)),
        (20, 18, (1, 2)),
        (20, 19, (0, 1)),
        (40, 37, (1, 3)),
        (40, 38, (0, 2)),
    ] {
        assert_eq!(ordinary_of_urgent(cap, in_flight), then, "{in_flight} of {cap}");
    }
}

#[test]
fn the_last_part_of_cap_and_rate_is_for_what_is_urgent() {
    let settings = ParticipantSettings { rate_per_second: 100, burst: 40, ..ParticipantSettings::default() };
    let by_cap = gates(20, ParticipantSettings::default());
    by_cap.adjust(Participant::Erp, 19);
    let by_rate = gates(1_000, settings);
    by_rate.sent(Participant::Erp, 38, NOW);
    for gates in [by_cap, by_rate] {
        let view = gates.snapshot(NOW);
        assert!(!view.open(Participant::Erp) && view.open_for(Participant::Erp, Urgency::Urgent));
    }
}

#[test]
fn new_commands_go_behind_those_that_wait() {
    let gates = gates(1_000, ParticipantSettings::default());
    gates.wait(Participant::Erp, 3, Urgency::Ordinary, 1);
    let view = gates.snapshot(NOW);
    assert!(!view.open(Participant::Erp) && view.open_for(Participant::Erp, Urgency::Urgent));
    gates.wait(Participant::Erp, 3, Urgency::Urgent, 1);
    assert!(!gates.snapshot(NOW).open_for(Participant::Erp, Urgency::Urgent));
    gates.wait(Participant::Erp, 3, Urgency::Ordinary, -1);
    gates.wait(Participant::Erp, 3, Urgency::Urgent, -1);
    assert!(gates.snapshot(NOW).open(Participant::Erp));
}

#[test]
fn several_partitions_that_wait_share_the_room() {
    let gates = gates(10, ParticipantSettings::default());
    for partition in 0..3 {
        gates.wait(Participant::Erp, partition, Urgency::Ordinary, 100);
    }
    assert_eq!(gates.share(Participant::Erp, Urgency::Ordinary, NOW), 3);
    assert_eq!(gates.share(Participant::Erp, Urgency::Urgent, NOW), 4);
}

#[test]
fn what_holds_commands_back_is_named_while_some_wait() {
    let settings = ParticipantSettings { rate_per_second: 50, burst: 50, ..ParticipantSettings::default() };
    let gates = gates(100, settings);
    let held_by = || gates.held_by(Participant::Erp, NOW);
    gates.publish(Participant::Erp, BreakerState::Open, NOW);
    assert_eq!(held_by(), None, "none waits");
    gates.wait(Participant::Erp, 0, Urgency::Ordinary, 1);
    assert_eq!(held_by(), Some(HeldBy::Breaker));
    gates.publish(Participant::Erp, BreakerState::HalfOpen, NOW);
    assert_eq!(held_by(), None, "it may go as a probe");
    gates.sent(Participant::Erp, 5, NOW);
    assert_eq!(held_by(), Some(HeldBy::Probes));
    gates.publish(Participant::Erp, BreakerState::Closed, NOW);
    gates.adjust(Participant::Erp, 95);
    assert_eq!(held_by(), Some(HeldBy::InFlight), "the rest is for what is urgent");
    gates.adjust(Participant::Erp, -95);
    gates.sent(Participant::Erp, 43, NOW);
    assert_eq!(held_by(), Some(HeldBy::Rate));
}

#[test]
fn other_settings_hold_at_once_and_probes_that_are_out_stay_out() {
    let gates = gates(1_000, ParticipantSettings { probes: 3, ..ParticipantSettings::default() });
    gates.publish(Participant::Erp, BreakerState::HalfOpen, NOW);
    let settings = ParticipantSettings { probes: 5, slow_ms: 70, ..ParticipantSettings::default() };
    gates.set_settings(Participant::Erp, &settings, NOW);
    assert!(!gates.is_probed(Participant::Erp), "more may go, and none is out");
    gates.sent(Participant::Erp, 2, NOW);
    assert_eq!(gates.room(Participant::Erp, Urgency::Urgent, NOW), 3);
    let settings = ParticipantSettings { probes: 1, ..settings };
    gates.set_settings(Participant::Erp, &settings, NOW);
    assert_eq!(gates.room(Participant::Erp, Urgency::Urgent, NOW), 0);
    assert!(gates.is_probed(Participant::Erp));
    assert_eq!(gates.slow_ms(Participant::Erp), 70);
}

#[test]
fn half_open_lets_as_many_through_as_it_has_probes_and_open_nothing() {
    let gates = gates(1_000, ParticipantSettings { probes: 3, ..ParticipantSettings::default() });
    gates.publish(Participant::Erp, BreakerState::HalfOpen, NOW);
    gates.sent(Participant::Erp, 2, NOW);
    assert!(gates.admits_again(Participant::Erp, NOW) && !gates.admits_again(Participant::Erp, NOW));
    assert!(!gates.snapshot(NOW).open_for(Participant::Erp, Urgency::Urgent));
    gates.publish(Participant::Erp, BreakerState::Open, NOW);
    assert_eq!(gates.room(Participant::Erp, Urgency::Urgent, NOW), 0);
    assert_eq!(gates.take_for_recovery(Participant::Erp, 5, NOW), None);
}

#[test]
fn what_was_sent_before_the_breaker_moved_is_not_fresh() {
    let gates = gates(1_000, ParticipantSettings::default());
    gates.publish(Participant::Erp, BreakerState::HalfOpen, NOW);
    assert!(gates.is_fresh(Participant::Erp, Some(NOW)));
    assert!(!gates.is_fresh(Participant::Erp, Some(NOW.plus_ms(-1))));
    assert!(!gates.is_fresh(Participant::Erp, None));
    gates.broker_was_away(NOW.plus_ms(5));
    assert!(!gates.is_fresh(Participant::Erp, Some(NOW.plus_ms(4))));
    assert!(gates.is_fresh(Participant::Erp, Some(NOW.plus_ms(5))));
}

/// What every decision does. With the one lock of a gate held, it would stand still if it wanted it.
#[test]
fn the_way_of_a_decision_takes_no_lock_and_no_memory() {
    let gates = gates(1_000_000, ParticipantSettings::default());
    let held: Vec<_> = gates.each.iter().map(|gate| gate.budget.lock().unwrap()).collect();
    let outcomes = Outcomes { answered: 1, slow: 0, failed: 0 };
    let counted = allocation_counter::measure(|| {
        for number in 0..1_000 {
            let now = NOW.plus_ms(number);
            assert!(gates.snapshot(now).open(Participant::Erp));
            gates.adjust(Participant::Erp, 1);
            gates.sent(Participant::Erp, 1, now);
            gates.adjust(Participant::Erp, -1);
            assert!(gates.is_fresh(Participant::Erp, Some(now)));
            gates.observe(Participant::Erp, outcomes);
        }
    });
    assert_eq!(counted.count_total, 0);
    drop(held);
    assert_eq!(gates.take_outcomes(Participant::Erp).answered, 1_000);
}

#[test]
fn metrics_say_what_is_in_force() {
    let metrics = Arc::<Metrics>::default();
    let gates = Gates::new(&NodeConfig::default(), 1, NOW, Arc::clone(&metrics));
    gates.publish(Participant::Erp, BreakerState::Open, NOW);
    gates.set_pace(Participant::Erp, 7, 7);
    gates.set_cap(Participant::Erp, 9);
    let at = Participant::Erp.index();
    let shown = [&metrics.breaker_state[at], &metrics.rate_limit[at], &metrics.in_flight_limit[at]];
    assert_eq!(shown.map(crate::metrics::Gauge::get), [2, 7, 9]);
}
