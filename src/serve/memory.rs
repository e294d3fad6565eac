//! How much memory the process takes, and how much it may: measured, not guessed.

use std::path::Path;
use std::time::Duration;

use actors::node::FlowControl;

/// How often it is looked at. What the intake lets in meanwhile is a small part of any budget.
const INTERVAL: Duration = Duration::from_millis(100);

/// What bounds the memory of a process, besides the machine: its control group, in either form.
const GROUP_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The budget: as it is configured, or three quarters of what there is; 0 = nobody can tell.
pub(super) fn budget(configured: u64) -> u64 {
    if configured > 0 {
        return configured;
    }
    let of_group =
        GROUP_LIMITS.iter().filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    let there = of_group.chain(kib_line(Path::new("/proc/meminfo"), "MemTotal:")).min().unwrap_or(0);
    there / 4 * 3
}

/// Tells the intake what the process takes, until it is dropped. Where that cannot be read there is nothing to tell.
pub(super) async fn watch(flow: FlowControl) {
    while let Some(resident) = kib_line(Path::new("/proc/self/status"), "VmRSS:") {
        flow.observe_memory(resident);
        tokio::time::sleep(INTERVAL).await;
    }
    tracing::warn!("the memory of this process cannot be read: node.flow.memory_bytes is not kept");
    std::future::pending::<()>().await;
}

/// A line of a file of `/proc` that says so many kB, in bytes.
fn kib_line(path: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{budget, kib_line};

    #[test]
    fn what_is_configured_holds_and_otherwise_what_there_is() {
        assert_eq!(budget(123), 123);
        let there = kib_line(Path::new("/proc/meminfo"), "MemTotal:").unwrap();
        assert!(budget(0) > 0 && budget(0) <= there);
        assert!(kib_line(Path::new("/proc/self/status"), "VmRSS:").unwrap() < there);
    }
}
