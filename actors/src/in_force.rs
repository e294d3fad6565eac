//! The policies in force: those that somebody gave last. Who decides looks at them without a lock.

use std::cell::{Cell, Ref, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The policies of a node. Clones are handles to the same ones; a change holds for every decision that begins after it.
#[derive(Debug)]
pub struct InForce<P>(Arc<Newest<P>>);

#[derive(Debug)]
struct Newest<P> {
    /// How often they were changed. Changed only under the lock, so that it always belongs to what is behind it.
    revision: AtomicU64,
    policies: Mutex<P>,
}

impl<P> Clone for InForce<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> From<P> for InForce<P> {
    fn from(policies: P) -> Self {
        Self(Arc::new(Newest { revision: AtomicU64::new(0), policies: Mutex::new(policies) }))
    }
}

impl<P> InForce<P> {
    /// Changes them for all decisions that begin from now on.
    pub fn change(&self, change: impl FnOnce(&mut P)) {
        let mut policies = self.newest();
        change(&mut policies);
        self.0.revision.fetch_add(1, Ordering::Release);
    }

    fn newest(&self) -> MutexGuard<'_, P> {
        self.0.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one thread knows of them: its own copy, renewed when they were changed. To look costs one read of a number that nearly
/// never changes; a count of references that all threads share would be written by each decision.
#[derive(Debug)]
pub(crate) struct Known<P> {
    of: InForce<P>,
    revision: Cell<u64>,
    policies: RefCell<P>,
}

impl<P: Clone> Known<P> {
    pub(crate) fn new(of: &InForce<P>) -> Self {
        let newest = of.newest();
        let (revision, policies) = (of.0.revision.load(Ordering::Acquire), newest.clone());
        drop(newest);
        Self { of: of.clone(), revision: Cell::new(revision), policies: RefCell::new(policies) }
    }

    /// The policies as they are now. Nobody looks again while he holds them.
    pub(crate) fn look(&self) -> Ref<'_, P> {
        if self.of.0.revision.load(Ordering::Acquire) != self.revision.get() {
            let newest = self.of.newest();
            self.revision.set(self.of.0.revision.load(Ordering::Acquire));
            self.policies.borrow_mut().clone_from(&newest);
        }
        self.policies.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::{InForce, Known};

    #[test]
    fn given_policies_that_are_changed_when_somebody_looks_then_he_sees_the_newest_and_keeps_what_he_holds() {
        let in_force = InForce::from(1);
        let (one, other) = (Known::new(&in_force), Known::new(&in_force));
        let held = one.look();
        in_force.clone().change(|policies| *policies += 1);
        assert_eq!((*held, *other.look()), (1, 2));
        drop(held);
        assert_eq!((*one.look(), *Known::new(&in_force).look()), (2, 2));
    }
}
