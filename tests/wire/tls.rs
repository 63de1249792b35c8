//! HTTPS and WSS, and a certificate that is changed while the daemon runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::app::{TestApp, until};

/// Writes a new certificate and key, and gives the certificate.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("key.pem"), made.key_pair.serialize_pem()).expect("written");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    made.cert.der().clone()
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn ask(address: SocketAddr, trusted: &CertificateDer<'static>, head: &str) -> std::io::Result<String> {
    let mut stream = connect(address, trusted).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut said = Vec::new();
    // Whoever closes without saying so has still said what there was.
    let _ = stream.read_to_end(&mut said).await;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n")
}

async fn served(folder: &Path) -> TestApp {
    let file = |name: &str| folder.join(name).display().to_string();
    TestApp::with(vec![("PREVIEW_TLS_CERT", file("cert.pem")), ("PREVIEW_TLS_KEY", file("key.pem"))]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_served_over_tls_alone_and_takes_a_new_certificate_while_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = renew(folder.path());
    let app = served(folder.path()).await;
    let token = format!("authorization: Bearer {}\r\n", app.token("ann"));
    let answer = ask(app.address, &first, &get("/api/v2/generations", &token)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    let plain = app.stranger().try_send(hyper::Method::GET, "/health", "").await;
    assert!(plain.is_err(), "no plain HTTP beside it: {plain:?}");
    // Half a pair does not do, and nothing is lost by it.
    std::fs::write(folder.path().join("key.pem"), "-----BEGIN PRIVATE KEY-----\nbroken").expect("written");
    let second = renew(folder.path());
    let renewed = || async {
        ask(app.address, &second, &get("/health", "")).await.ok().filter(|said| said.contains("200 OK"))
    };
    until(30, renewed).await;
    assert!(connect(app.address, &first).await.is_err(), "the old one is out of use");
    shutdown(app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_opens_as_a_websocket_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = renew(folder.path());
    let app = served(folder.path()).await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    // There is no such preview: what counts is that the socket's own answer comes.
    let path = "/api/v2/generations/none/preview/logs?token=pvt_none";
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{upgrade}\r\n");
    let mut stream = connect(app.address, &trusted).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut said = vec![0; 4096];
    let length = stream.read(&mut said).await.expect("an answer");
    let said = String::from_utf8_lossy(&said[..length]);
    assert!(said.starts_with("HTTP/1.1 401") && said.contains("preview_token_invalid"), "{said}");
    shutdown(app).await;
}

/// The common end asks the API over plain HTTP.
async fn shutdown(mut app: TestApp) {
    app.shutdown().await;
    app.finish().await;
}
