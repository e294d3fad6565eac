//! Makes the orders of a run: order number n is always the same for the same seed.

use crate::chance::Dice;
use crate::contract::{
    Accrual, Customer, Fee, Hold, Line, LineQuantity, OrderCancel, Redemption, ShipTo, Submit, Tender,
};

use super::fate::{Ends, Fate, Moment, Wish, sku, token};
use super::mix::Mix;
use super::supply::Abandoned;

const CURRENCIES: [&str; 7] = ["EUR", "EUR", "EUR", "USD", "GBP", "JPY", "KWD"];

/// A run's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What all chance depends on.
    pub seed: u64,
    /// Starts every order id: letters, digits and `-`, different for each run against the same streams.
    pub run: String,
    /// What kinds of orders.
    pub mix: Mix,
    /// How many lines each order has; none = as its kind has it.
    pub lines: Option<u32>,
}

/// One order to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The body of the submit.
    pub submit: Submit,
    /// What befalls it.
    pub fate: Fate,
    /// What the customer wishes later.
    pub wish: Option<Wish>,
    /// How often it is submitted.
    pub times: u32,
    /// How it may end.
    pub legal: Ends,
    /// What the customer holds before he orders it.
    pub cart: Option<Hold>,
    /// What somebody holds beside it and never buys.
    pub abandoned: Option<Abandoned>,
}

impl Planned {
    /// The order id.
    pub fn order_id(&self) -> &str {
        &self.submit.order_id
    }

    /// The body of the wish, if there is one.
    pub fn cancel(&self) -> Option<OrderCancel> {
        self.wish.as_ref().map(|wish| OrderCancel {
            order_id: self.submit.order_id.clone(),
            lines: wish.lines.clone(),
            reason: "customer_request".to_owned(),
            requested_by: "customer".to_owned(),
        })
    }
}

impl Plan {
    /// The order with this number.
    pub fn order(&self, number: u64) -> Planned {
        let order_id = format!("{}-{number}", self.run);
        let mut dice = Dice::new(self.seed, &["order", &number.to_string()]);
        match self.mix {
            Mix::Standard => standard(order_id, self.lines.unwrap_or(3), &mut dice),
            Mix::Mixed { refusals, cancels, duplicates } => {
                let mut planned = smooth(mixed(order_id, self.lines, &mut dice));
                if dice.happens(refusals) {
                    refuse(&mut planned, &mut dice);
                } else if dice.happens(cancels) {
                    cancel(&mut planned, &mut dice);
                }
                planned.times = 1 + u32::from(dice.happens(duplicates));
                planned
            }
        }
    }
}

fn smooth(submit: Submit) -> Planned {
    Planned {
        submit,
        fate: Fate::Smooth,
        wish: None,
        times: 1,
        legal: Ends::COMPLETED,
        cart: None,
        abandoned: None,
    }
}

fn standard(order_id: String, lines: u32, dice: &mut Dice) -> Planned {
    let lines =
        (1..=lines).map(|line| plain_line(line, 1 + line % 2, 1_000 + dice.amount(0, 8_999), dice)).collect();
    let mut submit = bare(order_id, lines, Vec::new());
    submit.customer = Some(customer("m-", dice));
    submit.redemption = Some(Redemption { points: 1_000, value_minor: 500 });
    smooth(submit)
}

fn mixed(order_id: String, lines: Option<u32>, dice: &mut Dice) -> Submit {
    let some = dice.small(1, 5);
    let lines = (1..=lines.unwrap_or(some))
        .map(|line| {
            let price = *dice.pick(&[1, 99, 100, 1_999, 0]);
            let net = if price == 0 { dice.amount(1, 99_999) } else { price };
            plain_line(line, dice.small(1, 9), net, dice)
        })
        .collect();
    let has_fee = dice.happens(500);
    let shipping =
        Fee { fee: "shipping".to_owned(), net_minor: dice.amount(1, 999), tax_minor: dice.amount(0, 99) };
    let mut submit = bare(order_id, lines, if has_fee { vec![shipping] } else { Vec::new() });
    (*dice.pick(&CURRENCIES)).clone_into(&mut submit.currency);
    submit.ship_to = Some(ship_to(dice.small(1, 3), dice.small(1, 3), dice));
    let is_member = dice.happens(700);
    submit.customer = Some(customer("m-", dice)).filter(|_| is_member);
    if is_member && dice.happens(600) {
        let total = submit.total_minor;
        let pays_all = dice.happens(100) || total == 1;
        let value_minor = if pays_all { total } else { dice.amount(1, total - 1) };
        submit.redemption =
            Some(Redemption { points: dice.amount(value_minor, 3 * value_minor), value_minor });
    }
    if is_member && dice.happens(200) {
        submit.accrual = Some(Accrual {
            points: dice.amount(1, 5),
            per_minor: dice.amount(10, 500),
            rule: "own".to_owned(),
        });
    }
    let cash = submit.total_minor - submit.redemption.map_or(0, |paid| paid.value_minor);
    submit.tenders = match cash {
        0 => Vec::new(),
        1 => vec![card("t1", None, dice)],
        _ if dice.happens(250) => {
            vec![card("t1", Some(dice.amount(1, cash - 1)), dice), card("t2", None, dice)]
        }
        _ => vec![card("t1", None, dice)],
    };
    submit
}

/// An order with one card, one node and one parcel.
fn bare(order_id: String, lines: Vec<Line>, fees: Vec<Fee>) -> Submit {
    let of_lines: i64 = lines.iter().map(|line| line.net_minor + line.tax_minor).sum();
    let of_fees: i64 = fees.iter().map(|fee| fee.net_minor + fee.tax_minor).sum();
    Submit {
        order_id,
        channel: "web".to_owned(),
        currency: "EUR".to_owned(),
        customer: None,
        lines,
        fees,
        total_minor: of_lines + of_fees,
        redemption: None,
        tenders: vec![card("t1", None, &mut Dice::new(0, &["card"]))],
        ship_to: Some(ship_to(1, 1, &mut Dice::new(0, &["address"]))),
        accrual: None,
        submitted_at: Some("2026-11-27T08:00:00Z".to_owned()),
        coupons: Vec::new(),
        reservation_id: None,
        fulfillment: None,
    }
}

fn plain_line(line: u32, quantity: u32, net_minor: i64, dice: &mut Dice) -> Line {
    Line {
        line,
        sku: format!("SKU-{}", dice.below(500)),
        quantity,
        net_minor,
        tax_minor: net_minor * 19 / 100,
        promotion: None,
    }
}

fn card(tender: &str, amount_minor: Option<i64>, dice: &mut Dice) -> Tender {
    Tender {
        tender: tender.to_owned(),
        kind: "card".to_owned(),
        gateway: "psp-a".to_owned(),
        token: format!("tok_{:x}", dice.below(1 << 32)),
        amount_minor,
    }
}

fn customer(member: &str, dice: &mut Dice) -> Customer {
    let number = dice.below(100_000);
    Customer { customer_id: format!("c-{number}"), member_id: Some(format!("{member}{number}")) }
}

/// The address says into how many nodes and parcels the simulators split the order.
fn ship_to(nodes: u32, parcels: u32, dice: &mut Dice) -> ShipTo {
    ShipTo {
        address_ref: format!("adr-s{nodes}-p{parcels}-{}", dice.below(100_000)),
        region: "DE-BE".to_owned(),
        postcode: "10115".to_owned(),
    }
}

fn refuse(planned: &mut Planned, dice: &mut Dice) {
    let submit = &mut planned.submit;
    let mut choices = vec![Fate::NothingInStock];
    if submit.redemption.is_some() {
        choices.push(Fate::PointsRefused);
    }
    if !submit.tenders.is_empty() {
        // Without a tender a total that is too high has not even the form of an order.
        choices.extend([Fate::CardDeclined, Fate::CardShort, Fate::WrongTotal]);
    }
    if submit.lines.len() > 1 {
        choices.push(Fate::LinesOutOfStock);
    }
    if submit.lines[0].quantity > 1 {
        choices.push(Fate::UnitsOutOfStock);
    }
    planned.fate = *dice.pick(&choices);
    planned.legal = Ends::REJECTED;
    match planned.fate {
        Fate::WrongTotal => submit.total_minor += 1,
        Fate::PointsRefused => submit.customer = Some(customer(token::POOR_MEMBER, dice)),
        Fate::CardDeclined => mark_last_card(submit, token::DECLINED),
        Fate::CardShort => mark_last_card(submit, token::SHORT),
        Fate::NothingInStock => {
            submit.lines.iter_mut().for_each(|line| line.sku.insert_str(0, sku::OUT_OF_STOCK));
            planned.legal = Ends::CANCELLED;
        }
        Fate::LinesOutOfStock => {
            submit.lines[0].sku.insert_str(0, sku::OUT_OF_STOCK);
            planned.legal = Ends::COMPLETED;
        }
        Fate::UnitsOutOfStock => {
            submit.lines[0].sku.insert_str(0, sku::SHORT);
            planned.legal = Ends::COMPLETED;
        }
        Fate::Smooth | Fate::Cancelled => {}
    }
}

fn mark_last_card(submit: &mut Submit, word: &str) {
    if let Some(tender) = submit.tenders.last_mut() {
        tender.token = tender.token.replace("tok_", word);
    }
}

fn cancel(planned: &mut Planned, dice: &mut Dice) {
    let moment = *dice.pick(&[Moment::BeforeSubmit, Moment::WithSubmit, Moment::Committed, Moment::AtNode]);
    let some: Vec<LineQuantity> = planned
        .submit
        .lines
        .iter()
        .map(|line| LineQuantity { line: line.line, quantity: dice.small(0, line.quantity) })
        .filter(|row| row.quantity > 0)
        .collect();
    let ordered: u32 = planned.submit.lines.iter().map(|line| line.quantity).sum();
    let taken: u32 = some.iter().map(|row| row.quantity).sum();
    let is_whole = dice.happens(500) || taken == 0 || taken == ordered;
    planned.fate = Fate::Cancelled;
    planned.legal = match (is_whole, moment) {
        (false, _) => Ends::COMPLETED,
        (true, Moment::Committed | Moment::AtNode) => Ends::COMMITTED,
        (true, Moment::BeforeSubmit | Moment::WithSubmit | Moment::Held) => Ends::ANY,
    };
    // Some units cannot be taken away before there is an order that has them.
    let moment = if moment == Moment::BeforeSubmit && !is_whole { Moment::WithSubmit } else { moment };
    planned.wish = Some(Wish { moment, lines: if is_whole { Vec::new() } else { some } });
}

/// The worked example of the money rules: 89.98 in all, 10.00 of it in 2,000 points.
pub fn worked_example(order_id: &str) -> Submit {
    let line = |line, sku: &str, quantity, net_minor, tax_minor| Line {
        line,
        sku: sku.to_owned(),
        quantity,
        net_minor,
        tax_minor,
        promotion: None,
    };
    let lines = vec![line(1, "SKU-A", 3, 5_000, 1_000), line(2, "SKU-B", 1, 1_999, 400)];
    let shipping = Fee { fee: "shipping".to_owned(), net_minor: 499, tax_minor: 100 };
    let mut submit = bare(order_id.to_owned(), lines, vec![shipping]);
    submit.customer = Some(Customer { customer_id: "c-9".to_owned(), member_id: Some("m-77".to_owned()) });
    submit.redemption = Some(Redemption { points: 2_000, value_minor: 1_000 });
    submit.accrual = Some(Accrual { points: 1, per_minor: 100, rule: "base".to_owned() });
    submit
}

#[cfg(test)]
mod tests {
    use super::{Fate, Mix, Plan};

    fn plan(mix: Mix) -> Plan {
        Plan { seed: 7, run: "t".to_owned(), mix, lines: None }
    }

    #[test]
    fn given_the_same_seed_when_an_order_is_made_twice_then_it_is_the_same() {
        let mixed = plan(Mix::mixed());
        assert_eq!(mixed.order(5), mixed.order(5));
        assert_ne!(mixed.order(5).submit.lines, mixed.order(6).submit.lines);
    }

    #[test]
    fn given_a_mix_when_many_orders_are_made_then_their_sums_hold_and_every_fate_comes() {
        let orders: Vec<_> = (0..5_000).map(|number| plan(Mix::mixed()).order(number)).collect();
        for order in &orders {
            let submit = &order.submit;
            let rows: i64 = submit.lines.iter().map(|line| line.net_minor + line.tax_minor).sum::<i64>()
                + submit.fees.iter().map(|fee| fee.net_minor + fee.tax_minor).sum::<i64>();
            let off = i64::from(order.fate == Fate::WrongTotal);
            assert_eq!(submit.total_minor, rows + off);
            assert!(
                submit
                    .redemption
                    .is_none_or(|paid| paid.value_minor <= rows && paid.points >= paid.value_minor)
            );
        }
        for fate in [
            Fate::Smooth,
            Fate::PointsRefused,
            Fate::CardDeclined,
            Fate::CardShort,
            Fate::WrongTotal,
            Fate::NothingInStock,
            Fate::LinesOutOfStock,
            Fate::UnitsOutOfStock,
            Fate::Cancelled,
        ] {
            assert!(orders.iter().any(|order| order.fate == fate), "{fate:?}");
        }
    }

    #[test]
    fn given_the_standard_kind_when_an_order_is_made_then_it_has_three_lines_points_and_one_card() {
        let submit = plan(Mix::Standard).order(1).submit;
        assert_eq!((submit.lines.len(), submit.tenders.len()), (3, 1));
        assert!(submit.redemption.is_some() && submit.customer.is_some_and(|who| who.member_id.is_some()));
    }
}
