//! The rules of an order that can be configured, with their defaults.

use serde::{Deserialize, Serialize};

use super::degraded::DegradedModes;
use super::effect::Kind;
use super::supply::StockPolicies;
use crate::decider::{Participant, Party};
use crate::reference::Reference;

/// What happens at the commit deadline while the outcome of an effect is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownAtDeadline {
    /// The order stays, held as `unknown_outcome`; if the answer comes, it counts.
    #[default]
    Wait,
    /// The order is rejected; a late success is given back.
    Reject,
}

/// When a unit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// When it has departed or is cancelled.
    #[default]
    Departed,
    /// When it was delivered or is cancelled.
    Delivered,
}

/// How commands to one participant are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resend {
    /// Milliseconds until the first re-send.
    pub first_ms: i64,
    /// The longest wait between two sends, in milliseconds.
    pub most_ms: i64,
    /// For how long the participant remembers an idempotency key, in milliseconds. An hour before that a command is
    /// no longer re-sent: an exception is opened instead.
    pub idempotency_ttl_ms: i64,
}

impl Default for Resend {
    fn default() -> Self {
        Self { first_ms: 2_000, most_ms: 30_000, idempotency_ttl_ms: 24 * 3_600_000 }
    }
}

/// How long before the end of the participant's memory re-sending stops.
const TTL_MARGIN_MS: i64 = 3_600_000;

impl Resend {
    /// Milliseconds to wait after send number `attempt` (from 1) of an effect.
    pub fn wait_ms(&self, attempt: u32, effect_id: &str) -> i64 {
        wait_ms(self.first_ms, self.most_ms, attempt, effect_id)
    }

    /// For how long after its intent an effect may be re-sent, in milliseconds.
    pub const fn resend_window_ms(&self) -> i64 {
        let window = self.idempotency_ttl_ms - TTL_MARGIN_MS;
        if window > 0 { window } else { 0 }
    }
}

/// Doubling, capped, and up to a quarter later by a jitter that is taken from the effect itself, so that a replay waits as long.
fn wait_ms(first_ms: i64, most_ms: i64, attempt: u32, effect_id: &str) -> i64 {
    let doubled = first_ms.saturating_mul(1_i64 << attempt.saturating_sub(1).min(20));
    let wait = doubled.clamp(1, most_ms.max(1));
    let hash = effect_id.bytes().fold(u64::from(attempt) ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let quarter = u64::try_from(wait / 4 + 1).expect("a wait is positive");
    wait + i64::try_from(hash % quarter).expect("less than a quarter of an i64")
}

/// The rules of an order that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// How long an order may reserve before it is given up, in milliseconds, unless `Commit-Deadline-Ms` says so.
    pub commit_deadline_ms: i64,
    /// The longest `Commit-Deadline-Ms` that is honoured, in milliseconds.
    pub commit_deadline_most_ms: i64,
    /// What happens at that deadline while an outcome is unknown.
    pub unknown_at_deadline: UnknownAtDeadline,
    /// When a unit counts as done.
    pub completion: Completion,
    /// Points earned for every `accrual_per_minor`, where the submit brings no rule.
    pub accrual_points: i64,
    /// Minor units for which `accrual_points` are earned.
    pub accrual_per_minor: i64,
    /// How long a fact or wish waits for its order, in milliseconds.
    pub parking_ms: i64,
    /// How many facts and wishes may wait for one order.
    pub parked_most: usize,
    /// What is done while a system is away. Configured in a section of its own.
    #[serde(skip)]
    pub degraded_modes: DegradedModes,
    /// The reference data of the moment: which promotions and coupons have limits.
    #[serde(skip)]
    pub reference: Reference,
    /// Where stock comes from, and how letters to reservations are sent again.
    pub stock: StockPolicies,
    /// Re-sends to loyalty.
    pub loyalty: Resend,
    /// Re-sends to payment.
    pub payment: Resend,
    /// Re-sends to allocation.
    pub allocation: Resend,
    /// Re-sends to fulfilment.
    pub fulfillment: Resend,
    /// Re-sends to the ERP.
    pub erp: Resend,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            commit_deadline_ms: 30_000,
            commit_deadline_most_ms: 3_600_000,
            unknown_at_deadline: UnknownAtDeadline::default(),
            completion: Completion::default(),
            accrual_points: 1,
            accrual_per_minor: 100,
            parking_ms: 15 * 60_000,
            parked_most: 16,
            degraded_modes: DegradedModes::default(),
            reference: Reference::default(),
            stock: StockPolicies::default(),
            loyalty: Resend::default(),
            payment: Resend::default(),
            allocation: Resend::default(),
            fulfillment: Resend::default(),
            erp: Resend::default(),
        }
    }
}

impl Policies {
    /// Milliseconds to wait after send number `attempt` (from 1) of an effect.
    pub fn wait_ms(&self, kind: &Kind, attempt: u32, effect_id: &str) -> i64 {
        match kind.party() {
            Party::Participant(participant) => self.resend(participant).wait_ms(attempt, effect_id),
            Party::Entity => wait_ms(self.stock.first_ms, self.stock.most_ms, attempt, effect_id),
        }
    }

    /// How commands to `participant` are sent again.
    pub const fn resend(&self, participant: Participant) -> &Resend {
        match participant {
            Participant::Loyalty => &self.loyalty,
            Participant::Payment => &self.payment,
            Participant::Allocation => &self.allocation,
            Participant::Fulfillment => &self.fulfillment,
            Participant::Erp => &self.erp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Resend;

    #[test]
    fn re_sends_double_up_to_the_cap_with_a_steady_jitter() {
        let resend = Resend::default();
        let waits: Vec<i64> =
            (1..8).map(|attempt| resend.wait_ms(attempt, "main:o-1:payment.capture:1")).collect();
        for (wait, base) in waits.iter().zip([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]) {
            assert!((base..=base + base / 4).contains(wait), "{wait} for {base}");
        }
        assert_eq!(waits[0], resend.wait_ms(1, "main:o-1:payment.capture:1"));
    }
}
