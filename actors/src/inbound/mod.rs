//! From a stored message to something an entity can judge, or to a dead letter: nothing that arrives stops a lane.

mod batch;
mod letter;
mod rows;
mod screening;

use std::sync::Arc;

use bus::layout::Layout;
use bus::ports::{Outgoing, Stored};
use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::reason::Reason;

use crate::partition::Addressee;
use crate::record::DeadLetter;

/// A message with the entity that has to judge it.
#[derive(Debug)]
pub(crate) struct Arrival<M> {
    pub(crate) entity: EntityId,
    pub(crate) envelope: Envelope,
    pub(crate) message: M,
}

/// A message that cannot be taken.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) letter: DeadLetter,
    /// Who wants to know.
    pub(crate) addressee: Option<Addressee>,
}

/// An item of a batch that belongs to another partition.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    /// The partition that it belongs to.
    pub(crate) partition: u16,
    /// Where the item stands as a message of its own.
    pub(crate) subject: String,
    /// The item as it came.
    pub(crate) envelope: Envelope,
}

/// What a stored message, or one item of it, turned out to be.
#[derive(Debug)]
pub(crate) enum Item<M> {
    /// For an entity of this partition.
    Accepted(Arrival<M>),
    /// For the dead letters.
    Refused(Refused),
    /// For another partition.
    Elsewhere(Elsewhere),
}

impl Elsewhere {
    /// The item as a message of its own.
    pub(crate) fn message(&self) -> Outgoing {
        let headers = batch::for_the_way(&self.envelope.headers);
        Outgoing { subject: self.subject.clone(), headers, body: self.envelope.body.clone() }
    }
}

impl Refused {
    /// What the sender is told.
    pub(crate) fn reason(&self) -> Reason {
        let said: Vec<String> =
            self.letter.violations.iter().take(8).map(|v| format!("{}: {}", v.pointer, v.message)).collect();
        Reason::new(self.letter.reason.code(), said.join("; "))
    }
}

/// Looks at a message of a lane: one item, or those of a batch, in order.
pub(crate) fn screen<D: Decider>(
    layout: &Layout,
    partition: u16,
    stream: &Arc<str>,
    stored: Stored,
) -> Vec<Item<D::Message>> {
    match screening::envelope(layout, stream, stored) {
        Err(refused) => vec![Item::Refused(*refused)],
        Ok(envelope) if envelope.name.as_str() == "batch" => batch::screen::<D>(layout, partition, &envelope),
        Ok(envelope) => vec![screening::screen::<D>(layout, partition, envelope)],
    }
}

/// Looks at an item of a batch that its own partition is given.
pub(crate) fn screen_item<D: Decider>(layout: &Layout, partition: u16, item: Envelope) -> Item<D::Message> {
    screening::screen::<D>(layout, partition, item)
}
