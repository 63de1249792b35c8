//! One way by which requests come in: a visitor's connection, or a single call from inside.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use hyper::header::HeaderValue;

use super::gate::Gate;

/// Marks a request of [`super::Ingress::serve_host`] that nobody else could read on its way.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted;

/// Shared by a connection's socket, its requests and their answers.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) gate: Arc<Gate>,
    /// What `X-Forwarded-For` says of it.
    pub(super) peer: HeaderValue,
    /// It came in over TLS.
    pub(super) is_encrypted: bool,
    /// Whether the `Host` header has still to be judged.
    pub(super) checks_host: bool,
    phase: AtomicU8,
}

/// What the connection is doing, which decides the deadlines its socket is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is the visitor's turn to send.
    Listening,
    /// A request is being answered; the visitor may well be silent.
    Answering,
    /// Upgraded: bytes that are no longer HTTP.
    Tunnel,
}

impl Visit {
    /// A connection accepted on the preview's own port.
    pub(super) fn on_port(gate: Arc<Gate>, peer: IpAddr) -> Self {
        Self { gate, peer: written(peer), is_encrypted: false, checks_host: true, phase: AtomicU8::new(0) }
    }

    /// A request that somebody else accepted, and found to be for this preview.
    pub(super) fn handed_over(gate: Arc<Gate>, peer: IpAddr, is_encrypted: bool) -> Self {
        Self { checks_host: false, is_encrypted, ..Self::on_port(gate, peer) }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// The answer is over; a tunnel stays one.
    pub(super) fn answered(&self) {
        let (from, to) = (Phase::Answering as u8, Phase::Listening as u8);
        // It fails for a tunnel, as it should.
        let _ = self.phase.compare_exchange(from, to, Relaxed, Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            1 => Phase::Answering,
            2 => Phase::Tunnel,
            _ => Phase::Listening,
        }
    }
}

fn written(peer: IpAddr) -> HeaderValue {
    let peer = peer.to_canonical();
    HeaderValue::from_str(&peer.to_string()).unwrap_or(HeaderValue::from_static(LOCAL))
}

const LOCAL: &str = "127.0.0.1";

/// Where calls from inside come from.
pub(super) const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
