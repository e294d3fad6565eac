//! Orders from stock that Doorbuster keeps, simulated: every policy, few units, limits, holds that nobody buys, facts that come twice
//! or late, and crashes. The auditor adds up every cell at every event.

use bus::faulty::{CrashAt, FaultPlan, Step};
use loadtest::demo::RunOptions;
use loadtest::scenario::{Data, HotSku, Skew};
use loadtest::workload::{Limited, Mix, StockPlan};

use super::play::{Life, Played, play_for};
use super::{STEPS, assert_clean, seeds};

/// Few units of few items at eight nodes, fought for in every way.
fn fight(options: RunOptions) -> RunOptions {
    let data = Data { skus: 12, skew: Skew::Zipf(1.1), ..Data::default() };
    let plan = StockPlan {
        policies: [4, 3, 2, 1],
        nodes: 8,
        units: 90,
        abandoned: 0.3,
        facts_per_second: 40.0,
        promotion: Some(Limited { share: 0.3, uses: 60 }),
        coupon: Some(Limited { share: 0.3, uses: 12 }),
    };
    RunOptions {
        in_flight: 50,
        mix: Mix::Mixed { refusals: 60, cancels: 200, duplicates: 50 },
        stock: Some((data, plan)),
        ..options
    }
}

#[test]
fn without_faults_stock_is_conserved_and_nothing_stays_held() {
    // invariant: units-are-conserved
    for seed in seeds(30..33) {
        let played = play_for(seed, fight, 150, vec![Life::to_the_end(FaultPlan::none(seed))]);
        assert_clean(&played, seed);
        let orders = played.report.orders;
        assert!(orders.rejected > 0 && orders.cancelled > 0, "DOORBUSTER_SEED={seed}: {orders:?}");
    }
}

#[test]
fn on_a_rough_broker_and_through_crashes_stock_is_conserved() {
    // invariant: units-are-conserved
    // invariant: no-oversell
    for seed in seeds(700..706) {
        let step = |life: u64| {
            Step::ALL[usize::try_from((seed * 5 + life * 7) % STEPS).expect("a place in a short list")]
        };
        let mut lives: Vec<Life> = (0..3_u64)
            .map(|life| {
                let crash = CrashAt { step: step(life), nth: 5 + u32::try_from(life).expect("small") * 6 };
                let longest = std::time::Duration::from_millis(900);
                Life::killed_after(FaultPlan::rough(seed + life).with_crash(crash), longest)
            })
            .collect();
        lives.push(Life::to_the_end(FaultPlan::rough(seed + 99)));
        let played = play_for(seed, fight, 120, lives);
        assert!(played.crashes >= 1, "DOORBUSTER_SEED={seed}: no crash");
        assert_clean(&played, seed);
    }
}

fn sale(units: u32) -> impl FnOnce(RunOptions) -> RunOptions {
    move |options| {
        let hot_sku = Some(HotSku { sku: "TV".to_owned(), share: 1.0, stock: Some(units) });
        let data = Data { skus: 1, hot_sku, lines: Some(1), quantity: Some(1), ..Data::default() };
        let plan = StockPlan { nodes: 1, ..StockPlan::PLENTY };
        RunOptions { in_flight: 2_000, mix: Mix::Standard, stock: Some((data, plan)), ..options }
    }
}

fn sold(played: &Played) -> (u64, u64) {
    (played.report.orders.completed, played.report.orders.rejected)
}

#[test]
fn two_thousand_who_want_five_hundred_units_get_exactly_those_through_a_crash() {
    // invariant: no-oversell
    for seed in seeds(41..42) {
        let crash = FaultPlan::none(seed).with_crash(CrashAt { step: Step::AfterAppend, nth: 40 });
        let lives = vec![Life::until_crash(crash), Life::to_the_end(FaultPlan::none(seed + 1))];
        let played = play_for(seed, sale(500), 2_000, lives);
        assert_clean(&played, seed);
        assert_eq!(played.crashes, 1, "DOORBUSTER_SEED={seed}");
        assert_eq!(sold(&played), (500, 1_500), "DOORBUSTER_SEED={seed}");
    }
}
