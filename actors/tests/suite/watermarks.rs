//! Watermarks that somebody changes while the node runs: what each of them does, at once and for its time.

use std::time::Duration;

use actors::Node;
use actors::flow::watermarks::Watermark;
use actors::flow::{Class, FlowConfig};
use actors::node::flow::{Scope, WatermarkChange};
use serde_json::{Value, json};

use crate::flow::{node_with, submit, uncommitted};
use crate::receipts::inbox;
use crate::world::{World, key_in, pass, run, until};

const ASKS: [(&str, &str); 2] = [("Reply-To", "_INBOX.test"), ("Receipt-Deadline-Ms", "600000")];

pub(crate) fn with(values: &[(Watermark, u64)]) -> WatermarkChange {
    let mut change = WatermarkChange::default();
    for (watermark, value) in values {
        change.numbers[*watermark as usize] = Some(*value);
    }
    change
}

/// New work of this channel that has queued for ten seconds.
async fn queue(world: &World, node: &Node, channel: &str, round: usize) {
    node.flow().pause(Scope::All, None).unwrap();
    submit(world, &format!("{channel}-{round}"), channel, &ASKS).await;
    pass(10_000).await;
    node.flow().resume(&Scope::All);
}

#[test]
fn given_another_patience_when_work_has_queued_for_longer_then_it_is_refused_until_the_time_is_over() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let heard = inbox(&world).await;
        let change = with(&[(Watermark::PatienceNormal, 5_000), (Watermark::RetryAfter, 30_000)]);
        let set = node.flow().set_watermarks(change, Some(Duration::from_secs(15))).unwrap();
        assert_eq!((set.configured[2], set.effective[2], set.is_set), (0, 5_000, true));
        queue(&world, &node, "web", 1).await;
        until("it is refused", || async { heard.borrow().len() == 1 }).await;
        let refused: Value = heard.borrow_mut().remove(0);
        assert_eq!(
            (&refused["outcome"], &refused["reason"]["code"]),
            (&json!("rejected"), &json!("overloaded"))
        );
        assert_eq!(refused["retry_after_ms"], 30_000, "{refused}");
        let gauge = || node.metrics().watermarks[Watermark::PatienceNormal as usize].get();
        assert_eq!(gauge(), 5_000, "bounded-everything");
        pass(6_000).await;
        assert_eq!((gauge(), node.flow().watermarks().is_set), (0, false));
        queue(&world, &node, "web", 2).await;
        until("it is begun", || async { uncommitted(&node) == 1 }).await;
    });
}

#[test]
fn given_another_class_of_a_channel_when_work_queues_then_it_gives_way_and_keeps_its_quota() {
    run(async {
        let mut world = World::new();
        let channels = vec!["till 0 0 low".parse().unwrap(), "* 1 1".parse().unwrap()];
        let node = node_with(&mut world, FlowConfig { channels, ..FlowConfig::default() }).await;
        let heard = inbox(&world).await;
        let classes = [("market".to_owned(), Class::Low), ("till".to_owned(), Class::High)];
        let change = WatermarkChange { classes: classes.into(), ..WatermarkChange::default() };
        let set = node.flow().set_watermarks(change, None).unwrap();
        assert_eq!(
            (set.configured_classes["till"], set.effective_classes["till"]),
            (Class::Low, Class::High)
        );
        queue(&world, &node, "market", 1).await;
        until("the market gives way", || async { node.flow().state().refused.overload == 1 }).await;
        queue(&world, &node, "till", 1).await;
        until("the till does not", || async { uncommitted(&node) == 1 }).await;
        heard.borrow_mut().clear();
        for number in 0..3 {
            submit(&world, &format!("now-{number}"), "market", &ASKS).await;
        }
        until("it shares the quota of the rest", || async { node.flow().state().refused.quota == 2 }).await;
        assert!(node.flow().clear_watermarks() && !node.flow().clear_watermarks());
        pass(5_000).await;
        queue(&world, &node, "market", 2).await;
        until("it is as configured", || async { world.view(&node, "market-2").await.is_some() }).await;
        queue(&world, &node, "till", 2).await;
        until("the till gives way again", || async { node.flow().state().refused.overload == 2 }).await;
    });
}

#[test]
fn given_another_bound_of_a_lane_when_it_stands_still_then_no_more_is_read_and_a_higher_one_holds_at_once() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let flow = node.flow();
        flow.set_watermarks(with(&[(Watermark::LaneBatch, 4)]), None).unwrap();
        flow.pause(Scope::All, None).unwrap();
        // What was asked for under the old bound would come as it was asked for.
        pass(5_000).await;
        for number in 0..30 {
            submit(&world, &key_in(0, &format!("t-{number}")), "web", &[]).await;
        }
        let held = || flow.backpressure().lanes[2].messages;
        until("as many as may are read", || async { held() >= 4 }).await;
        pass(5_000).await;
        let lane = flow.backpressure().lanes[2].clone();
        assert_eq!((lane.messages, lane.messages_most, &lane.full[..]), (4, 4, &[0][..]));
        flow.set_watermarks(with(&[(Watermark::LaneBatch, 100)]), None).unwrap();
        until("all are read, and nothing is taken", || async { held() == 30 }).await;
        assert!(flow.backpressure().lanes[2].full.is_empty());
        flow.set_watermarks(with(&[(Watermark::LaneBytes, 1)]), None).unwrap();
        assert_eq!(flow.backpressure().lanes[2].full, [0], "by size");
        flow.resume(&Scope::All);
        until("all are begun", || async { uncommitted(&node) == 30 }).await;
    });
}

#[test]
fn given_a_later_herald_when_work_queues_then_nobody_reads_ahead_until_it_is_called() {
    run(async {
        let mut world = World::new();
        let flow = FlowConfig { live_orders: 1, live_orders_least: 1, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        node.flow().set_watermarks(with(&[(Watermark::HeraldAfter, 60_000)]), None).unwrap();
        for number in 0..10 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("one is begun", || async { uncommitted(&node) == 1 }).await;
        pass(10_000).await;
        assert_eq!(node.flow().state().queued_orders, 0);
        node.flow().set_watermarks(with(&[(Watermark::HeraldAfter, 100)]), None).unwrap();
        until("he reads ahead", || async { node.flow().state().queued_orders > 0 }).await;
    });
}

#[test]
fn given_watermarks_that_make_no_sense_when_they_are_set_then_it_is_said_and_nothing_changes() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let flow = node.flow();
        for (change, told) in [
            (with(&[(Watermark::AnswerDelay, 9)]), "answer_delay_ms = 9: must be from 10 to 60000 ms"),
            (with(&[(Watermark::LaneBatch, 0)]), "lane_batch = 0: must be from 1 to 10000 messages"),
        ] {
            assert_eq!(flow.set_watermarks(change, None).unwrap_err().to_string(), told);
        }
        assert!(flow.set_watermarks(WatermarkChange::default(), Some(Duration::ZERO)).is_err());
        assert!(!flow.watermarks().is_set);
    });
}
