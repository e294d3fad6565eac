//! What orders buy: items of the run instead of those that they were made with.

use super::assortment::Assortment;
use super::fate::sku;
use super::plan::Planned;
use super::supply::{StockPlan, Supply};
use crate::chance::Dice;
use crate::scenario::Data;

/// The goods of a run.
#[derive(Debug, Clone)]
pub struct Goods {
    data: Data,
    assortment: Assortment,
    supply: Option<Supply>,
}

impl Goods {
    /// The items of `data`; with a plan, from stock that Doorbuster keeps.
    pub fn new(data: Data, stock: Option<StockPlan>, run: &str) -> Self {
        let assortment = Assortment::new(data.skus, data.skew);
        let supply = stock.map(|plan| Supply::new(plan, run, data.clone()));
        Self { data, assortment, supply }
    }

    /// The stock that Doorbuster keeps.
    pub const fn supply(&self) -> Option<&Supply> {
        self.supply.as_ref()
    }

    /// Puts items into an order; those that are marked stay marked. True if the first line is the hot item.
    pub fn put_into(&self, planned: &mut Planned, dice: &mut Dice) -> bool {
        for line in &mut planned.submit.lines {
            let word = [sku::OUT_OF_STOCK, sku::SHORT].into_iter().find(|word| line.sku.starts_with(word));
            line.sku = format!("{}SKU-{}", word.unwrap_or_default(), self.assortment.item(dice));
            line.quantity = self.data.quantity.unwrap_or(line.quantity);
        }
        self.make_hot(planned, dice)
    }

    /// Says where the goods come from, if Doorbuster keeps stock.
    pub fn dress(&self, planned: &mut Planned, seed: u64, number: u64) {
        if let Some(supply) = &self.supply {
            supply.dress(planned, &mut Dice::new(seed, &["stock", &number.to_string()]));
        }
    }

    fn make_hot(&self, planned: &mut Planned, dice: &mut Dice) -> bool {
        let Some(hot) = &self.data.hot_sku else { return false };
        let is_wanted = dice.unit() < hot.share;
        let Some(line) =
            planned.submit.lines.first_mut().filter(|line| is_wanted && line.sku.starts_with("SKU-"))
        else {
            return false;
        };
        line.sku.clone_from(&hot.sku);
        true
    }
}
