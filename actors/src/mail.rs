//! Letters between the entities of a node: through memory, from partition to partition, without a broker message.
//!
//! Each partition has one bounded box. Nobody waits to put a letter into one, so no two partitions can wait for each other: what
//! does not fit is dropped, and who needs an answer asks again at the deadline of his effect. All letters of one partition to
//! another go through one box in their order, so an older one never arrives after a newer one.

use std::sync::Arc;

use domain::decider::{Decider, EffectState, Letter, OpenEffect, Trace};
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::time::Timestamp;
use tokio::sync::mpsc;

use crate::metrics::Metrics;

/// A letter on its way, and the partition of its recipient.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) partition: u16,
    pub(crate) envelope: Envelope,
}

/// Who writes letters, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) from: &'a EntityId,
    /// The version that the sender has with the decision that they belong to.
    pub(crate) version: u64,
    pub(crate) trace: Trace<'a>,
    pub(crate) now: Timestamp,
    pub(crate) partitions: u16,
}

impl Desk<'_> {
    pub(crate) fn seal(&self, letter: Letter) -> Sealed {
        let partition = letter.to.key.partition(self.partitions);
        Sealed { partition, envelope: letter.envelope(self.from, self.version, self.trace, self.now) }
    }

    /// The letter of an open effect in the form in which it leaves.
    pub(crate) fn letter_of<D: Decider>(&self, state: &D::State, effect: &OpenEffect<'_>) -> Option<Sealed> {
        D::letter(self.from, state, effect.id).map(|letter| self.seal(letter))
    }
}

/// Does the letter of an open effect go out with the decision that made it so? There is no gate that it could wait for.
pub(crate) fn goes(effect: &OpenEffect<'_>, earlier: Option<&OpenEffect<'_>>) -> bool {
    let was_sent = earlier.filter(|earlier| earlier.state == EffectState::Sent);
    effect.state == EffectState::Sent && was_sent.is_none_or(|earlier| earlier.attempts != effect.attempts)
}

/// The box of one partition, for who empties it.
pub(crate) type Inbox = mpsc::Receiver<Envelope>;

/// The boxes of all partitions of a node.
#[derive(Debug)]
pub(crate) struct Mail {
    boxes: Vec<mpsc::Sender<Envelope>>,
    metrics: Arc<Metrics>,
}

impl Mail {
    /// A box for each partition, of so many letters.
    pub(crate) fn new(partitions: u16, letters: usize, metrics: Arc<Metrics>) -> (Self, Vec<Inbox>) {
        let boxes = (0..partitions).map(|_| mpsc::channel(letters.max(1)));
        let (boxes, inboxes) = boxes.unzip();
        (Self { boxes, metrics }, inboxes)
    }

    /// Puts a letter into the box of its partition. A full box, and one that nobody empties any more, drop it.
    ///
    /// All partitions are in this process. Where one is in another, its letters would leave here, over core NATS.
    pub(crate) fn send(&self, Sealed { partition, envelope }: Sealed) {
        // Before it is in the box, so that the count never goes below nothing.
        self.metrics.letters_waiting.adjust(1);
        let sent = self.boxes.get(usize::from(partition)).is_some_and(|to| to.try_send(envelope).is_ok());
        if sent {
            self.metrics.letters.add_one();
        } else {
            self.metrics.letters_waiting.adjust(-1);
            self.metrics.letters_dropped.add_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::decider::{Letter, Trace};
    use domain::ids::{EntityId, Key, Token};
    use domain::time::Timestamp;

    use super::{Desk, Mail};
    use crate::metrics::Metrics;

    #[test]
    fn a_full_box_drops_what_comes_and_keeps_the_order_of_what_it_has() {
        let token = |text| Token::new(text).unwrap();
        let from = EntityId { tenant: token("main"), kind: token("a"), key: Key::new("a-1").unwrap() };
        let metrics = Arc::<Metrics>::default();
        let (mail, mut inboxes) = Mail::new(1, 2, Arc::clone(&metrics));
        for version in 1..=3 {
            let (trace, now) = (Trace::default(), Timestamp(7));
            let desk = Desk { from: &from, version, trace, now, partitions: 1 };
            let letter = Letter { to: from.clone(), name: "x", body: "{}".into() };
            mail.send(desk.seal(letter));
        }
        let came = std::iter::from_fn(|| inboxes[0].try_recv().ok()).map(|letter| letter.sequence);
        assert_eq!(came.collect::<Vec<_>>(), [1, 2]);
        assert_eq!((metrics.letters.get(), metrics.letters_dropped.get()), (2, 1));
        drop(inboxes);
        let (trace, now) = (Trace::default(), Timestamp(7));
        let desk = Desk { from: &from, version: 4, trace, now, partitions: 1 };
        mail.send(desk.seal(Letter { to: from.clone(), name: "x", body: "{}".into() }));
        assert_eq!((metrics.letters.get(), metrics.letters_dropped.get()), (2, 2), "nobody empties it");
    }
}
