//! A value for each participant.

use serde::{Deserialize, Serialize};

use crate::decider::Participant;

/// A value for each participant; written and read by their names, and none may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByParticipant<T> {
    /// For the loyalty platform.
    pub loyalty: T,
    /// For the payment gateways.
    pub payment: T,
    /// For allocation.
    pub allocation: T,
    /// For warehouses and stores.
    pub fulfillment: T,
    /// For the ERP.
    pub erp: T,
}

impl<T: Copy> ByParticipant<T> {
    /// The same for everybody.
    pub const fn all(value: T) -> Self {
        Self { loyalty: value, payment: value, allocation: value, fulfillment: value, erp: value }
    }
}

impl<T> ByParticipant<T> {
    /// That of one participant.
    pub const fn of(&self, participant: Participant) -> &T {
        match participant {
            Participant::Loyalty => &self.loyalty,
            Participant::Payment => &self.payment,
            Participant::Allocation => &self.allocation,
            Participant::Fulfillment => &self.fulfillment,
            Participant::Erp => &self.erp,
        }
    }

    /// That of one participant, to be changed.
    pub const fn of_mut(&mut self, participant: Participant) -> &mut T {
        match participant {
            Participant::Loyalty => &mut self.loyalty,
            Participant::Payment => &mut self.payment,
            Participant::Allocation => &mut self.allocation,
            Participant::Fulfillment => &mut self.fulfillment,
            Participant::Erp => &mut self.erp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByParticipant;
    use crate::decider::Participant;

    #[test]
    fn each_participant_has_its_own_value_under_its_own_name() {
        let mut values = ByParticipant::all(0);
        for participant in Participant::ALL {
            *values.of_mut(participant) = participant.index();
        }
        let written = serde_json::to_value(values).unwrap();
        for participant in Participant::ALL {
            assert_eq!(*values.of(participant), participant.index());
            assert_eq!(written[participant.as_str()], participant.index());
        }
        assert!(
            serde_json::from_str::<ByParticipant<u32>>(r#"{"loyalty": 1}"#).is_err(),
            "none may be missing"
        );
    }
}
