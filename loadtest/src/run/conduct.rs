//! How participants behave at a moment: as the scenario says, and as the faults that are going on change it.

use std::time::Duration;

use crate::scenario::{Behaviours, Fault, FaultKind, Scenario};
use crate::simulators::{Profile, Profiles, are_patient};

/// The behaviour of all at this moment of the run. Where several faults befall one participant, the later one in the file wins.
pub fn behaviours_at(scenario: &Scenario, base: &Profiles, at: Duration) -> Behaviours {
    let mut all = *base;
    for fault in scenario.faults.iter().filter(|fault| is_on(fault, at)) {
        let Some(participant) = fault.kind.participant() else { continue };
        let profile = all.of_mut(participant);
        *profile = match fault.kind {
            FaultKind::Slow(_, latency_least, latency_most) => {
                Profile { latency_least, latency_most, ..*profile }
            }
            FaultKind::Declining(_, refusals) => Profile { refusals, ..*profile },
            FaultKind::Down(_) | FaultKind::Flapping(..) => Profile { away: true, ..*profile },
            FaultKind::Restart => *profile,
        };
    }
    all
}

/// Does this fault show at this moment?
fn is_on(fault: &Fault, at: Duration) -> bool {
    let Some(since) = at.checked_sub(fault.at).filter(|since| *since < fault.lasts) else { return false };
    match fault.kind {
        FaultKind::Flapping(_, period) => since.as_nanos() % period.as_nanos().max(1) < period.as_nanos() / 2,
        _ => true,
    }
}

/// What goes wrong at this moment, in words.
pub fn faults_at(scenario: &Scenario, at: Duration) -> Vec<String> {
    scenario.faults.iter().filter(|fault| is_on(fault, at)).map(Fault::label).collect()
}

/// Nobody is away or slow for so long that an order can be given up at its commit deadline, nor is the server.
pub fn is_patient(scenario: &Scenario) -> bool {
    use domain::decider::Participant::{Loyalty, Payment};
    let harmless = |fault: &Fault| match fault.kind {
        FaultKind::Slow(who, _, most) => !matches!(who, Loyalty | Payment) || most < SHORT,
        FaultKind::Down(who) | FaultKind::Flapping(who, _) => !matches!(who, Loyalty | Payment),
        FaultKind::Declining(..) => true,
        // While the server is away, the deadlines of its orders pass.
        FaultKind::Restart => false,
    };
    let base = &scenario.participants;
    let quick = |profile: &Profile| profile.latency_most < SHORT;
    are_patient(base) && quick(&base.loyalty) && quick(&base.payment) && scenario.faults.iter().all(harmless)
}

/// Well below the shortest commit deadline that a server has by default.
const SHORT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{behaviours_at, faults_at, is_patient};
    use crate::scenario::Scenario;

    fn scenario(faults: &str) -> Scenario {
        let least = "schema = \"doorbuster-loadtest/1\"\n[[phases]]\nrate = \"1/s\"\nover = \"1m\"\n";
        Scenario::parse("t", &format!("{least}{faults}"), None).unwrap()
    }

    #[test]
    fn a_fault_shows_while_it_lasts_and_not_longer() {
        let down =
            scenario("[[faults]]\nkind = \"down\"\nparticipant = \"erp\"\nat = \"10s\"\nfor = \"5s\"\n");
        let is_away = |second| behaviours_at(&down, &down.participants, Duration::from_secs(second)).erp.away;
        assert_eq!([9, 10, 14, 15].map(is_away), [false, true, true, false]);
        assert_eq!(faults_at(&down, Duration::from_secs(12)), ["erp down"]);
        assert!(is_patient(&down));
    }

    #[test]
    fn flapping_is_down_for_the_first_half_of_each_period() {
        let text = "[[faults]]\nkind = \"flapping\"\nparticipant = \"payment\"\nat = \"10s\"\nfor = \"20s\"\nperiod = \"4s\"\n";
        let flapping = scenario(text);
        let is_away = |second| {
            behaviours_at(&flapping, &flapping.participants, Duration::from_secs(second)).payment.away
        };
        assert_eq!([10, 11, 12, 13, 14, 30].map(is_away), [true, true, false, false, true, false]);
        assert!(!is_patient(&flapping));
    }

    #[test]
    fn faults_of_one_participant_add_up() {
        let text = "[[faults]]\nkind = \"slow\"\nparticipant = \"loyalty\"\nat = \"0s\"\nfor = \"20s\"\nlatency = \"100ms\"\n\
                    [[faults]]\nkind = \"declining\"\nparticipant = \"loyalty\"\nat = \"5s\"\nfor = \"20s\"\nshare = \"50%\"\n";
        let both = scenario(text);
        let loyalty = behaviours_at(&both, &both.participants, Duration::from_secs(6)).loyalty;
        assert_eq!((loyalty.latency_most, loyalty.refusals), (Duration::from_millis(100), 500));
    }
}
