//! `{previewId}.{PREVIEW_DOMAIN}` on the API's own listener: requests to previews by name.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;

use super::AppState;
use crate::domain::PreviewId;

/// Sends what is for a preview there, and lets the rest through to the API.
pub async fn dispatch(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match named_preview(&state, &request) {
        Some(preview) => state.ingress.serve_host(preview, peer.ip(), request).await.map(Body::new),
        None => next.run(request).await,
    }
}

fn named_preview(state: &AppState, request: &Request) -> Option<PreviewId> {
    let domain = state.orchestrator.config().domain.as_deref()?;
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name).to_ascii_lowercase();
    let label = name.strip_suffix(domain.split(':').next()?)?.strip_suffix('.')?;
    PreviewId::parse(label).ok()
}
