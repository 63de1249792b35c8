//! Figures read when they are asked for: how many previews there are, and what passes through
//! each. A preview's series end with it, because they are made from what is live.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::{Orchestrator, Parts};
use crate::domain::Preview;

#[derive(Debug)]
struct Gauges(WeakParts);

struct WeakParts(Weak<Parts>);

impl std::fmt::Debug for WeakParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

impl Orchestrator {
    /// Registers the figures of live previews.
    pub fn collect(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Gauges(WeakParts(Arc::downgrade(&self.parts)))));
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(parts) = self.0.0.upgrade() else { return Ok(()) };
        let live = parts.registry.previews();
        instances(&mut encoder, &live)?;
        requests(&mut encoder, &parts, &live)
    }
}

fn instances(encoder: &mut DescriptorEncoder<'_>, live: &[Preview]) -> Result<(), std::fmt::Error> {
    let mut counts = BTreeMap::<(&str, &str), i64>::new();
    for preview in live {
        *counts.entry((preview.status.as_str(), preview.user_tier.as_str())).or_default() += 1;
    }
    let gauge = ConstGauge::new(0_i64);
    let mut family =
        encoder.encode_descriptor("preview_instances_total", "Live previews", None, gauge.metric_type())?;
    for ((status, tier), count) in counts {
        let labels = [("status", status), ("tier", tier)];
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn requests(
    encoder: &mut DescriptorEncoder<'_>,
    parts: &Parts,
    live: &[Preview],
) -> Result<(), std::fmt::Error> {
    let counter = ConstCounter::new(0_u64);
    let help = "Requests that came to a preview";
    let mut family = encoder.encode_descriptor("preview_requests", help, None, counter.metric_type())?;
    for preview in live {
        let Some(traffic) = parts.ingress.traffic(preview.id) else { continue };
        let id = preview.id.to_string();
        let ok = traffic.requests.saturating_sub(traffic.errors);
        for (result, count) in [("ok", ok), ("error", traffic.errors)] {
            let labels = [("preview", id.as_str()), ("result", result)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
