//! What a configuration must hold beyond its shape: ranges and relations, each refusal with key, value, unit and remedy.

use domain::ids::Token;

use super::Config;
use crate::exit::Failure;

impl Config {
    /// Checks ranges and relations.
    ///
    /// # Errors
    /// A failure with exit code 2 that lists all mistakes.
    pub fn validate(&self) -> Result<(), Failure> {
        let mut mistakes = Vec::new();
        self.check_surface(&mut mistakes);
        self.check_order(&mut mistakes);
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(mistakes.join("\n"), "change the value, or leave the key out to take its default"))
    }

    fn check_surface(&self, mistakes: &mut Vec<String>) {
        if !self.http.address.ip().is_loopback() {
            mistakes.push(format!(
                "http.address = {}: only loopback is allowed (127.0.0.1 or [::1]), since the API has no access tokens; \
                 put a proxy that authenticates in front of it",
                self.http.address
            ));
        }
        if let Err(problem) = Token::new(&self.nats.root) {
            mistakes.push(format!("nats.root: {problem}"));
        }
        if self.nats.url.trim().is_empty() {
            mistakes.push("nats.url is empty: give a URL such as nats://127.0.0.1:4222".to_owned());
        }
        if let Err(problem) = self.log.filter.parse::<tracing_subscriber::EnvFilter>() {
            mistakes.push(format!("log.filter = {:?}: {problem}; for example \"info,actors=debug\"", self.log.filter));
        }
    }

    fn check_order(&self, mistakes: &mut Vec<String>) {
        let order = &self.order;
        let mut within = |key: &str, value: i64, unit: &str, least: i64, most: i64| {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("order.{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        };
        const DAY_MS: i64 = 86_400_000;
        within("commit_deadline_most_ms", order.commit_deadline_most_ms, "ms", 1_000, DAY_MS);
        within("commit_deadline_ms", order.commit_deadline_ms, "ms", 100, order.commit_deadline_most_ms);
        within("accrual_points", order.accrual_points, "points", 0, 1_000_000);
        within("accrual_per_minor", order.accrual_per_minor, "minor units", 1, 1_000_000_000);
        within("parking_ms", order.parking_ms, "ms", 1_000, 7 * DAY_MS);
        let parked = i64::try_from(order.parked_most).unwrap_or(i64::MAX);
        within("parked_most", parked, "messages", 1, 256);
        for participant in domain::decider::Participant::ALL {
            let (name, resend) = (participant.as_str(), order.resend(participant));
            within(&format!("{name}.most_ms"), resend.most_ms, "ms", 10, DAY_MS);
            within(&format!("{name}.first_ms"), resend.first_ms, "ms", 10, resend.most_ms);
            // Re-sending stops an hour before the participant forgets; less than two hours would leave hardly any time.
            within(&format!("{name}.idempotency_ttl_ms"), resend.idempotency_ttl_ms, "ms", 7_200_000, 90 * DAY_MS);
        }
    }
}
