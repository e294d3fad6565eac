//! The whole system on one thread with a paused clock: seeded faults, a crash at every named step, and the auditor's verdict.
//!
//! A failing seed is printed with the failure; `DOORBUSTER_SEED=<n> cargo test --test suite simulation` runs it again.

mod letters;
mod play;
mod stock;
mod ways;

use std::time::Duration;

use bus::faulty::{CrashAt, FaultPlan, Step};

use crate::together::Sent;
use play::{Life, NONSENSE, Played, play};

const STEPS: u64 = Step::ALL.len() as u64;

/// The seeds to run: the given ones, or the one in `DOORBUSTER_SEED`.
fn seeds(given: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("DOORBUSTER_SEED") {
        Ok(text) => vec![text.parse().expect("DOORBUSTER_SEED is a number")],
        Err(_) => given.collect(),
    }
}

fn assert_clean(played: &Played, seed: u64) {
    let verdict = &played.report.verdict;
    for line in &played.told {
        println!("{line}");
    }
    assert!(
        verdict.clean,
        "DOORBUSTER_SEED={seed}: {} violations in {} simulated seconds, first ones: {:#?}, node: {}",
        verdict.violations.len(),
        played.simulated.as_secs(),
        verdict.violations.iter().take(5).collect::<Vec<_>>(),
        played.status
    );
    assert_eq!(played.report.orders.open, 0, "DOORBUSTER_SEED={seed}: every order ends");
    assert!(played.report.orders.completed > 0, "DOORBUSTER_SEED={seed}: some orders complete");
    let sent = &played.sent;
    // A batch of which a crash left only some items recorded is read again, and so is what is wrong in it.
    let readings = 1 + u64::try_from(played.crashes).expect("a few");
    for (id, count) in &played.letters {
        let expected = match (id.starts_with(NONSENSE), id.contains('#')) {
            (true, false) => 1,
            (true, true) => 2 * readings,
            (false, _) => sent.poisons.get(id).copied().unwrap_or(0) * readings,
        };
        assert!(
            *count <= expected,
            "DOORBUSTER_SEED={seed}: {count} dead letters of {id}, expected at most {expected}"
        );
    }
}

#[test]
fn without_faults_every_order_ends_clean() {
    // invariant: no-stuck-order
    for seed in seeds(1..4) {
        let played = play(seed, 120, vec![Life::to_the_end(FaultPlan::none(seed))]);
        assert_clean(&played, seed);
    }
}

#[test]
fn on_a_rough_broker_every_order_ends_clean() {
    // invariant: applied-once
    // invariant: effect-key-never-changes-while-unknown
    let mut sent = Vec::new();
    for seed in seeds(10..18) {
        let played = play(seed, 80, vec![Life::to_the_end(FaultPlan::rough(seed))]);
        assert_clean(&played, seed);
        sent.push(played.sent);
        let faults = played.faults;
        assert!(
            faults.lost_acks + faults.refused_stores > 0,
            "DOORBUSTER_SEED={seed}: faults happened: {faults:?}"
        );
    }
    // Where everybody speaks MessagePack, few messages can travel together.
    let some = |count: fn(&Sent) -> u64| sent.iter().any(|sent| count(sent) > 0);
    assert!(some(|sent| sent.twice) && some(|sent| sent.packed), "there were batches of all sorts: {sent:?}");
    assert!(some(|sent| sent.poisons.len() as u64), "there were batches of all sorts: {sent:?}");
}

#[test]
fn the_same_seed_gives_the_same_journal() {
    // invariant: replay-equals-live
    let seed = seeds(21..22)[0];
    let lives = || {
        let crash = CrashAt { step: Step::AfterAppend, nth: 9 };
        vec![
            Life::until_crash(FaultPlan::rough(seed).with_crash(crash)),
            Life::to_the_end(FaultPlan::rough(seed + 1)),
        ]
    };
    let (first, second) = (play(seed, 60, lives()), play(seed, 60, lives()));
    assert_clean(&first, seed);
    assert_eq!(first.journal_hash, second.journal_hash, "DOORBUSTER_SEED={seed}");
    let other = play(seed + 1, 60, lives());
    assert_ne!(first.journal_hash, other.journal_hash, "the hash tells runs apart");
}

#[test]
fn a_crash_at_any_step_loses_and_repeats_nothing() {
    // invariant: reply-after-journal
    // invariant: final-is-final
    for (number, step) in (0_u64..).zip(Step::ALL) {
        let occurrences: &[u32] = match step {
            // A recovery reads a short journal in one go.
            Step::ReadJournal => &[1],
            // Few orders are away so long that they must be read.
            Step::ReadSnapshots => &[1, 2, 5],
            Step::BeforePurge | Step::AfterPurge => &[1, 3, 6],
            _ => &[1, 5, 23],
        };
        for nth in occurrences.iter().copied() {
            for seed in seeds(1_000 + number * 100 + u64::from(nth)..1_001 + number * 100 + u64::from(nth)) {
                let crash = FaultPlan::none(seed).with_crash(CrashAt { step, nth });
                let mut lives = vec![Life::until_crash(crash), Life::to_the_end(FaultPlan::none(seed + 1))];
                if step == Step::ReadJournal {
                    // A journal is read by recoveries only, so there must be something to recover from.
                    lives.insert(0, Life::killed_after(FaultPlan::none(seed), Duration::from_millis(400)));
                }
                let planned = lives.len() - 1;
                let played = play(seed, 40, lives);
                assert_eq!(
                    played.crashes, planned,
                    "DOORBUSTER_SEED={seed}: {step:?} number {nth} was never reached"
                );
                assert_clean(&played, seed);
            }
        }
    }
}

#[test]
fn crashes_in_a_row_on_a_rough_broker_lose_and_repeat_nothing() {
    // invariant: one-writer-per-entity
    for seed in seeds(500..506) {
        let step = |life: u64| {
            Step::ALL[usize::try_from((seed * 7 + life * 5) % STEPS).expect("a place in a short list")]
        };
        let mut lives: Vec<Life> = (0..5_u64)
            .map(|life| {
                let crash = CrashAt { step: step(life), nth: 3 + u32::try_from(life).expect("small") * 4 };
                let longest = Duration::from_secs(2);
                Life::killed_after(FaultPlan::rough(seed + life).with_crash(crash), longest)
            })
            .collect();
        lives.push(Life::to_the_end(FaultPlan::rough(seed + 99)));
        let played = play(seed, 60, lives);
        assert!(played.crashes >= 2, "DOORBUSTER_SEED={seed}: only {} crashes", played.crashes);
        assert_clean(&played, seed);
    }
}
