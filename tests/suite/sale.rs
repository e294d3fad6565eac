//! Sales from stock that Doorbuster keeps: everybody wants one item, and many want many; in one process, and on a real nats-server
//! with a server that is killed in the middle.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::ports::SharedBus;
use domain::further::{Further, KINDS};
use doorbuster::composition;
use doorbuster::config::Config;
use doorbuster::embedded::Embedded;
use loadtest::contract::Naming;
use loadtest::demo::{Report, RunOptions, run};
use loadtest::scenario::{Data, HotSku, Skew};
use loadtest::workload::{Mix, StockPlan};
use serde_json::Value;

use crate::crashes::{Load, seed};
use crate::product::Serve;
use crate::world::{World, everything};

/// How many want the item; `DOORBUSTER_WISHES=10000` makes it a real sale.
fn wishes() -> u64 {
    std::env::var("DOORBUSTER_WISHES").map_or(2_000, |text| text.parse().expect("a number"))
}

const UNITS: u32 = 500;

/// Everybody wants one unit of the same item.
fn sale(seed: u64) -> RunOptions {
    let hot_sku = Some(HotSku { sku: "TV".to_owned(), share: 1.0, stock: Some(UNITS) });
    let data = Data { skus: 1, hot_sku, lines: Some(1), quantity: Some(1), ..Data::default() };
    let plan = StockPlan { nodes: 1, ..StockPlan::PLENTY };
    RunOptions {
        mix: Mix::Standard,
        in_flight: 10_000,
        stock: Some((data, plan)),
        ..RunOptions::new(wishes(), seed, "sale")
    }
}

fn assert_sold_out(report: &Report) {
    println!("{:?} in {:.1} s", report.orders, report.seconds);
    assert!(report.verdict.clean, "{:#?}", report.verdict.violations);
    let sold = (report.orders.completed, report.orders.rejected, report.orders.cancelled);
    assert_eq!(sold, (u64::from(UNITS), wishes() - u64::from(UNITS), 0));
}

/// An order shall not be given up because the machine is busy with something else, and the auditor hears all there is.
fn patient() -> Config {
    let mut config = Config::default();
    config.node.further = Further::ALL;
    config.order.commit_deadline_ms = 600_000;
    config
}

async fn in_one_process(options: RunOptions, config: &Config) -> (Report, SharedBus, Layout) {
    let layout = Layout::default().in_memory();
    let bus = composition::memory(&layout);
    let embedded = Embedded::start(config, &bus, &layout).await;
    embedded.until_ready().await;
    let report = run(options, bus.clone(), Naming::default(), |_| ()).await.unwrap();
    assert!(embedded.drain(Duration::from_mins(1)).await);
    (report, bus, layout)
}

#[actix::test]
async fn everybody_wants_one_item_in_one_process_and_exactly_its_units_are_sold() {
    // invariant: no-oversell
    let (report, ..) = in_one_process(sale(51), &patient()).await;
    assert_sold_out(&report);
}

#[actix::test]
async fn everybody_wants_one_item_and_the_server_is_killed_and_exactly_its_units_are_sold() {
    // invariant: no-oversell
    let world = World::set_up().await;
    let mut serve = Serve::new(&world.url, &[]).with("DOORBUSTER_NODE_FURTHER", &*KINDS.join(","));
    serve.start();
    serve.until_ready().await;
    let mut load = Load::start_with(&world, sale(seed()));
    for _ in 0..2 {
        load.until_more_ended(wishes() / 8).await;
        serve.kill_9().await;
        serve.start();
        serve.until_ready().await;
    }
    assert_sold_out(&load.end_clean(&serve).await);
    assert_eq!(serve.end("TERM").await, Some(0));
}

#[actix::test]
async fn many_items_at_eight_nodes_are_conserved_to_the_unit_with_splits_and_cancels() {
    // invariant: units-are-conserved
    let data = Data { skus: 200, skew: Skew::Zipf(1.1), lines: Some(5), ..Data::default() };
    let plan =
        StockPlan { nodes: 8, units: 4_000, facts_per_second: 50.0, abandoned: 0.1, ..StockPlan::PLENTY };
    let options = RunOptions {
        mix: Mix::Mixed { refusals: 20, cancels: 150, duplicates: 50 },
        in_flight: 400,
        stock: Some((data, plan)),
        ..RunOptions::new(1_000, 52, "many")
    };
    let (report, bus, layout) = in_one_process(options, &patient()).await;
    println!("{:?} in {:.1} s", report.orders, report.seconds);
    assert!(report.verdict.clean, "{:#?}", report.verdict.violations);
    let orders = report.orders;
    assert!(orders.completed > 300 && orders.cancelled > 5 && orders.rejected > 5, "{orders:?}");
    let (mut nodes, mut splits) = (BTreeSet::new(), 0);
    for page in everything(&bus, &layout.name(StreamId::Events)).await {
        let page: Value = serde_json::from_slice(&page.body).unwrap();
        let events = page["events"].as_array().unwrap();
        for event in events.iter().filter(|event| event["type"] == "reservation.held") {
            let rows = event["data"]["lines"].as_array().unwrap();
            let of: BTreeSet<String> = rows.iter().map(|row| row["node"].to_string()).collect();
            splits += u32::from(of.len() > 1);
            nodes.extend(of);
        }
    }
    assert!(nodes.len() == 8 && splits > 50, "{nodes:?} {splits}");
}

#[actix::test]
async fn an_order_that_holds_at_submit_costs_at_most_one_message_more_than_one_that_is_allocated_outside() {
    let alike = |policies: [u64; 4]| {
        let data = Data { skus: 200, ..Data::default() };
        // One node, so that nobody's order is split.
        let plan = StockPlan { policies, nodes: 1, ..StockPlan::PLENTY };
        RunOptions {
            mix: Mix::Standard,
            in_flight: 200,
            stock: Some((data, plan)),
            ..RunOptions::new(1_000, 53, "cost")
        }
    };
    let (outside, ..) = in_one_process(alike([0, 0, 0, 1]), &patient()).await;
    let (own, ..) = in_one_process(alike([1, 0, 0, 0]), &patient()).await;
    for (report, name) in [(&outside, "external_allocation"), (&own, "hold_at_submit")] {
        println!("{name}: {:.2} messages an order: {:?}", report.messages_per_order, report.messages);
        assert!(report.verdict.clean && report.orders.completed == 1_000, "{:#?}", report.verdict);
    }
    assert!(
        own.messages_per_order <= outside.messages_per_order + 1.0,
        "{} against {}",
        own.messages_per_order,
        outside.messages_per_order
    );
}
