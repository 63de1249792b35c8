//! A client of the WebSocket, reading message by message.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// How the server closed it.
    pub closed: Option<u16>,
}

impl Socket {
    /// The socket, or the status of the refusal.
    pub async fn try_open(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(address).await.expect("a connection");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream, closed: None }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn open(address: SocketAddr, path: &str) -> Self {
        Self::try_open(address, path, &[]).await.expect("it opens")
    }

    /// The next frame's text; `None` when it is closed.
    pub async fn frame(&mut self) -> Option<String> {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), self.stream.next());
            match next.await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(frame))) => self.closed = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub async fn next(&mut self) -> Option<Value> {
        let text = self.frame().await?;
        Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}")))
    }

    /// The next message of this type.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("closed before any {kind}"));
            assert!(message["timestamp"].is_string(), "{message}");
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The line that says this.
    pub async fn line(&mut self, text: &str) -> Value {
        loop {
            let line = self.next_of("log").await;
            if line["message"].as_str().expect("a message").contains(text) {
                return line;
            }
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("sent");
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.expect("sent");
    }

    /// Reads to the end.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }
}
