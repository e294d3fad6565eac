//! Which order comes: its class, and what it buys. Order number n is always the same for the same seed.

use crate::chance::Dice;
use crate::scenario::{Class, MixShares, Scenario};
use crate::workload::{Goods, Mix, Plan, Planned, Supply};

/// The orders of a run.
#[derive(Debug, Clone)]
pub struct Orders {
    seed: u64,
    run: String,
    mix: MixShares,
    lines: Option<u32>,
    goods: Goods,
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
        let goods = Goods::new(scenario.data.clone(), scenario.stock.clone(), run);
        let (seed, mix, lines) = (scenario.seed, scenario.mix, scenario.data.lines);
        Self { seed, run: run.to_owned(), mix, lines, goods }
    }

    /// The stock that Doorbuster keeps.
    pub const fn supply(&self) -> Option<&Supply> {
        self.goods.supply()
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
        let mut planned =
            Plan { seed: self.seed, run: self.run.clone(), mix, lines: self.lines }.order(number);
        let is_hot = self.goods.put_into(&mut planned, &mut dice);
        planned.times = 1 + u32::from(dice.unit() < self.mix.duplicates);
        let is_poisoned = dice.unit() < self.mix.poison;
        self.goods.dress(&mut planned, self.seed, number);
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
