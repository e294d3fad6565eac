//! Uses of promotions and coupons: never more than there are.

use std::collections::HashMap;

use super::told::{Told, is_next};
use crate::auditor::check::{Check, Findings};
use crate::contract::PageEvent;

/// All counters of a run.
#[derive(Debug, Default)]
pub(super) struct Counters {
    all: HashMap<Box<str>, Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    sequence: u64,
    limit: Option<i64>,
    taken: i64,
    /// Uses that may still be given back, by claim, and whether they are final: those of an order that is sold stay.
    claims: HashMap<Box<str>, (i64, bool)>,
}

impl Counters {
    /// So many uses there are.
    pub(super) fn limited(&mut self, counter: String, uses: u32) {
        self.all.entry(counter.into()).or_default().limit = Some(i64::from(uses));
    }

    /// Claims that hold something; `is_sold` says whose final uses may stay.
    pub(super) fn held(&self, is_sold: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, i64)> {
        let all = self.all.values().flat_map(|counter| counter.claims.iter());
        let held = all.filter(move |(claim, (_, is_final))| !(*is_final && is_sold(claim)));
        held.map(|(claim, (uses, _))| (&**claim, *uses))
    }

    /// Judges an event of a counter.
    pub(super) fn event(&mut self, event: &PageEvent<'_>, findings: &mut Findings) {
        let counter = self.all.entry(event.key.as_ref().into()).or_default();
        if !is_next(&mut counter.sequence, event, findings) {
            return;
        }
        let Some(told) = Told::read(event, findings) else { return };
        let claim = &*told.claim_id;
        match &*told.r#move {
            "reserved" => {
                counter.taken += told.uses;
                counter.claims.insert(claim.into(), (told.uses, false));
            }
            "finalized" => {
                if let Some((_, is_final)) = counter.claims.get_mut(claim) {
                    *is_final = true;
                }
            }
            // Final uses that shall come back are a claim again.
            "reopened" => {
                counter.claims.insert(claim.into(), (told.uses, false));
            }
            "given_back" => {
                counter.taken -= told.uses;
                counter.less(claim, told.uses);
            }
            "consumed" => counter.less(claim, told.uses),
            _ => {}
        }
        let (taken, limit) = (counter.taken, counter.limit);
        let check = Check::UsesAreWithinLimits;
        findings.equal(check, "uses taken", &taken, &told.uses_taken);
        findings.holds(check, limit.is_some_and(|limit| taken <= limit), || {
            format!("{taken} uses after {claim} got {}, the limit is {limit:?}", told.uses)
        });
    }
}

impl Counter {
    fn less(&mut self, claim: &str, uses: i64) {
        let Some((held, _)) = self.claims.get_mut(claim) else { return };
        *held -= uses;
        if *held <= 0 {
            self.claims.remove(claim);
        }
    }
}
