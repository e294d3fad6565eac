//! What an order was submitted with: checked, frozen, and never changed again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::supply::Supply;
use crate::ids::{Key, Token};
use crate::messages::json::JsonObject;
use crate::money::{Cells, Minor, Points, Row, Span};
use crate::time::Timestamp;

/// One line as submitted. Amounts are for all its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The line number that the shop gave; from 1, unique in the order.
    pub line: u32,
    /// What is sold.
    pub sku: Arc<str>,
    /// How many.
    pub quantity: u32,
    /// Minor units before tax, after discounts.
    pub net_minor: Minor,
    /// Minor units of tax.
    pub tax_minor: Minor,
}

/// One fee as submitted: due with the first departure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// Its name, `shipping` for example.
    pub fee: Arc<str>,
    /// Minor units before tax.
    pub net_minor: Minor,
    /// Minor units of tax.
    pub tax_minor: Minor,
}

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// The name that the shop gave, unique in the order.
    pub tender: Arc<str>,
    /// Which gateway is asked.
    pub gateway: Arc<str>,
    /// What the gateway knows the instrument by.
    pub token: Arc<str>,
    /// Minor units that it pays.
    pub amount_minor: Minor,
}

/// Points that pay a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Redemption {
    /// How many points.
    pub points: Points,
    /// What they pay, in minor units.
    pub value_minor: Minor,
}

/// How points are earned: `points` for every `per_minor` minor units paid before tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccrualRule {
    /// Points earned …
    pub points: Points,
    /// … for so many minor units.
    pub per_minor: Minor,
    /// The rule's name, passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Arc<str>>,
}

/// Correlation and trace as they came with the submit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// `ce-correlationid`, or the submit's `ce-id`.
    pub correlation_id: Arc<str>,
    /// W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
    /// W3C `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<Arc<str>>,
}

/// An order as submitted. Persisted in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The tenant.
    pub tenant: Token,
    /// The order id.
    pub order_id: Key,
    /// Where it was sold, `web` for example.
    pub channel: Arc<str>,
    /// Its one currency, as submitted; a rejected order may name one that is not supported.
    pub currency: Arc<str>,
    /// Who buys, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Arc<str>>,
    /// Whose points are used and earned, if anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<Arc<str>>,
    /// The lines, in the order of the submit.
    pub lines: Vec<Line>,
    /// The fees, in the order of the submit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fees: Vec<Fee>,
    /// What all of it costs, in minor units.
    pub total_minor: Minor,
    /// What points pay.
    pub redemption: Redemption,
    /// Who pays the rest, in order; amounts filled in.
    pub tenders: Vec<Tender>,
    /// Where it goes: the JSON of the submit, passed on whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<JsonObject>,
    /// Where its stock comes from; none = allocated outside, and nothing that it uses is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supply: Option<Arc<Supply>>,
    /// How points are earned.
    pub accrual: AccrualRule,
    /// Correlation and trace.
    pub origin: Origin,
    /// SHA-256 prefix of the business fields: the same id with another hash is another order.
    pub content_hash: [u8; 16],
    /// When it was received.
    pub received_at: Timestamp,
    /// Until when it may reserve.
    pub commit_deadline: Timestamp,
}

impl Content {
    /// What tenders must pay.
    pub fn cash_due(&self) -> Minor {
        self.total_minor - self.redemption.value_minor
    }

    /// Does the allocation participant say which node ships what?
    pub fn is_allocated_outside(&self) -> bool {
        self.supply.as_ref().is_none_or(|supply| !supply.is_own())
    }

    /// The index of a line by its number.
    pub fn line_index(&self, number: u32) -> Option<usize> {
        self.lines.iter().position(|line| line.line == number)
    }

    /// The index of a tender by its name.
    pub fn tender_index(&self, name: &str) -> Option<usize> {
        self.tenders.iter().position(|tender| *tender.tender == *name)
    }

    /// All cells, split once (M4). An order that makes no sense has none.
    pub fn cells(&self) -> Cells {
        if self.problem().is_some() {
            return Cells::default();
        }
        let lines = self.lines.iter().map(|line| Row {
            units: line.quantity,
            net: line.net_minor,
            tax: line.tax_minor,
        });
        let fees = self.fees.iter().map(|fee| Row { units: 1, net: fee.net_minor, tax: fee.tax_minor });
        let rows: Vec<Row> = lines.chain(fees).collect();
        let tenders: Vec<Minor> = self.tenders.iter().map(|tender| tender.amount_minor).collect();
        Cells::split(&rows, self.redemption.points, self.redemption.value_minor, &tenders)
    }

    /// The units `from..to` of the line with this index, as a span of cells.
    pub fn line_span(index: usize, from: u32, to: u32) -> Span {
        Span { row: u16::try_from(index).expect("an order has at most 500 lines"), from, to }
    }

    /// All fees, as spans of cells.
    pub fn fee_spans(&self) -> impl Iterator<Item = Span> + Clone + '_ {
        (self.lines.len()..self.lines.len() + self.fees.len()).map(|row| Self::line_span(row, 0, 1))
    }

    /// Every unit of every line, and every fee.
    pub fn whole(&self) -> Vec<Span> {
        let lines =
            self.lines.iter().enumerate().map(|(index, line)| Self::line_span(index, 0, line.quantity));
        lines.chain(self.fee_spans()).collect()
    }
}
