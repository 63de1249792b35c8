//! What the daemon itself takes: its process, its runtime, how it reads containers.

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Encoded, family, single};
use crate::orchestrator::Parts;
use crate::orchestrator::process::{self, Process};

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, parts: &Parts) -> Encoded {
    let version = [([("version", env!("CARGO_PKG_VERSION"))], ConstGauge::new(1_u64))];
    let help = "The running version";
    family(encoder, "previewd_build_info", help, MetricType::Gauge, version.into_iter())?;
    sources(encoder, parts)?;
    if let Some(process) = process::read() {
        own_process(encoder, &process)?;
    }
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => own_runtime(encoder, &runtime.metrics()),
        Err(_) => Ok(()),
    }
}

fn sources(encoder: &mut DescriptorEncoder<'_>, parts: &Parts) -> Encoded {
    let sources = parts.samples.sources();
    let series = [("files", sources.files), ("engine", sources.engine)]
        .map(|(source, count)| ([("source", source)], ConstGauge::new(count as u64)));
    let help = "Containers by where their samples come from";
    family(encoder, "preview_sample_sources", help, MetricType::Gauge, series.into_iter())
}

/// Under the names every exporter uses for its own process.
fn own_process(encoder: &mut DescriptorEncoder<'_>, process: &Process) -> Encoded {
    let cpu = ConstCounter::new(process.cpu_seconds);
    single(encoder, "process_cpu_seconds", "CPU time the daemon has used", &cpu)?;
    let mut gauge = |name: &str, help: &str, value: u64| single(encoder, name, help, &ConstGauge::new(value));
    gauge("process_resident_memory_bytes", "Memory of the daemon", process.resident_bytes)?;
    gauge("process_virtual_memory_bytes", "Address space of the daemon", process.virtual_bytes)?;
    gauge("process_open_fds", "Open files and sockets", process.open_files)?;
    gauge("process_threads", "Threads", process.threads)?;
    if let Some(most) = process.most_files {
        gauge("process_max_fds", "Files and sockets it may have open", most)?;
    }
    let started = ConstGauge::new(process.started_at);
    single(encoder, "process_start_time_seconds", "When the daemon started, since 1970", &started)
}

fn own_runtime(encoder: &mut DescriptorEncoder<'_>, runtime: &tokio::runtime::RuntimeMetrics) -> Encoded {
    let workers = runtime.num_workers();
    let busy: f64 = (0..workers).map(|at| runtime.worker_total_busy_duration(at).as_secs_f64()).sum();
    let count = |value: usize| ConstGauge::new(value as u64);
    single(encoder, "previewd_tokio_workers", "Threads that run tasks", &count(workers))?;
    let help = "Tasks that have not ended";
    single(encoder, "previewd_tokio_alive_tasks", help, &count(runtime.num_alive_tasks()))?;
    let help = "Tasks that wait for a thread";
    single(encoder, "previewd_tokio_queue_depth", help, &count(runtime.global_queue_depth()))?;
    let help = "Time the threads spent running tasks";
    single(encoder, "previewd_tokio_busy_seconds", help, &ConstCounter::new(busy))
}
