//! What a phase of a run has used: processor time by process, messages and bytes by stream.

use std::collections::BTreeMap;

use bus::layout::Layout;
use bus::ports::{SharedBus, StreamBounds, Unavailable};
use serde::{Deserialize, Serialize};

/// The kernel tells processor times to programs in hundredths of a second, whatever it counts in itself.
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// The processor time that a process has used, user and system, in microseconds. Linux only: none elsewhere, or if there is
/// no such process.
pub fn cpu_microseconds(process: u32) -> Option<u64> {
    ticks(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
        .map(|ticks| ticks * MICROSECONDS_PER_TICK)
}

/// The same to the nanosecond, as the scheduler counts it: the sum of all threads that live, of those whose name `wanted` says
/// yes to. Linux only: none elsewhere, or if there is no such process.
pub fn thread_nanoseconds(process: u32, wanted: impl Fn(&str) -> bool) -> Option<u64> {
    Some(each_thread_nanoseconds(process, wanted)?.into_iter().sum())
}

/// The same of each of those threads, the oldest first.
pub fn each_thread_nanoseconds(process: u32, wanted: impl Fn(&str) -> bool) -> Option<Vec<u64>> {
    let mut threads = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let thread = thread.ok()?.path();
        // A thread may end between two looks.
        let Ok(name) = std::fs::read_to_string(thread.join("comm")) else { continue };
        let Ok(times) = std::fs::read_to_string(thread.join("schedstat")) else { continue };
        if wanted(name.trim_end()) {
            let number = thread.file_name()?.to_str()?.parse::<u32>().ok()?;
            threads.push((number, times.split_ascii_whitespace().next()?.parse::<u64>().ok()?));
        }
    }
    threads.sort_unstable();
    Some(threads.into_iter().map(|(_, nanoseconds)| nanoseconds).collect())
}

/// `utime` + `stime` of `/proc/<pid>/stat`. The name in brackets may hold anything, so the fields count from behind it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Messages, and their bytes as the broker counts them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Flow {
    /// How many messages.
    pub messages: f64,
    /// How many bytes.
    pub bytes: f64,
}

/// What all streams hold at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamCounts(BTreeMap<String, StreamBounds>);

impl StreamCounts {
    /// Asks the broker.
    pub async fn read(bus: &SharedBus, layout: &Layout) -> Result<Self, Unavailable> {
        let mut counts = BTreeMap::new();
        for id in layout.ids() {
            let name = layout.name(id);
            let bounds = bus.bounds(&name).await?;
            counts.insert(name, bounds);
        }
        Ok(Self(counts))
    }

    /// How many messages were ever stored.
    pub fn messages(&self) -> u64 {
        self.0.values().map(|bounds| bounds.last).sum()
    }

    /// What came since `before`, for each of so many orders; the journals of all partitions are one. Bytes of a stream that was
    /// purged meanwhile are those of as many messages as it still holds.
    pub fn flow_since(&self, before: &Self, orders: u64) -> BTreeMap<String, Flow> {
        let mut flows: BTreeMap<String, Flow> = BTreeMap::new();
        for (name, now) in &self.0 {
            let then = before.0.get(name).copied().unwrap_or_default();
            let messages = as_f64(now.last.saturating_sub(then.last));
            let bytes = if now.first == then.first.max(1) || now.messages == 0 {
                as_f64(now.bytes.saturating_sub(then.bytes))
            } else {
                as_f64(now.bytes) / as_f64(now.messages) * messages
            };
            let family = name.split_once("_JOURNAL_").map_or(name.as_str(), |(root, _)| root).to_owned();
            let family = if family == *name { family } else { format!("{family}_JOURNAL") };
            let flow = flows.entry(family).or_default();
            let orders = as_f64(orders.max(1));
            flow.messages += messages / orders;
            flow.bytes += bytes / orders;
        }
        flows.retain(|_, flow| flow.messages > 0.0);
        flows
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bus::ports::StreamBounds;

    use super::{StreamCounts, thread_nanoseconds, ticks};

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 17 5 0 0 20 0 3 0 100 1 1";
        assert_eq!(ticks(stat), Some(22));
        assert_eq!(ticks("42 (a) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn work_of_this_process_is_seen_to_the_nanosecond() {
        let own = || thread_nanoseconds(std::process::id(), |_| true).unwrap();
        let before = own();
        let mut sum = 0_u64;
        while own() - before < 1_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert_eq!(thread_nanoseconds(std::process::id(), |_| false), Some(0));
    }

    #[test]
    fn flows_are_differences_for_each_order_and_journals_are_one() {
        let counts = |last, bytes| {
            let bounds = StreamBounds { first: 1, last, messages: last, bytes, ..StreamBounds::default() };
            let names = ["RETAIL_JOURNAL_0", "RETAIL_JOURNAL_1", "RETAIL_WORK"];
            StreamCounts(names.map(|name| (name.to_owned(), bounds)).into_iter().collect::<BTreeMap<_, _>>())
        };
        let flows = counts(30, 3_000).flow_since(&counts(10, 1_000), 10);
        assert_eq!(flows.len(), 2);
        assert!((flows["RETAIL_JOURNAL"].messages - 4.0).abs() < 1e-9);
        assert!((flows["RETAIL_WORK"].bytes - 200.0).abs() < 1e-9);
    }
}
