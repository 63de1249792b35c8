//! The engine's own statistics: for hosts where the kernel's files cannot be read from here, such
//! as a remote engine or one in a virtual machine. About one reading a second.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerBlkioStatEntry, ContainerBlkioStats, ContainerMemoryStats, ContainerNetworkStats,
    ContainerStatsResponse,
};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::{Stream, StreamExt};

use super::{Engine, EngineError};
use crate::domain::{BlockCounters, Counters, NetworkCounters};

/// The engine sends one a second; when it has said nothing for so long, it will say nothing more.
const SILENCE: Duration = Duration::from_secs(15);

impl Engine {
    /// Readings of one container while it runs. Kills for want of memory are not among them.
    pub fn stats(&self, id: &str) -> impl Stream<Item = Result<Counters, EngineError>> + Send + 'static {
        const CALL: &str = "read statistics";
        let options = StatsOptionsBuilder::default().stream(true).build();
        let readings = self.streaming().stats(id, Some(options)).boxed();
        futures_util::stream::unfold(Some(readings), |readings| async move {
            let mut readings = readings?;
            match tokio::time::timeout(SILENCE, readings.next()).await {
                Ok(Some(Ok(stats))) => Some((Ok(stats), Some(readings))),
                Ok(Some(Err(error))) => Some((Err(EngineError::from_bollard(CALL, error)), None)),
                Ok(None) => None,
                Err(_) => Some((Err(EngineError::Timeout { call: CALL, after: SILENCE }), None)),
            }
        })
        .filter_map(|answer| async { answer.map(|stats| counters(&stats)).transpose() })
        .boxed()
    }
}

/// `None` for the figures of a container that does not run: zeros.
fn counters(stats: &ContainerStatsResponse) -> Option<Counters> {
    let cpu = stats.cpu_stats.as_ref()?;
    let memory = stats.memory_stats.as_ref()?;
    let memory_bytes = memory.usage?;
    let nanoseconds = |value: Option<u64>| value.unwrap_or(0) as f64 / 1e9;
    let throttling = cpu.throttling_data.as_ref();
    let of_throttling = |get: fn(&bollard::models::ContainerThrottlingData) -> Option<u64>| {
        throttling.and_then(get).unwrap_or(0)
    };
    let inactive = part(memory, ["total_inactive_file", "inactive_file"]);
    Some(Counters {
        cpu_seconds: nanoseconds(cpu.cpu_usage.as_ref()?.total_usage),
        cpu_periods: of_throttling(|data| data.periods),
        cpu_throttled_periods: of_throttling(|data| data.throttled_periods),
        cpu_throttled_seconds: nanoseconds(throttling.and_then(|data| data.throttled_time)),
        memory_bytes,
        working_set_bytes: memory_bytes.saturating_sub(inactive),
        rss_bytes: part(memory, ["total_rss", "anon"]),
        cache_bytes: part(memory, ["total_cache", "file"]),
        // A container without a limit has the host's memory here.
        memory_limit_bytes: memory.limit,
        oom_kills: 0,
        pids: stats.pids_stats.as_ref().and_then(|pids| pids.current).unwrap_or(0),
        network: stats.networks.as_ref().map(network),
        block: stats.blkio_stats.as_ref().and_then(block),
    })
}

/// A detail of the memory, by its name under version 1 or version 2 of control groups.
fn part(memory: &ContainerMemoryStats, names: [&str; 2]) -> u64 {
    let stats = memory.stats.as_ref();
    names.iter().find_map(|name| stats?.get(*name).copied()).unwrap_or(0)
}

fn network(interfaces: &HashMap<String, ContainerNetworkStats>) -> NetworkCounters {
    let sum = |get: fn(&ContainerNetworkStats) -> Option<u64>| interfaces.values().filter_map(get).sum();
    NetworkCounters {
        received_bytes: sum(|one| one.rx_bytes),
        received_packets: sum(|one| one.rx_packets),
        sent_bytes: sum(|one| one.tx_bytes),
        sent_packets: sum(|one| one.tx_packets),
        dropped_packets: sum(|one| one.rx_dropped) + sum(|one| one.tx_dropped),
    }
}

/// `None` where the kernel does not account for block devices.
fn block(stats: &ContainerBlkioStats) -> Option<BlockCounters> {
    let sum = |entries: &[ContainerBlkioStatEntry], way: &str| {
        let of = |entry: &&ContainerBlkioStatEntry| {
            entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(way))
        };
        entries.iter().filter(of).filter_map(|entry| entry.value).sum()
    };
    let bytes = stats.io_service_bytes_recursive.as_deref()?;
    let operations = stats.io_serviced_recursive.as_deref().unwrap_or_default();
    Some(BlockCounters {
        read_bytes: sum(bytes, "read"),
        written_bytes: sum(bytes, "write"),
        reads: sum(operations, "read"),
        writes: sum(operations, "write"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_engine_is_read_as_the_files_would_be() {
        let answer = serde_json::json!({
            "read": "2026-01-02T03:04:05.5Z",
            "cpu_stats": {
                "cpu_usage": {"total_usage": 1_500_000_000_u64},
                "throttling_data": {"periods": 40, "throttled_periods": 10, "throttled_time": 2_500_000_000_u64},
            },
            "memory_stats": {
                "usage": 52_428_800, "limit": 268_435_456,
                "stats": {"total_inactive_file": 2_097_152, "inactive_file": 1, "total_rss": 41_943_040, "total_cache": 9_437_184},
            },
            "pids_stats": {"current": 9},
            "networks": {
                "eth0": {"rx_bytes": 1000, "rx_packets": 10, "rx_dropped": 1, "tx_bytes": 700, "tx_packets": 8, "tx_dropped": 0},
                "eth1": {"rx_bytes": 500, "rx_packets": 2, "tx_bytes": 0, "tx_packets": 0},
            },
            "blkio_stats": {
                "io_service_bytes_recursive": [
                    {"major": 254, "minor": 0, "op": "Read", "value": 4096},
                    {"major": 254, "minor": 0, "op": "Write", "value": 100},
                    {"major": 254, "minor": 0, "op": "Total", "value": 4196},
                ],
                "io_serviced_recursive": [{"major": 254, "minor": 0, "op": "read", "value": 2}],
            },
        });
        let expected = Counters {
            cpu_seconds: 1.5,
            cpu_periods: 40,
            cpu_throttled_periods: 10,
            cpu_throttled_seconds: 2.5,
            memory_bytes: 52_428_800,
            working_set_bytes: 50_331_648,
            rss_bytes: 41_943_040,
            cache_bytes: 9_437_184,
            memory_limit_bytes: Some(268_435_456),
            oom_kills: 0,
            pids: 9,
            network: Some(NetworkCounters {
                received_bytes: 1500,
                received_packets: 12,
                sent_bytes: 700,
                sent_packets: 8,
                dropped_packets: 1,
            }),
            block: Some(BlockCounters { read_bytes: 4096, written_bytes: 100, reads: 2, writes: 0 }),
        };
        assert_eq!(counters(&serde_json::from_value(answer).expect("an answer")), Some(expected));
    }

    #[test]
    fn a_container_that_does_not_run_has_no_figures() {
        let zeros = serde_json::json!({
            "read": "0001-01-01T00:00:00Z",
            "cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}, "pids_stats": {},
        });
        assert_eq!(counters(&serde_json::from_value(zeros).expect("an answer")), None);
    }
}
