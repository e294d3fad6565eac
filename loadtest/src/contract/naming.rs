//! Subjects, stream names and headers.

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::Participant;
use domain::envelope::Headers;

/// Where things are on the wire: the root of all subjects, one tenant, and the stream names that go with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    root: String,
    tenant: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self::new("retail", "main")
    }
}

impl Naming {
    /// `root` is the first token of every subject; streams are named after it in capitals.
    pub fn new(root: &str, tenant: &str) -> Self {
        Self { root: root.to_owned(), tenant: tenant.to_owned() }
    }

    /// The tenant token.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// `<root>.v1.<plane>.<tenant>.<domain>.<name>.<last>`.
    pub fn subject(&self, plane: &str, domain: &str, name: &str, last: &str) -> String {
        let parts = [self.root.as_str(), "v1", plane, self.tenant.as_str(), domain, name, last];
        parts.join(".")
    }

    /// The stream with this name after the root, `EVENTS` for example.
    pub fn stream(&self, name: &str) -> String {
        format!("{}_{name}", self.root.to_uppercase())
    }

    /// Where a value of reference data is written.
    pub fn reference(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.stream("REFERENCE"))
    }

    /// The stream of the commands to one participant.
    pub fn commands(&self, participant: Participant) -> String {
        self.stream(&format!("COMMANDS_{}", participant.as_str().to_uppercase()))
    }

    /// The streams that an order's messages go through, to count them.
    pub fn counted_streams(&self) -> Vec<String> {
        let plain = ["INTAKE", "WORK", "REPLIES", "EVENTS", "NOTICES", "DLQ"].map(|name| self.stream(name));
        plain.into_iter().chain(Participant::ALL.map(|participant| self.commands(participant))).collect()
    }
}

/// Somebody who publishes: gives each message its `ce-source` and its `ce-id`.
#[derive(Debug, Clone)]
pub struct Sender {
    source: String,
    prefix: String,
    number: u64,
}

impl Sender {
    /// `source` becomes the `ce-source`; `prefix` starts every `ce-id`, so that two runs never share one.
    pub fn new(source: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { source: source.into(), prefix: prefix.into(), number: 0 }
    }

    /// A message with an id of its own.
    pub fn message(&mut self, subject: String, body: Bytes) -> Outgoing {
        let id = self.next_id();
        self.message_with_id(subject, body, &id)
    }

    /// A message with a given id: the same id again is a duplicate.
    pub fn message_with_id(&self, subject: String, body: Bytes, id: &str) -> Outgoing {
        let headers = Headers::new()
            .with("ce-id", id)
            .with("ce-source", &self.source)
            .with("content-type", "application/json");
        Outgoing { subject, headers, body }
    }

    /// An id that was not used before.
    pub fn next_id(&mut self) -> String {
        self.number += 1;
        format!("{}-{}", self.prefix, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Naming, Sender};
    use bytes::Bytes;
    use domain::decider::Participant;

    #[test]
    fn given_the_default_names_when_formatted_then_they_are_those_of_the_contract() {
        let naming = Naming::default();
        assert_eq!(
            naming.subject("reply", "payment", "captured", "o-1"),
            "retail.v1.reply.main.payment.captured.o-1"
        );
        assert_eq!(naming.commands(Participant::Erp), "RETAIL_COMMANDS_ERP");
    }

    #[test]
    fn given_a_sender_when_it_says_two_things_then_their_ids_differ() {
        let mut sender = Sender::new("/sim/erp", "r1");
        let first = sender.message("a".into(), Bytes::new());
        let second = sender.message("a".into(), Bytes::new());
        assert_ne!(first.headers.get("ce-id"), second.headers.get("ce-id"));
        assert_eq!(first.headers.get("ce-source"), Some("/sim/erp"));
    }
}
