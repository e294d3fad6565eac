//! Who holds whom back in the running node, in the words of the control.

use std::collections::BTreeMap;

use actors::flow::Class;
use actors::flow::watermarks::{Watermark, WatermarkState, Watermarks as Numbers};
use actors::node::backpressure::{Backpressure, LanePressure, PartitionPressure};
use actors::node::flow::Throttle;
use actors::participant::control::{HeldBy, ParticipantStatus};

use super::words::{at_least_zero, word};
use crate::control::pressure::{
    BackpressureReport, ClassReport, HeldReport, LaneReport, ListReport, MemoryReport, OrdersReport,
    Watermarks, WatermarksReport,
};

/// Out of what the node and its gates say.
pub(super) fn report(
    node: &Backpressure,
    statuses: &[ParticipantStatus],
    watermarks: &WatermarkState,
) -> BackpressureReport {
    let is_late = node.partitions.iter().any(|partition| partition.is_late);
    let lists: Vec<ListReport> = statuses.iter().map(|status| list(status, is_late)).collect();
    let partitions = node.partitions.iter().flat_map(|partition| of_partition(partition, node));
    let readers = node.lanes.iter().flat_map(of_lane);
    BackpressureReport {
        held: partitions.chain(readers).chain(lists.iter().filter_map(of_list)).collect(),
        lanes: node.lanes.iter().map(lane).collect(),
        lists,
        orders: OrdersReport {
            uncommitted: node.orders.uncommitted,
            most: node.orders.most,
            limit: node.orders.limit,
            lowered_by: node.orders.lowered_by.map(|why| word(&why)),
        },
        memory: MemoryReport {
            resident: node.memory.resident,
            slows_at: node.memory.slows_at,
            stops_at: node.memory.stops_at,
            state: word(&node.memory.state),
        },
        gives_way: classes(watermarks),
        watermarks: shown(watermarks),
    }
}

fn of_partition(partition: &PartitionPressure, node: &Backpressure) -> Vec<HeldReport> {
    let number = partition.partition;
    let mut held = Vec::new();
    if let Some(throttle) = partition.throttle {
        let (by, detail) = why(throttle, node);
        let waits_ms = (partition.queue_delay_ms > 0).then_some(partition.queue_delay_ms);
        let (what, reason) = (format!("new work of partition {number}"), word(&throttle));
        held.push(HeldReport { what, by: by.to_owned(), reason, detail, waits_ms });
    }
    if partition.waits_for_records {
        held.push(HeldReport {
            what: format!("all inputs of partition {number}"),
            by: "records that are not stored yet".to_owned(),
            reason: "records".to_owned(),
            detail: "as many inputs as may be (node.in_flight_inputs) are taken and not recorded".to_owned(),
            waits_ms: None,
        });
    }
    if partition.bulk_is_held {
        held.push(HeldReport {
            what: format!("late sales of partition {number}"),
            by: "new work".to_owned(),
            reason: "bulk".to_owned(),
            detail: format!(
                "they are begun while no new work waits, and while fewer than bulk_percent of {} orders are begun",
                node.orders.most
            ),
            waits_ms: None,
        });
    }
    held
}

/// Who holds new work back, and why.
fn why(throttle: Throttle, node: &Backpressure) -> (&'static str, String) {
    let (orders, memory) = (&node.orders, &node.memory);
    let begun =
        format!("{} orders are begun and not committed, of at most {}", orders.uncommitted, orders.most);
    match throttle {
        Throttle::Paused => ("an operator", "somebody has paused it".to_owned()),
        Throttle::Draining => ("an operator", "somebody drains the node".to_owned()),
        Throttle::Orders => ("limit orders", begun),
        Throttle::Answers => (
            "work that is begun",
            format!("answers and facts wait too long (node.flow.answer_delay_ms); {begun}"),
        ),
        Throttle::Memory => (
            "limit memory",
            format!(
                "{} bytes are resident; from {} on only the least is begun, from {} on nothing; {begun}",
                memory.resident, memory.slows_at, memory.stops_at
            ),
        ),
        Throttle::Rate => ("limit rate", "as many orders were begun as may be in this time".to_owned()),
        Throttle::Growing => (
            "limit orders",
            format!("the bound was lowered before and grows back to {}; {begun}", orders.limit),
        ),
    }
}

fn of_lane(lane: &LanePressure) -> impl Iterator<Item = HeldReport> {
    let LanePressure { messages_most, bytes_most, .. } = *lane;
    let name = lane.lane;
    lane.full.iter().map(move |number| HeldReport {
        what: format!("reading lane {name} of partition {number}"),
        by: format!("partition {number}"),
        reason: "lane_full".to_owned(),
        detail: format!(
            "{messages_most} messages or {bytes_most} bytes are read and not taken; the rest waits in the broker"
        ),
        waits_ms: None,
    })
}

fn of_list(list: &ListReport) -> Option<HeldReport> {
    let reason = list.held_by.clone()?;
    let system = &list.system;
    let (by, why) = match reason.as_str() {
        "breaker" => (format!("breaker {system}"), "it is open".to_owned()),
        "probes" => (format!("breaker {system}"), "it is half open, and its probes are out".to_owned()),
        "in_flight" => (
            format!("bulkhead {system}"),
            format!("{} commands are open, of at most {}", list.in_flight, list.max_in_flight),
        ),
        "rate" => {
            (format!("limit participant:{system}"), "as many were sent as may be in this time".to_owned())
        }
        _ => (
            "work that is begun".to_owned(),
            "answers and facts are dealt with before more is asked".to_owned(),
        ),
    };
    let detail = format!("{} commands wait; {why}", list.waiting);
    Some(HeldReport { what: format!("commands to {system}"), by, reason, detail, waits_ms: None })
}

fn list(status: &ParticipantStatus, is_late: bool) -> ListReport {
    let ordinary = status.waiting > status.waiting_urgent;
    let held_by = status.held_by.map(|held_by: HeldBy| word(&held_by));
    ListReport {
        system: status.participant.as_str().to_owned(),
        waiting: at_least_zero(status.waiting),
        waiting_urgent: at_least_zero(status.waiting_urgent),
        in_flight: at_least_zero(status.in_flight),
        max_in_flight: status.in_flight_limit.into(),
        held_by: held_by.or_else(|| (is_late && ordinary).then(|| "answers".to_owned())),
    }
}

fn lane(lane: &LanePressure) -> LaneReport {
    LaneReport {
        lane: lane.lane.to_owned(),
        messages: lane.messages,
        bytes: lane.bytes,
        messages_most: lane.messages_most,
        bytes_most: lane.bytes_most,
        full: lane.full.clone(),
        stream_waiting: lane.stream_lag,
    }
}

fn classes(watermarks: &WatermarkState) -> Vec<ClassReport> {
    let at = |which: Watermark| watermarks.effective[which as usize];
    let class = |(class, patience_ms): (Class, u64)| {
        let own = watermarks.effective_classes.iter().filter(|(_, of)| **of == class);
        let channels = own.map(|(name, _)| name.clone()).collect();
        ClassReport { class: class.as_str().to_owned(), patience_ms, channels }
    };
    let order = [
        (Class::Low, at(Watermark::PatienceLow)),
        (Class::Normal, at(Watermark::PatienceNormal)),
        (Class::High, 0),
    ];
    order.map(class).to_vec()
}

/// The watermarks in the words of the control.
pub(super) fn shown(state: &WatermarkState) -> WatermarksReport {
    let of = |numbers: &Numbers, classes: &BTreeMap<String, Class>| {
        let at = |which: Watermark| numbers[which as usize];
        Watermarks {
            answer_delay_ms: at(Watermark::AnswerDelay),
            live_orders_least: at(Watermark::LiveOrdersLeast),
            patience_normal_ms: at(Watermark::PatienceNormal),
            patience_low_ms: at(Watermark::PatienceLow),
            retry_after_ms: at(Watermark::RetryAfter),
            herald_after_ms: at(Watermark::HeraldAfter),
            lane_batch: at(Watermark::LaneBatch),
            lane_bytes: at(Watermark::LaneBytes),
            low_percent: at(Watermark::LowPercent),
            bulk_percent: at(Watermark::BulkPercent),
            classes: classes.iter().map(|(name, class)| (name.clone(), class.as_str().to_owned())).collect(),
        }
    };
    WatermarksReport {
        configured: of(&state.configured, &state.configured_classes),
        effective: of(&state.effective, &state.effective_classes),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actors::flow::Class;
    use actors::flow::watermarks::WatermarkState;
    use actors::node::backpressure::{
        Backpressure, Fullest, LanePressure, MemoryPressure, MemoryState, OrdersPressure, PartitionPressure,
    };
    use actors::node::flow::Throttle;

    use super::report;

    fn partition(partition: u16, throttle: Option<Throttle>) -> PartitionPressure {
        PartitionPressure {
            partition,
            throttle,
            queue_delay_ms: 70,
            waits_for_records: false,
            bulk_is_held: false,
            is_late: false,
        }
    }

    fn node(partitions: Vec<PartitionPressure>) -> Backpressure {
        let lane = |lane, full| LanePressure {
            lane,
            messages: 10,
            bytes: 20,
            messages_most: 500,
            bytes_most: 1_000,
            fullest_messages: 10,
            fullest_bytes: 20,
            full,
            stream_lag: 30,
        };
        Backpressure {
            lanes: vec![lane("replies", vec![]), lane("intake", vec![4])],
            partitions,
            orders: OrdersPressure {
                uncommitted: 90,
                most: 100,
                limit: 500,
                lowered_by: Some(Throttle::Growing),
            },
            memory: MemoryPressure { resident: 5, slows_at: 7, stops_at: 9, state: MemoryState::Enough },
            inputs: Fullest { there: 1, most: 2 },
            receipts: Fullest { there: 1, most: 2 },
            outputs: Fullest { there: 1, most: 2 },
            queued: Fullest { there: 1, most: 2 },
        }
    }

    fn watermarks(classes: &[(&str, Class)]) -> WatermarkState {
        let classes: BTreeMap<_, _> =
            classes.iter().map(|(name, class)| ((*name).to_owned(), *class)).collect();
        let numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        WatermarkState {
            configured: numbers,
            effective: numbers,
            configured_classes: BTreeMap::new(),
            effective_classes: classes,
            is_set: false,
        }
    }

    #[test]
    fn given_who_is_held_back_then_each_is_told_with_who_holds_him_and_why() {
        let records = PartitionPressure { waits_for_records: true, ..partition(3, None) };
        let bulk = PartitionPressure { bulk_is_held: true, ..partition(5, None) };
        let found = report(
            &node(vec![
                partition(0, Some(Throttle::Paused)),
                partition(1, Some(Throttle::Memory)),
                partition(2, Some(Throttle::Growing)),
                records,
                bulk,
            ]),
            &[],
            &watermarks(&[]),
        );
        let held: Vec<_> =
            found.held.iter().map(|it| (it.what.as_str(), it.by.as_str(), it.reason.as_str())).collect();
        assert_eq!(
            held,
            [
                ("new work of partition 0", "an operator", "paused"),
                ("new work of partition 1", "limit memory", "memory"),
                ("new work of partition 2", "limit orders", "growing"),
                ("all inputs of partition 3", "records that are not stored yet", "records"),
                ("late sales of partition 5", "new work", "bulk"),
                ("reading lane intake of partition 4", "partition 4", "lane_full"),
            ]
        );
        assert_eq!(found.held[2].waits_ms, Some(70));
        assert!(found.held[2].detail.contains("grows back to 500"), "{:?}", found.held[2]);
        assert_eq!(found.orders.lowered_by.as_deref(), Some("growing"));
    }

    #[test]
    fn given_classes_of_channels_then_the_low_give_way_first_and_all_others_are_normal() {
        let watermarks = watermarks(&[
            ("*", Class::Normal),
            ("app", Class::Normal),
            ("shop", Class::Low),
            ("web", Class::High),
        ]);
        let found = report(&node(vec![]), &[], &watermarks);
        assert_eq!(found.watermarks.effective.classes["shop"], "low");
        assert_eq!((found.watermarks.effective.lane_bytes, found.gives_way[0].patience_ms), (8, 4));
        let found = found.gives_way;
        let found: Vec<_> = found.iter().map(|it| (it.class.as_str(), it.channels.join(" "))).collect();
        assert_eq!(
            found,
            [("low", "shop".to_owned()), ("normal", "* app".to_owned()), ("high", "web".to_owned())]
        );
    }
}
