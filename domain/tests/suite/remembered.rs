//! States of orders as snapshots hold them. What was written must read back as the same state, also by a later version.

use std::fs;
use std::path::PathBuf;

use domain::decider::Decider;
use domain::order::state::Frozen;
use domain::order::{Event, Order, State};

use crate::golden::updating;
use crate::recorded::{everything, without_stock};

/// The states of an order that meets these events, one after the other, as far as each makes sense to it.
fn states(mut events: Vec<(String, Event)>) -> Vec<(String, State)> {
    // Nothing but early messages comes before the submit.
    let born = |event: &Event| matches!(event, Event::Submitted(_));
    let submit = events.iter().position(|(_, event)| born(event)).unwrap();
    let submitted = events.remove(submit);
    events.insert(0, submitted);
    let (mut states, mut state) = (Vec::new(), State::default());
    for (name, event) in events {
        let mut next = state.clone();
        let absorbed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Order::evolve(&mut next, &event);
        }));
        if absorbed.is_ok() {
            states.push((name, next.clone()));
            state = next;
        }
    }
    states
}

fn shown(state: &State) -> String {
    format!("{state:#?}")
}

#[test]
fn given_any_state_when_it_is_written_and_read_then_it_is_the_same_cells_and_all() {
    let states = states(everything());
    assert!(states.len() > 50, "only {} of the recorded events make a state", states.len());
    for (name, state) in states {
        let packed = rmp_serde::to_vec_named(&state).unwrap();
        let back: State = rmp_serde::from_slice(&packed).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(shown(&back), shown(&state), "{name}");
        assert_eq!(rmp_serde::to_vec_named(&back).unwrap(), packed, "{name}");
    }
}

#[test]
fn given_a_state_that_an_older_version_wrote_when_it_is_read_then_it_is_the_same_state() {
    for (file, events) in [("state.v1", without_stock()), ("state-with-stock.v1", everything())] {
        let (_, state) = states(events).pop().unwrap();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{file}.msgpack"));
        if updating() {
            fs::write(&path, rmp_serde::to_vec_named(&state).unwrap()).unwrap();
        }
        let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read: State = rmp_serde::from_slice(&golden).unwrap();
        assert_eq!(shown(&read), shown(&state), "{file}");
    }
}

#[test]
fn given_an_empty_snapshot_of_an_older_version_when_it_is_read_then_absent_fields_mean_nothing_was_known() {
    let empty: State = rmp_serde::from_slice(&[0x80]).unwrap();
    assert_eq!(shown(&empty), shown(&State::default()));
}

#[test]
fn given_a_submit_when_it_is_written_then_its_cells_are_not_and_come_back_the_same() {
    let (_, state) = states(everything()).pop().unwrap();
    let frozen = state.content.as_deref().unwrap();
    let packed = rmp_serde::to_vec_named(frozen).unwrap();
    assert_eq!(packed, rmp_serde::to_vec_named(&frozen.content).unwrap());
    assert_eq!(rmp_serde::from_slice::<Frozen>(&packed).unwrap().cells, frozen.cells);
}
