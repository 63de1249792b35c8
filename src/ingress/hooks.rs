//! What the ingress asks of, and tells to, the parts above it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::{Method, StatusCode};

use super::door::Doorkeeper;
use crate::domain::PreviewId;

/// Finds out why a container refuses connections, for the page a visitor then sees.
pub trait Diagnose: Send + Sync {
    /// Asked at most once a second for each preview, and given two seconds.
    fn refused(&self, preview: PreviewId) -> BoxFuture<'_, Diagnosis>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// The app runs, and has not opened its port.
    NothingListens {
        port: u16,
    },
    /// The app listens on the container's loopback address, where nobody else can reach it.
    LoopbackOnly {
        port: u16,
    },
    /// The app has ended; the reason in words.
    Exited {
        reason: String,
    },
    Unknown,
}

/// Sees every request when it is over. Called on the hot path: it must not block.
pub trait Observer: Send + Sync {
    fn finished(&self, request: &Finished<'_>);
}

/// One request that went to an app, whichever way it came in.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    pub preview: PreviewId,
    pub method: &'a Method,
    /// The path without its query, which may hold secrets.
    pub path: &'a str,
    pub status: StatusCode,
    /// From the request's head to the answer's head.
    pub latency: Duration,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Of the request's `traceparent`.
    pub trace_id: Option<&'a str>,
}

/// Is told of visits: of each connection on a preview's port, and of each request that came in by a
/// name, when it begins and when it is over. It must not block.
pub trait Guestbook: Send + Sync {
    fn visited(&self, visit: &Visited<'_>);
}

#[derive(Debug, Clone, Copy)]
pub struct Visited<'a> {
    pub preview: PreviewId,
    /// Address of the visitor.
    pub peer: &'a str,
    /// The token that opened a private preview, by the name that [`Doorkeeper::named`] gave it.
    pub by: Option<&'a str>,
    /// Requests since it was told last that were passed on, whatever the app answered.
    pub served: u32,
    /// Requests since then that the preview did not open to.
    pub refused: u32,
}

type OwnToken = dyn Fn(&str) -> bool + Send + Sync;
type Wake = dyn Fn(PreviewId) + Send + Sync;

/// Everything the ingress calls back. Only `diagnose` is needed.
#[derive(Clone)]
pub struct Hooks {
    pub diagnose: Arc<dyn Diagnose>,
    pub observer: Option<Arc<dyn Observer>>,
    /// Whether a bearer token is one of previewd's own, which no app may see. What it does not
    /// recognise is the app's own `Authorization`, and passes.
    pub own_token: Option<Arc<OwnToken>>,
    /// Called when a request finds its preview asleep, perhaps many times. It must not block; the
    /// request waits until the upstream is set to an address.
    pub wake: Option<Arc<Wake>>,
    /// Whom private previews open to; without one every preview is open.
    pub doorkeeper: Option<Arc<dyn Doorkeeper>>,
    pub guestbook: Option<Arc<dyn Guestbook>>,
}

impl Hooks {
    pub fn new(diagnose: Arc<dyn Diagnose>) -> Self {
        Self { diagnose, observer: None, own_token: None, wake: None, doorkeeper: None, guestbook: None }
    }
}
