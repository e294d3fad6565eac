//! What must be true of an order once it has ended.

use std::collections::BTreeMap;

use super::case::Case;
use super::check::{Check, Findings};
use super::events::End;
use super::money::Units;

impl Case {
    /// Judges an order that has ended. `patient`: nothing was so late that a deadline could have passed.
    pub(crate) fn closing(&self, patient: bool) -> Findings {
        let mut findings = Findings::default();
        let Some(end) = self.events.end else {
            let last = if self.events.received == 0 { "nothing was heard of it" } else { "it was received" };
            let state = format!(
                "not ended; {last}, committed {}, told {:?}",
                self.events.committed, self.events.told.counts
            );
            findings.holds(Check::OrderEnds, false, || state);
            return findings;
        };
        self.ending(end, patient, &mut findings);
        self.cash(&mut findings);
        self.points(&mut findings);
        self.units(end, &mut findings);
        self.papers(&mut findings);
        self.telling(&mut findings);
        findings
    }

    /// Judges an order that has ended by what was told of it alone.
    pub(crate) fn closing_by_events(&self) -> Findings {
        let mut findings = Findings::default();
        let Some(end) = self.events.end else {
            findings.holds(Check::OrderEnds, false, || "not ended".to_owned());
            return findings;
        };
        let committed = end != End::Rejected;
        let check = Check::FinalIsFinal;
        findings.equal(check, "order.received events", &1, &self.events.received);
        findings.equal(check, "order.committed events", &u32::from(committed), &self.events.committed);
        if let Some(accepted) = self.accepted {
            findings.equal(Check::ReceiptIsTrue, "accepted", &accepted, &committed);
        }
        findings
    }

    fn telling(&self, findings: &mut Findings) {
        let check = Check::EventsAgreeWithLedgers;
        let (books, told) = (&self.ledger, &self.events.told);
        findings.equal(check, "authorized in events", &books.authorized, &told.authorized);
        findings.equal(check, "captured in events", &books.captured, &told.captured);
        findings.equal(check, "voided in events", &books.voided, &told.voided);
        findings.equal(check, "points reserved in events", &books.points_reserved, &told.points_reserved);
        findings.equal(check, "points finalized in events", &books.points_finalized, &told.points_finalized);
        findings.equal(check, "points released in events", &books.points_released, &told.points_released);
        findings.equal(check, "points earned in events", &books.accrued, &told.accrued);
        findings.equal(check, "units dispatched in events", &books.departed, &told.departed);
        findings.equal(check, "number of events", &books.counts, &told.counts);
    }

    fn ending(&self, end: End, patient: bool, findings: &mut Findings) {
        let departed: u32 = self.ledger.departed.values().sum();
        findings.equal(
            Check::FinalIsFinal,
            "completed (if anything departed)",
            &(departed > 0),
            &(end == End::Completed),
        );
        let committed = end != End::Rejected;
        findings.equal(Check::FinalIsFinal, "order.received events", &1, &self.events.received);
        findings.equal(
            Check::FinalIsFinal,
            "order.committed events",
            &u32::from(committed),
            &self.events.committed,
        );
        findings.equal(
            Check::FinalIsFinal,
            "order.accepted events",
            &self.events.committed,
            &self.events.accepted,
        );
        let is_legal = match end {
            End::Completed => self.legal.completed,
            End::Cancelled => self.legal.cancelled || self.refused,
            End::Rejected => self.legal.rejected || self.refused || !patient,
        };
        findings.holds(Check::FinalIsFinal, is_legal, || format!("{end:?}, legal is {:?}", self.legal));
        if let Some(accepted) = self.accepted {
            findings.equal(Check::ReceiptIsTrue, "accepted", &accepted, &committed);
        }
    }

    fn cash(&self, findings: &mut Findings) {
        let (ledger, money) = (&self.ledger, &self.money);
        let paid = |sums: &BTreeMap<String, i64>, tender: &str| sums.get(tender).copied().unwrap_or(0);
        for (place, tender) in money.tenders.iter().enumerate() {
            let captured = paid(&ledger.captured, tender);
            let value = money.captured(&ledger.departed, place);
            findings.equal(Check::CapturedIsDeparted, &format!("captured on {tender}"), &value, &captured);
            let spent = captured + paid(&ledger.voided, tender);
            let authorized = paid(&ledger.authorized, tender);
            findings.equal(
                Check::AuthorizedIsSpent,
                &format!("captured + voided on {tender}"),
                &authorized,
                &spent,
            );
            if self.events.committed > 0 {
                let due = money.captured(&self.ordered, place);
                findings.equal(
                    Check::AuthorizedIsSpent,
                    &format!("authorized on {tender}"),
                    &due,
                    &authorized,
                );
            }
        }
    }

    fn points(&self, findings: &mut Findings) {
        let (ledger, money) = (&self.ledger, &self.money);
        let finalized = money.finalized(&ledger.departed);
        findings.equal(Check::PointsAreSpent, "points finalized", &finalized, &ledger.points_finalized);
        let spent = ledger.points_finalized + ledger.points_released;
        findings.equal(Check::PointsAreSpent, "points finalized + released", &ledger.points_reserved, &spent);
        if self.events.committed > 0 {
            findings.equal(Check::PointsAreSpent, "points reserved", &money.points, &ledger.points_reserved);
        }
        let target = money.accrued(&ledger.departed);
        findings.equal(Check::AccrualIsTheRule, "points earned", &target, &ledger.accrued);
    }

    fn units(&self, end: End, findings: &mut Findings) {
        let of = |units: &Units, line: u32| units.get(&line).copied().unwrap_or(0);
        for (line, ordered) in &self.ordered {
            let (departed, back) = (of(&self.ledger.departed, *line), of(&self.given_back, *line));
            if self.own.is_some() {
                // What cells have given is judged by them; what was held whole before the commit is not taken away unasked.
                let is_kept = departed == *ordered || self.asked || self.refused || end == End::Rejected;
                findings.holds(Check::UnitsAreConserved, is_kept && departed <= *ordered, || {
                    format!("{departed} of {ordered} units of line {line} departed, nobody having cancelled or refused")
                });
                continue;
            }
            let what = format!("units of line {line} departed + given back");
            findings.equal(Check::UnitsAreConserved, &what, &of(&self.allocated, *line), &(departed + back));
            if end != End::Rejected && !self.asked {
                let missing = of(&self.out_of_stock, *line);
                let what = format!("units of line {line} departed + out of stock, nobody having cancelled");
                findings.equal(Check::UnitsAreConserved, &what, ordered, &(departed + missing));
            }
        }
    }

    fn papers(&self, findings: &mut Findings) {
        let check = Check::DocumentsAreComplete;
        let (ledger, money, documents) = (&self.ledger, &self.money, &self.documents);
        let (went_out, posted) = documents.went_out_and_posted();
        findings.equal(check, "documents posted", &went_out, &posted);
        if self.events.committed == 0 {
            findings.equal(check, "documents of an order that was never committed", &0, &went_out);
            return;
        }
        let value = money.cash(&ledger.departed) + money.paid_in_points(&ledger.departed);
        findings.equal(check, "book documents", &1, &documents.books);
        let mut booked = documents.booked.clone();
        booked.sort();
        findings.equal(check, "rows of book", &self.to_book, &booked);
        findings.equal(check, "sum of invoices", &value, &documents.invoiced);
        findings.equal(check, "receipts by tender", &ledger.captured, &documents.received);
        findings.equal(check, "units in ship documents", &ledger.departed, &documents.units_shipped);
        findings.equal(check, "sum of amend and cancel", &(money.total - value), &documents.taken_away);
        let taken: Units = self
            .ordered
            .iter()
            .map(|(line, ordered)| {
                (*line, ordered.saturating_sub(ledger.departed.get(line).copied().unwrap_or(0)))
            })
            .filter(|(_, units)| *units > 0)
            .collect();
        findings.equal(check, "units in amend and cancel", &taken, &documents.units_taken);
    }
}
