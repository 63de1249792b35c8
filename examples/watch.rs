//! Watches a preview over its WebSocket, and goes on where it was when the connection is lost.
//!
//!     cargo run --example watch -- ws://127.0.0.1:8000 GENERATION PREVIEW_TOKEN [LEVEL]
//!
//! `PREVIEW_TOKEN` is the `previewToken` of the launch.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Where the daemon is, and what is watched there.
struct Watch {
    daemon: String,
    generation: String,
    token: String,
    level: String,
    /// Number of the last line seen.
    seen: Option<u64>,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(daemon), Some(generation), Some(token)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: watch ws://HOST:PORT GENERATION PREVIEW_TOKEN [LEVEL]");
        std::process::exit(2);
    };
    let level = arguments.next().unwrap_or_else(|| "DEBUG".to_owned());
    let mut watch = Watch { daemon, generation, token, level, seen: None };
    loop {
        match watch.follow().await {
            Ok(true) => return,
            Ok(false) => eprintln!("the connection is lost, trying again"),
            Err(Error::Http(answer)) => {
                eprintln!("refused: {}", answer.status());
                std::process::exit(1);
            }
            Err(error) => eprintln!("{error}, trying again"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Watch {
    /// Prints what comes; true when the preview is over.
    async fn follow(&mut self) -> Result<bool, Error> {
        let host = self.daemon.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        // The first time some past lines, later all since the last one seen.
        let from = self.seen.map_or_else(|| "buffer=100".to_owned(), |seq| format!("since={seq}"));
        let address = format!(
            "ws://{host}/api/v2/generations/{}/preview/logs?token={}&level={}&frames=many&{from}",
            self.generation, self.token, self.level
        );
        let stream = TcpStream::connect(&host).await?;
        let (mut socket, _) = tokio_tungstenite::client_async(address, stream).await?;
        // A filter can be changed at any time: here to what it was.
        let filter = json!({ "action": "subscribe", "filters": { "level": self.level } });
        socket.send(Message::text(filter.to_string())).await?;
        while let Some(message) = socket.next().await {
            match message? {
                // With frames=many each line of a frame is a message.
                Message::Text(frame) => frame.lines().for_each(|text| self.show(text)),
                Message::Close(Some(close)) => return Ok(u16::from(close.code) == 1000),
                _ => {}
            }
        }
        Ok(false)
    }

    fn show(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        let word = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        match word("type").as_str() {
            "log" => {
                self.seen = message["seq"].as_u64().or(self.seen);
                println!("{:7} {:8} {}", word("level"), word("source"), word("message"));
            }
            "dropped" => {
                self.seen = message["toSeq"].as_u64().or(self.seen);
                println!("        … {} lines came too fast", message["count"]);
            }
            "metric" => println!("        {}", message["data"]),
            "health" | "state" => println!("        the preview is {}", word("status")),
            _ => {}
        }
    }
}
