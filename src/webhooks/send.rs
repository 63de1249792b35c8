//! One letter to one address: a connection to where its name led, a POST, the status of the answer.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Target;

/// What is sent.
pub(super) struct Letter {
    pub id: String,
    pub event: &'static str,
    /// Seconds since 1970; part of what is signed.
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

#[derive(Clone)]
pub(super) struct Sender {
    timeout: Duration,
    private: bool,
    /// Read when it is needed first.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// Of an answer's body, so that the other end need not complain; nothing is made of it.
const MOST_READ: usize = 16 * 1024;

impl Sender {
    pub(super) fn new(timeout: Duration, private: bool) -> Self {
        Self { timeout, private, tls: Arc::default() }
    }

    /// The status of the answer; the error is a text for the owner. Redirects are not followed:
    /// they are answers like others.
    pub(super) async fn send(&self, url: &str, letter: &Letter) -> Result<u16, String> {
        let sent = tokio::time::timeout(self.timeout, self.exchange(url, letter)).await;
        sent.unwrap_or_else(|_| Err(format!("no answer within {} s", self.timeout.as_secs())))
    }

    async fn exchange(&self, url: &str, letter: &Letter) -> Result<u16, String> {
        let target = Target::parse(url).map_err(|error| error.to_string())?;
        // Looked up once: what was judged is what is dialled.
        let addresses = target.resolve(self.private).await.map_err(|error| error.to_string())?;
        let socket = TcpStream::connect(addresses.as_slice()).await;
        let socket = socket.map_err(|error| format!("it cannot be reached: {error}"))?;
        if !self.private && is_this_host(&socket) {
            return Err("it is this host itself, which webhooks do not reach".to_owned());
        }
        let request = request(&target, letter)?;
        if !target.tls {
            return post(socket, request).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(self.tls()?);
        let socket = connector.connect(name, socket).await;
        post(socket.map_err(|error| format!("no TLS with it: {error}"))?, request).await
    }

    /// With the host's certificate authorities.
    fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let mut roots = RootCertStore::empty();
        let (good, _bad) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if good == 0 {
            return Err("this host has no certificate authorities".to_owned());
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.map_err(|error| error.to_string())?.with_root_certificates(roots);
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config.with_no_client_auth()))))
    }
}

/// Whatever addresses it has: what one connects to over its own address has that at both ends.
fn is_this_host(socket: &TcpStream) -> bool {
    let (Ok(there), Ok(here)) = (socket.peer_addr(), socket.local_addr()) else { return true };
    there.ip() == here.ip()
}

fn request(target: &Target, letter: &Letter) -> Result<Request<Full<Bytes>>, String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, concat!("previewd/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .header("x-preview-delivery", &letter.id)
        .header("x-preview-event", letter.event)
        .header("x-preview-timestamp", letter.timestamp)
        .header("x-preview-signature", &letter.signature)
        .body(Full::new(Bytes::from(letter.body.clone())));
    request.map_err(|error| error.to_string())
}

async fn post<S>(socket: S, request: Request<Full<Bytes>>) -> Result<u16, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let asked = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let (mut body, mut read) = (answer.into_body(), 0);
        while read < MOST_READ
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok(status)
    };
    // The connection is driven beside, and dropped with the answer.
    tokio::pin!(asked, connection);
    tokio::select! {
        answer = &mut asked => answer,
        _ = &mut connection => asked.await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn a_connection_from_an_address_to_itself_stays_on_this_host() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let from = async |source: [u8; 4]| {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(SocketAddr::from((source, 0))).expect("bound");
            socket.connect(address).await.expect("connected")
        };
        assert!(is_this_host(&TcpStream::connect(address).await.expect("connected")));
        assert!(is_this_host(&from([127, 0, 0, 1]).await));
        // As far as addresses tell: the far end has one of its own.
        assert!(!is_this_host(&from([127, 0, 0, 2]).await));
    }
}
