//! Fetching an image, from a registry that lives as long as the test.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::base;
use crate::scene::{eventually, scene};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// One image: its manifest and the two blobs it names.
#[derive(Clone)]
struct Registry {
    manifest: Vec<u8>,
    blobs: Vec<Vec<u8>>,
}

impl Registry {
    /// The labels of the image are those of the scene, so that it may be removed.
    fn with_labels(labels: std::collections::HashMap<String, String>) -> Self {
        let layer = base::tar(&[("file", b"content", 0o644)]).to_vec();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let blob = |kind: &str, bytes: &[u8]| {
            let kind = format!("application/vnd.docker.{kind}");
            serde_json::json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)})
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": blob("container.image.v1+json", &config),
            "layers": [blob("image.rootfs.diff.tar", &layer)],
        });
        Self { manifest: manifest.to_string().into_bytes(), blobs: vec![config, layer] }
    }

    async fn serve(self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let routes = Router::new()
            .route("/v2/", get(|| async { "" }))
            .route("/v2/test/manifests/{reference}", get(manifest))
            .route("/v2/test/blobs/{digest}", get(blob))
            .with_state(self);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        port
    }
}

async fn manifest(State(registry): State<Registry>, Path(reference): Path<String>) -> Response {
    let found = digest(&registry.manifest);
    if reference != "1" && reference != found {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        return (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let headers = [(header::CONTENT_TYPE.as_str(), MANIFEST), ("Docker-Content-Digest", &found)];
    (headers, registry.manifest).into_response()
}

async fn blob(State(registry): State<Registry>, Path(wanted): Path<String>) -> Response {
    let found = registry.blobs.into_iter().find(|blob| digest(blob) == wanted);
    found.ok_or(StatusCode::NOT_FOUND).into_response()
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[tokio::test]
async fn an_image_is_fetched_and_progress_told() {
    scene(async |scene| {
        let port = Registry::with_labels(scene.ownership.to_labels()).serve().await;
        let name = format!("127.0.0.1:{port}/test:1");
        let (sender, mut lines) = mpsc::channel(100);
        scene.engine.pull(&name, &sender).await.expect("pulled");
        assert!(scene.engine.image_id(&name).await.expect("an answer").is_some());
        let first = tokio::time::timeout(Duration::from_secs(1), lines.recv()).await;
        assert!(first.expect("a line").is_some_and(|line| !line.is_empty()));

        let missing = scene.engine.pull(&format!("127.0.0.1:{port}/test:2"), &sender).await;
        // Engines differ in the status they answer with.
        let error = missing.expect_err("there is no such tag");
        assert!(!error.is_transient() && error.to_string().contains("manifest unknown"), "{error}");
        scene.engine.remove_image(&name).await.expect("removed");
        eventually("the image to be gone", async || {
            scene.engine.image_id(&name).await.expect("an answer").is_none().then_some(())
        })
        .await;
        scene.engine.remove_image(&name).await.expect("absent is fine");
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told() {
    scene(async |scene| {
        let (sender, _lines) = mpsc::channel(1);
        let error = scene.engine.pull("127.0.0.1:1/test:1", &sender).await.expect_err("nobody listens");
        assert!(!error.is_transient() && error.to_string().contains("refused"), "{error}");
    })
    .await;
}
