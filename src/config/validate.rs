//! What a configuration must hold beyond its shape: ranges and relations, each refusal with key, value, unit and remedy.

use std::collections::BTreeSet;

use actors::flow::limits::{LEAST_MEMORY, MOST_LIVE_ORDERS, MOST_QUOTAS, MOST_RATE};
use actors::flow::watermarks::{self, RANGES};
use domain::ids::Token;

use super::Config;
use crate::exit::Failure;

const DAY_MS: i64 = 86_400_000;

impl Config {
    /// Checks ranges and relations.
    ///
    /// # Errors
    /// A failure with exit code 2 that lists all mistakes.
    pub fn validate(&self) -> Result<(), Failure> {
        let mut mistakes = Vec::new();
        self.check_surface(&mut mistakes);
        self.check_order(&mut mistakes);
        self.check_stock(&mut mistakes);
        self.check_node(&mut mistakes);
        self.check_flow(&mut mistakes);
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(mistakes.join("\n"), "change the value, or leave the key out to take its default"))
    }

    fn check_surface(&self, mistakes: &mut Vec<String>) {
        self.check_control(mistakes);
        if let Err(problem) = Token::new(&self.nats.root) {
            mistakes.push(format!("nats.root: {problem}"));
        }
        if self.nats.url.trim().is_empty() {
            mistakes.push("nats.url is empty: give a URL such as nats://127.0.0.1:4222".to_owned());
        }
        if let Err(problem) = self.log.filter.parse::<tracing_subscriber::EnvFilter>() {
            mistakes.push(format!(
                "log.filter = {:?}: {problem}; for example \"info,actors=debug\"",
                self.log.filter
            ));
        }
    }

    fn check_control(&self, mistakes: &mut Vec<String>) {
        let control = &self.control;
        let why = control.beyond_loopback.trim();
        if !self.http.address.ip().is_loopback() && why.is_empty() {
            mistakes.push(format!(
                "http.address = {}: only loopback is allowed (127.0.0.1 or [::1]), since the API has no access tokens; \
                 put a proxy that authenticates in front of it, or say in control.beyond_loopback why that is not needed",
                self.http.address
            ));
        }
        if (1..10).contains(&why.chars().count()) {
            mistakes.push(format!(
                "control.beyond_loopback = {why:?}: must be empty, or say in at least 10 characters why HTTP without \
                 access tokens may listen beyond loopback"
            ));
        }
        for host in &control.hosts {
            if host.is_empty()
                || host.contains(|letter: char| !letter.is_ascii_graphic() || ":/".contains(letter))
            {
                mistakes.push(format!(
                    "control.hosts: {host:?} is no host name; give it without scheme, port and path, for example \
                     \"orders.example\""
                ));
            }
        }
        let keys = u64::try_from(control.idempotency_keys).unwrap_or(u64::MAX);
        for (key, value, unit, least, most) in [
            ("idempotency_keys", keys, "keys", 10, 1_000_000),
            ("idempotency_ms", control.idempotency_ms, "ms", 60_000, 7 * 86_400_000),
        ] {
            if !(least..=most).contains(&value) {
                mistakes
                    .push(format!("control.{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
    }

    fn check_node(&self, mistakes: &mut Vec<String>) {
        let (node, runtime) = (&self.node, &self.runtime);
        let size = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let time = |ms: i64| u64::try_from(ms).unwrap_or(0);
        for (key, value, unit, least, most) in [
            ("node.in_flight_inputs", size(node.in_flight_inputs), "messages", 1, 1_000_000),
            ("node.letters_waiting", size(node.letters_waiting), "letters", 1, 1_000_000),
            ("node.letters_at_once", size(node.letters_at_once), "letters", 1, 1_000_000),
            ("node.board_patience_ms", node.board_patience_ms, "ms", 0, 600_000),
            ("node.cycle_inputs", size(node.cycle_inputs), "messages", 5, 100_000),
            ("node.lane_patience_ms", node.lane_patience_ms, "ms", 10, 60_000),
            ("node.outputs_waiting", size(node.outputs_waiting), "records", 1, 10_000),
            ("node.record_interval_ms", node.record_interval_ms, "ms", 0, 1_000),
            ("node.receipts_waiting", size(node.receipts_waiting), "receipts", 0, 10_000_000),
            ("node.receipt_deadline_ms", time(node.receipt_deadline_ms), "ms", 1, 3_600_000),
            ("node.expiry_ms", time(node.expiry_ms), "ms", 1_000, 7 * 86_400_000),
            ("node.position_interval_ms", node.position_interval_ms, "ms", 100, 60_000),
            ("node.purge_interval_ms", node.purge_interval_ms, "ms", 1_000, 3_600_000),
            ("node.retry_pause_ms", node.retry_pause_ms, "ms", 10, 60_000),
            ("node.timer_retry_ms", time(node.timer_retry_ms), "ms", 10, 3_600_000),
            ("node.send_queue", size(node.send_queue), "batches", 1, 1_000_000),
            ("node.resend_per_second", u64::from(node.resend_per_second), "commands", 1, 1_000_000),
            ("runtime.threads", size(runtime.threads), "threads", 1, 64),
            ("runtime.drain_ms", runtime.drain_ms, "ms", 100, 600_000),
        ] {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
        for participant in domain::decider::Participant::ALL {
            if *node.in_flight_commands.of(participant) == 0 {
                mistakes.push(format!(
                    "node.in_flight_commands.{} = 0 commands: no order could ever end; must be at least 1",
                    participant.as_str()
                ));
            }
            let problems = node.participants.of(participant).problems();
            mistakes.extend(
                problems
                    .iter()
                    .map(|problem| format!("node.participants.{}.{problem}", participant.as_str())),
            );
        }
    }

    fn check_flow(&self, mistakes: &mut Vec<String>) {
        let flow = &self.node.flow;
        for (key, value, unit, least, most) in [
            ("live_orders", flow.live_orders, "orders", 1, MOST_LIVE_ORDERS),
            ("live_orders_least", flow.live_orders_least, "orders", 1, flow.live_orders),
            ("rate", flow.rate.into(), "orders a second", 0, MOST_RATE),
            ("burst", flow.burst.into(), "orders", 1, MOST_RATE),
            ("herald_window", u64::try_from(flow.herald_window).unwrap_or(u64::MAX), "orders", 1, 1_000_000),
        ] {
            if !(least..=most).contains(&value) {
                mistakes
                    .push(format!("node.flow.{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
        for ((key, unit, least, most), value) in RANGES.iter().zip(watermarks::configured(&self.node)) {
            if !(*least..=*most).contains(&value) {
                let section = if key.starts_with("lane_") { "node" } else { "node.flow" };
                mistakes
                    .push(format!("{section}.{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
        if flow.memory_bytes > 0 && flow.memory_bytes < LEAST_MEMORY {
            mistakes.push(format!(
                "node.flow.memory_bytes = {} bytes: must be 0 or at least {LEAST_MEMORY} bytes",
                flow.memory_bytes
            ));
        }
        for (key, quotas) in [("tenants", &flow.tenants), ("channels", &flow.channels)] {
            if quotas.len() > MOST_QUOTAS {
                mistakes.push(format!("node.flow.{key}: {} quotas: at most {MOST_QUOTAS}", quotas.len()));
            }
            let mut names = BTreeSet::new();
            for twice in quotas.iter().filter(|quota| !names.insert(&quota.name)) {
                mistakes.push(format!("node.flow.{key}: {} has two quotas", twice.name));
            }
        }
    }

    fn check_stock(&self, mistakes: &mut Vec<String>) {
        mistakes.extend(self.reservation.problems().iter().map(|problem| format!("reservation.{problem}")));
        let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        for (key, value, unit, least, most) in [
            ("stock.claims_most", size(self.stock.claims_most), "claims", 1, 1_000_000),
            ("stock.stale_after_ms", self.stock.stale_after_ms, "ms", 0, 90 * DAY_MS),
            ("counter.claims_most", size(self.counter.claims_most), "claims", 1, 1_000_000),
            ("counter.customers_most", size(self.counter.customers_most), "customers", 1, 1_000_000),
        ] {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
        if self.stock.thresholds.len() > 16 {
            mistakes.push(format!(
                "stock.thresholds has {} numbers: must be at most 16",
                self.stock.thresholds.len()
            ));
        }
    }

    fn check_order(&self, mistakes: &mut Vec<String>) {
        mistakes
            .extend(self.degraded_modes.problems().iter().map(|problem| format!("degraded_modes.{problem}")));
        let order = &self.order;
        if order.stock.policy == domain::messages::inbound::FulfillmentPolicy::UseReservation {
            mistakes.push(
                "order.stock.policy = \"use_reservation\": an order without a reservation_id would have nothing to use; \
                 must be \"external_allocation\", \"hold_at_submit\" or \"allocate_after_commit\""
                    .to_owned(),
            );
        }
        let mut within = |key: &str, value: i64, unit: &str, least: i64, most: i64| {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("order.{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        };
        within("commit_deadline_most_ms", order.commit_deadline_most_ms, "ms", 1_000, DAY_MS);
        within("commit_deadline_ms", order.commit_deadline_ms, "ms", 100, order.commit_deadline_most_ms);
        within("accrual_points", order.accrual_points, "points", 0, 1_000_000);
        within("accrual_per_minor", order.accrual_per_minor, "minor units", 1, 1_000_000_000);
        within("parking_ms", order.parking_ms, "ms", 1_000, 7 * DAY_MS);
        let parked = i64::try_from(order.parked_most).unwrap_or(i64::MAX);
        within("parked_most", parked, "messages", 1, 256);
        let stock = &order.stock;
        within("stock.reservations_most", stock.reservations_most.into(), "reservations", 1, 16);
        within("stock.most_ms", stock.most_ms, "ms", 10, DAY_MS);
        within("stock.first_ms", stock.first_ms, "ms", 10, stock.most_ms);
        for participant in domain::decider::Participant::ALL {
            let (name, resend) = (participant.as_str(), order.resend(participant));
            within(&format!("{name}.most_ms"), resend.most_ms, "ms", 10, DAY_MS);
            within(&format!("{name}.first_ms"), resend.first_ms, "ms", 10, resend.most_ms);
            // Re-sending stops an hour before the participant forgets; less than two hours would leave hardly any time.
            within(
                &format!("{name}.idempotency_ttl_ms"),
                resend.idempotency_ttl_ms,
                "ms",
                7_200_000,
                90 * DAY_MS,
            );
        }
    }
}
