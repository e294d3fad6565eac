//! What an order does while a system that it depends on is away: one behaviour for each dependency and state of its breaker.
//!
//! The table has no defaults: a dependency without a row would be found in the outage. What holds in every row: facts,
//! compensation and what operators ask for are taken, and what waits is kept, oldest first, until it can go.

use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::decider::Participant;
use crate::gates::{BreakerState, Gates};
use crate::reason::{Code, Reason};

/// A behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DegradedMode {
    /// An order that needs it to commit waits for it, at most until its commit deadline.
    Wait,
    /// The order goes on without it; what it owes is done once it is back. Accruals are told as `loyalty.deferred`.
    Defer,
    /// New orders that need it are refused at once and not remembered: the same order may come again.
    RefuseNew,
}

impl DegradedMode {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Defer => "defer",
            Self::RefuseNew => "refuse_new",
        }
    }
}

/// What an order depends on. Loyalty is two: points that pay must be reserved first, points that are earned can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// Points that pay for the order.
    Redemption,
    /// Points that are earned with it.
    Accrual,
    /// Its money.
    Payment,
    /// Who ships what.
    Allocation,
    /// Warehouses and stores.
    Fulfillment,
    /// Its documents.
    Erp,
}

impl Dependency {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Redemption, Self::Accrual, Self::Payment, Self::Allocation, Self::Fulfillment, Self::Erp];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redemption => "redemption",
            Self::Accrual => "accrual",
            Self::Payment => "payment",
            Self::Allocation => "allocation",
            Self::Fulfillment => "fulfillment",
            Self::Erp => "erp",
        }
    }

    /// Whose breaker decides.
    pub const fn participant(self) -> Participant {
        match self {
            Self::Redemption | Self::Accrual => Participant::Loyalty,
            Self::Payment => Participant::Payment,
            Self::Allocation => Participant::Allocation,
            Self::Fulfillment => Participant::Fulfillment,
            Self::Erp => Participant::Erp,
        }
    }

    /// What can be done without it, and why nothing else.
    const fn possible(self) -> (&'static [DegradedMode], &'static str) {
        use DegradedMode::{Defer, RefuseNew, Wait};
        match self {
            Self::Redemption | Self::Payment => {
                (&[Wait, RefuseNew], "an order cannot commit before it is paid for")
            }
            Self::Accrual => (&[Defer], "earned points are never lost and no reason to refuse an order"),
            Self::Allocation => (&[Defer, RefuseNew], "an order commits before it is allocated"),
            Self::Fulfillment | Self::Erp => {
                (&[Defer], "no order is refused for what comes after its commit")
            }
        }
    }
}

/// The behaviours of one dependency. A closed breaker degrades nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByBreaker {
    /// While a few commands find out whether it answers again.
    pub half_open: DegradedMode,
    /// While nothing is sent to it.
    pub open: DegradedMode,
}

impl ByBreaker {
    const fn both(mode: DegradedMode) -> Self {
        Self { half_open: mode, open: mode }
    }
}

/// The whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DegradedModes {
    /// Points that pay.
    pub redemption: ByBreaker,
    /// Points that are earned.
    pub accrual: ByBreaker,
    /// Money.
    pub payment: ByBreaker,
    /// Who ships what.
    pub allocation: ByBreaker,
    /// Warehouses and stores.
    pub fulfillment: ByBreaker,
    /// Documents.
    pub erp: ByBreaker,
}

impl Default for DegradedModes {
    fn default() -> Self {
        Self {
            redemption: ByBreaker::both(DegradedMode::Wait),
            accrual: ByBreaker::both(DegradedMode::Defer),
            payment: ByBreaker::both(DegradedMode::Wait),
            allocation: ByBreaker::both(DegradedMode::Defer),
            fulfillment: ByBreaker::both(DegradedMode::Defer),
            erp: ByBreaker::both(DegradedMode::Defer),
        }
    }
}

impl DegradedModes {
    /// The row of a dependency.
    pub const fn of(&self, dependency: Dependency) -> ByBreaker {
        match dependency {
            Dependency::Redemption => self.redemption,
            Dependency::Accrual => self.accrual,
            Dependency::Payment => self.payment,
            Dependency::Allocation => self.allocation,
            Dependency::Fulfillment => self.fulfillment,
            Dependency::Erp => self.erp,
        }
    }

    /// The behaviour in force; none = nothing is degraded.
    pub fn in_force(&self, dependency: Dependency, gates: Gates) -> Option<DegradedMode> {
        match gates.breaker(dependency.participant()) {
            BreakerState::Closed => None,
            BreakerState::HalfOpen => Some(self.of(dependency).half_open),
            BreakerState::Open => Some(self.of(dependency).open),
        }
    }

    /// Every cell that asks for what cannot be done, in words.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for dependency in Dependency::ALL {
            let row = self.of(dependency);
            let (possible, why) = dependency.possible();
            for (state, mode) in [("half_open", row.half_open), ("open", row.open)] {
                if !possible.contains(&mode) {
                    let words: Vec<_> = possible.iter().map(|mode| format!("{:?}", mode.as_str())).collect();
                    problems.push(format!(
                        "{}.{state} = {:?}: must be {}, since {why}",
                        dependency.as_str(),
                        mode.as_str(),
                        words.join(" or ")
                    ));
                }
            }
        }
        problems
    }

    /// Why a new order is not taken now; none = it is.
    pub(super) fn refuses(&self, content: &Content, gates: Gates) -> Option<Reason> {
        let needed = |dependency: &Dependency| match dependency {
            Dependency::Redemption => content.redemption.points > 0,
            Dependency::Payment => content.cash_due() > 0,
            Dependency::Allocation => content.is_allocated_outside(),
            _ => true,
        };
        let refusing = Dependency::ALL.into_iter().filter(needed);
        let mut refusing =
            refusing.filter(|dependency| self.in_force(*dependency, gates) == Some(DegradedMode::RefuseNew));
        let dependency = refusing.next()?;
        let message = format!(
            "{} is not available now, and new orders that need it are not taken; send the same order again later",
            dependency.as_str()
        );
        Some(Reason::new(Code::Unavailable, message))
    }
}

#[cfg(test)]
mod tests {
    use super::{ByBreaker, DegradedMode, DegradedModes, Dependency};
    use crate::decider::Participant;
    use crate::gates::{BreakerState, Gates};

    #[test]
    fn the_table_of_the_defaults_asks_for_nothing_impossible() {
        assert_eq!(DegradedModes::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_done_is_named_with_its_cell_and_the_reason() {
        let mut modes =
            DegradedModes { erp: ByBreaker::both(DegradedMode::Wait), ..DegradedModes::default() };
        modes.erp.open = DegradedMode::RefuseNew;
        modes.payment.open = DegradedMode::Defer;
        let problems = modes.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(
            problems[0],
            "payment.open = \"defer\": must be \"wait\" or \"refuse_new\", since an order cannot commit before it is paid for"
        );
        assert!(problems[2].starts_with("erp.open = \"refuse_new\": must be \"defer\""), "{problems:?}");
    }

    #[test]
    fn the_breaker_picks_the_cell_and_a_closed_one_picks_none() {
        let mut modes = DegradedModes::default();
        modes.redemption.open = DegradedMode::RefuseNew;
        for (breaker, expected) in [
            (BreakerState::Closed, None),
            (BreakerState::HalfOpen, Some(DegradedMode::Wait)),
            (BreakerState::Open, Some(DegradedMode::RefuseNew)),
        ] {
            let gates = Gates::OPEN.with_breaker(Participant::Loyalty, breaker);
            assert_eq!(modes.in_force(Dependency::Redemption, gates), expected);
            assert_eq!(modes.in_force(Dependency::Payment, gates), None);
        }
    }
}
