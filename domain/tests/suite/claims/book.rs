//! Whatever is done to claims, nothing of what was taken is lost or doubled.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::claims::{Amount, Book, Claim, Mark};
use proptest::prelude::*;

fn amount(units: i64, minor: i64) -> Amount {
    Amount { units, minor }
}

fn id(text: &str) -> Arc<str> {
    text.into()
}

#[test]
fn given_a_claim_when_it_is_hardened_and_consumed_in_parts_then_the_sums_follow() {
    let mut book = Book::default();
    book.take(&id("r-1:1:1"), amount(3, 100), false, None);
    book.take(&id("r-2:1:1"), amount(5, 0), true, None);
    assert_eq!((book.soft(), book.hard()), (amount(3, 100), amount(5, 0)));
    book.harden("r-1:1:1");
    assert_eq!((book.soft(), book.hard()), (Amount::ZERO, amount(8, 100)));
    let first = book.consume("r-1:1:1", 1, Mark::of_departure("c", "p-1"));
    assert_eq!(first, amount(1, 33));
    assert_eq!(book.get("r-1:1:1").unwrap().consumed, amount(1, 33));
    let back = book.give_back("r-1:1:1", 9, Mark::of_release("c", "x"));
    assert_eq!(back, amount(2, 67));
    assert!(book.get("r-1:1:1").is_none(), "a claim ends with its last unit");
    assert_eq!((book.live(), book.len()), (amount(5, 0), 1));
}

#[test]
fn given_soft_and_hard_units_when_some_leave_then_hard_ones_depart_first_and_soft_ones_are_given_back_first()
{
    let mut book = Book::default();
    book.take(&id("c"), amount(2, 0), false, None);
    book.harden("c");
    book.harden("c");
    assert_eq!(book.hard(), amount(2, 0));
    book.take(&id("c"), amount(7, 0), false, None);
    assert_eq!(book.live(), amount(2, 0), "the same claim is taken once");
    assert_eq!(book.consume("nobody", 1, Mark::of_departure("c", "p")), Amount::ZERO);
    assert_eq!(book.give_back("nobody", 1, Mark::of_release("c", "x")), Amount::ZERO);
}

#[test]
fn given_the_longest_ids_and_amounts_when_written_then_claims_take_no_more_bytes_than_was_said() {
    let mut book = Book::default();
    for n in 0..200_i64 {
        let claim = id(&format!("{}:{n}:1", "r".repeat(usize::try_from(n % 90).unwrap() + 1)));
        let taken = amount((n % 40) * (n % 40) * 90_000 + 1, if n % 3 == 0 { n * 1_000_000_007 } else { 0 });
        book.take(&claim, taken, n % 2 == 0, (n % 5 == 0).then(|| Mark::of_name("c")));
        for step in 0..(n % 25).min(taken.units - 1) {
            book.consume(&claim, 1, Mark::of_departure("c", &format!("{n}-{step}")));
        }
    }
    assert_eq!(book.len(), 200);
    let written = rmp_serde::to_vec_named(&book).unwrap();
    assert!(written.len() <= book.bytes() + 64, "{} bytes for {}", written.len(), book.bytes());
    let back: Book = rmp_serde::from_slice(&written).unwrap();
    assert_eq!(back, book);
}

proptest! {
    // invariant: units-conserved
    #[test]
    fn any_steps_conserve_every_claim_and_its_sums(
        steps in prop::collection::vec((0_u8..4, 0_u8..12, 1_i64..6, 0_i64..500), 0..200)
    ) {
        let mut book = Book::default();
        let mut gone: BTreeMap<String, (Amount, Amount)> = BTreeMap::new();
        for (n, (what, which, units, minor)) in steps.into_iter().enumerate() {
            let claim = format!("r-{which}:1:1");
            let before = book.get(&claim).cloned();
            let mark = Mark::of_departure("c", &n.to_string());
            match what {
                0 => book.take(&id(&claim), amount(units, minor), minor % 2 == 0, None),
                1 => book.harden(&claim),
                2 => {
                    let left = book.consume(&claim, units, mark);
                    prop_assert!(left.units <= units);
                    gone.entry(claim.clone()).or_default().0 += left;
                }
                _ => gone.entry(claim.clone()).or_default().1 += book.give_back(&claim, units, mark),
            }
            let (consumed, given_back) = gone.get(&claim).copied().unwrap_or_default();
            match (before, book.get(&claim)) {
                (_, Some(now)) => {
                    prop_assert!(now.soft.units >= 0 && now.hard.units >= 0 && !now.live().is_zero());
                    prop_assert_eq!((now.consumed, now.given_back()), (consumed, given_back));
                }
                (Some(before), None) => {
                    prop_assert_eq!(consumed + given_back, before.taken, "all of it went somewhere");
                    gone.remove(&claim);
                }
                (None, None) => drop(gone.remove(&claim)),
            }
            let sum = |side: fn(&Claim) -> Amount| {
                book.iter().fold(Amount::ZERO, |sum, (_, claim)| sum + side(claim))
            };
            prop_assert_eq!((book.soft(), book.hard()), (sum(|c| c.soft), sum(|c| c.hard)));
        }
    }
}
