//! The handle the rest of the daemon holds.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;

use super::answer::answer;
use super::body::{BoxError, Outbound};
use super::fault::Fault;
use super::gate::{Gate, Shared};
use super::ports::PortRange;
use super::visit::{Encrypted, Visit};
use super::{
    Body, Config, Hooks, IngressError, ProbeResult, ProxiedRequest, ProxiedResponse, RequestError, Traffic,
    Upstream, listener, pages, probe, request,
};
use crate::domain::{PreviewId, TrafficTotals};

/// All previews' ways in. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Ingress {
    shared: Arc<Shared>,
    gates: Arc<Mutex<Gates>>,
}

/// Who has which port. Held for a moment, never across an await.
struct Gates {
    ports: PortRange,
    open: HashMap<PreviewId, Arc<Gate>>,
    /// Of the ports that have been closed.
    closed: TrafficTotals,
}

/// How much of the range of ports is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortsInUse {
    pub used: usize,
    /// All that the range has.
    pub of: usize,
}

impl Ingress {
    pub fn new(config: Config, hooks: Hooks) -> Self {
        let ports = PortRange::new(config.port_min, config.port_max);
        Self {
            shared: Arc::new(Shared { config, hooks }),
            gates: Arc::new(Mutex::new(Gates {
                ports,
                open: HashMap::new(),
                closed: TrafficTotals::default(),
            })),
        }
    }

    /// Opens a port for the preview and answers which: the wanted one if it can be had, else the one that
    /// has been free for longest. An open preview keeps the port it has. Requests wait until an
    /// upstream is set, for `wake_timeout` at most.
    pub async fn open(&self, preview: PreviewId, wanted: Option<u16>) -> Result<u16, IngressError> {
        loop {
            match self.gate(preview) {
                Some(gate) if gate.closed.is_cancelled() => self.close(preview).await,
                Some(gate) => return Ok(gate.port),
                None => break,
            }
        }
        let mut gates = self.gates();
        if let Some(gate) = gates.open.get(&preview) {
            return Ok(gate.port);
        }
        let (port, listener) = gates.listen(self.shared.config.bind, wanted)?;
        let gate = Arc::new(Gate::new(preview, port, self.shared.clone()));
        gate.tasks.spawn(listener::accept_all(gate.clone(), listener));
        gates.open.insert(preview, gate);
        Ok(port)
    }

    /// Says where the preview's requests go from now on; those under way end where they are. Without
    /// effect on a preview that is not open.
    pub fn set_upstream(&self, preview: PreviewId, upstream: Upstream) {
        if let Some(gate) = self.gate(preview) {
            gate.set_upstream(upstream);
        }
    }

    /// Has new requests wait, as those to a preview that is found again do, and those under way end;
    /// not longer than a closing preview would.
    pub async fn hold(&self, preview: PreviewId) {
        let Some(gate) = self.gate(preview) else { return };
        gate.set_upstream(Upstream::Returning);
        let under_way = async {
            while gate.under_way() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // Whatever takes longer is cut off with the app.
        let _ = tokio::time::timeout(self.shared.config.drain_timeout, under_way).await;
    }

    /// Whether pages of the preview refresh themselves; they do where its files are being changed.
    pub fn set_live(&self, preview: PreviewId, on: bool) {
        if let Some(gate) = self.gate(preview) {
            gate.live.set(on && self.shared.config.live_reload);
        }
    }

    /// Has the preview's open pages refresh themselves.
    pub fn refresh_pages(&self, preview: PreviewId) {
        if let Some(gate) = self.gate(preview) {
            gate.live.changed();
        }
    }

    /// Since when the preview has had no request and no tunnel; none while it has one, and for a preview
    /// that is not open. One that never had any is unused since its port was opened.
    pub fn unused_since(&self, preview: PreviewId) -> Option<Instant> {
        self.gate(preview)?.tally.unused_since()
    }

    /// Closes the preview's port and everything that came in through it. Requests under way are given
    /// `drain_timeout` to end. The port is free when this returns; closing twice does nothing more.
    pub async fn close(&self, preview: PreviewId) {
        let Some(gate) = self.gate(preview) else { return };
        gate.close().await;
        let mut gates = self.gates();
        if gates.open.get(&preview).is_some_and(|open| Arc::ptr_eq(open, &gate)) {
            gates.open.remove(&preview);
            gates.ports.give_back(gate.port);
            gates.closed.add(&gate.tally.totals());
        }
    }

    /// Closes every port at once, as [`Ingress::close`] does: the daemon goes, its previews stay.
    pub async fn close_all(&self) {
        let open: Vec<PreviewId> = self.gates().open.keys().copied().collect();
        join_all(open.into_iter().map(|preview| self.close(preview))).await;
    }

    /// The port of an open preview.
    pub fn port(&self, preview: PreviewId) -> Option<u16> {
        self.gate(preview).map(|gate| gate.port)
    }

    /// What has passed through since the port was opened; none when it is not open.
    pub fn traffic(&self, preview: PreviewId) -> Option<Traffic> {
        self.gate(preview).map(|gate| gate.tally.read())
    }

    /// What has passed through all previews since the start, those of closed ports included.
    pub fn totals(&self) -> TrafficTotals {
        let gates = self.gates();
        let mut all = gates.closed.clone();
        gates.open.values().for_each(|gate| all.add(&gate.tally.totals()));
        all
    }

    pub fn ports(&self) -> PortsInUse {
        let gates = self.gates();
        let (min, max) = gates.ports.bounds();
        PortsInUse { used: gates.open.len(), of: usize::from(max - min) + 1 }
    }

    /// Makes one request to the app, the way a visitor would, and brings its answer whole.
    pub async fn request(
        &self,
        preview: PreviewId,
        asked: ProxiedRequest,
    ) -> Result<ProxiedResponse, RequestError> {
        let gate = self.gate(preview).ok_or(RequestError::NotOpen)?;
        request::request(gate, asked).await
    }

    /// Asks an app whether it answers: no redirects, no more than `limit`, not counted as traffic.
    pub async fn probe(&self, address: SocketAddr, path: &str, limit: Duration) -> ProbeResult {
        probe::probe(address, path, limit).await
    }

    /// Fetches what a serving preview has under `path`, of at most `most` bytes and within `limit`; a
    /// paused one is not woken for it. Not counted as traffic.
    pub async fn fetch(&self, preview: PreviewId, path: &str, limit: Duration, most: usize) -> Option<Bytes> {
        let address = self.gate(preview)?.upstreams.address()?;
        probe::fetch(address, path, limit, most).await
    }

    /// Serves a request that came in elsewhere, from `peer`, and was found by its `Host` to be for this
    /// preview. Upgrades work if the server it came through allows them.
    pub async fn serve_host<B>(&self, preview: PreviewId, peer: IpAddr, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Some(gate) = self.gate(preview) else {
            return pages::page(&Fault::Invalid(StatusCode::NOT_FOUND, "there is no such preview"), false);
        };
        let is_encrypted = request.extensions().get::<Encrypted>().is_some();
        let visit = Arc::new(Visit::handed_over(gate, peer, is_encrypted));
        answer(&visit, request.map(|body| Outbound::other(body, &visit))).await
    }

    fn gate(&self, preview: PreviewId) -> Option<Arc<Gate>> {
        self.gates().open.get(&preview).cloned()
    }

    /// A panic while it was held cannot have left it half changed.
    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gates {
    /// Takes the first port that the system lets us listen on; others may be another process's.
    fn listen(&mut self, bind: IpAddr, wanted: Option<u16>) -> Result<(u16, TcpListener), IngressError> {
        for port in self.ports.candidates(wanted) {
            match listener::listen(bind, port) {
                Ok(listener) => {
                    self.ports.take(port);
                    return Ok((port, listener));
                }
                Err(error) if is_taken(&error) => {}
                Err(source) => return Err(IngressError::Listen { port, source }),
            }
        }
        let (min, max) = self.ports.bounds();
        Err(IngressError::NoPort { min, max })
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
