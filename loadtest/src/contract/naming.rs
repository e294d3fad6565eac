//! Subjects, stream names and headers.

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::Participant;
use domain::envelope::Headers;

use crate::chance::Dice;

/// Where things are on the wire: the root of all subjects, the tenants, and the stream names that go with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    root: String,
    /// Never empty.
    tenants: Vec<String>,
}

impl Default for Naming {
    fn default() -> Self {
        Self::new("retail", "main")
    }
}

impl Naming {
    /// `root` is the first token of every subject; streams are named after it in capitals.
    pub fn new(root: &str, tenant: &str) -> Self {
        Self { root: root.to_owned(), tenants: vec![tenant.to_owned()] }
    }

    /// The same with these tenants; without any, as before.
    #[must_use]
    pub fn with_tenants(self, tenants: &[String]) -> Self {
        let tenants = if tenants.is_empty() { self.tenants } else { tenants.to_vec() };
        Self { root: self.root, tenants }
    }

    /// Whose order this is. Of several tenants each has about as many; the id alone says which, so that shop, participants and
    /// auditor need not tell each other.
    pub fn tenant_of(&self, order: &str) -> &str {
        let count = self.tenants.len() as u64;
        let place = if count == 1 { 0 } else { Dice::new(0, &["tenant", order]).below(count) };
        &self.tenants[usize::try_from(place).expect("it is below the number of tenants")]
    }

    /// `<root>.v1.<plane>.<tenant>.<domain>.<name>.<order>`.
    pub fn subject(&self, plane: &str, domain: &str, name: &str, order: &str) -> String {
        let parts = [self.root.as_str(), "v1", plane, self.tenant_of(order), domain, name, order];
        parts.join(".")
    }

    /// The filter for these subjects of all orders and tenants.
    pub fn of_all(&self, plane: &str, domain: &str, name: &str) -> String {
        [self.root.as_str(), "v1", plane, "*", domain, name, "*"].join(".")
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
    fn given_several_tenants_when_orders_come_then_each_has_one_of_them_and_all_have_some() {
        let naming = Naming::default().with_tenants(&["eu".to_owned(), "us".to_owned()]);
        let of = |number: u32| naming.tenant_of(&format!("r-{number}")).to_owned();
        let in_europe = (0..1_000).filter(|number| of(*number) == "eu").count();
        assert!((400..600).contains(&in_europe), "{in_europe}");
        let subject = naming.subject("intake", "order", "submit", "r-7");
        assert_eq!(subject, format!("retail.v1.intake.{}.order.submit.r-7", of(7)));
        assert_eq!(naming.of_all("receipt", "r", "submit"), "retail.v1.receipt.*.r.submit.*");
        assert_eq!(Naming::default().with_tenants(&[]), Naming::default());
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
