//! The WebSocket of the logs under frames that no library would send: the cases of the Autobahn suite that
//! matter to a server which takes short texts, byte by byte. Each ends with the right code, or is answered.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::scene::{page, text, up};

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A masked frame, as clients must send it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        long @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
        longer => {
            bytes.push(0x80 | 127);
            bytes.extend((longer as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    bytes
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[code.to_be_bytes().as_slice(), reason].concat())
}

/// What came back first of these, after the log's own messages.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Close(Option<u16>),
    Pong(Vec<u8>),
    /// A message of this type.
    Message(String),
    /// The connection ended without a word.
    Gone,
}

struct Wire(TcpStream);

impl Wire {
    async fn open(app: &TestApp, launched: &Value) -> Self {
        let mut stream = TcpStream::connect(app.address).await.expect("a connection");
        let token = text(launched, "previewToken");
        let request = format!(
            "GET /api/v2/generations/framed/preview/logs?token={token}&buffer=0 HTTP/1.1\r\nHost: {}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            app.address
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// The next frame that is wanted, others are passed over.
    async fn hear(&mut self, wants: impl Fn(&Heard) -> bool) -> Heard {
        let look = async {
            loop {
                let Some((opcode, payload)) = self.read().await else { return Heard::Gone };
                let heard = match opcode {
                    CLOSE => {
                        Heard::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])))
                    }
                    PONG => Heard::Pong(payload),
                    // The server looks whether we are there.
                    PING => continue,
                    _ => {
                        let message: Value = serde_json::from_slice(&payload).expect("JSON");
                        Heard::Message(text(&message, "type").to_owned())
                    }
                };
                if wants(&heard) {
                    return heard;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("an answer in time")
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let length = match self.0.read_u8().await.ok()? {
            126 => usize::from(self.0.read_u16().await.ok()?),
            127 => usize::try_from(self.0.read_u64().await.ok()?).ok()?,
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((first & 0x0f, payload))
    }
}

/// Name, what is sent, and the code it is closed with.
fn refused() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    let unmasked = vec![FIN | TEXT, 2, b'{', b'}'];
    let ping = br#"{"action":"ping"}"#;
    vec![
        ("reserved bit 1", frame(FIN | 0x40 | TEXT, ping), Some(1002)),
        ("reserved bit 2", frame(FIN | 0x20 | TEXT, ping), Some(1002)),
        ("reserved bit 3", frame(FIN | 0x10 | TEXT, ping), Some(1002)),
        ("data opcode 3", frame(FIN | 3, b""), Some(1002)),
        ("data opcode 7", frame(FIN | 7, b""), Some(1002)),
        ("control opcode 11", frame(FIN | 11, b""), Some(1002)),
        ("control opcode 15", frame(FIN | 15, b""), Some(1002)),
        ("no mask", unmasked, Some(1002)),
        ("a long ping", frame(FIN | PING, &[b'x'; 126]), Some(1002)),
        ("a ping in fragments", frame(PING, b"x"), Some(1002)),
        ("a close in fragments", frame(CLOSE, b""), Some(1002)),
        ("an end without a beginning", frame(FIN | CONTINUATION, b"x"), Some(1002)),
        ("a middle without a beginning", frame(CONTINUATION, b"x"), Some(1002)),
        ("a text within a text", [frame(TEXT, b"{"), frame(FIN | TEXT, b"}")].concat(), Some(1002)),
        ("text that is no UTF-8", frame(FIN | TEXT, &[0xff, 0xfe]), Some(1007)),
        ("a surrogate", frame(FIN | TEXT, &[0xed, 0xa0, 0x80]), Some(1007)),
        ("an overlong slash", frame(FIN | TEXT, &[0xc0, 0xaf]), Some(1007)),
        (
            "half a letter at the end",
            [frame(TEXT, &[0xce]), frame(FIN | CONTINUATION, b"x")].concat(),
            Some(1007),
        ),
        ("binary", frame(FIN | 2, b"x"), Some(1003)),
        ("too long a message", frame(FIN | TEXT, &[b' '; 20_000]), Some(1009)),
        (
            "too long in fragments",
            [frame(TEXT, &[b' '; 12_000]), frame(FIN | CONTINUATION, &[b' '; 12_000])].concat(),
            Some(1009),
        ),
        (
            "a length of 2^63",
            [vec![FIN | TEXT, 0xff], (1_u64 << 63).to_be_bytes().to_vec(), vec![0; 4]].concat(),
            None,
        ),
        ("a close without a code", frame(FIN | CLOSE, b""), None),
        ("a close of 1000", close(1000, b"bye"), Some(1000)),
        ("a close of one byte", frame(FIN | CLOSE, &[3]), Some(1002)),
        ("a close of 999", close(999, b""), Some(1002)),
        ("a close of 1005", close(1005, b""), Some(1002)),
        ("a close with broken UTF-8", close(1000, &[0xff]), Some(1007)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_no_library_sends_end_with_the_right_code() {
    let app = TestApp::start().await;
    let launched = up(&app.user("ann"), "framed", &page("frames")).await;
    let cases = refused();
    println!("\n{:<34}{:<10}heard", "sent", "wanted");
    let mut wrong = Vec::new();
    for (name, bytes, code) in &cases {
        let mut wire = Wire::open(&app, &launched).await;
        wire.0.write_all(bytes).await.expect("sent");
        let heard = wire.hear(|heard| matches!(heard, Heard::Close(_))).await;
        println!("{name:<34}{:<10}{heard:?}", code.map_or("-".to_owned(), |code| code.to_string()));
        // A connection that cannot be understood any more may also just end.
        let is_right = match (&heard, code) {
            (Heard::Close(heard), Some(code)) => *heard == Some(*code),
            (Heard::Gone, Some(code)) => *code == 1002,
            _ => true,
        };
        if !is_right {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");

    // What is right is answered: pings with what they hold, also in the middle of a text in fragments.
    let mut wire = Wire::open(&app, &launched).await;
    for payload in [b"".as_slice(), b"x", &[0xff; 125]] {
        wire.0.write_all(&frame(FIN | PING, payload)).await.expect("sent");
        let heard = wire.hear(|heard| matches!(heard, Heard::Pong(_))).await;
        assert_eq!(heard, Heard::Pong(payload.to_vec()));
    }
    wire.0.write_all(&frame(FIN | PONG, b"nobody asked")).await.expect("sent");
    let parts =
        [frame(TEXT, br#"{"action""#), frame(FIN | PING, b"between"), frame(CONTINUATION, br#":"pi"#)];
    for part in parts.iter().chain([&frame(FIN | CONTINUATION, br#"ng"}"#)]) {
        // One byte at a time.
        for byte in part {
            wire.0.write_all(&[*byte]).await.expect("sent");
        }
    }
    assert_eq!(wire.hear(|heard| matches!(heard, Heard::Pong(_))).await, Heard::Pong(b"between".to_vec()));
    let pong = wire.hear(|heard| matches!(heard, Heard::Message(kind) if kind == "pong")).await;
    assert_eq!(pong, Heard::Message("pong".to_owned()));
    app.finish().await;
}
