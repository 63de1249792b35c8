//! The real engine behind a door that refuses some requests, as other engines do.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

use crate::base;

pub struct RefusingEngine {
    pub docker_host: String,
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
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, real.clone(), word));
            }
        });
        Self { docker_host: format!("unix://{}", socket.display()), _folder: folder }
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
