//! Units at nodes: every move is added up, and after each the numbers must be those that the cell tells.

use std::collections::HashMap;

use super::told::{Told, is_next};
use crate::auditor::check::{Check, Findings};
use crate::contract::{PageEvent, Said, StockFact};

/// All cells of a run.
#[derive(Debug)]
pub(super) struct Cells {
    /// False if nobody tells what warehouses send away.
    pub(super) sees_departures: bool,
    all: HashMap<Box<str>, Cell>,
    /// Facts that no cell has told of yet.
    unheard: usize,
    /// Cells of which more units have left than they tell of, or fewer.
    uneven: usize,
}

/// One item at one node, as its events add up.
#[derive(Debug, Default)]
struct Cell {
    sequence: u64,
    on_hand: i64,
    soft: i64,
    hard: i64,
    safety: i64,
    oversell_cap: i64,
    claims: HashMap<Box<str>, Claim>,
    /// Facts by their `movement_id`, and whether they were told.
    facts: HashMap<Box<str>, (Expected, bool)>,
    /// Units that it tells to have left, and those that warehouses have sent away.
    consumed: i64,
    departed: i64,
}

/// What somebody holds.
#[derive(Debug, Clone, Copy, Default)]
struct Claim {
    units: i64,
    is_hard: bool,
}

/// What must become of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Counted,
    Received(i64),
    Adjusted(i64),
    /// The count has it already.
    PassedOver(i64),
}

impl Expected {
    const fn of(fact: &StockFact) -> Self {
        let is_late = fact.is_late;
        match fact.said {
            Said::Counted { .. } => Self::Counted,
            Said::Received(units) if is_late => Self::PassedOver(units as i64),
            Said::Received(units) => Self::Received(units as i64),
            Said::Adjusted(delta) if is_late => Self::PassedOver(delta as i64),
            Said::Adjusted(delta) => Self::Adjusted(delta as i64),
        }
    }

    /// What a cell tells: the word, and by how much it changed.
    fn told(told: &Told<'_>) -> Option<Self> {
        match (&*told.r#move, &*told.kind) {
            ("counted", _) => Some(Self::Counted),
            ("received", _) => Some(Self::Received(told.quantity)),
            ("adjusted", _) => Some(Self::Adjusted(told.quantity)),
            (_, "included_in_count") => Some(Self::PassedOver(told.quantity)),
            _ => None,
        }
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self { sees_departures: true, all: HashMap::new(), unheard: 0, uneven: 0 }
    }
}

impl Cells {
    /// A fact is about to be sent; the same again changes nothing.
    pub(super) fn sent(&mut self, fact: &StockFact) {
        let cell = self.all.entry(fact.cell().into()).or_default();
        if let Said::Counted { safety, oversell_cap, .. } = fact.said {
            (cell.safety, cell.oversell_cap) = (i64::from(safety), i64::from(oversell_cap));
        }
        if !cell.facts.contains_key(&*fact.movement_id) {
            cell.facts.insert(fact.movement_id.as_str().into(), (Expected::of(fact), false));
            self.unheard += 1;
        }
    }

    /// Units have left a node for good.
    pub(super) fn departed(&mut self, cell: &str, units: i64) {
        let known = self.all.entry(cell.into()).or_default();
        let was_even = known.is_even();
        known.departed += units;
        let is_even = known.is_even();
        self.evened(was_even, is_even);
    }

    fn evened(&mut self, was_even: bool, is_even: bool) {
        match (was_even, is_even) {
            (true, false) => self.uneven += 1,
            (false, true) => self.uneven -= 1,
            _ => {}
        }
    }

    pub(super) const fn unheard(&self) -> usize {
        self.unheard
    }

    /// Has every cell told of exactly the units that have left?
    pub(super) const fn is_even(&self) -> bool {
        self.uneven == 0 || !self.sees_departures
    }

    /// Claims that hold something.
    pub(super) fn held(&self) -> impl Iterator<Item = (&str, i64)> {
        self.all.values().flat_map(|cell| cell.claims.iter().map(|(claim, held)| (&**claim, held.units)))
    }

    /// Judges an event of a cell.
    pub(super) fn event(&mut self, event: &PageEvent<'_>, findings: &mut Findings) {
        let cell = self.all.entry(event.key.as_ref().into()).or_default();
        if !is_next(&mut cell.sequence, event, findings) {
            return; // told before: counting it again would only repeat the finding
        }
        let Some(told) = Told::read(event, findings) else { return };
        let was_even = cell.is_even();
        cell.follow(&event.kind, &told, findings);
        self.unheard -= usize::from(cell.fact(&told, findings));
        let is_even = cell.is_even();
        self.evened(was_even, is_even);
    }

    /// Judges what is left when nothing more comes.
    pub(super) fn closing(&self, findings: &mut Findings) {
        let mut all: Vec<(&Box<str>, &Cell)> = self.all.iter().collect();
        all.sort_by_key(|(key, _)| *key);
        let check = Check::StockIsTold;
        for (key, cell) in all {
            if self.sees_departures {
                findings.equal(
                    check,
                    &format!("units of {key} that have left"),
                    &cell.departed,
                    &cell.consumed,
                );
            }
            let unheard = cell.facts.iter().filter(|(_, (_, is_told))| !is_told);
            for (movement, (expected, _)) in unheard {
                findings.holds(check, false, || format!("{key} never told of {movement}: {expected:?}"));
            }
        }
    }
}

impl Cell {
    const fn is_even(&self) -> bool {
        self.consumed == self.departed
    }

    /// Adds up a move. The numbers after it must be those that are told.
    fn follow(&mut self, kind: &str, told: &Told<'_>, findings: &mut Findings) {
        let claim = &*told.claim_id;
        match (kind, &*told.r#move) {
            ("stock.reserved", _) => {
                self.change(claim, told.quantity, told.hard);
                self.judge_take(claim, findings);
            }
            ("stock.moved", "hardened") => self.harden(claim),
            ("stock.moved", "given_back") => self.change(claim, -told.quantity, false),
            ("stock.moved", "consumed") => {
                self.change(claim, -told.quantity, false);
                self.on_hand -= told.quantity;
                self.consumed += told.quantity;
            }
            ("stock.moved", "counted" | "received" | "adjusted") => self.on_hand += told.quantity,
            _ => {}
        }
        let (mine, level) = ((self.on_hand, self.soft, self.hard), told.level);
        let theirs = (level.on_hand, level.soft, level.hard);
        findings.holds(Check::StockIsConserved, mine == theirs, || {
            format!(
                "{kind} {} of {claim}: on_hand, soft, hard add up to {mine:?}, told are {theirs:?}",
                told.r#move
            )
        });
        let left = (self.room() - level.backordered).max(0);
        findings.holds(Check::StockIsNotOversold, level.available <= left, || {
            format!("{kind}: {} are told to be available, {left} are left", level.available)
        });
    }

    /// Units that may still be held by somebody.
    const fn room(&self) -> i64 {
        self.on_hand - self.safety + self.oversell_cap - self.soft - self.hard
    }

    /// Nobody gets what is not there; units that are lost later are another matter.
    fn judge_take(&self, claim: &str, findings: &mut Findings) {
        findings.holds(Check::StockIsNotOversold, self.room() >= 0, || {
            let (held, there) = (self.soft + self.hard, self.on_hand);
            let (safety, cap) = (self.safety, self.oversell_cap);
            format!(
                "{claim} got units: {held} are held of {there}, less {safety} of safety, and {cap} beyond"
            )
        });
    }

    fn change(&mut self, claim: &str, units: i64, hard: bool) {
        let mut held = self.claims.remove(claim).unwrap_or(Claim { units: 0, is_hard: hard });
        // Who waited holds nothing that could be given back, and what departs may be more than was held.
        let units = units.max(-held.units);
        held.units += units;
        if held.is_hard {
            self.hard += units;
        } else {
            self.soft += units;
        }
        if held.units > 0 {
            self.claims.insert(claim.into(), held);
        }
    }

    fn harden(&mut self, claim: &str) {
        let Some(held) = self.claims.get_mut(claim).filter(|held| !held.is_hard) else { return };
        held.is_hard = true;
        self.soft -= held.units;
        self.hard += held.units;
    }

    /// Judges what is told of a fact. True if it is told for the first time.
    fn fact(&mut self, told: &Told<'_>, findings: &mut Findings) -> bool {
        let Some(expected) = Expected::told(told) else { return false };
        let movement = &*told.movement_id;
        let sent = self.facts.get_mut(movement);
        let is_right = sent.as_ref().is_some_and(|(sent, is_told)| *sent == expected && !is_told);
        findings.holds(Check::StockIsConserved, is_right, || {
            format!("{movement} is told as {expected:?}; sent, and told before: {sent:?}")
        });
        let Some((_, is_told)) = self.facts.get_mut(movement) else { return false };
        !std::mem::replace(is_told, true)
    }
}
