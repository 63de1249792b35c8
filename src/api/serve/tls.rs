//! TLS of the API's own: a certificate and its key from files, read again when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

/// Where certificate and key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `PREVIEW_TLS_CERT`: the certificate, and those that lead to a known authority.
    pub certificate: PathBuf,
    /// `PREVIEW_TLS_KEY`: its private key.
    pub key: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {source}")]
    Pem { path: String, source: pem::Error },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error("certificate and key do not do: {0}")]
    Refused(#[from] rustls::Error),
}

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// What connections are encrypted with at this moment. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    files: Files,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Tls {
    pub fn open(files: Files) -> Result<Self, TlsError> {
        let current = Arc::new(RwLock::new(Arc::new(read(&files)?)));
        Ok(Self { files, current })
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }

    /// Reads the files again whenever they have changed, until `over`. Files that do not do, or
    /// that are half written, leave what was there before.
    pub async fn follow(self, over: CancellationToken) {
        let mut seen = self.files.stamp();
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = over.cancelled() => return,
            }
            let now = self.files.stamp();
            if now == seen {
                continue;
            }
            match read(&self.files) {
                Ok(fresh) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                    seen = now;
                    tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is in use");
                }
                Err(error) => tracing::warn!(%error, "the certificate stays the one from before"),
            }
        }
    }
}

impl Files {
    /// Changes whenever one of the files does.
    fn stamp(&self) -> [Option<(SystemTime, u64)>; 2] {
        let of = |path: &Path| -> io::Result<(SystemTime, u64)> {
            let about = std::fs::metadata(path)?;
            Ok((about.modified()?, about.len()))
        };
        [of(&self.certificate).ok(), of(&self.key).ok()]
    }
}

fn read(files: &Files) -> Result<ServerConfig, TlsError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(failed(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: files.certificate.display().to_string() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(failed(&files.key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
