//! Memory near its budget: what is held back, by what name, and how it grows back.

use actors::flow::FlowConfig;
use actors::node::backpressure::MemoryState;
use actors::node::flow::Throttle;

use crate::flow::{node_with, submit, uncommitted};
use crate::world::{World, pass, run, until};

#[test]
fn given_memory_near_its_budget_when_work_comes_then_nothing_is_begun_until_there_is_room() {
    run(async {
        let mut world = World::new();
        let least = 2;
        let flow = FlowConfig { memory_bytes: 1 << 30, live_orders_least: least, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        node.flow().observe_memory(1 << 30);
        submit(&world, "t-1", "web", &[]).await;
        pass(2_000).await;
        let state = node.flow().state();
        assert_eq!((state.uncommitted_orders, state.throttles[0].reason), (0, Throttle::Memory));
        node.flow().observe_memory((1 << 30) / 32 * 26 + (24 << 20));
        until("short, but not out of it", || async { uncommitted(&node) == 1 }).await;
        until("only the least", || async {
            world.add("t-1", 1, "wakes the intake").await;
            pass(100).await;
            node.flow().state().uncommitted_most == least
        })
        .await;
        for number in 2..60 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("the least are begun", || async { uncommitted(&node) >= least }).await;
        pass(1_000).await;
        let state = node.flow().state();
        assert!(!state.throttles.is_empty(), "{state:?}");
        assert!(state.throttles.iter().all(|it| it.reason == Throttle::Memory), "{state:?}");
        let pressure = node.flow().backpressure();
        assert_eq!(
            (pressure.memory.state, pressure.orders.lowered_by),
            (MemoryState::Slows, Some(Throttle::Memory))
        );
        assert!(pressure.lanes[2].messages > 0 && !pressure.partitions.is_empty(), "{pressure:?}");
        node.flow().observe_memory(1 << 20);
        let reasons = || node.flow().state().throttles.into_iter().map(|it| it.reason).collect::<Vec<_>>();
        until("it grows back", || async { reasons().contains(&Throttle::Growing) }).await;
        assert!(!reasons().contains(&Throttle::Answers), "nobody waits for an answer");
        until("all are begun", || async { uncommitted(&node) == 59 }).await;
        assert!(node.flow().backpressure().partitions.is_empty());
    });
}
