//! The account of one request, from its head to the last byte of its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode, Uri};

use super::body::{Meter, Outbound};
use super::direct::DirectConnection;
use super::hooks::{Finished, Observer};
use super::upstream::Lease;
use super::visit::{Phase, Visit};
use crate::domain::ErrorKind;

/// Counts the request when the answer's head is there, and reports it when the answer is over or
/// abandoned, whichever comes first.
pub(super) struct Record {
    visit: Arc<Visit>,
    started: Instant,
    answer: Option<(StatusCode, Duration)>,
    /// When the answer was last heard of.
    latest: Instant,
    bytes_out: u64,
    /// The connection the answer comes over, until it is free again.
    lease: Option<Lease>,
    seen: Option<Box<Seen>>,
}

/// What only an observer needs.
struct Seen {
    observer: Arc<dyn Observer>,
    method: Method,
    uri: Uri,
    trace_id: Option<String>,
    meter: Option<Arc<Meter>>,
}

impl Record {
    pub(super) fn begin(visit: &Arc<Visit>, request: &Request<Outbound>) -> Box<Self> {
        visit.enter(Phase::Answering);
        visit.gate.tally.begin();
        let seen = visit.gate.shared.hooks.observer.as_ref().map(|observer| {
            Box::new(Seen {
                observer: observer.clone(),
                method: request.method().clone(),
                uri: request.uri().clone(),
                trace_id: request.headers().get("traceparent").and_then(trace_id),
                meter: request.body().meter(),
            })
        });
        let started = Instant::now();
        Box::new(Self {
            visit: visit.clone(),
            started,
            answer: None,
            latest: started,
            bytes_out: 0,
            lease: None,
            seen,
        })
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// The app's answer begins.
    pub(super) fn answered(&mut self, status: StatusCode, lease: Option<Lease>) {
        self.lease = lease;
        self.count(status, status.is_server_error().then_some(ErrorKind::ServerError));
    }

    /// There is no answer of the app's, and a page goes out in its place.
    pub(super) fn failed(&mut self, status: StatusCode, kind: ErrorKind) {
        self.count(status, Some(kind));
    }

    fn count(&mut self, status: StatusCode, error: Option<ErrorKind>) {
        self.latest = Instant::now();
        self.visit.gate.tally.answered(self.started, self.latest, error);
        self.answer = Some((status, self.latest - self.started));
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        // The first piece usually comes with the head; asking the clock again would tell nothing new.
        if self.bytes_out > 0 {
            self.latest = Instant::now();
        }
        self.bytes_out += bytes as u64;
        self.visit.gate.tally.sent(bytes as u64, self.latest);
    }

    /// The app's answer broke off before its end.
    pub(super) fn broke_off(&mut self) {
        self.lease = None;
        if self.answer.is_some_and(|(status, _)| !status.is_server_error()) {
            self.visit.gate.tally.broke_off();
        }
    }

    /// A connection that the answer came over is free again.
    pub(super) fn spare(&self, connection: DirectConnection, address: SocketAddr) {
        self.visit.gate.upstreams.keep(connection, address, self.latest, &self.visit.gate.shared.config);
    }

    /// The answer is complete: its connection can carry another.
    pub(super) fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.visit.gate.upstreams.give_back(lease, self.latest, &self.visit.gate.shared.config);
        }
    }

    fn report(&self, seen: &Seen, status: StatusCode, latency: Duration) {
        seen.observer.finished(&Finished {
            preview: self.visit.gate.preview,
            method: &seen.method,
            path: seen.uri.path(),
            status,
            latency,
            duration: self.started.elapsed(),
            bytes_in: seen.meter.as_ref().map_or(0, |meter| meter.bytes()),
            bytes_out: self.bytes_out,
            trace_id: seen.trace_id.as_deref(),
        });
    }
}

/// The second part of `00-{32 hex}-{16 hex}-{2 hex}`.
fn trace_id(traceparent: &HeaderValue) -> Option<String> {
    let id = traceparent.to_str().ok()?.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

impl Drop for Record {
    fn drop(&mut self) {
        self.visit.answered();
        self.visit.gate.tally.end();
        if let (Some(seen), Some((status, latency))) = (&self.seen, self.answer) {
            self.report(seen, status, latency);
        }
    }
}
