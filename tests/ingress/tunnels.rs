//! WebSockets, and whatever else a connection may be upgraded to.

use futures_util::{SinkExt, StreamExt};
use hyper::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response as Handshake};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_hdr_async, connect_async};

use crate::support::{App, Hidden, Preview, full, header_of, raw_app, read_head, soon, until};

/// Echoes messages; the first one it sends is the `Host` of the handshake.
async fn echo() -> std::net::SocketAddr {
    raw_app(|socket, _| async move {
        let mut host = String::new();
        #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
        let look = |request: &Request, response: Handshake| -> Result<Handshake, ErrorResponse> {
            host = request.headers()["host"].to_str().expect("text").to_owned();
            Ok(response)
        };
        let mut socket = accept_hdr_async(socket, look).await.expect("a handshake");
        socket.send(Message::text(host)).await.expect("sent");
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                let _ = socket.send(message).await;
            }
        }
    })
    .await
}

async fn dial(preview: &Preview) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let mut request =
        format!("ws://127.0.0.1:{}/hmr", preview.port).into_client_request().expect("a request");
    request.headers_mut().insert("host", "localhost:5173".parse().expect("a host"));
    soon(connect_async(request)).await.expect("a WebSocket").0
}

#[tokio::test]
async fn a_websocket_passes_both_ways_with_the_same_host() {
    let preview = Preview::of(echo().await).await;
    let mut socket = dial(&preview).await;
    let host = soon(socket.next()).await.expect("a message").expect("a message");
    assert_eq!(host, Message::text("localhost:5173"));
    for size in [1, 1000, 300_000] {
        let message = Message::binary(vec![7; size]);
        socket.send(message.clone()).await.expect("sent");
        assert_eq!(soon(socket.next()).await.expect("an echo").expect("an echo"), message);
    }
    let traffic = preview.traffic();
    assert_eq!((traffic.open_websockets, traffic.requests), (1, 1));
    assert!(traffic.bytes_in > 301_000 && traffic.bytes_out > 301_000, "{traffic:?}");
    socket.close(None).await.expect("closed");
    assert!(soon(socket.next()).await.is_none_or(|last| last.is_err() || last.is_ok_and(|m| m.is_close())));
    drop(socket);
    until("it is counted no more", || preview.traffic().open_websockets == 0).await;
    until("its socket is closed", || preview.traffic().open_connections == 0).await;
}

#[tokio::test]
async fn closing_the_preview_closes_its_websockets() {
    let preview = Preview::of(echo().await).await;
    let mut socket = dial(&preview).await;
    soon(socket.next()).await.expect("a message").expect("a message");
    soon(preview.ingress.close(preview.id)).await;
    let last = soon(socket.next()).await;
    assert!(last.is_none_or(|last| last.is_err()), "the connection ends");
    tokio::net::TcpListener::bind(("127.0.0.1", preview.port)).await.expect("the port is free");
}

#[tokio::test]
async fn bytes_of_any_protocol_pass_even_those_sent_at_once() {
    let address = raw_app(|mut socket, _| async move {
        let head = read_head(&mut socket).await;
        assert_eq!(header_of(&head, "upgrade"), Some("our-own/1"));
        assert_eq!(header_of(&head, "connection"), Some("upgrade"));
        let _ = socket
            .write_all(b"HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: our-own/1\r\n\r\nfirst")
            .await;
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all).await;
        all.reverse();
        let _ = socket.write_all(&all).await;
    })
    .await;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: our-own/1\r\n\r\n").await;
    let head = visitor.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && header_of(&head, "upgrade") == Some("our-own/1"), "{head}");
    let mut first = [0; 5];
    soon(visitor.socket.read_exact(&mut first)).await.expect("bytes");
    assert_eq!(&first, b"first");
    // What looks like an ambiguous head is none of ours any more.
    let bytes = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    visitor.send(bytes).await;
    visitor.socket.shutdown().await.expect("half closed");
    let reversed: Vec<u8> = bytes.bytes().rev().collect();
    assert_eq!(visitor.rest().await, reversed);
}

#[tokio::test]
async fn an_upgrade_that_the_app_declines_is_an_ordinary_answer() {
    let app = App::new(|_| async { Response::new(full("no sockets here")) }).await;
    let preview = Preview::of(app.address).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut visitor = preview.visitor().await;
    visitor.send(upgrade).await;
    assert_eq!(visitor.answer().await.text(), "no sockets here");
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(visitor.answer().await.text(), "no sockets here");
}

#[tokio::test]
async fn a_foreign_host_gets_no_websocket() {
    let app = Hidden::new().await;
    let preview = Preview::of(app.address).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(preview.ask(upgrade).await.status, 421);
    assert_eq!(app.requests(), 0);
}

#[tokio::test]
async fn http2_is_not_smuggled_in_by_an_upgrade() {
    let app = App::new(|request| async move {
        let has =
            request.headers().contains_key("upgrade") || request.headers().contains_key("http2-settings");
        Response::new(full(has.to_string()))
    })
    .await;
    let preview = Preview::of(app.address).await;
    for upgrade in [
        "Upgrade: h2c",
        "Upgrade: H2C",
        "Upgrade: websocket\r\nUpgrade: h2c",
        "Upgrade: h2c\r\nUpgrade: websocket",
    ] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n{upgrade}\r\nHTTP2-Settings: AA\r\n\r\n"
        );
        assert_eq!(preview.ask(&request).await.text(), "false", "{upgrade}");
    }
}
