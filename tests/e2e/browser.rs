//! A real browser, Chromium without a window, told by its DevTools protocol what to open and asked what it shows.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::app::until;
use crate::http::Client;

/// One open page. The browser ends with it.
pub struct Browser {
    _process: Child,
    _profile: tempfile::TempDir,
    tools: WebSocketStream<TcpStream>,
    asked: u64,
}

impl Browser {
    pub async fn open(address: &str) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        // Its own sandbox wants a user other than root; what it opens here is ours.
        let mut process = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-proxy-server",
            ])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(address)
            .env("HOME", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium: make setup installs it");
        let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let listening = async {
            while let Some(line) = said.next_line().await.expect("readable") {
                if let Some((_, place)) = line.split_once("DevTools listening on ws://") {
                    return place
                        .split('/')
                        .next()
                        .expect("a place")
                        .parse::<SocketAddr>()
                        .expect("an address");
                }
            }
            panic!("it ended before it listened");
        };
        let place = tokio::time::timeout(Duration::from_secs(60), listening).await.expect("it starts");
        // What it goes on to say must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        let page = until(30, || async {
            let pages = Client::to(&format!("http://{place}")).get("/json/list").await.json();
            let page = pages.as_array()?.iter().find(|page| page["type"] == "page")?;
            page["webSocketDebuggerUrl"].as_str().map(str::to_owned)
        })
        .await;
        let stream = TcpStream::connect(place).await.expect("a connection");
        let (tools, _) = tokio_tungstenite::client_async(page, stream).await.expect("a socket");
        Self { _process: process, _profile: profile, tools, asked: 0 }
    }

    /// What this JavaScript comes to in the page as it is now.
    pub async fn value(&mut self, script: &str) -> Value {
        self.asked += 1;
        let ask = json!({
            "id": self.asked, "method": "Runtime.evaluate",
            "params": { "expression": script, "returnByValue": true },
        });
        self.tools.send(Message::text(ask.to_string())).await.expect("sent");
        let answer = async {
            loop {
                let message = self.tools.next().await.expect("a message").expect("whole");
                let Ok(text) = message.to_text() else { continue };
                let Ok(answer) = serde_json::from_str::<Value>(text) else { continue };
                if answer["id"] == self.asked {
                    return answer["result"]["result"]["value"].clone();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), answer).await.expect("an answer in time")
    }

    /// Until this script comes to this.
    pub async fn shows(&mut self, script: &str, expected: &str) {
        let mut last = Value::Null;
        for _ in 0..150 {
            last = self.value(script).await;
            if last == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{script} is {last}, not {expected:?}");
    }
}
