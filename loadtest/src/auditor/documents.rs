//! ERP documents of one order: which went out, in which order, and what they sum up to.

use std::collections::BTreeMap;

use super::check::{Check, Findings};
use super::money::Units;
use super::sums::{add_units, rows};
use crate::contract::{CommandBody, Submit};

/// A row of a document: line or fee, quantity, net, tax.
type Row = (Option<u32>, String, u32, i64, i64);

/// Sums over the documents of one order.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    keys: Vec<String>,
    posted: Vec<String>,
    captures: Vec<(String, i64)>,
    pub(crate) booked: Vec<Row>,
    pub(crate) books: u32,
    pub(crate) invoiced: i64,
    pub(crate) received: BTreeMap<String, i64>,
    pub(crate) taken_away: i64,
    pub(crate) units_shipped: Units,
    pub(crate) units_taken: Units,
    shipments: u32,
    invoices: u32,
}

impl Documents {
    /// Judges a document that goes out for the first time.
    pub(crate) fn post(&mut self, body: &CommandBody<'_>, findings: &mut Findings) {
        let key = body.document_key.as_ref();
        findings.holds(Check::DocumentsInOrder, !self.keys.iter().any(|known| known == key), || {
            format!("document_key {key} is used by two commands")
        });
        self.keys.push(key.to_owned());
        for needed in &body.depends_on {
            findings.holds(
                Check::DocumentsInOrder,
                self.posted.iter().any(|posted| posted == needed),
                || format!("{key} went out before {needed} was posted, which it depends on"),
            );
        }
        let kind = body.document.as_ref();
        findings.holds(Check::DocumentsInOrder, kind == "book" || self.is_posted("book"), || {
            format!("{key} went out before the book document was posted")
        });
        let value: i64 = body.lines.iter().map(|row| row.net_minor + row.tax_minor).sum();
        match kind {
            "book" => {
                self.books += 1;
                self.booked = body
                    .lines
                    .iter()
                    .map(|row| (row.line, row.fee.to_string(), row.quantity, row.net_minor, row.tax_minor))
                    .collect();
            }
            "ship" => {
                self.shipments += 1;
                add_units(&mut self.units_shipped, &rows(&body.lines));
            }
            "invoice" => {
                self.invoices += 1;
                self.invoiced += value;
                findings.holds(Check::DocumentsInOrder, self.invoices <= self.shipments, || {
                    format!("{key} went out before its ship document")
                });
            }
            "receipt" => self.receive(body, findings),
            "amend" | "cancel" => {
                self.taken_away += value;
                add_units(&mut self.units_taken, &rows(&body.lines));
            }
            _ => findings.holds(Check::Form, false, || format!("document {kind} is not expected here")),
        }
    }

    fn receive(&mut self, body: &CommandBody<'_>, findings: &mut Findings) {
        for row in &body.tenders {
            *self.received.entry(row.tender.to_string()).or_default() += row.amount_minor;
            if row.settlement_ref.is_empty() {
                continue;
            }
            let captured =
                self.captures.iter().find(|(settled, _)| *settled == row.settlement_ref).map(|(_, sum)| *sum);
            findings.equal(
                Check::DocumentsAreComplete,
                "amount of a receipt",
                &captured,
                &Some(row.amount_minor),
            );
        }
    }

    /// A capture was asked for: a receipt may name it.
    pub(crate) fn capture(&mut self, body: &CommandBody<'_>) {
        self.captures.push((body.settlement_ref.to_string(), body.amount_minor));
    }

    /// A document stands in the ERP.
    pub(crate) fn posted(&mut self, key: &str) {
        self.posted.push(key.to_owned());
    }

    /// Is any document of this kind posted? A key is `{tenant}:{order}:{kind}:{n}`.
    fn is_posted(&self, kind: &str) -> bool {
        self.posted.iter().any(|key| key.rsplit(':').nth(1) == Some(kind))
    }

    /// How many went out, and how many are posted.
    pub(crate) fn went_out_and_posted(&self) -> (usize, usize) {
        (self.keys.len(), self.posted.len())
    }
}

/// The rows that the book document must have.
pub(crate) fn rows_to_book(submit: &Submit) -> Vec<Row> {
    let lines = submit
        .lines
        .iter()
        .map(|line| (Some(line.line), String::new(), line.quantity, line.net_minor, line.tax_minor));
    let fees = submit.fees.iter().map(|fee| (None, fee.fee.clone(), 1, fee.net_minor, fee.tax_minor));
    let mut rows: Vec<Row> = lines.chain(fees).collect();
    rows.sort();
    rows
}
