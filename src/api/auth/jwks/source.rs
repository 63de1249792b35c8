//! Where a JWKS comes from, and how much of it is read for how long.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt;
use tokio_rustls::rustls::crypto::ring;

/// A file, or an address that is `https`, or `http` on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Address(Uri),
}

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("the answer did not come: {0}")]
    Fetch(String),
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Deadline,
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    #[error("it is no JWKS: {0}")]
    NoSet(String),
}

/// A hundred keys take less.
const LONGEST: usize = 256 * 1024;

const DEADLINE: Duration = Duration::from_secs(5);

impl Source {
    pub async fn read(&self) -> Result<Bytes, SourceError> {
        let read = async {
            match self {
                Self::File(path) => read_file(path).await,
                Self::Address(address) => fetch(address).await,
            }
        };
        tokio::time::timeout(DEADLINE, read).await.map_err(|_| SourceError::Deadline)?
    }
}

async fn read_file(path: &PathBuf) -> Result<Bytes, SourceError> {
    let mut text = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut text).await?;
    if text.len() > LONGEST { Err(SourceError::TooLong) } else { Ok(text.into()) }
}

/// Follows no redirects: the address is what the operator named.
async fn fetch(address: &Uri) -> Result<Bytes, SourceError> {
    let failed = |error: &dyn std::fmt::Display| SourceError::Fetch(error.to_string());
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let answer = client.get(address.clone()).await.map_err(|error| failed(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(SourceError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
        true => SourceError::TooLong,
        false => failed(&error),
    })?;
    Ok(body.to_bytes())
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let address: Uri = text.parse().map_err(|_| ())?;
        let is_here = matches!(address.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match (address.scheme_str(), address.host()) {
            (Some("https"), Some(_)) => Ok(Self::Address(address)),
            (Some("http"), Some(_)) if is_here => Ok(Self::Address(address)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_a_file_or_from_where_nobody_can_change_them() {
        for (text, is_fine) in [
            ("/etc/previewd/jwks.json", true),
            ("https://id.example.org/jwks.json", true),
            ("http://127.0.0.1:9000/jwks", true),
            ("http://id.example.org/jwks.json", false),
            ("ftp://id.example.org/jwks.json", false),
            ("https://", false),
        ] {
            assert_eq!(text.parse::<Source>().is_ok(), is_fine, "{text}");
        }
    }
}
