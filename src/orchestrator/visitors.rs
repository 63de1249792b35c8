//! What the ingress calls back: why an app refuses connections.

use std::sync::{Arc, OnceLock, Weak};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::driver::{Listening, where_it_listens};
use super::{Orchestrator, Parts};
use crate::domain::PreviewId;
use crate::ingress::{Diagnose, Diagnosis};

/// Made before the orchestrator, because the ingress needs it, and attached to it afterwards.
#[derive(Default)]
pub struct Visitors {
    parts: OnceLock<Weak<Parts>>,
}

impl Visitors {
    pub fn attach(&self, orchestrator: &Orchestrator) {
        // A second orchestrator on one ingress would be a mistake; the first one stays.
        let _ = self.parts.set(Arc::downgrade(&orchestrator.parts));
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
