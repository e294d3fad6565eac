//! Letters that arrive: inputs like any other, but without a position in a lane, and beside the credits of the lanes.

use std::cell::Cell;
use std::rc::Rc;

use domain::decider::Decider;
use domain::envelope::Envelope;
use tokio::sync::Notify;

use super::commit_queue::Consumed;
use super::core::{Partition, Stage};
use crate::inbound::{self, Item};
use crate::mail::Inbox;

/// The letters of a partition that are taken and not settled yet.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    open: Cell<usize>,
    settled: Notify,
}

/// Takes letters until the partition drains; who wrote those that are left asks again.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>, mut inbox: Inbox) {
    let mut stage = partition.stage();
    let (mut letters, metrics) = (Vec::new(), &partition.env.metrics);
    loop {
        let room = partition.env.config.letters_at_once.max(1).saturating_sub(partition.letters.open.get());
        let most = room.min(partition.env.config.cycle_inputs.max(1));
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => break,
            () = partition.letters.settled.notified(), if room == 0 => {}
            _ = inbox.recv_many(&mut letters, most), if room > 0 => {
                metrics.letters_waiting.adjust(-i64::try_from(letters.len()).unwrap_or(i64::MAX));
                for letter in letters.drain(..) {
                    partition.take_letter(letter);
                }
                // Entities get their turn between two cycles.
                tokio::task::yield_now().await;
            }
        }
    }
    inbox.close();
    while inbox.try_recv().is_ok() {
        metrics.letters_waiting.adjust(-1);
        metrics.letters_dropped.add_one();
    }
}

impl<D: Decider> Partition<D> {
    fn take_letter(self: &Rc<Self>, envelope: Envelope) {
        self.letters.open.set(self.letters.open.get() + 1);
        self.bring_credit();
        match inbound::screen_item::<D>(&self.env.layout, self.number, envelope) {
            Item::Accepted(arrival) => self.deliver(arrival, Consumed::Letter),
            Item::Refused(refused) => {
                let letter = &refused.letter;
                let kind = letter.envelope.kind();
                tracing::error!(kind, violations = ?letter.violations, "a letter of ours cannot be read");
                self.take_credit();
                self.refuse(refused, Some(Consumed::Letter));
            }
            Item::Elsewhere(_) => unreachable!("only a batch is taken apart"),
        }
    }

    /// What a letter led to is recorded.
    pub(crate) fn letter_settled(&self) {
        self.letters.open.set(self.letters.open.get() - 1);
        self.letters.settled.notify_one();
    }

    /// True if no letter is between its box and the journal.
    pub(crate) fn has_no_letters(&self) -> bool {
        self.letters.open.get() == 0
    }
}
