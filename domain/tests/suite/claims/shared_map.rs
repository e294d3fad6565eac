//! A map of which copies share what they have in common is still a map.

use std::collections::BTreeMap;

use domain::shared_map::SharedMap;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u16, u32),
    Remove(u16),
    Change(u16, u32),
    Keep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u16..400;
    let step = prop_oneof![
        4 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key.clone().prop_map(Step::Remove),
        1 => (key, any::<u32>()).prop_map(|(key, value)| Step::Change(key, value)),
        1 => Just(Step::Keep),
    ];
    prop::collection::vec(step, 0..900)
}

fn same(map: &SharedMap<u16, u32>, model: &BTreeMap<u16, u32>) {
    assert_eq!(map.len(), model.len());
    assert!(map.iter().eq(model.iter()), "{map:?}");
    assert_eq!(map.first(), model.first_key_value());
}

proptest! {
    #[test]
    fn any_steps_do_the_same_to_it_as_to_a_plain_map_and_nothing_to_its_copies(steps in steps()) {
        let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                Step::Change(key, value) => {
                    let (ours, theirs) = (map.get_mut(&key), model.get_mut(&key));
                    prop_assert_eq!(ours.is_some(), theirs.is_some());
                    if let (Some(ours), Some(theirs)) = (ours, theirs) {
                        (*ours, *theirs) = (value, value);
                    }
                }
                Step::Keep => kept.push((map.clone(), model.clone())),
            }
        }
        same(&map, &model);
        for key in 0..400 {
            prop_assert_eq!(map.get(&key), model.get(&key));
        }
        for (copy, model) in &kept {
            same(copy, model);
        }
        let packed = rmp_serde::to_vec_named(&map).unwrap();
        prop_assert_eq!(&rmp_serde::from_slice::<SharedMap<u16, u32>>(&packed).unwrap(), &map);
    }
}

#[test]
fn given_ten_thousand_entries_when_all_are_taken_out_then_nothing_is_left() {
    let keys = || (0..10_000_u32).map(|n| n * 7_919 % 65_521);
    let mut map: SharedMap<u32, u32> = keys().map(|key| (key, key)).collect();
    assert_eq!(map.len(), 10_000);
    assert!(map.iter().map(|(key, _)| key).is_sorted());
    for key in keys() {
        assert_eq!(map.remove(&key), Some(key));
    }
    assert!(map.is_empty() && map.first().is_none() && map == SharedMap::default());
}
