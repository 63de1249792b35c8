//! What the ingress calls back: why an app refuses connections, and what came of each request.

use std::sync::{Arc, OnceLock, Weak};

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::driver::{Listening, Message, where_it_listens};
use super::knocks::Knocks;
use super::visits::Visits;
use super::{Orchestrator, Parts, token};
use crate::domain::{AuditEntry, PreviewId};
use crate::ingress::{Diagnose, Diagnosis, Doorkeeper, Finished, Guestbook, Observer, Visited};
use crate::streams::{RequestLog, SeenRequest};

/// Made before the orchestrator, because the ingress needs it, and attached to it afterwards.
pub struct Visitors {
    parts: OnceLock<Weak<Parts>>,
    requests: RequestLog,
    visits: Visits,
    knocks: Knocks,
}

impl Visitors {
    /// Requests become lines through `requests`.
    pub fn new(requests: RequestLog) -> Self {
        Self { parts: OnceLock::new(), requests, visits: Visits::default(), knocks: Knocks::default() }
    }

    pub fn attach(&self, orchestrator: &Orchestrator) {
        // A second orchestrator on one ingress would be a mistake; the first one stays.
        let _ = self.parts.set(Arc::downgrade(&orchestrator.parts));
    }

    pub(super) const fn visits(&self) -> &Visits {
        &self.visits
    }

    fn generation_of(&self, preview: PreviewId) -> Option<String> {
        let parts = self.parts.get().and_then(Weak::upgrade)?;
        parts.registry.get(preview).map(|entry| entry.view.borrow().generation_id.to_string())
    }

    /// A request found its preview asleep.
    pub fn wake(&self, preview: PreviewId) {
        if let Some(entry) =
            self.parts.get().and_then(Weak::upgrade).and_then(|parts| parts.registry.get(preview))
        {
            // A full inbox holds a wake already, or is being emptied: the request asks again.
            let _ = entry.inbox.try_send(Message::Wake);
        }
    }

    async fn diagnose(&self, preview: PreviewId) -> Option<Diagnosis> {
        let parts = self.parts.get()?.upgrade()?;
        let preview = parts.registry.get(preview)?.view.borrow().clone();
        parts.tell_to_look(preview.id);
        let state = parts.engine.inspect(preview.container_id.as_deref()?).await.ok()??;
        if !state.running {
            return Some(Diagnosis::Exited { reason: "the app has ended".to_owned() });
        }
        let sockets = state.process?.listening()?;
        Some(match where_it_listens(&sockets, preview.container_port) {
            Listening::LoopbackOnly => Diagnosis::LoopbackOnly { port: preview.container_port },
            Listening::Nowhere | Listening::Elsewhere(_) => {
                Diagnosis::NothingListens { port: preview.container_port }
            }
            Listening::There => Diagnosis::Unknown,
        })
    }
}

impl Diagnose for Visitors {
    fn refused(&self, preview: PreviewId) -> BoxFuture<'_, Diagnosis> {
        self.diagnose(preview).map(|found| found.unwrap_or(Diagnosis::Unknown)).boxed()
    }
}

/// Before there is an orchestrator nothing is open.
impl Doorkeeper for Visitors {
    fn is_private(&self, preview: PreviewId) -> bool {
        self.parts.get().and_then(Weak::upgrade).is_none_or(|parts| parts.doors.is_private(preview))
    }

    fn admits(&self, preview: PreviewId, token: &str) -> bool {
        self.parts.get().and_then(Weak::upgrade).is_some_and(|parts| parts.opens(preview, token))
    }

    fn named(&self, token: &str) -> String {
        called(token)
    }

    fn knocked(&self, preview: PreviewId, token: &str, peer: &str, admitted: bool) {
        self.note(preview, token, peer, admitted);
    }
}

impl Visitors {
    fn note(&self, preview: PreviewId, token: &str, peer: &str, admitted: bool) {
        let Some(parts) = self.parts.get().and_then(Weak::upgrade) else { return };
        if !self.knocks.counts(preview, admitted) {
            return;
        }
        parts.audit.record_soon(AuditEntry {
            timestamp: Utc::now(),
            actor: None,
            on_behalf: None,
            via: called(token),
            action: "openPreview".to_owned(),
            target: self.generation_of(preview),
            address: Some(peer.to_owned()),
            status: if admitted { 303 } else { 401 },
            trace_id: None,
            times: 1,
        });
    }
}

/// What the trail calls a token that opens a preview.
fn called(token: &str) -> String {
    match token::share_id(token) {
        Some(id) => format!("share:{}", id.chars().take(16).collect::<String>()),
        None => "previewToken".to_owned(),
    }
}

impl Guestbook for Visitors {
    fn visited(&self, visit: &Visited<'_>) {
        self.visits.add(visit, self.generation_of(visit.preview).as_deref());
    }
}

impl Observer for Visitors {
    fn finished(&self, request: &Finished<'_>) {
        let status = request.status.as_u16();
        if self.requests.shows(request.preview, status) {
            self.requests.saw(SeenRequest {
                preview: request.preview,
                method: request.method.to_string(),
                path: request.path.to_owned(),
                status,
                duration: request.duration,
                bytes_in: request.bytes_in,
                bytes_out: request.bytes_out,
                trace_id: request.trace_id.map(str::to_owned),
            });
        }
    }
}
