//! What goes wrong, how often, and the dice that say when.

use std::time::Duration;

use super::step::CrashAt;

/// What goes wrong. All rates are per mille of the calls that they concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// The same seed and the same calls give the same faults.
    pub seed: u64,
    /// Stored, but the answer is unknown.
    pub lost_acks: u16,
    /// Not stored, and the answer is unknown.
    pub refused_stores: u16,
    /// The answer is unknown now, and the message is stored later.
    pub late_stores: u16,
    /// A fire-and-forget message comes twice.
    pub duplicated_sends: u16,
    /// A fire-and-forget message is lost on the way.
    pub dropped_sends: u16,
    /// A fire-and-forget message is overtaken by the next one.
    pub reordered_sends: u16,
    /// A call takes up to `longest_delay` longer.
    pub delays: u16,
    /// The longest delay of anything.
    pub longest_delay: Duration,
    /// A reader is interrupted: the call gives no messages although there are some, or says unavailable.
    pub hiccups: u16,
    /// A read of one message or of the bounds of a stream says unavailable.
    pub failed_reads: u16,
    /// Where the node dies.
    pub crash: Option<CrashAt>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub const fn none(seed: u64) -> Self {
        Self {
            seed,
            lost_acks: 0,
            refused_stores: 0,
            late_stores: 0,
            duplicated_sends: 0,
            dropped_sends: 0,
            reordered_sends: 0,
            delays: 0,
            longest_delay: Duration::from_millis(200),
            hiccups: 0,
            failed_reads: 0,
            crash: None,
        }
    }

    /// A bit of everything, and no crash.
    pub const fn rough(seed: u64) -> Self {
        Self {
            lost_acks: 20,
            refused_stores: 20,
            late_stores: 10,
            duplicated_sends: 30,
            dropped_sends: 30,
            reordered_sends: 30,
            delays: 50,
            hiccups: 30,
            failed_reads: 20,
            ..Self::none(seed)
        }
    }

    /// The same plan with a crash.
    #[must_use]
    pub const fn with_crash(mut self, crash: CrashAt) -> Self {
        self.crash = Some(crash);
        self
    }
}

/// How often what went wrong: a test of a fault asks whether the fault was there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// See [`FaultPlan::lost_acks`].
    pub lost_acks: u64,
    /// See [`FaultPlan::refused_stores`].
    pub refused_stores: u64,
    /// See [`FaultPlan::late_stores`].
    pub late_stores: u64,
    /// See [`FaultPlan::duplicated_sends`].
    pub duplicated_sends: u64,
    /// See [`FaultPlan::dropped_sends`].
    pub dropped_sends: u64,
    /// See [`FaultPlan::reordered_sends`].
    pub reordered_sends: u64,
    /// See [`FaultPlan::delays`].
    pub delays: u64,
    /// See [`FaultPlan::hiccups`].
    pub hiccups: u64,
    /// See [`FaultPlan::failed_reads`].
    pub failed_reads: u64,
}

/// The `SplitMix64` generator: small, seeded, the same on every machine.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True `per_mille` times in a thousand.
    pub(super) fn hits(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.next() % 1000 < u64::from(per_mille)
    }

    /// A duration from 1 ms to `longest`.
    pub(super) fn delay(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(1 + self.next() % longest)
    }
}
