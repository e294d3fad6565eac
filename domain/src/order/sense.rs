//! Does an order that has the shape make sense? What does not is a rejected order.

use super::content::{Content, Redemption};
use crate::money::Currency;

impl Content {
    /// The first thing that makes no sense, in words; none = it can be carried out.
    pub fn problem(&self) -> Option<String> {
        if let Err(unknown) = Currency::new(&self.currency) {
            return Some(unknown.to_string());
        }
        let rows = self.lines.iter().map(|line| (line.net_minor, line.tax_minor));
        let rows = rows.chain(self.fees.iter().map(|fee| (fee.net_minor, fee.tax_minor)));
        let sum = rows.map(|(net, tax)| i128::from(net) + i128::from(tax)).sum::<i128>();
        if sum != i128::from(self.total_minor) {
            return Some(format!("total_minor is {}, but lines and fees add up to {sum}", self.total_minor));
        }
        let mut numbers: Vec<u32> = self.lines.iter().map(|line| line.line).collect();
        numbers.sort_unstable();
        if let Some([twice, ..]) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(format!("line number {twice} stands twice; number each line once"));
        }
        self.redemption_problem().or_else(|| self.tenders_problem())
    }

    fn redemption_problem(&self) -> Option<String> {
        let Redemption { points, value_minor } = self.redemption;
        let total = self.total_minor;
        if value_minor > total {
            return Some(format!("redemption.value_minor is {value_minor}, more than total_minor {total}"));
        }
        if (points == 0) != (value_minor == 0) {
            return Some(format!("redemption of {points} points for {value_minor}: give both or neither"));
        }
        if points > 0 && self.member_id.is_none() {
            return Some("a redemption needs customer.member_id".to_owned());
        }
        None
    }

    fn tenders_problem(&self) -> Option<String> {
        for (index, tender) in self.tenders.iter().enumerate() {
            if self.tenders[..index].iter().any(|other| other.tender == tender.tender) {
                return Some(format!("tender {:?} stands twice; name each tender once", tender.tender));
            }
            if tender.amount_minor == 0 && index + 1 < self.tenders.len() {
                return Some(format!(
                    "tender {:?} needs amount_minor above 0; only the last may leave it out",
                    tender.tender
                ));
            }
        }
        let (due, paid) =
            (self.cash_due(), self.tenders.iter().map(|tender| i128::from(tender.amount_minor)).sum());
        if i128::from(due) != paid {
            return Some(format!(
                "tenders pay {paid}, but {due} is due; leave amount_minor out of the last tender"
            ));
        }
        None
    }
}
