//! The subjects on the streams: how they are built, and what a stored one says.

use std::fmt::{Display, Write};

use domain::envelope::Plane;

use super::catalogue::Layout;
use super::stream::{Lane, StreamId};

/// Room for most subjects: there are very many of them, and one that grows takes memory again and again.
const USUAL_SUBJECT_BYTES: usize = 64;

const WRITES: &str = "writing to a String cannot fail";

/// What the stored subject of an inbound message says. The tokens are as somebody published them: not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundSubject<'a> {
    /// The partition that the broker computed from the key.
    pub partition: u16,
    /// The plane.
    pub plane: Plane,
    /// The tenant token.
    pub tenant: &'a str,
    /// The domain token.
    pub domain: &'a str,
    /// The name token.
    pub name: &'a str,
}

impl Layout {
    /// What a partition reads of an inbound stream: a filter on stored subjects.
    pub fn inbound_filter(&self, partition: u16) -> String {
        format!("{}.v1.p.{partition}.>", self.root)
    }

    /// Where it is written down what was purged around a partition that stands still: a key in the bucket of owners.
    pub fn purge_note(&self, lane: Lane) -> String {
        format!("$KV.{}.purged.{}", self.bucket(StreamId::Owners), self.name(lane.stream()))
    }

    /// A value of reference data, `node.berlin`, or several (`>`): a key in their bucket.
    pub fn reference(&self, key: impl Display) -> String {
        format!("$KV.{}.{key}", self.bucket(StreamId::Reference))
    }

    /// The key of a value of reference data from its stored subject; none = it is none.
    pub fn reference_key<'a>(&self, stored: &'a str) -> Option<&'a str> {
        let key = stored.strip_prefix("$KV.")?.strip_prefix(&self.bucket(StreamId::Reference))?;
        key.strip_prefix('.')
    }

    /// Takes a stored inbound subject apart; none = it is not of the form that the transform makes.
    pub fn parse_inbound<'a>(&self, stored: &'a str) -> Option<InboundSubject<'a>> {
        let mut tokens = stored.strip_prefix(self.root.as_str())?.strip_prefix(".v1.p.")?.split('.');
        let subject = InboundSubject {
            partition: tokens.next()?.parse().ok()?,
            plane: Plane::parse(tokens.next()?)?,
            tenant: tokens.next()?,
            domain: tokens.next()?,
            name: tokens.next()?,
        };
        tokens.next().is_none().then_some(subject)
    }

    /// Where others publish to us: `retail.v1.<plane>.<tenant>.<domain>.<name>.<key>`.
    pub fn inbound(
        &self,
        plane: Plane,
        tenant: impl Display,
        domain: impl Display,
        name: impl Display,
        key: impl Display,
    ) -> String {
        format!("{}.v1.{}.{tenant}.{domain}.{name}.{key}", self.root, plane.as_str())
    }

    /// A command to a participant: `retail.v1.cmd.<tenant>.<domain>.<name>.<partition>`.
    pub fn command(
        &self,
        tenant: impl Display,
        domain: impl Display,
        name: impl Display,
        partition: u16,
    ) -> String {
        let mut subject = String::with_capacity(USUAL_SUBJECT_BYTES);
        write!(subject, "{}.v1.cmd.{tenant}.{domain}.{name}.{partition}", self.root).expect(WRITES);
        subject
    }

    /// The event pages of a tenant and partition: `retail.v1.evt.<tenant>.all.page.<partition>`.
    pub fn page(&self, tenant: impl Display, partition: u16) -> String {
        format!("{}.v1.evt.{tenant}.all.page.{partition}", self.root)
    }

    /// One event alone: `retail.v1.evt.<tenant>.<domain>.<name>.<partition>`.
    pub fn notice(
        &self,
        tenant: impl Display,
        domain: impl Display,
        name: impl Display,
        partition: u16,
    ) -> String {
        let mut subject = String::with_capacity(USUAL_SUBJECT_BYTES);
        write!(subject, "{}.v1.evt.{tenant}.{domain}.{name}.{partition}", self.root).expect(WRITES);
        subject
    }

    /// A dead letter: `retail.v1.dlq.<tenant>.<domain>.<reason>.<partition>`.
    pub fn dead_letter(
        &self,
        tenant: impl Display,
        domain: impl Display,
        reason: impl Display,
        partition: u16,
    ) -> String {
        format!("{}.v1.dlq.{tenant}.{domain}.{reason}.{partition}", self.root)
    }

    /// An operator act: `retail.v1.audit.<tenant>.<domain>.<action>.<partition>`.
    pub fn audit(
        &self,
        tenant: impl Display,
        domain: impl Display,
        action: impl Display,
        partition: u16,
    ) -> String {
        format!("{}.v1.audit.{tenant}.{domain}.{action}.{partition}", self.root)
    }

    /// The one subject of a partition's journal.
    pub fn journal(&self, partition: u16) -> String {
        format!("{}.v1.j.{partition}", self.root)
    }

    /// A page of snapshots or of their index, or a partition's marker: `retail.v1.snap.<partition>.<rest>`.
    pub fn snapshot(&self, partition: u16, rest: impl Display) -> String {
        format!("{}.v1.snap.{partition}.{rest}", self.root)
    }

    /// May a receipt for this tenant go to `reply_to`? Anywhere else it could be read as somebody's message.
    pub fn receipt_allowed(&self, reply_to: &str, tenant: impl Display) -> bool {
        let place = format!("{}.v1.receipt.{tenant}.", self.root);
        let allowed = reply_to.starts_with("_INBOX.") || reply_to.starts_with(&place);
        allowed && reply_to.len() <= 256 && reply_to.split('.').all(is_literal)
    }
}

fn is_literal(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'*' | b'>'))
}

#[cfg(test)]
mod tests {
    use domain::envelope::Plane;

    use super::Layout;

    #[test]
    fn a_stored_subject_comes_apart_as_the_transform_made_it() {
        let layout = Layout::default();
        let subject = layout.parse_inbound("retail.v1.p.3.reply.main.payment.authorized").unwrap();
        assert_eq!((subject.partition, subject.plane), (3, Plane::Reply));
        assert_eq!((subject.tenant, subject.domain, subject.name), ("main", "payment", "authorized"));
        for other in
            ["retail.v1.p.3.reply.main.payment", "retail.v1.p.x.reply.a.b.c", "shop.v1.p.3.reply.a.b.c"]
        {
            assert_eq!(layout.parse_inbound(other), None, "{other}");
        }
        assert_eq!(layout.parse_inbound("retail.v1.p.3.cmd.main.payment.authorize"), None);
    }

    #[test]
    fn receipts_go_to_inboxes_and_to_the_tenants_own_subjects_only() {
        let layout = Layout::default();
        for good in ["_INBOX.a.b", "retail.v1.receipt.main.shop.7"] {
            assert!(layout.receipt_allowed(good, "main"), "{good}");
        }
        let bad = [
            "retail.v1.receipt.other.x",
            "$JS.API.STREAM.INFO.X",
            "shop.x",
            "_INBOX.",
            "_INBOX.*",
            "_INBOX.a b",
            "retail.v1.receipt.main.",
            "retail.v1.receipt.main.>",
            "",
        ];
        for subject in bad {
            assert!(!layout.receipt_allowed(subject, "main"), "{subject}");
        }
    }
}
