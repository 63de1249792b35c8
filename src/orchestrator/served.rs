//! What a preview has served in all, whichever run of the daemon it was.

use super::Orchestrator;
use crate::domain::Preview;
use crate::ingress::Traffic;

/// Requests and how they went, since the launch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Served {
    pub requests: u64,
    pub errors: u64,
    /// Milliseconds.
    pub avg_ms: f64,
    /// Milliseconds, of the requests that this run of the daemon saw.
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// What the row said when this run of the daemon took the preview up. The port's counters begin
/// at zero then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Earlier {
    requests: u64,
    errors: u64,
    avg_ms: f64,
}

impl Earlier {
    pub const fn of(preview: &Preview) -> Self {
        Self {
            requests: preview.request_count,
            errors: preview.error_count,
            avg_ms: preview.avg_response_time,
        }
    }

    pub fn and(&self, traffic: &Traffic) -> Served {
        let requests = self.requests + traffic.requests;
        let total_ms = self.avg_ms * self.requests as f64 + traffic.avg_ms * traffic.requests as f64;
        Served {
            requests,
            errors: self.errors + traffic.errors,
            avg_ms: if requests == 0 { 0.0 } else { total_ms / requests as f64 },
            p95_ms: traffic.p95_ms,
            p99_ms: traffic.p99_ms,
        }
    }
}

impl Orchestrator {
    /// Now, for a live preview; for one that has ended, what its row says.
    pub fn served(&self, preview: &Preview) -> Served {
        let earlier = self.parts.registry.get(preview.id).map(|entry| entry.earlier);
        match (earlier, self.parts.ingress.traffic(preview.id)) {
            (Some(earlier), Some(traffic)) => earlier.and(&traffic),
            _ => Served {
                requests: preview.request_count,
                errors: preview.error_count,
                avg_ms: preview.avg_response_time,
                ..Served::default()
            },
        }
    }
}
