//! One way by which requests come in: a visitor's connection, or a single call from inside.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use hyper::header::HeaderValue;

use super::gate::Gate;
use super::hooks::Visited;

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
    /// Whether the guestbook is told of it.
    is_noted: bool,
    served: AtomicU32,
    refused: AtomicU32,
    /// The token that opened it, by its name; the first of several.
    by: OnceLock<String>,
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
        Self {
            gate,
            peer: written(peer),
            is_encrypted: false,
            checks_host: true,
            phase: AtomicU8::new(0),
            is_noted: true,
            served: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            by: OnceLock::new(),
        }
    }

    /// A request that somebody else accepted, and found to be for this preview.
    pub(super) fn handed_over(gate: Arc<Gate>, peer: IpAddr, is_encrypted: bool) -> Self {
        let mut visit = Self::on_port(gate, peer);
        (visit.checks_host, visit.is_encrypted) = (false, is_encrypted);
        visit
    }

    /// A call of the daemon itself, whose own trail says for whom.
    pub(super) fn from_inside(gate: Arc<Gate>) -> Self {
        let mut visit = Self::handed_over(gate, INSIDE, false);
        visit.is_noted = false;
        visit
    }

    /// A request is passed on. The first is told at once: connections may stay for hours.
    pub(super) fn serve(&self) {
        if self.served.fetch_add(1, Relaxed) == 0 {
            self.note(1, 0);
        }
    }

    /// A request is not let in.
    pub(super) fn refuse(&self) {
        if self.refused.fetch_add(1, Relaxed) == 0 {
            self.note(0, 1);
        }
    }

    fn note(&self, served: u32, refused: u32) {
        if let Some(book) = &self.gate.shared.hooks.guestbook
            && self.is_noted
            && served + refused > 0
        {
            let peer = self.peer.to_str().unwrap_or_default();
            let by = self.by.get().map(String::as_str);
            book.visited(&Visited { preview: self.gate.preview, peer, by, served, refused });
        }
    }

    /// A token opened the preview.
    pub(super) fn opened_by(&self, name: impl FnOnce() -> String) {
        self.by.get_or_init(name);
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

/// A visit is over when the last of its connection, its requests and their answers is.
impl Drop for Visit {
    fn drop(&mut self) {
        let rest = |requests: &mut AtomicU32| requests.get_mut().saturating_sub(1);
        let (served, refused) = (rest(&mut self.served), rest(&mut self.refused));
        self.note(served, refused);
    }
}

fn written(peer: IpAddr) -> HeaderValue {
    let peer = peer.to_canonical();
    HeaderValue::from_str(&peer.to_string()).unwrap_or(HeaderValue::from_static(LOCAL))
}

const LOCAL: &str = "127.0.0.1";

/// Where calls from inside come from.
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
