//! What passes through the way in: of each preview, and of all of them since the start.

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Encoded, Row, family, single};
use crate::domain::{ErrorKind, Latencies};
use crate::ingress::Traffic;
use crate::orchestrator::Parts;

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, parts: &Parts, rows: &[Row]) -> Encoded {
    requests(encoder, rows)?;
    bytes(encoder, rows)?;
    connections(encoder, rows)?;
    let all = parts.ingress.totals();
    let by_kind =
        ErrorKind::ALL.map(|kind| ([("type", kind.as_str())], ConstCounter::new(all.errors.of(kind))));
    let help = "Requests that went wrong, of all previews, by how";
    family(encoder, "preview_request_errors", help, MetricType::Counter, by_kind.into_iter())?;
    durations(encoder, &all.latencies)?;
    ports(encoder, parts)
}

fn requests(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> Encoded {
    let series = rows.iter().flat_map(|row| {
        let traffic = row.traffic.as_ref();
        let counts = traffic.map(|traffic| {
            let ok = traffic.requests.saturating_sub(traffic.errors);
            [("ok", ok), ("error", traffic.errors)]
        });
        let series = move |(result, count)| {
            ([("preview", row.id.as_str()), ("result", result)], ConstCounter::new(count))
        };
        counts.into_iter().flatten().map(series)
    });
    family(encoder, "preview_requests", "Requests that came to a preview", MetricType::Counter, series)
}

fn of_each(rows: &[Row], value: fn(&Traffic) -> u64) -> impl Iterator<Item = ([(&str, &str); 1], u64)> {
    rows.iter().filter_map(move |row| Some(([("preview", row.id.as_str())], value(row.traffic.as_ref()?))))
}

fn bytes(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> Encoded {
    let counters = |value| of_each(rows, value).map(|(labels, count)| (labels, ConstCounter::new(count)));
    let kind = || MetricType::Counter;
    let help = "Bytes of bodies and tunnels from visitors";
    family(encoder, "preview_proxy_receive_bytes", help, kind(), counters(|traffic| traffic.bytes_in))?;
    let help = "Bytes of bodies and tunnels to visitors";
    family(encoder, "preview_proxy_transmit_bytes", help, kind(), counters(|traffic| traffic.bytes_out))
}

fn connections(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> Encoded {
    let gauges = |value| of_each(rows, value).map(|(labels, count)| (labels, ConstGauge::new(count)));
    let kind = || MetricType::Gauge;
    let help = "Open connections of visitors";
    family(encoder, "preview_connections", help, kind(), gauges(|traffic| traffic.open_connections))?;
    let help = "Open WebSockets and other tunnels of visitors";
    family(encoder, "preview_websockets", help, kind(), gauges(|traffic| traffic.open_websockets))
}

/// Bounds are powers of two of microseconds, where the proxy's own buckets end: every count is
/// exact. From half a millisecond to 67 s.
const POWERS: std::ops::RangeInclusive<u32> = 9..=26;

fn durations(encoder: &mut DescriptorEncoder<'_>, latencies: &Latencies) -> Encoded {
    let name = "preview_request_duration_seconds";
    let help = "Requests to previews, from their head to the head of the answer";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    let sum = latencies.total_micros() as f64 / 1e6;
    metric.encode_histogram::<NoLabelSet>(sum, latencies.count(), &buckets(latencies), None)
}

/// Upper bounds in seconds, and how many lie between each and the one before.
fn buckets(latencies: &Latencies) -> Vec<(f64, u64)> {
    let mut below = 0;
    let mut between = |upto: u64| upto - std::mem::replace(&mut below, upto);
    let mut buckets: Vec<(f64, u64)> =
        POWERS.map(|power| ((1_u64 << power) as f64 / 1e6, between(latencies.below_power(power)))).collect();
    buckets.push((f64::INFINITY, between(latencies.count())));
    buckets
}

fn ports(encoder: &mut DescriptorEncoder<'_>, parts: &Parts) -> Encoded {
    let ports = parts.ingress.ports();
    let used = ConstGauge::new(ports.used as u64);
    single(encoder, "preview_ports_in_use", "Ports of the range that a preview has", &used)?;
    let all = ConstGauge::new(ports.of as u64);
    single(encoder, "preview_ports_limit", "Ports of the range", &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_in_one_bucket() {
        let mut counts = vec![0; Latencies::BUCKETS];
        for micros in [1, 511, 512, 1_000_000, 1 << 26, u64::MAX] {
            counts[Latencies::bucket(micros)] += 1;
        }
        let buckets = buckets(&Latencies::from_counts(counts.into_iter(), 7));
        let filled: Vec<_> = buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!(filled, [(0.000512, 2), (0.001024, 1), (1.048576, 1), (f64::INFINITY, 2)]);
    }
}
