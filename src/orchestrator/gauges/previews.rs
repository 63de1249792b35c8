//! What each preview's container uses: the figures cAdvisor has of a container, under our prefix.

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Encoded, Row, family};
use crate::domain::{BlockCounters, Counters, NetworkCounters, Sample};

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> Encoded {
    let mut table = Table { encoder, rows };
    cpu(&mut table)?;
    memory(&mut table)?;
    network(&mut table)?;
    disk(&mut table)
}

/// One series a preview in every family; none where a figure is not known.
struct Table<'a, 'e> {
    encoder: &'a mut DescriptorEncoder<'e>,
    rows: &'a [Row],
}

impl Table<'_, '_> {
    fn gauge<V: EncodeGaugeValue + Clone>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Row) -> Option<V>,
    ) -> Encoded
    where
        ConstGauge<V>: prometheus_client::encoding::EncodeMetric,
    {
        let series = self
            .rows
            .iter()
            .filter_map(|row| Some(([("preview", row.id.as_str())], ConstGauge::new(value(row)?))));
        family(self.encoder, name, help, MetricType::Gauge, series)
    }

    fn counter<V: EncodeCounterValue + Clone>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Counters) -> Option<V>,
    ) -> Encoded
    where
        ConstCounter<V>: prometheus_client::encoding::EncodeMetric,
    {
        let series = self.rows.iter().filter_map(|row| {
            let value = value(&row.sample.as_ref()?.counters)?;
            Some(([("preview", row.id.as_str())], ConstCounter::new(value)))
        });
        family(self.encoder, name, help, MetricType::Counter, series)
    }

    fn sampled<V: EncodeGaugeValue + Clone>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Sample) -> Option<V>,
    ) -> Encoded
    where
        ConstGauge<V>: prometheus_client::encoding::EncodeMetric,
    {
        self.gauge(name, help, |row| value(row.sample.as_ref()?))
    }

    fn network(&mut self, name: &str, help: &str, value: fn(&NetworkCounters) -> u64) -> Encoded {
        self.counter(name, help, |counters| counters.network.as_ref().map(value))
    }

    fn block(&mut self, name: &str, help: &str, value: fn(&BlockCounters) -> u64) -> Encoded {
        self.counter(name, help, |counters| counters.block.as_ref().map(value))
    }
}

fn cpu(table: &mut Table<'_, '_>) -> Encoded {
    table.counter("preview_cpu_usage_seconds", "CPU time a preview has used", |c| Some(c.cpu_seconds))?;
    table.gauge("preview_cpu_usage_percent", "CPU in use, of the cores the preview may use", |row| {
        row.sample.as_ref()?.cpu_percent(&row.limits)
    })?;
    table.gauge("preview_cpu_limit_cores", "Cores a preview may use", |row| Some(row.limits.cpu))?;
    table.counter("preview_cpu_cfs_periods", "Periods in which its CPU was limited", |c| {
        Some(c.cpu_periods)
    })?;
    table.counter("preview_cpu_cfs_throttled_periods", "Periods in which it was throttled", |c| {
        Some(c.cpu_throttled_periods)
    })?;
    table.counter("preview_cpu_cfs_throttled_seconds", "Time for which it was throttled", |c| {
        Some(c.cpu_throttled_seconds)
    })?;
    table.sampled("preview_processes", "Processes and threads", |sample| Some(sample.counters.pids))?;
    table.gauge("preview_processes_limit", "Processes and threads it may have", |row| {
        Some(u64::from(row.limits.pids))
    })
}

fn memory(table: &mut Table<'_, '_>) -> Encoded {
    let mut bytes = |name: &str, help: &str, value: fn(&Counters) -> u64| {
        table.sampled(name, help, |sample| Some(value(&sample.counters)))
    };
    bytes("preview_memory_usage_bytes", "Memory charged to a preview, page cache included", |c| {
        c.memory_bytes
    })?;
    bytes(
        "preview_memory_working_set_bytes",
        "Memory the kernel cannot take back at once: what counts towards being killed",
        |c| c.working_set_bytes,
    )?;
    bytes("preview_memory_rss_bytes", "Memory without a file behind it", |c| c.rss_bytes)?;
    bytes("preview_memory_cache_bytes", "Page cache", |c| c.cache_bytes)?;
    table.gauge("preview_memory_limit_bytes", "Memory a preview may use", |row| {
        Some(row.limits.memory_mb * 1024 * 1024)
    })?;
    table.counter("preview_oom_kills", "Processes killed for want of memory", |c| Some(c.oom_kills))
}

fn network(table: &mut Table<'_, '_>) -> Encoded {
    table.network("preview_network_receive_bytes", "Bytes a container received", |n| n.received_bytes)?;
    table.network("preview_network_receive_packets", "Packets it received", |n| n.received_packets)?;
    table.network("preview_network_transmit_bytes", "Bytes a container sent", |n| n.sent_bytes)?;
    table.network("preview_network_transmit_packets", "Packets it sent", |n| n.sent_packets)?;
    table.network("preview_network_packets_dropped", "Packets dropped, both ways", |n| n.dropped_packets)
}

fn disk(table: &mut Table<'_, '_>) -> Encoded {
    table.block("preview_fs_reads_bytes", "Bytes read from block devices", |b| b.read_bytes)?;
    table.block("preview_fs_writes_bytes", "Bytes written to block devices", |b| b.written_bytes)?;
    table.block("preview_fs_reads", "Reads from block devices", |b| b.reads)?;
    table.block("preview_fs_writes", "Writes to block devices", |b| b.writes)?;
    table.sampled("preview_disk_usage_bytes", "Writable layer and volumes, as last measured", |sample| {
        sample.disk_bytes
    })?;
    table.gauge("preview_disk_limit_bytes", "What a preview may write", |row| {
        Some(row.limits.storage_mb * 1024 * 1024)
    })
}
