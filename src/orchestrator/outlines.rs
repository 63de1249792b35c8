//! What generations offer, read from their sources and remembered by content; and what running
//! apps say of themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Orchestrator;
use crate::domain::{ContentHash, GenerationId, Preview, PreviewId};
use crate::generation::endpoints::{self, Endpoint, Origin};
use crate::generation::outline::{Outline, outline};
use crate::store::StoreError;

/// Where apps describe themselves, if they do.
const DOCUMENT: &str = "/openapi.json";
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(2);
const DOCUMENT_BYTES: usize = 2 * 1024 * 1024;
/// How long a document, or that there is none, is remembered.
const DOCUMENT_LASTS: Duration = Duration::from_secs(15);
/// Generations whose outlines are remembered; one is some tens of kilobytes.
const KEPT: usize = 256;

/// What was read already.
#[derive(Default)]
pub(super) struct Outlines {
    read: Mutex<HashMap<ContentHash, Arc<Outline>>>,
    documents: Mutex<HashMap<PreviewId, Document>>,
}

/// What one container of a preview said.
struct Document {
    at: Instant,
    container: Option<String>,
    endpoints: Option<Arc<[Endpoint]>>,
}

/// The endpoints of a preview's app, from its code and, where it has one, its own document.
#[derive(Debug, Clone)]
pub struct Listed {
    pub endpoints: Vec<Endpoint>,
    /// `None` when the app is not serving, or has no document.
    pub document: Option<DocumentRead>,
    pub outline: Arc<Outline>,
}

/// How the app's own OpenAPI document compares with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRead {
    /// Where it was found in the running app.
    pub path: String,
    /// Endpoints that the code registers and the document does not list.
    pub only_in_code: usize,
    /// Endpoints that the document lists and that were not found in the code.
    pub only_in_document: usize,
    /// Endpoints of both whose parameters or types do not agree.
    pub different: usize,
}

impl Orchestrator {
    /// What a generation's source offers; nothing when it was deleted.
    pub async fn outline(&self, generation: &GenerationId) -> Result<Arc<Outline>, StoreError> {
        let Some(head) = self.parts.store.generation_head(generation).await? else {
            return Ok(Arc::default());
        };
        if let Some(known) = self.parts.outlines.known(&head.content_hash) {
            return Ok(known);
        }
        let Some(generation) = self.parts.store.generation(generation).await? else {
            return Ok(Arc::default());
        };
        // Parsing is pure computation of some milliseconds: off the threads that serve sockets.
        let read = tokio::task::spawn_blocking(move || outline(&generation.files)).await;
        let read = Arc::new(read.unwrap_or_default());
        self.parts.outlines.remember(head.content_hash, Arc::clone(&read));
        Ok(read)
    }

    /// The endpoints of a preview's app; while it serves, its own document refines them.
    pub async fn endpoints(&self, preview: &Preview) -> Result<Listed, StoreError> {
        let outline = self.outline(&preview.generation_id).await?;
        let Some(documented) = self.documented(preview).await else {
            return Ok(Listed { endpoints: outline.endpoints.clone(), document: None, outline });
        };
        let endpoints = endpoints::refine(outline.endpoints.clone(), documented.to_vec());
        let count = |wanted: &dyn Fn(&Endpoint) -> bool| endpoints.iter().filter(|one| wanted(one)).count();
        let document = DocumentRead {
            path: DOCUMENT.to_owned(),
            only_in_code: count(&|one| one.source == Origin::Code),
            only_in_document: count(&|one| one.source == Origin::Document),
            different: count(&|one| !one.differences.is_empty()),
        };
        Ok(Listed { endpoints, document: Some(document), outline })
    }

    async fn documented(&self, preview: &Preview) -> Option<Arc<[Endpoint]>> {
        if !preview.status.is_serving() {
            return None;
        }
        if let Some(known) = self.parts.outlines.document(preview) {
            return known;
        }
        let fetched = self.parts.ingress.fetch(preview.id, DOCUMENT, DOCUMENT_DEADLINE, DOCUMENT_BYTES).await;
        let found = match fetched {
            Some(text) => tokio::task::spawn_blocking(move || described(&text)).await.ok().flatten(),
            None => None,
        };
        self.parts.outlines.remember_document(preview, found.clone());
        found
    }
}

/// The endpoints of a document; none when it is no such document.
fn described(text: &[u8]) -> Option<Arc<[Endpoint]>> {
    let document: serde_json::Value = serde_json::from_slice(text).ok()?;
    let is_openapi = document.get("openapi").or_else(|| document.get("swagger")).is_some();
    is_openapi.then(|| endpoints::from_openapi(&document).into())
}

impl Outlines {
    fn known(&self, hash: &ContentHash) -> Option<Arc<Outline>> {
        lock(&self.read).get(hash).cloned()
    }

    fn remember(&self, hash: ContentHash, outline: Arc<Outline>) {
        let mut kept = lock(&self.read);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(hash, outline);
    }

    /// What the preview's present container said a moment ago; the inner nothing is that it has no
    /// document.
    fn document(&self, preview: &Preview) -> Option<Option<Arc<[Endpoint]>>> {
        let kept = lock(&self.documents);
        let known = kept.get(&preview.id)?;
        let holds = known.at.elapsed() < DOCUMENT_LASTS && known.container == preview.container_id;
        holds.then(|| known.endpoints.clone())
    }

    fn remember_document(&self, preview: &Preview, endpoints: Option<Arc<[Endpoint]>>) {
        let mut kept = lock(&self.documents);
        if kept.len() >= KEPT {
            kept.retain(|_, document| document.at.elapsed() < DOCUMENT_LASTS);
        }
        let container = preview.container_id.clone();
        kept.insert(preview.id, Document { at: Instant::now(), container, endpoints });
    }
}

/// A panic while it was held cannot have left a map half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
