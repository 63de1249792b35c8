//! Figures read when they are asked for: how many previews there are, what each uses and serves,
//! and what the daemon itself takes. A preview's series end with it, because they are made from
//! what is live.
//!
//! Labels are bounded: a preview's id where there are as many as may be live at once, else words
//! of small sets. No user and no generation is named: whoever reaches the port may read this.

mod daemon;
mod previews;
mod streams;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{Orchestrator, Parts};
use crate::domain::{Preview, ResourceLimits, Sample};
use crate::ingress::Traffic;

#[derive(Debug)]
struct Gauges(WeakParts);

struct WeakParts(Weak<Parts>);

impl std::fmt::Debug for WeakParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// One live preview as it is now.
struct Row {
    id: String,
    limits: ResourceLimits,
    sample: Option<Sample>,
    traffic: Option<Traffic>,
}

type Encoded = Result<(), std::fmt::Error>;

impl Orchestrator {
    /// Registers the figures of live previews and of the daemon.
    pub fn collect(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Gauges(WeakParts(std::sync::Arc::downgrade(&self.parts)))));
    }
}

impl Collector for Gauges {
    /// Reads a sample of every container for this call: it belongs on a thread that may block for
    /// some milliseconds.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        let Some(parts) = self.0.0.upgrade() else { return Ok(()) };
        let live = parts.registry.previews();
        instances(&mut encoder, &live)?;
        waiting(&mut encoder, &parts, &live)?;
        let rows = rows(&parts, &live);
        previews::encode(&mut encoder, &rows)?;
        traffic::encode(&mut encoder, &parts, &rows)?;
        streams::encode(&mut encoder, &parts)?;
        daemon::encode(&mut encoder, &parts)
    }
}

fn rows(parts: &Parts, live: &[Preview]) -> Vec<Row> {
    let mut samples = parts.samples.take_all();
    let row = |preview: &Preview| Row {
        id: preview.id.to_string(),
        limits: preview.limits,
        sample: samples.remove(&preview.id),
        traffic: parts.ingress.traffic(preview.id),
    };
    live.iter().map(row).collect()
}

fn instances(encoder: &mut DescriptorEncoder<'_>, live: &[Preview]) -> Encoded {
    let mut counts = BTreeMap::<(&str, &str), i64>::new();
    for preview in live.iter().filter(|preview| preview.parked_until.is_none()) {
        *counts.entry((preview.status.as_str(), preview.user_tier.as_str())).or_default() += 1;
    }
    let series = counts
        .into_iter()
        .map(|((status, tier), count)| ([("status", status), ("tier", tier)], ConstGauge::new(count)));
    family(encoder, "preview_instances_total", "Live previews by status and tier", MetricType::Gauge, series)
}

/// What is made ahead of its launch, and what waits for its turn to start.
fn waiting(encoder: &mut DescriptorEncoder<'_>, parts: &Parts, live: &[Preview]) -> Encoded {
    let is_parked = |preview: &&Preview| preview.parked_until.is_some();
    let parked = ConstGauge::new(live.iter().filter(is_parked).count() as u64);
    single(encoder, "preview_parked", "Previews made ahead of a launch that is still to come", &parked)?;
    let warm = ConstGauge::new(parts.warm.len() as u64);
    single(encoder, "preview_warm", "Containers that wait for a start with its modules loaded", &warm)?;
    let starts = ConstGauge::new(parts.starts.waiting() as u64);
    single(encoder, "preview_starts_waiting", "Containers that wait for their turn to start", &starts)
}

/// A family and its series.
fn family<L: EncodeLabelSet, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    kind: MetricType,
    series: impl Iterator<Item = (L, M)>,
) -> Encoded {
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, metric) in series {
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// A family of one series without labels.
fn single(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Encoded {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
