//! Which items there are, and how unevenly they are wanted.

use crate::chance::Dice;
use crate::scenario::Skew;

/// Items by number, from 0; with a skew the first are wanted most.
#[derive(Debug, Clone)]
pub(super) struct Assortment {
    items: u64,
    /// For a skew: the sum of the weights up to each item.
    sums: Vec<f64>,
}

impl Assortment {
    /// So many items, wanted so unevenly.
    pub(super) fn new(items: u64, skew: Skew) -> Self {
        let sums = match skew {
            Skew::Uniform => Vec::new(),
            Skew::Zipf(exponent) => zipf(items, exponent),
        };
        Self { items, sums }
    }

    /// The number of the item that somebody wants.
    pub(super) fn item(&self, dice: &mut Dice) -> u64 {
        match self.sums.last() {
            None => dice.below(self.items),
            Some(all) => {
                let at = dice.unit() * all;
                self.sums.partition_point(|sum| *sum <= at) as u64
            }
        }
    }
}

fn zipf(items: u64, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let weights = (1..=u32::try_from(items).unwrap_or(u32::MAX)).map(|rank| f64::from(rank).powf(-exponent));
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}
