//! The ways in to a preview besides its own port.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::app::{TestApp, launch_example};
use crate::http::Client;

/// Where container addresses cannot be dialled, a port published on loopback does instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_port_serves_where_containers_cannot_be_dialled() {
    let app = TestApp::with(vec![("PREVIEW_DIAL", "published".to_owned())]).await;
    let launched = launch_example(&app.user("ann"), "static-site", "site").await;
    let home = Client::to(launched["baseUrl"].as_str().expect("a URL")).get("/").await;
    assert_eq!(home.status, 200);
    assert!(home.text().contains("<html"), "{home:?}");
    app.finish().await;
}

/// With a domain, the API's own listener serves previews by name: pages and WebSockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_answers_to_its_name_under_the_domain() {
    let app = TestApp::with(vec![("PREVIEW_DOMAIN", "preview.test".to_owned())]).await;
    let launched = launch_example(&app.user("ann"), "fastapi-notes", "notes").await;
    let name = launched["baseUrl"].as_str().expect("a URL").strip_prefix("http://").expect("http").to_owned();
    assert!(name.ends_with(".preview.test"), "{name}");
    let page = app.stranger().host(&name).get("/").await;
    assert_eq!((page.status, page.json()["app"].as_str()), (200, Some("fastapi-notes")));
    let foreign = app.stranger().host("00000000-0000-7000-8000-000000000000.preview.test").get("/").await;
    assert_ne!(foreign.status, 200);

    let mut request = format!("ws://{}/ws", app.address).into_client_request().expect("a request");
    request.headers_mut().insert("host", name.parse().expect("a header"));
    let stream = tokio::net::TcpStream::connect(app.address).await.expect("connected");
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("upgraded");
    socket.send("hello".into()).await.expect("sent");
    let echoed = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("in time");
    assert!(echoed.expect("a message").expect("whole").to_string().contains("hello"));
    app.finish().await;
}
