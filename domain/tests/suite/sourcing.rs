//! Sourcing: who may serve, which plan wins and why, and what no plan may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::reference::Reference;
use domain::sourcing::{
    Ask, Availability, Decided, Plan, Policies, Rule, StaleStock, Supply, Unfit, Verdict, Wanted, source,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the cells have posted, by sku and node.
#[derive(Debug, Clone, Default)]
struct Stock(BTreeMap<(String, String), Availability>);

impl Supply for Stock {
    /// What is set aside for a promotion stands behind its name.
    fn look(&self, sku: &str, node: &str, promotion: Option<&str>) -> Option<Availability> {
        let of = |sku: String| self.0.get(&(sku, node.to_owned())).copied();
        promotion.and_then(|promotion| of(format!("{sku}/{promotion}"))).or_else(|| of(sku.to_owned()))
    }
}

fn stock(rows: &[(&str, &str, u32)]) -> Stock {
    let rows = rows.iter().map(|(sku, node, available)| {
        ((sku.to_string(), node.to_string()), Availability { available: *available, is_stale: false })
    });
    Stock(rows.collect())
}

fn put(reference: &mut Reference, id: &str, changes: &Value) {
    let mut node = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1000, "sla_hours": 24,
                          "cost_minor": 500, "pickup": false, "active": true});
    node.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let revision = reference.revision() + 1;
    reference.put(revision, &format!("node.{id}"), Some(node.to_string().as_bytes())).unwrap();
}

fn nodes(changes: &[(&str, Value)]) -> Reference {
    let mut reference = Reference::default();
    for (id, changes) in changes {
        put(&mut reference, id, changes);
    }
    reference
}

fn plain(ids: &[&str]) -> Reference {
    nodes(&ids.iter().map(|id| (*id, json!({}))).collect::<Vec<_>>())
}

fn line(line: u16, sku: &str, quantity: u32) -> Wanted<'_> {
    Wanted { line, sku, quantity, node: None, promotion: None }
}

fn rows(plan: &Plan) -> Vec<(u16, &str, u32)> {
    plan.rows.iter().map(|row| (row.line, &*row.node, row.quantity)).collect()
}

#[test]
fn given_units_for_a_promotion_when_two_lines_want_the_same_then_only_the_line_under_it_is_served_from_them()
{
    let stock = stock(&[("A", "n1", 0), ("A/bf26", "n1", 3)]);
    let lines = [line(0, "A", 2), Wanted { promotion: Some("bf26"), ..line(1, "A", 2) }];
    let plan =
        source(&Ask { lines: &lines, ..Ask::default() }, &stock, &plain(&["n1"]), &Policies::default());
    assert_eq!(rows(&plan), [(1, "n1", 2)]);
    assert_eq!(plan.short.iter().map(|short| (short.line, short.quantity)).collect::<Vec<_>>(), [(0, 2)]);
}

fn verdict(plan: &Plan, node: &str) -> Verdict {
    plan.record.candidates.iter().find(|candidate| *candidate.node == *node).unwrap().verdict
}

fn plan(lines: &[Wanted<'_>], stock: &Stock, reference: &Reference) -> Plan {
    source(&Ask { lines, ..Ask::default() }, stock, reference, &Policies::default())
}

#[test]
fn given_one_node_that_has_all_when_others_have_parts_then_nothing_is_split() {
    let stock = stock(&[
        ("A", "n1", 2),
        ("B", "n1", 0),
        ("A", "n2", 5),
        ("B", "n2", 5),
        ("A", "n3", 0),
        ("B", "n3", 9),
    ]);
    let plan = plan(&[line(0, "A", 2), line(1, "B", 3)], &stock, &plain(&["n1", "n2", "n3"]));
    assert_eq!(rows(&plan), [(0, "n2", 2), (1, "n2", 3)]);
    assert!(plan.short.is_empty() && plan.record.complete);
    assert_eq!(verdict(&plan, "n1"), Verdict::Lost(Decided::Units));
    assert_eq!(verdict(&plan, "n2"), Verdict::Chosen);
    assert_eq!(plan.record.reference, 3);
}

#[test]
fn given_equal_splits_when_rules_tell_nodes_apart_then_the_first_that_does_decides() {
    let have = stock(&[("A", "n1", 10), ("A", "n2", 10)]);
    let cases = [
        (json!({"sla_hours": 72}), json!({"cost_minor": 900}), "n2", Rule::SlaMet),
        (json!({"cost_minor": 900}), json!({}), "n2", Rule::LandedCost),
        (json!({}), json!({"priority": 7}), "n2", Rule::Priority),
    ];
    for (first, second, winner, rule) in cases {
        let reference = nodes(&[("n1", first), ("n2", second)]);
        let plan = plan(&[line(0, "A", 2)], &have, &reference);
        assert_eq!(rows(&plan), [(0, winner, 2)], "{rule:?}");
        assert_eq!(verdict(&plan, "n1"), Verdict::Lost(Decided::Rule(rule)));
    }
    let uneven = stock(&[("A", "n1", 3), ("A", "n2", 30)]);
    let plan = plan(&[line(0, "A", 2)], &uneven, &plain(&["n1", "n2"]));
    assert_eq!(rows(&plan), [(0, "n2", 2)]);
    assert_eq!(verdict(&plan, "n1"), Verdict::Lost(Decided::Rule(Rule::InventoryBalance)));
}

#[test]
fn given_nodes_that_no_rule_tells_apart_then_the_smaller_id_wins_and_the_record_says_so() {
    let have = stock(&[("A", "n2", 4), ("A", "n1", 4)]);
    let plan = plan(&[line(0, "A", 2)], &have, &plain(&["n2", "n1"]));
    assert_eq!(rows(&plan), [(0, "n1", 2)]);
    assert_eq!(verdict(&plan, "n2"), Verdict::Lost(Decided::Id));
}

#[test]
fn given_cost_before_splits_when_two_cheap_nodes_beat_a_dear_one_then_the_goods_are_split() {
    let have = stock(&[("A", "a", 1), ("B", "b", 1), ("A", "dear", 1), ("B", "dear", 1)]);
    let reference = nodes(&[
        ("a", json!({"cost_minor": 100})),
        ("b", json!({"cost_minor": 100})),
        ("dear", json!({"cost_minor": 900})),
    ]);
    let lines = [line(0, "A", 1), line(1, "B", 1)];
    let by_cost = Policies { rules: vec![Rule::LandedCost, Rule::MinSplits], ..Policies::default() };
    let cheap = source(&Ask { lines: &lines, ..Ask::default() }, &have, &reference, &by_cost);
    assert_eq!(rows(&cheap), [(0, "a", 1), (1, "b", 1)]);
    assert_eq!(rows(&plan(&lines, &have, &reference)), [(0, "dear", 1), (1, "dear", 1)]);
}

#[test]
fn given_a_line_that_no_node_has_whole_when_sourced_then_its_units_are_split_over_few_nodes() {
    let have = stock(&[("A", "n1", 1), ("A", "n2", 2), ("A", "n3", 3), ("A", "n4", 1)]);
    let plan = plan(&[line(0, "A", 5)], &have, &plain(&["n1", "n2", "n3", "n4"]));
    assert_eq!(rows(&plan), [(0, "n2", 2), (0, "n3", 3)]);
    assert!(plan.short.is_empty());
}

#[test]
fn given_a_split_limit_when_more_nodes_were_needed_then_the_rest_is_short() {
    let have = stock(&[("A", "n1", 2), ("A", "n2", 2), ("A", "n3", 2)]);
    let reference = plain(&["n1", "n2", "n3"]);
    let lines = [line(0, "A", 6)];
    let ask = Ask { lines: &lines, split_limit: Some(2), backorder: true, ..Ask::default() };
    let plan = source(&ask, &have, &reference, &Policies::default());
    assert_eq!(plan.rows.iter().map(|row| row.quantity).sum::<u32>(), 4);
    assert_eq!(plan.short[0].quantity, 2);
    assert_eq!(plan.short[0].node.as_deref(), Some("n1"), "it waits where other units come from");
    let none = source(&Ask { backorder: false, ..ask }, &have, &reference, &Policies::default());
    assert_eq!(none.short[0].node, None);
}

#[test]
fn given_each_reason_of_the_filter_when_sourced_then_the_node_does_not_serve_and_the_record_says_why() {
    let have = stock(&[("A", "ok", 5), ("A", "no", 50)]);
    let policies = Policies { sla_most_hours: Some(48), ..Policies::default() };
    let lines = [line(0, "A", 1)];
    let ask = Ask { lines: &lines, region: Some("DE-BE"), channel: Some("web"), ..Ask::default() };
    for (changes, unfit) in [
        (json!({"active": false}), Unfit::Inactive),
        (json!({"serves": ["AT"]}), Unfit::Region),
        (json!({"channels": ["pos"]}), Unfit::Channel),
        (json!({"capacity_per_day": 0}), Unfit::Capacity),
        (json!({"sla_hours": 72}), Unfit::Sla),
    ] {
        let plan = source(&ask, &have, &nodes(&[("no", changes), ("ok", json!({}))]), &policies);
        assert_eq!(rows(&plan), [(0, "ok", 1)], "{unfit:?}");
        assert_eq!(verdict(&plan, "no"), Verdict::Unfit(unfit));
    }
    let reference = plain(&["no", "ok"]);
    let refused: [(Arc<str>, Arc<str>); 1] = [("A".into(), "no".into())];
    let plan = source(&Ask { excluded: &refused, ..ask }, &have, &reference, &policies);
    assert_eq!(verdict(&plan, "no"), Verdict::Unfit(Unfit::Refused));
    let only = [Wanted { node: Some("ok"), ..line(0, "A", 1) }];
    let plan = source(&Ask { lines: &only, ..ask }, &have, &reference, &policies);
    assert_eq!(verdict(&plan, "no"), Verdict::Unfit(Unfit::OtherNode));
    let nowhere = source(&Ask { lines: &[line(0, "Z", 1)], ..ask }, &have, &reference, &policies);
    assert_eq!(verdict(&nowhere, "ok"), Verdict::Unfit(Unfit::NotThere));
    assert_eq!(nowhere.short[0].node, None, "nothing can arrive where no cell is");
}

#[test]
fn given_a_late_feed_when_such_cells_are_skipped_then_the_others_serve() {
    let mut have = stock(&[("A", "n1", 5), ("A", "n2", 5)]);
    have.0.get_mut(&("A".to_owned(), "n1".to_owned())).unwrap().is_stale = true;
    let reference = plain(&["n1", "n2"]);
    let lines = [line(0, "A", 2)];
    let ask = Ask { lines: &lines, ..Ask::default() };
    let used = source(&ask, &have, &reference, &Policies::default());
    assert_eq!(rows(&used), [(0, "n1", 2)]);
    let skip = Policies { stale: StaleStock::Skip, ..Policies::default() };
    let skipped = source(&ask, &have, &reference, &skip);
    assert_eq!(rows(&skipped), [(0, "n2", 2)]);
    assert_eq!(verdict(&skipped, "n1"), Verdict::Unfit(Unfit::Stale));
}

#[test]
fn given_a_customer_who_collects_when_sourced_then_only_his_store_serves_and_only_if_it_hands_over() {
    let have = stock(&[("A", "store", 1), ("A", "wh", 9)]);
    let lines = [line(0, "A", 1)];
    // Where the goods are collected it does not matter where they would be sent.
    let ask = Ask { lines: &lines, pickup_node: Some("store"), region: Some("FR"), ..Ask::default() };
    let pickup = json!({"kind": "store", "pickup": true, "serves": ["DE"]});
    let reference = nodes(&[("store", pickup), ("wh", json!({}))]);
    let plan = source(&ask, &have, &reference, &Policies::default());
    assert_eq!(rows(&plan), [(0, "store", 1)]);
    assert_eq!(verdict(&plan, "wh"), Verdict::Unfit(Unfit::Pickup));
    let closed = source(&ask, &have, &plain(&["store", "wh"]), &Policies::default());
    assert!(closed.rows.is_empty());
}

#[test]
fn given_a_capacity_when_more_units_were_wanted_then_the_node_serves_no_more_than_it_takes_in_a_day() {
    let have = stock(&[("A", "n1", 50), ("A", "n2", 50)]);
    let reference = nodes(&[("n1", json!({"capacity_per_day": 3})), ("n2", json!({"capacity_per_day": 4}))]);
    let plan = plan(&[line(0, "A", 6)], &have, &reference);
    assert_eq!(rows(&plan), [(0, "n1", 2), (0, "n2", 4)]);
    let lines = [line(0, "A", 6)];
    let used: [(Arc<str>, u32); 2] = [("n1".into(), 5), ("n2".into(), 1)];
    let ask = Ask { lines: &lines, used: &used, ..Ask::default() };
    let more = source(&ask, &have, &reference, &Policies::default());
    assert_eq!(
        (rows(&more), more.short[0].quantity),
        (vec![(0, "n2", 3)], 3),
        "what they ship already counts"
    );
}

#[test]
fn given_an_item_that_is_not_sold_or_may_not_wait_when_sourced_then_it_is_short_without_a_place() {
    let have = stock(&[("A", "n1", 5), ("B", "n1", 0)]);
    let mut reference = plain(&["n1"]);
    reference.put(10, "item.A", Some(br#"{"active":false}"#)).unwrap();
    reference.put(11, "item.B", Some(br#"{"backorder":false}"#)).unwrap();
    let lines = [line(0, "A", 1), line(1, "B", 1)];
    let ask = Ask { lines: &lines, backorder: true, ..Ask::default() };
    let plan = source(&ask, &have, &reference, &Policies::default());
    assert!(plan.rows.is_empty());
    assert_eq!(plan.short.iter().map(|short| short.node.clone()).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn given_nodes_that_ship_anyway_when_more_is_sourced_then_they_split_nothing_and_count_against_the_limit() {
    let have = stock(&[("A", "n1", 5), ("A", "n9", 5)]);
    let reference = nodes(&[("n1", json!({"cost_minor": 1})), ("n9", json!({}))]);
    let lines = [line(0, "A", 2)];
    let used: [(Arc<str>, u32); 1] = [("n9".into(), 1)];
    let ask = Ask { lines: &lines, used: &used, ..Ask::default() };
    assert_eq!(rows(&source(&ask, &have, &reference, &Policies::default())), [(0, "n9", 2)]);
    let full: [(Arc<str>, u32); 1] = [("n7".into(), 1)];
    let ask = Ask { used: &full, split_limit: Some(1), ..ask };
    assert!(source(&ask, &have, &reference, &Policies::default()).rows.is_empty(), "the limit is used up");
}

#[test]
fn given_very_many_nodes_when_sourced_then_bounds_hold_and_the_record_says_that_it_is_not_complete() {
    let ids: Vec<String> = (0..300).map(|id| format!("n{id:03}")).collect();
    let have: Vec<(&str, &str, u32)> = ids.iter().map(|id| ("A", id.as_str(), 1)).collect();
    let reference = plain(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let policies = Policies { searched_most: 100, split_limit: 5, ..Policies::default() };
    let lines = [line(0, "A", 5)];
    let plan = source(&Ask { lines: &lines, ..Ask::default() }, &stock(&have), &reference, &policies);
    assert_eq!(plan.record.searched, 100);
    assert!(!plan.record.complete);
    assert_eq!(plan.record.candidates.len(), usize::from(policies.recorded_most));
    assert_eq!(plan.record.unnamed, 300 - u32::from(policies.recorded_most));
    assert!(!plan.rows.is_empty(), "what was found before the bound counts");
}

#[test]
fn given_policies_that_ask_for_nonsense_when_checked_then_each_is_named() {
    assert_eq!(Policies::default().problems(), Vec::<String>::new());
    let bad = Policies {
        rules: vec![Rule::Priority, Rule::Priority],
        split_limit: 0,
        searched_most: 0,
        candidates_most: 999,
        recorded_most: 65,
        ..Policies::default()
    };
    assert_eq!(bad.problems().len(), 5, "{:?}", bad.problems());
    assert_eq!(bad.problems()[0], "rules[1] = \"priority\": stands there twice, name each rule once");
}

#[derive(Debug, Clone)]
struct World {
    nodes: Vec<(u8, u16, u8, u8)>,
    stock: Vec<u8>,
    lines: Vec<(u8, u8, Option<u8>)>,
    split_limit: u16,
    used: u8,
}

fn worlds() -> impl Strategy<Value = World> {
    let node = (0..3_u8, 0..4_u16, 0..3_u8, 0..3_u8);
    let line = (0..3_u8, 1..6_u8, proptest::option::weighted(0.2, 0..6_u8));
    (
        proptest::collection::vec(node, 1..6),
        proptest::collection::vec(0..6_u8, 18),
        proptest::collection::vec(line, 1..6),
        1..4_u16,
        0..2_u8,
    )
        .prop_map(|(nodes, stock, lines, split_limit, used)| World {
            nodes,
            stock,
            lines,
            split_limit,
            used,
        })
}

impl World {
    fn reference(&self) -> Reference {
        let mut reference = Reference::default();
        for (index, (sla, cost, capacity, priority)) in self.nodes.iter().enumerate() {
            let capacity = [3, 9, 100][usize::from(*capacity)];
            let changes = json!({"sla_hours": u32::from(*sla) * 30, "cost_minor": cost * 100,
                                 "capacity_per_day": capacity, "priority": priority});
            put(&mut reference, &format!("n{index}"), &changes);
        }
        reference
    }

    fn stock(&self) -> Stock {
        let mut stock = Stock::default();
        for (index, available) in self.stock.iter().enumerate() {
            let (sku, node) = (format!("S{}", index % 3), format!("n{}", index / 3));
            let is_stale = *available == 5;
            stock.0.insert((sku, node), Availability { available: u32::from(*available), is_stale });
        }
        stock
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    // invariant: no-oversell
    #[test]
    fn no_plan_promises_what_the_board_does_not_show_or_splits_too_far(world in worlds(), turn in 0..5_usize) {
        let (reference, stock, policies) = (world.reference(), world.stock(), Policies::default());
        let names: Vec<(String, Option<String>)> = world.lines.iter()
            .map(|(sku, _, node)| (format!("S{sku}"), node.map(|node| format!("n{node}")))).collect();
        let mut lines: Vec<Wanted<'_>> = world.lines.iter().zip(&names).enumerate()
            .map(|(index, ((_, quantity, _), (sku, node)))| Wanted {
                line: u16::try_from(index).unwrap(), sku, quantity: u32::from(*quantity), node: node.as_deref(), promotion: None,
            }).collect();
        let used: Vec<(Arc<str>, u32)> =
            (0..world.used).map(|node| (format!("n{node}").into(), 2 * u32::from(node) + 1)).collect();
        let ask = Ask { split_limit: Some(world.split_limit), used: &used, backorder: true, ..Ask::default() };
        let plan = source(&Ask { lines: &lines, ..ask }, &stock, &reference, &policies);

        let mut taken: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let mut by_node: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &plan.rows {
            let line = &lines[usize::from(row.line)];
            prop_assert!(line.node.is_none_or(|only| only == &*row.node), "a line goes to its node or nowhere");
            *taken.entry((line.sku, &row.node)).or_default() += row.quantity;
            *by_node.entry(&row.node).or_default() += row.quantity;
        }
        for ((sku, node), quantity) in taken {
            prop_assert!(quantity <= stock.look(sku, node, None).unwrap().available);
        }
        for (node, units) in &by_node {
            let shipped = used.iter().find(|(known, _)| **known == **node).map_or(0, |(_, units)| *units);
            prop_assert!(*units + shipped <= reference.node(node).unwrap().capacity_per_day);
        }
        let new = by_node.keys().filter(|node| !used.iter().any(|known| known.0[..] == ***node)).count();
        prop_assert!(new + used.len() <= usize::from(world.split_limit).max(used.len()), "the split limit is kept");
        for (index, line) in lines.iter().enumerate() {
            let index = u16::try_from(index).unwrap();
            let served: u32 = plan.rows.iter().filter(|row| row.line == index).map(|row| row.quantity).sum();
            let short: u32 = plan.short.iter().filter(|row| row.line == index).map(|row| row.quantity).sum();
            prop_assert_eq!(served + short, line.quantity, "each unit is served or short");
        }

        // The order in which lines come says nothing.
        let turn = turn % lines.len();
        lines.rotate_left(turn);
        let turned = source(&Ask { lines: &lines, ..ask }, &stock, &reference, &policies);
        prop_assert_eq!(&turned, &plan);
        lines.reverse();
        prop_assert_eq!(&source(&Ask { lines: &lines, ..ask }, &stock, &reference, &policies), &plan);
        let packed = rmp_serde::to_vec_named(&plan.record).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<domain::sourcing::Record>(&packed).unwrap(), &plan.record);
    }

    /// A single line without capacities: the plan covers as much as any choice of nodes within the limit could.
    #[test]
    fn for_one_line_no_choice_of_nodes_serves_more(have in proptest::collection::vec(0..9_u32, 1..7), wanted in 1..30_u32, limit in 1..4_u16) {
        let ids: Vec<String> = (0..have.len()).map(|id| format!("n{id}")).collect();
        let reference = plain(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let rows: Vec<(&str, &str, u32)> = ids.iter().zip(&have).map(|(id, has)| ("A", id.as_str(), *has)).collect();
        let lines = [line(0, "A", wanted)];
        let ask = Ask { lines: &lines, split_limit: Some(limit), ..Ask::default() };
        let plan = source(&ask, &stock(&rows), &reference, &Policies::default());
        let mut most = have.clone();
        most.sort_unstable_by(|a, b| b.cmp(a));
        let most: u32 = most.iter().take(usize::from(limit)).sum();
        prop_assert_eq!(plan.rows.iter().map(|row| row.quantity).sum::<u32>(), most.min(wanted));
    }
}
