//! What an order must cost, computed apart from the product: cells, prefixes and shares in whole minor units.

use std::collections::BTreeMap;

use crate::contract::Submit;

/// Units by line number.
pub(crate) type Units = BTreeMap<u32, u32>;

/// Net and tax of one row, for one payer.
type Pair = [i64; 2];

/// One line, or one fee (a single unit), split once among those who pay it.
#[derive(Debug, Clone)]
struct Row {
    line: Option<u32>,
    quantity: u32,
    by_tender: Vec<Pair>,
    by_points: Pair,
    points: i64,
}

/// All that can be known of an order's money from its submit.
#[derive(Debug, Clone)]
pub(crate) struct Money {
    rows: Vec<Row>,
    /// The tenders, in order.
    pub(crate) tenders: Vec<String>,
    /// The sum of all rows.
    pub(crate) total: i64,
    /// Points to be redeemed.
    pub(crate) points: i64,
    accrual: Option<(i64, i64)>,
}

impl Money {
    pub(crate) fn of(submit: &Submit) -> Self {
        let amounts = submit
            .lines
            .iter()
            .map(|line| (Some(line.line), line.quantity, [line.net_minor, line.tax_minor]));
        let fees = submit.fees.iter().map(|fee| (None, 1, [fee.net_minor, fee.tax_minor]));
        let sources: Vec<(Option<u32>, u32, Pair)> = amounts.chain(fees).collect();
        let mut rest: Vec<i64> = sources.iter().flat_map(|(_, _, pair)| *pair).collect();
        let total: i64 = rest.iter().sum();
        let (points, points_value) = submit.redemption.map_or((0, 0), |paid| (paid.points, paid.value_minor));

        let in_points = take(points_value, &mut rest);
        let by_tender: Vec<Vec<i64>> = submit
            .tenders
            .iter()
            .enumerate()
            .map(|(place, tender)| {
                let left: i64 = rest.iter().sum();
                let is_last = place + 1 == submit.tenders.len();
                take(if is_last { left } else { tender.amount_minor.unwrap_or(left).min(left) }, &mut rest)
            })
            .collect();
        let values: Vec<i64> = in_points.chunks(2).map(|pair| pair.iter().sum()).collect();
        let counts = apportion(points, &values);
        let pair = |cells: &[i64], row: usize| [cells[2 * row], cells[2 * row + 1]];
        let rows = sources
            .iter()
            .enumerate()
            .map(|(place, (line, quantity, _))| Row {
                line: *line,
                quantity: *quantity,
                by_tender: by_tender.iter().map(|cells| pair(cells, place)).collect(),
                by_points: pair(&in_points, place),
                points: counts[place],
            })
            .collect();
        let is_member = submit.customer.as_ref().is_some_and(|customer| customer.member_id.is_some());
        let rule = submit.accrual.as_ref().map_or((1, 100), |rule| (rule.points, rule.per_minor));
        Self {
            rows,
            tenders: submit.tenders.iter().map(|tender| tender.tender.clone()).collect(),
            total,
            points,
            accrual: is_member.then_some(rule),
        }
    }

    /// The card value of departed units on one tender, fees with the first of them.
    pub(crate) fn captured(&self, departed: &Units, tender: usize) -> i64 {
        self.sum(departed, |row, units| of_pair(row.by_tender[tender], units, row.quantity))
    }

    /// The card value of departed units on all tenders.
    pub(crate) fn cash(&self, departed: &Units) -> i64 {
        (0..self.tenders.len()).map(|tender| self.captured(departed, tender)).sum()
    }

    /// What points pay of departed units.
    pub(crate) fn paid_in_points(&self, departed: &Units) -> i64 {
        self.sum(departed, |row, units| of_pair(row.by_points, units, row.quantity))
    }

    /// How many points departed units use up.
    pub(crate) fn finalized(&self, departed: &Units) -> i64 {
        self.sum(departed, |row, units| prefix(row.points, units, row.quantity))
    }

    /// The points that a member has earned by departed units; none = nobody earns anything.
    pub(crate) fn accrued(&self, departed: &Units) -> i64 {
        let Some((points, per_minor)) = self.accrual else { return 0 };
        let eligible = self.sum(departed, |row, units| {
            let nets = row.by_tender.iter().map(|pair| prefix(pair[0], units, row.quantity));
            if row.line.is_some() { nets.sum() } else { 0 }
        });
        share(eligible, points, per_minor.max(1))
    }

    fn sum(&self, departed: &Units, value: impl Fn(&Row, u32) -> i64) -> i64 {
        let any_gone = departed.values().any(|units| *units > 0);
        self.rows
            .iter()
            .map(|row| {
                let gone = match row.line {
                    Some(line) => departed.get(&line).copied().unwrap_or(0).min(row.quantity),
                    None => u32::from(any_gone),
                };
                value(row, gone)
            })
            .sum()
    }
}

/// Takes shares of `total` out of the cells and gives them.
fn take(total: i64, cells: &mut [i64]) -> Vec<i64> {
    let shares = apportion(total, cells);
    for (cell, share) in cells.iter_mut().zip(&shares) {
        *cell -= share;
    }
    shares
}

/// Floor shares, then one more for the largest remainders; of equal ones the first.
fn apportion(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i64 = weights.iter().sum();
    if total == 0 || sum == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<i64> = weights.iter().map(|weight| share(total, *weight, sum)).collect();
    let remainder = |place: usize| i128::from(total) * i128::from(weights[place]) % i128::from(sum);
    let mut places: Vec<usize> = (0..weights.len()).collect();
    places.sort_by_key(|place| (std::cmp::Reverse(remainder(*place)), *place));
    let left = usize::try_from(total - shares.iter().sum::<i64>()).unwrap_or(0);
    for place in places.into_iter().take(left) {
        shares[place] += 1;
    }
    shares
}

fn of_pair(pair: Pair, units: u32, of: u32) -> i64 {
    prefix(pair[0], units, of) + prefix(pair[1], units, of)
}

/// The value of the first `units` of `of` units.
fn prefix(amount: i64, units: u32, of: u32) -> i64 {
    share(amount, i64::from(units), i64::from(of.max(1)))
}

fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let exact = (i128::from(amount) * i128::from(part)).div_euclid(i128::from(whole));
    i64::try_from(exact).expect("a share of an amount is no larger than a checked amount")
}

#[cfg(test)]
mod tests {
    use super::{Money, Units, apportion};
    use crate::workload::worked_example;

    #[test]
    fn given_the_worked_example_when_split_then_every_cent_and_point_is_where_the_rules_put_it() {
        let money = Money::of(&worked_example("o-1"));
        let first = Units::from([(1, 2)]);
        let both = Units::from([(1, 2), (2, 1)]);
        let all = Units::from([(1, 3), (2, 1)]);
        assert_eq!((money.total, money.cash(&all)), (8998, 7998));
        assert_eq!(
            (money.cash(&first), money.paid_in_points(&first), money.finalized(&first)),
            (4086, 511, 1023)
        );
        assert_eq!(money.cash(&both) - money.cash(&first), 2133);
        assert_eq!(money.finalized(&both) - money.finalized(&first), 532);
        assert_eq!((money.accrued(&first), money.accrued(&both)), (29, 47));
        assert_eq!(money.cash(&all) - money.cash(&both), 1779);
        assert_eq!(money.finalized(&all) - money.finalized(&both), 445);
    }

    #[test]
    fn given_equal_remainders_when_apportioned_then_the_first_gets_the_odd_one() {
        assert_eq!(apportion(1, &[1, 1]), [1, 0]);
        assert_eq!(apportion(2, &[3, 1, 3]), [1, 0, 1]);
        assert_eq!(apportion(0, &[3, 1]), [0, 0]);
    }
}
