//! The real engine behind a door that refuses some requests, as other engines do, and counts who
//! is inside.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

use crate::base;

pub struct RefusingEngine {
    pub docker_host: String,
    /// Connections that are open.
    pub open: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl RefusingEngine {
    /// Requests whose first line contains `word` get a 400.
    pub fn start(word: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let real = base::docker_host();
        let real = PathBuf::from(real.strip_prefix("unix://").expect("the tests use an engine's socket"));
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (real, counter) = (real.clone(), Arc::clone(&counter));
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    serve(client, real, word).await.ok();
                    counter.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { docker_host: format!("unix://{}", socket.display()), open, _folder: folder }
    }
}

/// The client opens a connection for every request, so the first bytes tell.
async fn serve(mut client: UnixStream, real: PathBuf, word: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(2).any(|two| two == b"\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let first_line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if String::from_utf8_lossy(first_line).contains(word) {
        let body = r#"{"message":"not here"}"#;
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).await?;
        return client.write_all(body.as_bytes()).await;
    }
    let mut engine = UnixStream::connect(real).await?;
    engine.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut engine).await.map(drop)
}
