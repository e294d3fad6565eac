//! What is not as it is configured because somebody asked for it, and until when.

use std::collections::BTreeMap;

use domain::time::Timestamp;

use super::act::Act;
use super::entry::Entry;

/// Something that was set and not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What takes it back.
    pub undo: Act,
    /// When it is taken back by itself.
    pub until: Option<Timestamp>,
    /// The entry that said that it would be done.
    pub intent: Entry,
}

/// Everything that is set, one for each thing that can be.
#[derive(Debug, Default)]
pub struct Overrides(BTreeMap<String, Override>);

impl Overrides {
    /// How many things may be set at the same time: limits and pauses of every tenant and channel that is configured.
    pub const MOST: usize = 1_000;

    /// Is there room for what `act` sets?
    pub fn has_room(&self, act: &Act) -> bool {
        self.0.len() < Self::MOST || self.0.contains_key(&act.slot())
    }

    /// The act was done: it replaces what was set before on the same thing.
    pub fn done(&mut self, act: &Act, until: Option<Timestamp>, intent: Entry) {
        match act.undo() {
            Some(undo) => {
                self.0.insert(act.slot(), Override { undo, until, intent });
            }
            None => {
                self.0.remove(&act.slot());
            }
        }
    }

    /// What is due, taken out.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Override> {
        let due = |set: &Override| set.until.is_some_and(|until| until <= now);
        let slots: Vec<String> =
            self.0.iter().filter(|(_, set)| due(set)).map(|(slot, _)| slot.clone()).collect();
        slots.iter().filter_map(|slot| self.0.remove(slot)).collect()
    }

    /// It could not be taken back: it stays, until it is tried again.
    pub fn again(&mut self, undo: Act, at: Timestamp, intent: Entry) {
        self.0.insert(undo.slot(), Override { undo, until: Some(at), intent });
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|set| set.until).min()
    }

    /// All of them, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = &Override> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use domain::decider::Participant;
    use domain::time::Timestamp;

    use super::Overrides;
    use crate::control::act::{Act, BreakerAct};
    use crate::control::entry::{Caller, Entry};
    use crate::control::scope::Scope;

    fn done(set: &mut Overrides, act: &Act, until: Option<i64>) {
        let until = until.map(Timestamp);
        let caller = Caller::default();
        let entry = Entry::intent("e".to_owned(), "test", act, "a test", (Timestamp(0), until), &caller);
        set.done(act, until, entry);
    }

    #[test]
    fn what_is_set_again_has_only_its_new_time() {
        let mut set = Overrides::default();
        done(&mut set, &Act::Pause(Scope::All), Some(10));
        done(&mut set, &Act::Pause(Scope::All), Some(20));
        done(&mut set, &Act::Pause(Scope::Partition(1)), None);
        assert_eq!(set.next_due(), Some(Timestamp(20)));
        assert!(set.take_due(Timestamp(19)).is_empty());
        let due = set.take_due(Timestamp(20));
        assert_eq!((due.len(), &due[0].undo), (1, &Act::Resume(Scope::All)));
        assert_eq!((set.next_due(), set.all().count()), (None, 1));
    }

    #[test]
    fn what_is_taken_back_by_hand_is_not_taken_back_again() {
        let mut set = Overrides::default();
        done(&mut set, &Act::Breaker(Participant::Erp, BreakerAct::ForceOpen), Some(10));
        done(&mut set, &Act::Breaker(Participant::Erp, BreakerAct::Reset), None);
        assert!(set.take_due(Timestamp(100)).is_empty() && set.all().next().is_none());
    }

    #[test]
    fn there_is_room_for_so_many_and_always_for_those_that_are_there() {
        // invariant: bounded-everything
        let mut set = Overrides::default();
        let limit = |number: usize| Act::SetLimit(format!("l{number}"), super::super::act::Limit::default());
        for number in 0..Overrides::MOST {
            assert!(set.has_room(&limit(number)));
            done(&mut set, &limit(number), None);
        }
        assert!(set.has_room(&limit(0)) && !set.has_room(&limit(Overrides::MOST)));
    }
}
