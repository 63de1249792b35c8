//! The HTTP client of the API: base URL, bearer token, a deadline on every call, and errors
//! that say what to do.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Usage;
use super::problem::Problem;
use super::settings::Token;
use super::sse::{Parser, SseEvent};

/// Why a call got no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon answers at {url}; start one with `previewd serve`")]
    Refused { url: String },
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} did not answer within {seconds} s")]
    Late { url: String, seconds: u64 },
    #[error("the connection to {url} broke: {reason}")]
    Broken { url: String, reason: String },
    #[error("{}", problem.sentence(token))]
    Problem { problem: Box<Problem>, token: String },
    #[error("{url} answered {status}, but not as previewd would: {reason}")]
    Foreign { url: String, status: u16, reason: String },
    #[error("cannot write the request: {reason}")]
    Request { reason: String },
}

pub struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a slash at its end.
    base: String,
    token: Token,
}

/// One request being put together.
#[must_use = "a call does nothing until it is sent"]
pub struct Call<'a> {
    client: &'a Client,
    method: Method,
    target: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
    deadline: Duration,
}

/// A successful answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    url: String,
}

/// Server-sent events of one open answer.
pub struct EventStream {
    body: Incoming,
    parser: Parser,
    ready: std::collections::VecDeque<SseEvent>,
    url: String,
}

impl Client {
    const CONNECT: Duration = Duration::from_secs(5);
    const DEADLINE: Duration = Duration::from_secs(30);
    /// A stream that is silent for so long, heartbeats included, is taken for dead.
    const SILENCE: Duration = Duration::from_secs(60);
    const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

    /// `url` is `http://host[:port][/prefix]`, or `https://…` with a certificate that this host trusts;
    /// `SSL_CERT_FILE` names another file of authorities.
    pub fn new(url: &str, token: Token) -> Result<Self, Usage> {
        let wrong = |why: &str| {
            Usage(format!("the daemon's URL {url:?} {why}; expected http://HOST:PORT or https://HOST:PORT"))
        };
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        match (uri.scheme_str(), uri.authority(), uri.query()) {
            (Some("http" | "https"), Some(_), None) => {}
            _ => return Err(wrong("is not complete")),
        }
        if token.secret().is_some_and(|secret| HeaderValue::from_str(secret).is_err()) {
            return Err(Usage(format!("{} holds characters no token has", token.origin())));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Self::CONNECT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(uri.scheme_str() == Some("https"))?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base: url.trim_end_matches('/').to_owned(), token })
    }

    pub fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call {
            client: self,
            method,
            target: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            deadline: Self::DEADLINE,
        }
    }

    fn failed(&self, error: &hyper_util::client::legacy::Error) -> ClientError {
        let url = self.base.clone();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut deepest = error.to_string();
        while let Some(now) = cause {
            deepest = now.to_string();
            match now.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => return ClientError::Refused { url },
                Some(io::ErrorKind::TimedOut) if error.is_connect() => {
                    return ClientError::Late { url, seconds: Self::CONNECT.as_secs() };
                }
                _ => cause = now.source(),
            }
        }
        match error.is_connect() {
            true => ClientError::Unreachable { url, reason: deepest },
            false => ClientError::Broken { url, reason: deepest },
        }
    }
}

/// This host's authorities; they are not read where nothing is encrypted.
fn trusting(is_encrypted: bool) -> Result<ClientConfig, Usage> {
    let wrong = |error: &dyn std::fmt::Display| Usage(format!("no TLS: {error}"));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    let builder = match is_encrypted {
        true => builder.with_native_roots().map_err(|error| wrong(&error))?,
        false => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

impl Call<'_> {
    /// Adds `name=value`, escaped.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.target.push_str(&format!("{mark}{}={}", escape(name), escape(value.as_ref())));
        self
    }

    pub fn query_opt(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A JSON body.
    pub fn body(self, value: &impl Serialize) -> Result<Self, ClientError> {
        let bytes = serde_json::to_vec(value).map_err(|e| ClientError::Request { reason: e.to_string() })?;
        Ok(self.body_bytes(bytes))
    }

    /// A body that is JSON already.
    pub fn body_bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = bytes.into();
        self.header(CONTENT_TYPE, "application/json")
    }

    /// How long the whole answer may take; 30 s unless said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends, and reads the answer to its end.
    pub async fn send(self) -> Result<Answer, ClientError> {
        let deadline = self.deadline;
        let url = self.client.base.clone();
        let late = ClientError::Late { url, seconds: deadline.as_secs() };
        tokio::time::timeout(deadline, self.exchange()).await.unwrap_or(Err(late))
    }

    /// Sends, and reads the answer as JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        self.send().await?.json()
    }

    /// Opens a stream of events; the deadline is for the answer's head alone.
    pub async fn events(self, last_id: Option<&str>) -> Result<EventStream, ClientError> {
        let mut call = self.header(ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            call = call.header(HeaderName::from_static("last-event-id"), id);
        }
        let (client, deadline) = (call.client, call.deadline);
        let url = client.base.clone();
        let late = ClientError::Late { url: url.clone(), seconds: deadline.as_secs() };
        let open = async {
            let response = call.open().await?;
            if response.status().is_success() {
                return Ok(response);
            }
            // Not a stream, then: this names what was wrong with it.
            Err(match client.finish(response).await {
                Ok(answer) => answer.foreign("not a stream of events"),
                Err(error) => error,
            })
        };
        let response = tokio::time::timeout(deadline, open).await.unwrap_or(Err(late))?;
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        if !is_stream {
            let status = response.status().as_u16();
            return Err(ClientError::Foreign { url, status, reason: "not a stream of events".into() });
        }
        Ok(EventStream {
            body: response.into_body(),
            parser: Parser::default(),
            ready: std::collections::VecDeque::new(),
            url,
        })
    }

    async fn exchange(self) -> Result<Answer, ClientError> {
        let client = self.client;
        let response = self.open().await?;
        client.finish(response).await
    }

    async fn open(self) -> Result<Response<Incoming>, ClientError> {
        let client = self.client;
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{}{}", client.base, self.target))
            .header(USER_AGENT, concat!("previewd/", env!("CARGO_PKG_VERSION")));
        if let Some(secret) = client.token.secret() {
            request = request.header(AUTHORIZATION, format!("Bearer {secret}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(self.body))
            .map_err(|error| ClientError::Request { reason: error.to_string() })?;
        client.http.request(request).await.map_err(|error| client.failed(&error))
    }
}

impl Client {
    /// Reads the body; anything but success becomes an error.
    async fn finish(&self, response: Response<Incoming>) -> Result<Answer, ClientError> {
        let (head, body) = response.into_parts();
        let url = self.base.clone();
        let body = Limited::new(body, Self::LONGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| ClientError::Broken { url: url.clone(), reason: error.to_string() })?
            .to_bytes();
        let answer = Answer { status: head.status, body, url };
        if head.status.is_success() {
            return Ok(answer);
        }
        let mut problem = match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => problem,
            Err(_) => return Err(answer.foreign("its body is no problem+json")),
        };
        problem.status = head.status.as_u16();
        if let Some(value) = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) {
            problem.retry_after = Some(value.to_owned());
        }
        Err(ClientError::Problem { problem: Box::new(problem), token: self.token.origin().to_owned() })
    }
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| self.foreign(&error.to_string()))
    }

    fn foreign(&self, reason: &str) -> ClientError {
        ClientError::Foreign {
            url: self.url.clone(),
            status: self.status.as_u16(),
            reason: reason.to_owned(),
        }
    }
}

impl EventStream {
    /// The next event; `None` when the daemon has ended the stream.
    pub async fn next(&mut self) -> Result<Option<SseEvent>, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let frame = tokio::time::timeout(Client::SILENCE, self.body.frame()).await;
            let broken = |reason: String| ClientError::Broken { url: self.url.clone(), reason };
            match frame {
                Err(_) => return Err(broken(format!("silent for {} s", Client::SILENCE.as_secs()))),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(error.to_string())),
                Ok(Some(Ok(frame))) => {
                    let chunk = frame.into_data().unwrap_or_default();
                    let events = self.parser.feed(&chunk).map_err(|error| broken(error.to_string()))?;
                    self.ready.extend(events);
                }
            }
        }
    }
}

impl ClientError {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem { problem, .. } => Some(problem.status),
            Self::Foreign { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// The same call may do better in a moment: the daemon is away or has said so itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Unreachable { .. } | Self::Late { .. } | Self::Broken { .. } => true,
            Self::Problem { .. } | Self::Foreign { .. } => matches!(self.status(), Some(429 | 502..=504)),
            Self::Request { .. } => false,
        }
    }
}

/// Everything but unreserved characters as `%XX`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
