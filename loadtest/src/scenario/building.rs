//! From values to a scenario: what does not fit together is told here.

use std::time::Duration;

use domain::decider::Participant;

use super::meaning::{
    Class, Data, Fault, FaultKind, HotSku, Invariant, MixShares, Phase, Scenario, Skew, Spacing, Writing,
};
use super::objective::{Comparison, Metric, Objective};
use super::outline::MOST_ORDERS;
use super::problem::Problems;
use super::quantity::written;
use super::reading::Values;
use crate::chance::PerMille;
use crate::simulators::{Profile, Profiles};
use crate::workload::{Limited, Policy, StockPlan};

pub(super) fn build(
    name: &str,
    text: &str,
    values: &Values,
    faster: Option<u32>,
    problems: &mut Problems,
) -> Option<Scenario> {
    let empty = Values::default();
    let run = values.table("run").unwrap_or(&empty);
    let written_scale = run.whole("time_scale").and_then(|scale| u32::try_from(scale).ok());
    let mut builder = Builder { problems, scale: faster.or(written_scale).unwrap_or(1).max(1) };
    let phases = builder.phases(values.tables("phases"));
    let faults: Vec<Fault> =
        values.tables("faults").iter().filter_map(|values| builder.fault(values, total(&phases))).collect();
    let objectives =
        values.tables("slo").iter().filter_map(|values| builder.objective(values, &phases)).collect();
    let warm_up = builder.scaled(run.time("warmup").unwrap_or_default());
    if !phases.is_empty() && warm_up >= total(&phases) {
        let remedy = format!("must be shorter than all phases together ({})", written(total(&phases)));
        builder.problems.add(run.line("warmup"), run.name("warmup"), written(warm_up), remedy);
    }
    let mix = builder.mix(values.table("mix").unwrap_or(&empty));
    let expires = builder.expires(run, mix);
    let whole = |key: &str, default: u64| run.whole(key).unwrap_or(default);
    Some(Scenario {
        name: values.text("name").unwrap_or_else(|| name.to_owned()),
        about: values.text("about").unwrap_or_default().trim().to_owned(),
        text: text.to_owned(),
        seed: whole("seed", 1),
        warm_up,
        patience: run.time("patience").unwrap_or(Duration::from_mins(1)),
        in_flight: usize::try_from(whole("in_flight", 200_000)).ok()?,
        expires,
        spacing: if run.text("arrivals").as_deref() == Some("even") {
            Spacing::Even
        } else {
            Spacing::Poisson
        },
        most_lateness: run.time("max_lateness").unwrap_or(Duration::from_millis(5)),
        time_scale: builder.scale,
        writing: if run.text("sync").as_deref() == Some("always") {
            Writing::Always
        } else {
            Writing::Default
        },
        batches: run.switch("batches").unwrap_or(false),
        mix,
        data: builder.data(values.table("data").unwrap_or(&empty), values.has("stock")),
        stock: values.table("stock").map(|stock| builder.stock(stock)),
        participants: builder.participants(values.table("participants").unwrap_or(&empty)),
        phases,
        faults,
        objectives,
        invariants: invariants(values.table("invariants")),
        server: values.settings("server").unwrap_or_default(),
    })
}

fn total(phases: &[Phase]) -> Duration {
    phases.iter().map(|phase| phase.over).sum()
}

fn invariants(values: Option<&Values>) -> Vec<Invariant> {
    let is_on =
        |invariant: &Invariant| values.and_then(|values| values.switch(invariant.as_str())).unwrap_or(true);
    Invariant::ALL.into_iter().filter(is_on).collect()
}

fn limited(values: Option<&Values>) -> Option<Limited> {
    let (share, uses) = (values?.share("share")?, values?.whole("uses")?);
    Some(Limited { share, uses: u32::try_from(uses).ok()? })
}

struct Builder<'a> {
    problems: &'a mut Problems,
    scale: u32,
}

impl Builder<'_> {
    fn scaled(&self, time: Duration) -> Duration {
        time / self.scale
    }

    fn wrong(&mut self, values: &Values, key: &str, value: impl Into<String>, remedy: impl Into<String>) {
        self.problems.add(values.line(key), values.name(key), value, remedy);
    }

    fn phases(&mut self, tables: &[Values]) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        for (place, values) in tables.iter().enumerate() {
            let (Some(ramp), Some(over)) = (values.rate("rate"), values.time("over")) else { continue };
            let label = values.text("label").unwrap_or_else(|| format!("phase {}", place + 1));
            if over.is_zero() {
                self.wrong(values, "over", "0s", "a phase takes some time");
            }
            if phases.iter().any(|phase| phase.label == label) {
                self.wrong(values, "label", &label, "two phases have this label; give each its own");
            }
            phases.push(Phase { label, ramp, over: self.scaled(over) });
        }
        let orders: f64 = phases
            .iter()
            .map(|phase| phase.ramp.from.midpoint(phase.ramp.to) * phase.over.as_secs_f64())
            .sum();
        if let Some(first) = tables.first().filter(|_| phases.len() == tables.len()) {
            if orders > MOST_ORDERS {
                let remedy =
                    format!("lower rates or shorten phases: a run has at most {MOST_ORDERS:.0} orders");
                self.wrong(first, "rate", format!("{orders:.0} orders in all"), remedy);
            } else if orders < 1.0 {
                self.wrong(
                    first,
                    "rate",
                    format!("{orders:.2} orders in all"),
                    "raise a rate: no order would come",
                );
            }
        }
        phases
    }

    /// Times of the shop are those of the server's own rules, so they are not scaled.
    fn expires(&mut self, run: &Values, mix: MixShares) -> Option<Duration> {
        let expires = run.time("expires")?;
        if expires.is_zero() {
            self.wrong(run, "expires", "0s", "give orders some time, or leave it out");
        }
        if mix.duplicates > 0.0 {
            let remedy = "leave out mix.duplicates: of an order that is sent twice, one may be refused and the other begun";
            self.wrong(run, "expires", written(expires), remedy);
        }
        Some(expires)
    }

    fn mix(&mut self, values: &Values) -> MixShares {
        let given = Class::ALL.map(|class| values.whole(class.as_str()));
        let weights =
            if given.iter().all(Option::is_none) { [1, 0, 0, 0] } else { given.map(|one| one.unwrap_or(0)) };
        if weights.iter().sum::<u64>() == 0 {
            self.problems.add(values.line, "mix", "all weights are 0", "give one of them a weight");
        }
        let share = |key| values.share(key).unwrap_or(0.0);
        MixShares { weights, duplicates: share("duplicates"), poison: share("poison") }
    }

    fn data(&mut self, values: &Values, has_stock: bool) -> Data {
        let hot_sku = values.table("hot_sku").and_then(|hot| {
            let (sku, share) = (hot.text("id")?, hot.share("share")?);
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            let has_word = ["OUT-", "SHORT-"].iter().any(|word| sku.starts_with(word));
            if sku.is_empty() || !sku.chars().all(is_plain) || has_word {
                let remedy = "use letters, digits, - and _, and not OUT- or SHORT- at the beginning";
                self.wrong(hot, "id", &sku, remedy);
            }
            let stock = hot.whole("stock").and_then(|stock| u32::try_from(stock).ok());
            Some(HotSku { sku, share, stock })
        });
        let tenants = values.names("tenants").unwrap_or_default();
        if tenants.len() > 1 && has_stock {
            self.wrong(values, "tenants", "several", "leave out [stock]: stock is of one tenant");
        }
        Data {
            skus: values.whole("skus").unwrap_or(500),
            skew: values.skew("skew").unwrap_or(Skew::Uniform),
            hot_sku,
            tenants,
            lines: values.whole("lines").and_then(|lines| u32::try_from(lines).ok()),
            quantity: values.whole("quantity").and_then(|quantity| u32::try_from(quantity).ok()),
        }
    }

    fn stock(&mut self, values: &Values) -> StockPlan {
        let given = Policy::ALL.map(|policy| values.whole(policy.as_str()));
        let policies = if given.iter().all(Option::is_none) {
            StockPlan::PLENTY.policies
        } else {
            given.map(Option::unwrap_or_default)
        };
        if policies.iter().sum::<u64>() == 0 {
            self.problems.add(values.line, "stock", "all weights are 0", "give one of them a weight");
        }
        if values.rate("facts").is_some_and(|facts| (facts.from - facts.to).abs() > f64::EPSILON) {
            self.wrong(values, "facts", "a ramp", "give one rate: facts come evenly");
        }
        let small = |key: &str, default| {
            values.whole(key).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
        };
        StockPlan {
            policies,
            nodes: small("nodes", StockPlan::PLENTY.nodes),
            units: small("units", StockPlan::PLENTY.units),
            abandoned: values.share("abandoned").unwrap_or(0.0),
            facts_per_second: values.rate("facts").map_or(0.0, |facts| facts.from),
            promotion: limited(values.table("promotion")),
            coupon: limited(values.table("coupon")),
        }
    }

    fn participants(&mut self, values: &Values) -> Profiles {
        let mut of = |who: Participant| {
            values.table(who.as_str()).map_or(Profile::CALM, |values| self.behaviour(values))
        };
        Profiles {
            loyalty: of(Participant::Loyalty),
            payment: of(Participant::Payment),
            allocation: of(Participant::Allocation),
            fulfillment: of(Participant::Fulfillment),
            erp: of(Participant::Erp),
        }
    }

    fn behaviour(&mut self, values: &Values) -> Profile {
        let mut share = |key: &str| self.per_mille(values, key).unwrap_or(0);
        let mut profile = Profile {
            refusals: share("declines"),
            duplicates: share("duplicates"),
            echoes: share("echoes"),
            silences: share("silences"),
            transients: share("transients"),
            unknown_outcomes: share("unknown_outcomes"),
            ..Profile::CALM
        };
        if let Some((least, most)) = values.times("latency") {
            profile = Profile { latency_least: least, latency_most: most, ..profile };
        }
        profile
    }

    /// Participants throw dice with a thousand sides.
    fn per_mille(&mut self, values: &Values, key: &str) -> Option<PerMille> {
        let share = values.share(key)?;
        let found = (0..=1_000_u32).find(|count| (f64::from(*count) / 1_000.0 - share).abs() < 1e-9);
        if found.is_none() {
            self.wrong(values, key, format!("{}%", share * 100.0), "give it in steps of 0.1%");
        }
        found
    }

    fn fault(&mut self, values: &Values, end: Duration) -> Option<Fault> {
        let (kind, at) = (values.text("kind")?, self.scaled(values.time("at")?));
        let who = values
            .text("participant")
            .and_then(|name| Participant::ALL.into_iter().find(|participant| participant.as_str() == name));
        if at >= end {
            let remedy = format!("begin it before the last phase ends ({})", written(end * self.scale));
            self.wrong(values, "at", written(at * self.scale), remedy);
        }
        let needs: &[&str] = match kind.as_str() {
            "slow" => &["participant", "for", "latency"],
            "down" => &["participant", "for"],
            "declining" => &["participant", "for", "share"],
            "flapping" => &["participant", "for", "period"],
            _ => &[],
        };
        for key in ["participant", "for", "latency", "share", "period"] {
            let is_there = values.has(key);
            if needs.contains(&key) && !is_there {
                self.wrong(values, key, "", format!("is missing; {kind} needs it"));
            } else if !needs.contains(&key) && is_there {
                self.wrong(values, key, "", format!("has no meaning for {kind}; leave it out"));
            }
        }
        let kind = match kind.as_str() {
            "slow" => {
                let (least, most) = values.times("latency")?;
                FaultKind::Slow(who?, least, most)
            }
            "down" => FaultKind::Down(who?),
            "declining" => FaultKind::Declining(who?, self.per_mille(values, "share")?),
            "flapping" => {
                let period = self.scaled(values.time("period")?);
                if period < Duration::from_millis(100) {
                    self.wrong(values, "period", written(period), "must be 100ms or more after time_scale");
                }
                FaultKind::Flapping(who?, period.max(Duration::from_millis(100)))
            }
            _ => FaultKind::Restart,
        };
        Some(Fault { kind, at, lasts: self.scaled(values.time("for").unwrap_or_default()) })
    }

    fn objective(&mut self, values: &Values, phases: &[Phase]) -> Option<Objective> {
        let (word, limit) = (values.text("metric")?, values.text("value"));
        let Some(metric) = Metric::parse(&word) else {
            self.wrong(values, "metric", &word, format!("expected {}", Metric::EXPECTED));
            return None;
        };
        let limit = limit?;
        let Some(value) = metric.limit(&limit) else {
            self.wrong(values, "value", &limit, format!("expected {}", metric.unit().expected()));
            return None;
        };
        let phase = values.text("phase");
        if let Some(label) = &phase
            && phases.iter().all(|phase| phase.label != *label)
        {
            let labels: Vec<&str> = phases.iter().map(|phase| phase.label.as_str()).collect();
            self.wrong(
                values,
                "phase",
                label,
                format!("no phase has this label; expected one of {}", labels.join(", ")),
            );
        }
        let class =
            values.text("class").and_then(|name| Class::ALL.into_iter().find(|class| class.as_str() == name));
        for (key, is_given) in [("phase", phase.is_some()), ("class", class.is_some())] {
            if is_given && !matches!(metric, Metric::Leg(..)) {
                self.wrong(values, key, "", format!("has no meaning for {word}; leave it out"));
            }
        }
        if phase.is_some() && class.is_some() {
            self.wrong(values, "class", "", "give a phase or a class, not both");
        }
        let comparison =
            values.text("op").and_then(|op| Comparison::parse(&op)).unwrap_or(Comparison::AtMost);
        let name = values.text("name").unwrap_or_else(|| format!("{word} {} {limit}", comparison.as_str()));
        let abort_after = values.time("abort_after").map(|time| self.scaled(time));
        Some(Objective { name, metric, comparison, limit: value, phase, class, abort_after })
    }
}
