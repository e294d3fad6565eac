//! Participants in trouble: what their gates hold back, what goes on beside it, and how it drains afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use actors::participant::control::{Act, LimitChange, ParticipantStatus, SettingsChange, SteerError};
use actors::participant::settings::ParticipantSettings;
use actors::{Node, NodeConfig};
use bus::layout::StreamId;
use bus::ports::Stored;
use domain::decider::Participant::{self, Erp, Loyalty, Payment};
use domain::envelope::Plane;
use domain::gates::BreakerState;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{World, identity, key_in, pass, run, until};

/// Small numbers, so that a test sees them work.
const SETTINGS: ParticipantSettings = ParticipantSettings {
    rate_per_second: 50,
    burst: 5,
    error_percent: 50,
    slow_percent: 80,
    slow_ms: 1_000,
    window_ms: 10_000,
    least_outcomes: 5,
    open_ms: 3_000,
    probes: 3,
    ramp_ms: 10_000,
    ramp_from_percent: 20,
    retry_percent: 20,
    retries_per_second: 5,
};

async fn node(world: &mut World, change: impl FnOnce(&mut NodeConfig)) -> Node {
    let mut config = world.config();
    change(&mut config);
    let bus = world.bus.clone();
    world.node_with(config, bus).await
}

fn small(config: &mut NodeConfig) {
    config.participants.erp = SETTINGS;
    config.participants.loyalty = SETTINGS;
    config.in_flight_commands.erp = 20;
    config.in_flight_commands.loyalty = 20;
}

async fn tell(world: &World, to: Participant, key: &str, id: &str, urgent: bool) {
    let body = json!({"tally_id": key, "amount": 1, "to": to, "urgent": urgent});
    world.say(Plane::Fact, "tally.add", key, body, &identity(id)).await;
}

async fn commands(world: &World, to: Participant) -> Vec<Stored> {
    world.stream(StreamId::Commands(to)).await
}

fn effect(command: &Stored) -> String {
    serde_json::from_slice::<Value>(&command.body).unwrap()["effect"].as_str().unwrap().to_owned()
}

fn key(command: &Stored) -> String {
    command.headers.get("Key").unwrap().to_owned()
}

async fn answer(world: &World, command: &Stored) {
    let body = json!({"tally_id": key(command), "effect": effect(command)});
    let id = format!("answer {}", command.sequence);
    world.say(Plane::Reply, "erp.posted", &key(command), body, &identity(&id)).await;
}

/// Answers everything that it is sent, until nothing is open any more. Gives how many commands it got.
async fn answer_all(world: &World, node: &Node, to: Participant) -> usize {
    let mut answered = 0;
    for _ in 0..60_000 {
        let all = commands(world, to).await;
        for command in &all[answered..] {
            answer(world, command).await;
        }
        let status = status(node, to).await;
        if answered == all.len() && status.in_flight == 0 && status.waiting == 0 {
            return answered;
        }
        answered = all.len();
        pass(10).await;
    }
    panic!("{to:?} is not done after ten minutes: {:?}", status(node, to).await);
}

async fn status(node: &Node, of: Participant) -> ParticipantStatus {
    node.participants().status().await.unwrap()[of.index()].clone()
}

async fn until_breaker(node: &Node, of: Participant, state: BreakerState) {
    until(&format!("{of:?} is {state:?}"), || async { status(node, of).await.breaker == state }).await;
}

/// How long fifty commands to payment take, each answered at once, while loyalty answers nothing.
async fn fifty_payments(loyalty: usize) -> Duration {
    let mut world = World::new();
    let node = node(&mut world, small).await;
    for number in 0..loyalty {
        tell(&world, Loyalty, &format!("slow-{number}"), &format!("slow {number}"), false).await;
    }
    pass(1_000).await;
    let begin = Instant::now();
    for number in 0..50 {
        tell(&world, Payment, "fast", &format!("fast {number}"), false).await;
        until("it goes out", || async { commands(&world, Payment).await.len() == number + 1 }).await;
        answer(&world, &commands(&world, Payment).await[number]).await;
        until("it is answered", || async { status(&node, Payment).await.in_flight == 0 }).await;
    }
    let took = begin.elapsed();
    let slow = status(&node, Loyalty).await;
    assert!(slow.in_flight <= 20 && status(&node, Payment).await.waiting == 0, "{slow:?}");
    assert_eq!(slow.waiting + slow.in_flight, i64::try_from(loyalty).unwrap());
    node.drain().await;
    took
}

#[test]
fn given_a_participant_that_answers_nothing_when_others_work_then_they_are_as_fast_as_without_it() {
    run(async {
        let alone = fifty_payments(0).await;
        let beside = fifty_payments(2_000).await;
        assert!(beside <= alone.mul_f64(1.1), "{beside:?} beside it, {alone:?} alone");
    });
}

#[test]
fn given_an_erp_that_is_down_when_it_is_back_then_its_backlog_drains_at_the_limit_in_order_and_once() {
    // invariant: no-stuck-order
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        for round in 0..5 {
            for number in 0..60 {
                tell(&world, Erp, &format!("t-{number}"), &format!("{round} {number}"), false).await;
            }
        }
        until_breaker(&node, Erp, BreakerState::Open).await;
        let down = status(&node, Erp).await;
        assert!(down.waiting >= 280 && down.in_flight <= 20, "the backlog is visible: {down:?}");
        let (timers, begin) = (node.metrics().timers.get(), Instant::now());
        pass(3_600_000).await;
        let woken = node.metrics().timers.get() - timers;
        // In this world a command is due again every two seconds.
        let of_those_in_flight = 20 * begin.elapsed().as_secs() / 2;
        assert!(woken <= of_those_in_flight + 20, "{woken} timers: what waits has none");
        let away = commands(&world, Erp).await.len();
        assert!(away < 3 * 3_600 / 3, "an open breaker is probed and not flooded: {away}");

        let got = answer_all(&world, &node, Erp).await;
        let all = commands(&world, Erp).await;
        check_rate(&all[away..], 50, 5);
        let mut firsts = BTreeMap::<String, Vec<String>>::new();
        for command in &all {
            let known = firsts.entry(key(command)).or_default();
            if !known.contains(&effect(command)) {
                known.push(effect(command));
            }
        }
        for (key, effects) in &firsts {
            let expected: Vec<_> = (1..=5).map(|n| format!("main:tally:{key}:post:{n}")).collect();
            assert_eq!(effects, &expected, "in order, none missing");
        }
        assert_eq!((firsts.len(), got), (60, all.len()));
        let since: Vec<_> = all[away..].iter().map(effect).collect();
        let distinct: std::collections::BTreeSet<_> = since.iter().collect();
        assert_eq!(since.len(), distinct.len(), "what waited goes out once");
        until_breaker(&node, Erp, BreakerState::Closed).await;
        node.drain().await;
    });
}

/// invariant: bounded-everything
fn check_rate(commands: &[Stored], rate: usize, burst: usize) {
    let at: Vec<i64> = commands.iter().map(|command| command.timestamp_ns / 1_000_000).collect();
    for (index, begin) in at.iter().enumerate() {
        let within = at[index..].iter().take_while(|time| **time < begin + 1_000).count();
        assert!(within <= rate + burst + 1, "{within} commands in a second from {begin}");
    }
}

#[test]
fn given_an_operator_who_opens_a_breaker_when_its_time_is_over_then_it_is_probed_and_everything_goes() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        let opened = node.participants().steer(Erp, Act::ForceOpen { ttl_ms: Some(10_000) }).await.unwrap();
        assert_eq!((opened.breaker, opened.forced), (BreakerState::Open, true));
        for number in 0..30 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        pass(9_000).await;
        let forced = status(&node, Erp).await;
        assert_eq!((forced.waiting, commands(&world, Erp).await.len()), (30, 0));
        assert!(forced.forced_until.is_some());
        until_breaker(&node, Erp, BreakerState::HalfOpen).await;
        pass(500).await;
        assert_eq!(commands(&world, Erp).await.len(), 3, "its probes and no more");
        for command in commands(&world, Erp).await {
            answer(&world, &command).await;
        }
        until_breaker(&node, Erp, BreakerState::Closed).await;
        let rate = status(&node, Erp).await.effective_rate_per_second;
        assert!((10..=15).contains(&rate), "{rate} a second: it comes back slowly");
        answer_all(&world, &node, Erp).await;
        assert_eq!(commands(&world, Erp).await.len(), 30);
        pass(10_000).await;
        assert_eq!(status(&node, Erp).await.effective_rate_per_second, 50);
        let metrics = node.metrics();
        assert_eq!(metrics.breaker_waits[Erp.index()].get(), 30);
        assert_eq!(metrics.breaker_opened[Erp.index()].get(), 1);
        assert_eq!(metrics.breaker_state[Erp.index()].get(), 0);
        node.drain().await;
    });
}

#[test]
fn given_a_participant_that_is_slow_when_its_answers_show_it_then_the_breaker_opens() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, |config| {
            small(config);
            config.participants.erp.error_percent = 100;
        })
        .await;
        for number in 0..5 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        until("they go out", || async { commands(&world, Erp).await.len() == 5 }).await;
        pass(1_500).await;
        for command in commands(&world, Erp).await {
            answer(&world, &command).await;
        }
        until_breaker(&node, Erp, BreakerState::Open).await;
        assert_eq!(status(&node, Erp).await.slow_percent, 100);
        node.drain().await;
    });
}

#[test]
fn given_a_backlog_when_the_node_starts_again_then_a_few_commands_ask_first() {
    run(async {
        let mut world = World::new();
        let first = node(&mut world, small).await;
        for number in 0..60 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        until_breaker(&first, Erp, BreakerState::Open).await;
        let waiting = status(&first, Erp).await.waiting;
        assert!(waiting >= 40, "{waiting}");
        first.drain().await;
        let before: Vec<_> = commands(&world, Erp).await.iter().map(effect).collect();

        let second = node(&mut world, small).await;
        assert_eq!(status(&second, Erp).await.breaker, BreakerState::HalfOpen);
        pass(1_500).await;
        let after = commands(&world, Erp).await;
        let fresh = after.iter().filter(|command| !before.contains(&effect(command))).count();
        assert!(fresh <= 3, "{fresh} new ones before anything was answered");
        answer_all(&world, &second, Erp).await;
        let mut all: Vec<_> = commands(&world, Erp).await.iter().map(effect).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 60);
        second.drain().await;
    });
}

#[test]
fn given_a_long_list_when_something_is_given_back_then_it_goes_before_the_list_also_after_a_restart() {
    run(async {
        let mut world = World::new();
        let before = node(&mut world, small).await;
        before.participants().steer(Erp, Act::ForceOpen { ttl_ms: None }).await.unwrap();
        for number in 0..40 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        for partition in [0, 1] {
            tell(&world, Erp, &key_in(partition, "back"), &format!("back {partition}"), true).await;
        }
        until("all wait", || async { status(&before, Erp).await.waiting == 42 }).await;
        assert_eq!(status(&before, Erp).await.waiting_urgent, 2);
        before.drain().await;
        let node = node(&mut world, small).await;
        until("probes go", || async { commands(&world, Erp).await.len() >= 3 }).await;
        let first = commands(&world, Erp).await;
        let urgent = first.iter().take(3).filter(|command| key(command).starts_with("back")).count();
        assert_eq!(urgent, 2, "probes are used for it first");
        answer_all(&world, &node, Erp).await;
        node.drain().await;
    });
}

#[test]
fn given_other_limits_when_their_time_is_over_then_the_configured_ones_hold_again() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        let change = LimitChange { rate_per_second: Some(5), burst: Some(1), in_flight: Some(100) };
        let limited =
            node.participants().steer(Erp, Act::Limit { change, ttl_ms: Some(5_000) }).await.unwrap();
        assert_eq!((limited.rate_per_second, limited.burst, limited.in_flight_limit), (5, 1, 100));
        for number in 0..60 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        pass(1_500).await;
        let sent = commands(&world, Erp).await.len();
        assert!((5..=9).contains(&sent), "{sent} in one and a half seconds at five a second");
        assert!(node.metrics().rate_waits[Erp.index()].get() > 0);
        answer_all(&world, &node, Erp).await;
        until("they are as configured", || async { !status(&node, Erp).await.limits_changed }).await;
        let back = status(&node, Erp).await;
        assert_eq!((back.rate_per_second, back.burst, back.in_flight_limit), (50, 5, 20));
        node.drain().await;
    });
}

#[test]
fn given_other_settings_when_their_time_is_over_then_the_configured_ones_hold_again() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        let configured = status(&node, Erp).await;
        // Errors in percent, and how long it stays open.
        let mut numbers = [None; 13];
        (numbers[2], numbers[7]) = (Some(7), Some(60_000));
        let change = SettingsChange { numbers, in_flight: Some(3) };
        let act = Act::Set { change, ttl_ms: Some(5_000) };
        let set = node.participants().steer(Erp, act).await.unwrap();
        assert_eq!((set.settings.error_percent, set.settings.open_ms, set.in_flight_limit), (7, 60_000, 3));
        assert!(set.settings_changed && !set.limits_changed);
        let change = LimitChange { rate_per_second: None, burst: None, in_flight: Some(2) };
        let limited = node.participants().steer(Erp, Act::Limit { change, ttl_ms: None }).await.unwrap();
        assert_eq!(
            (limited.in_flight_limit, limited.settings_in_flight),
            (2, 3),
            "what is set on its own wins"
        );
        until("they are as configured", || async { !status(&node, Erp).await.settings_changed }).await;
        let back = status(&node, Erp).await;
        assert_eq!((back.settings, back.settings_in_flight), (configured.settings, 20));
        assert_eq!(back.in_flight_limit, 2, "that has no end");
        node.drain().await;
    });
}

#[test]
fn given_an_act_that_makes_no_sense_when_it_is_tried_then_it_says_what_is_wrong_and_changes_nothing() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        let change = LimitChange { rate_per_second: Some(1_000), burst: None, in_flight: Some(0) };
        let refused = node.participants().steer(Erp, Act::Limit { change, ttl_ms: Some(0) }).await;
        let Err(SteerError::Invalid(problems)) = refused else { panic!("{refused:?}") };
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("ttl_ms = 0: must be from 1 to"), "{problems:?}");
        assert!(!status(&node, Erp).await.limits_changed);
        node.drain().await;
    });
}

#[test]
fn given_silence_when_commands_are_due_again_then_the_budget_holds_some_of_them_back() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, |config| {
            small(config);
            let never = ParticipantSettings { least_outcomes: 1_000_000, ..SETTINGS };
            config.participants.erp = ParticipantSettings { rate_per_second: 250, burst: 50, ..never };
        })
        .await;
        for number in 0..20 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        pass(20_500).await;
        let metrics = node.metrics();
        let again = metrics.retries[Erp.index()].get();
        let refused = metrics.retries_refused[Erp.index()].get();
        let sent = u64::try_from(commands(&world, Erp).await.len()).unwrap();
        assert!(sent <= 20 + again, "{sent} sent, {again} of them again");
        assert!(again <= 20 / 5 + 5 * 22 && refused >= 60, "{again} again, {refused} held back");
        node.drain().await;
    });
}

#[test]
fn given_a_broker_that_is_away_when_it_is_back_then_nobody_is_taken_for_silent() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world, small).await;
        for number in 0..10 {
            tell(&world, Erp, &format!("t-{number}"), &format!("{number}"), false).await;
        }
        until("they go out", || async { commands(&world, Erp).await.len() == 10 }).await;
        world.memory.disconnect();
        pass(1_000).await;
        world.memory.reconnect();
        pass(1_500).await; // their deadlines have passed
        let erp = status(&node, Erp).await;
        assert_eq!((erp.breaker, erp.outcomes), (BreakerState::Closed, 0));
        assert!(node.metrics().retries[Erp.index()].get() > 0, "they are asked again all the same");
        answer_all(&world, &node, Erp).await;
        node.drain().await;
    });
}
