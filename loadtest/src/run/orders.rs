//! Which order comes: its class, and what it buys. Order number n is always the same for the same seed.

use crate::chance::Dice;
use crate::scenario::{Class, Data, MixShares, Scenario, Skew};
use crate::workload::{Mix, Plan, Planned, sku};

/// The orders of a run.
#[derive(Debug, Clone)]
pub struct Orders {
    seed: u64,
    run: String,
    mix: MixShares,
    data: Data,
    /// For a skew: the sum of the weights up to each item.
    sums: Vec<f64>,
}

/// One order of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What kind it is.
    pub class: Class,
    /// The order.
    pub planned: Planned,
    /// Its first line is the hot item.
    pub is_hot: bool,
    /// A message that is no order comes with it.
    pub is_poisoned: bool,
}

impl Orders {
    /// The orders of `scenario`; `run` starts every order id.
    pub fn new(scenario: &Scenario, run: &str) -> Self {
        let sums = match scenario.data.skew {
            Skew::Uniform => Vec::new(),
            Skew::Zipf(exponent) => zipf(scenario.data.skus, exponent),
        };
        let (mix, data) = (scenario.mix, scenario.data.clone());
        Self { seed: scenario.seed, run: run.to_owned(), mix, data, sums }
    }

    /// The order with this number.
    pub fn order(&self, number: u64) -> Chosen {
        let mut dice = Dice::new(self.seed, &["class", &number.to_string()]);
        let class = self.class(&mut dice);
        let mix = match class {
            Class::Standard => Mix::Standard,
            Class::Mixed => Mix::Mixed { refusals: 0, cancels: 0, duplicates: 0 },
            Class::Cancelled => Mix::Mixed { refusals: 0, cancels: 1_000, duplicates: 0 },
            Class::Refused => Mix::Mixed { refusals: 1_000, cancels: 0, duplicates: 0 },
        };
        let mut planned = Plan { seed: self.seed, run: self.run.clone(), mix }.order(number);
        for line in &mut planned.submit.lines {
            let word = [sku::OUT_OF_STOCK, sku::SHORT].into_iter().find(|word| line.sku.starts_with(word));
            line.sku = format!("{}SKU-{}", word.unwrap_or_default(), self.item(&mut dice));
        }
        let is_hot = self.make_hot(&mut planned, &mut dice);
        planned.times = 1 + u32::from(dice.unit() < self.mix.duplicates);
        let is_poisoned = dice.unit() < self.mix.poison;
        Chosen { class, planned, is_hot, is_poisoned }
    }

    /// The number in an order id of this run.
    pub fn number_in(&self, order: &str) -> Option<u64> {
        order.strip_prefix(&self.run)?.strip_prefix('-')?.parse().ok()
    }

    fn class(&self, dice: &mut Dice) -> Class {
        let mut at = dice.below(self.mix.weights.iter().sum());
        for class in Class::ALL {
            let weight = self.mix.weights[class.place()];
            if at < weight {
                return class;
            }
            at -= weight;
        }
        Class::Standard
    }

    /// The number of an item, from 0.
    fn item(&self, dice: &mut Dice) -> u64 {
        match self.sums.last() {
            None => dice.below(self.data.skus),
            Some(all) => {
                let at = dice.unit() * all;
                self.sums.partition_point(|sum| *sum <= at) as u64
            }
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

fn zipf(skus: u64, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let weights = (1..=u32::try_from(skus).unwrap_or(u32::MAX)).map(|rank| f64::from(rank).powf(-exponent));
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Orders;
    use crate::scenario::{Class, Scenario};

    fn orders(more: &str) -> Orders {
        let least = "schema = \"doorbuster-loadtest/1\"\n[[phases]]\nrate = \"1/s\"\nover = \"9s\"\n";
        Orders::new(&Scenario::parse("t", &format!("{least}{more}"), None).unwrap(), "r")
    }

    #[test]
    fn classes_come_as_their_weights_say() {
        let orders = orders("[mix]\nstandard = 3\nrefused = 1\n");
        let count = |class| (0..2_000).filter(|number| orders.order(*number).class == class).count();
        assert!((1_400..1_600).contains(&count(Class::Standard)));
        assert_eq!(count(Class::Standard) + count(Class::Refused), 2_000);
        assert_eq!(orders.order(7), orders.order(7));
        assert_eq!(orders.number_in(orders.order(7).planned.order_id()), Some(7));
    }

    #[test]
    fn a_skew_prefers_the_first_items_and_a_hot_one_stands_in_front() {
        let orders = orders(
            "[data]\nskus = 1000\nskew = \"zipf(1.1)\"\nhot_sku = { id = \"HOT\", share = \"20%\", stock = 5 }\n[mix]\npoison = \"10%\"\nduplicates = \"10%\"\n",
        );
        let all: Vec<_> = (0..2_000).map(|number| orders.order(number)).collect();
        let hot = all.iter().filter(|order| order.is_hot).count();
        assert!((330..470).contains(&hot), "{hot}");
        assert!(
            all.iter().filter(|order| order.is_hot).all(|order| order.planned.submit.lines[0].sku == "HOT")
        );
        let first = all.iter().filter(|order| order.planned.submit.lines[1].sku == "SKU-0").count();
        let late = all.iter().filter(|order| order.planned.submit.lines[1].sku == "SKU-500").count();
        assert!(first > 200 && late < 10, "{first} {late}");
        let poisoned = all.iter().filter(|order| order.is_poisoned).count();
        assert!((150..250).contains(&poisoned), "{poisoned}");
        assert!((150..250).contains(&all.iter().filter(|order| order.planned.times == 2).count()));
    }
}
