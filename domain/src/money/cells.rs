//! The cells of an order: for each row (line or fee) and each payer (points, then the tenders in their order) what
//! it pays of the row's net and of its tax. Split once, frozen ever after; every later amount is a sum of cells.

use super::{Minor, Points, apportion};

/// What the first `units` of `of` units are worth: `floor(total · units / of)`.
pub fn prefix_share(total: i64, units: u32, of: u32) -> i64 {
    if of == 0 {
        return 0;
    }
    let units = units.min(of);
    // Nearly every amount fits: dividing 128 bits is several times dearer, and this is asked for at every step of an order.
    if let Some(product) = total.checked_mul(i64::from(units)) {
        return product / i64::from(of);
    }
    let share = i128::from(total) * i128::from(units) / i128::from(of);
    i64::try_from(share).expect("a prefix share is at most the total")
}

/// A run of units of one row: `from..to`, counted from 0. Departed units are a prefix, cancelled ones a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// The row: lines as submitted, then fees as submitted.
    pub row: u16,
    /// The first unit.
    pub from: u32,
    /// One past the last unit.
    pub to: u32,
}

impl Span {
    /// How many units it has.
    pub const fn units(self) -> u32 {
        self.to - self.from
    }
}

/// What one payer pays of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Of its net amount.
    pub net: Minor,
    /// Of its tax.
    pub tax: Minor,
}

/// A net amount and a tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// Minor units before tax.
    pub net: Minor,
    /// Minor units of tax.
    pub tax: Minor,
}

/// One line or fee as submitted: its units and its amounts for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Units; 1 for a fee.
    pub units: u32,
    /// Minor units before tax, for all units.
    pub net: Minor,
    /// Minor units of tax, for all units.
    pub tax: Minor,
}

/// All cells of an order. Without rows (an order that makes no sense has none) everything is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cells {
    rows: Vec<CellRow>,
    payers: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct CellRow {
    units: u32,
    points: Points,
    cells: Vec<Cell>,
}

/// The payer that stands for points; tenders follow as 1, 2, …
const POINTS: usize = 0;

impl Cells {
    /// Splits rows over payers (M4): points value over all cells in one call, then each tender but the last over
    /// what remains; the last has the rest. `tenders` are the amounts of all tenders in order.
    pub fn split(rows: &[Row], points: Points, points_value: Minor, tenders: &[Minor]) -> Self {
        let mut remaining: Vec<Minor> = rows.iter().flat_map(|row| [row.net, row.tax]).collect();
        let payers = tenders.len() + 1;
        let mut shares: Vec<Vec<Minor>> = Vec::with_capacity(payers);
        shares.push(apportion(points_value, &remaining));
        for (index, amount) in tenders.iter().enumerate() {
            take(&mut remaining, &shares[index]);
            let is_last = index + 1 == tenders.len();
            shares.push(if is_last { remaining.clone() } else { apportion(*amount, &remaining) });
        }
        let values: Vec<Minor> = shares[POINTS].chunks(2).map(|pair| pair[0] + pair[1]).collect();
        let counts = apportion(points, &values);
        let rows = rows.iter().enumerate().map(|(row, source)| CellRow {
            units: source.units,
            points: counts[row],
            cells: shares.iter().map(|share| Cell { net: share[2 * row], tax: share[2 * row + 1] }).collect(),
        });
        Self { rows: rows.collect(), payers }
    }

    /// What tender `tender` (from 0) pays for these units.
    pub fn tender_value(&self, tender: usize, span: Span) -> Minor {
        self.payer_amounts(tender + 1, span, |cell| cell.net + cell.tax)
    }

    /// What points pay for these units, in minor units.
    pub fn points_value(&self, span: Span) -> Minor {
        self.payer_amounts(POINTS, span, |cell| cell.net + cell.tax)
    }

    /// How many points these units use.
    pub fn points_count(&self, span: Span) -> Points {
        let Some(row) = self.rows.get(usize::from(span.row)) else { return 0 };
        prefix_share(row.points, span.to, row.units) - prefix_share(row.points, span.from, row.units)
    }

    /// What was paid with tenders, before tax, for these units: the basis of the accrual (M10).
    pub fn eligible_net(&self, span: Span) -> Minor {
        (1..self.payers).map(|payer| self.payer_amounts(payer, span, |cell| cell.net)).sum()
    }

    /// Net and tax of these units over all payers: what an ERP document says of them.
    pub fn amounts(&self, span: Span) -> Amounts {
        let mut amounts = Amounts::default();
        let Some(row) = self.rows.get(usize::from(span.row)) else { return amounts };
        for cell in &row.cells {
            amounts.net += share_of(cell.net, span, row.units);
            amounts.tax += share_of(cell.tax, span, row.units);
        }
        amounts
    }

    /// Net and tax are shared apart, each by its own prefix (M5); `part` picks what counts.
    fn payer_amounts(&self, payer: usize, span: Span, part: impl Fn(Cell) -> Minor) -> Minor {
        let Some(row) = self.rows.get(usize::from(span.row)) else { return 0 };
        let Some(cell) = row.cells.get(payer) else { return 0 };
        part(Cell { net: share_of(cell.net, span, row.units), tax: share_of(cell.tax, span, row.units) })
    }
}

fn share_of(total: Minor, span: Span, of: u32) -> Minor {
    prefix_share(total, span.to, of) - prefix_share(total, span.from, of)
}

fn take(remaining: &mut [Minor], taken: &[Minor]) {
    for (left, gone) in remaining.iter_mut().zip(taken) {
        *left -= gone;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Amounts, Cells, Row, Span, prefix_share};

    fn span(row: u16, from: u32, to: u32) -> Span {
        Span { row, from, to }
    }

    fn worked_example() -> Cells {
        let rows = [
            Row { units: 3, net: 5000, tax: 1000 },
            Row { units: 1, net: 1999, tax: 400 },
            Row { units: 1, net: 499, tax: 100 },
        ];
        Cells::split(&rows, 2000, 1000, &[7998])
    }

    #[test]
    fn the_worked_example_is_exact_to_the_minor_unit_and_point() {
        let cells = worked_example();
        let whole = [span(0, 0, 3), span(1, 0, 1), span(2, 0, 1)];
        assert_eq!(whole.map(|span| cells.points_value(span)), [667, 266, 67]);
        assert_eq!(whole.map(|span| cells.points_count(span)), [1334, 532, 134]);
        let first = [span(0, 0, 2), span(2, 0, 1)];
        assert_eq!(first.map(|span| cells.tender_value(0, span)).iter().sum::<i64>(), 4086);
        assert_eq!(first.map(|span| cells.points_value(span)).iter().sum::<i64>(), 511);
        assert_eq!(first.map(|span| cells.points_count(span)).iter().sum::<i64>(), 1023);
        assert_eq!(cells.tender_value(0, span(1, 0, 1)), 2133);
        assert_eq!(cells.tender_value(0, span(0, 2, 3)), 1779);
        assert_eq!(cells.points_count(span(0, 2, 3)), 445);
        assert_eq!(cells.points_value(span(0, 2, 3)), 223);
        assert_eq!(cells.eligible_net(span(0, 0, 2)), 2962);
        assert_eq!(cells.eligible_net(span(0, 0, 2)) + cells.eligible_net(span(1, 0, 1)), 4739);
        assert_eq!(cells.amounts(span(0, 0, 3)), Amounts { net: 5000, tax: 1000 });
    }

    proptest! {
        #[test]
        fn every_unit_is_paid_once_by_somebody(
            lines in prop::collection::vec((1_u32..100, 0_i64..100_000, 0_i64..20_000), 1..6),
            points_share in 0_i64..=100, tender_share in 0_i64..=100, cuts in prop::collection::vec(0_u32..=100, 6),
        ) {
            let rows: Vec<Row> = lines.iter().map(|(units, net, tax)| Row { units: *units, net: *net, tax: *tax }).collect();
            let total: i64 = rows.iter().map(|row| row.net + row.tax).sum();
            let points_value = total * points_share / 100;
            let first = (total - points_value) * tender_share / 100;
            let tenders = [first, total - points_value - first];
            let cells = Cells::split(&rows, points_value * 2, points_value, &tenders);
            let whole: Vec<Span> = rows.iter().enumerate().map(|(row, source)| span(u16::try_from(row).unwrap(), 0, source.units)).collect();
            for (tender, amount) in tenders.iter().enumerate() {
                prop_assert_eq!(whole.iter().map(|span| cells.tender_value(tender, *span)).sum::<i64>(), *amount);
            }
            prop_assert_eq!(whole.iter().map(|span| cells.points_value(*span)).sum::<i64>(), points_value);
            prop_assert_eq!(whole.iter().map(|span| cells.points_count(*span)).sum::<i64>(), points_value * 2);
            for (row, source) in rows.iter().enumerate() {
                let at = cuts[row] % (source.units + 1);
                let row = u16::try_from(row).unwrap();
                let parts = [span(row, 0, at), span(row, at, source.units)];
                for (index, part) in parts.iter().enumerate() {
                    prop_assert!(cells.tender_value(0, *part) >= 0 && cells.points_count(*part) >= 0, "{index}");
                    let amounts = cells.amounts(*part);
                    let payers = cells.points_value(*part) + cells.tender_value(0, *part) + cells.tender_value(1, *part);
                    prop_assert_eq!(amounts.net + amounts.tax, payers);
                }
                prop_assert_eq!(parts.iter().map(|part| cells.amounts(*part).net).sum::<i64>(), source.net);
            }
        }

        #[test]
        fn prefix_shares_never_fall_and_end_at_the_total(total in 0_i64..1_000_000, of in 1_u32..200) {
            let shares: Vec<i64> = (0..=of).map(|units| prefix_share(total, units, of)).collect();
            prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert_eq!((shares[0], shares[of as usize]), (0, total));
        }
    }
}
