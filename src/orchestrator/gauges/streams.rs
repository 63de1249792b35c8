//! Lines of log and those who read them, over all previews.

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Encoded, single};
use crate::orchestrator::Parts;

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, parts: &Parts) -> Encoded {
    let subscribers = ConstGauge::new(parts.logs.all_subscribers() as u64);
    single(encoder, "preview_log_subscribers", "Readers of live logs", &subscribers)?;
    let totals = parts.logs.totals();
    let lines = ConstCounter::new(totals.lines());
    single(encoder, "preview_log_lines", "Lines added to logs", &lines)?;
    let help = "Lines that slow readers lost, each counted for each reader";
    single(encoder, "preview_log_lines_dropped", help, &ConstCounter::new(totals.dropped_lines()))
}
