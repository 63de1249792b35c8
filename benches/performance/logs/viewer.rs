//! Those who watch: a socket of ours, and `docker logs -f`.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub async fn open(daemon: SocketAddr, generation: &str, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(daemon).await?;
        stream.set_nodelay(true)?;
        let path = format!("/api/v2/generations/{generation}/preview/logs");
        let address = format!("ws://{daemon}{path}?token={token}&source=app&buffer=0&frames=many");
        let (socket, _) = tokio_tungstenite::client_async(address, stream).await?;
        Ok(Self(socket))
    }

    /// The next frame: messages, one on a line.
    pub async fn frame(&mut self) -> anyhow::Result<Utf8Bytes> {
        loop {
            match self.0.next().await.context("closed")?? {
                Message::Text(text) => return Ok(text),
                Message::Close(_) => bail!("closed"),
                _ => {}
            }
        }
    }
}

pub struct DockerLogs {
    lines: Lines<BufReader<ChildStdout>>,
    /// Killed when this goes.
    _process: Child,
}

impl DockerLogs {
    pub fn follow(container: &str) -> anyhow::Result<Self> {
        let mut process = Command::new("docker")
            .args(["logs", "-f", "--tail", "0", container])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::with_capacity(256 * 1024, process.stdout.take().context("no output")?).lines();
        Ok(Self { lines, _process: process })
    }

    pub async fn line(&mut self) -> anyhow::Result<String> {
        self.lines.next_line().await?.context("docker logs ended")
    }
}
