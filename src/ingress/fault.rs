//! What can go wrong: with opening a port, and with one request.

use std::io;

use hyper::StatusCode;

use super::hooks::Diagnosis;
use crate::domain::ErrorKind;

/// A preview port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    #[error("no free port between {min} and {max}")]
    NoPort { min: u16, max: u16 },
    #[error("listening on port {port}: {source}")]
    Listen { port: u16, source: io::Error },
}

/// Why [`super::Ingress::request`] brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the preview is not open")]
    NotOpen,
    #[error("{0}")]
    Invalid(&'static str),
    /// Not running yet, paused, or down; in words.
    #[error("{0}")]
    NotRunning(String),
    #[error("the app could not be reached: {}", .0.in_words())]
    Refused(Diagnosis),
    #[error("the app did not answer in time")]
    Timeout,
    /// The connection broke, or what came back was not HTTP.
    #[error("{0}")]
    BadAnswer(String),
}

/// One request that got no answer from the app. Each knows its status; `pages` has the words.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request itself is wrong.
    Invalid(StatusCode, &'static str),
    /// The `Host` is none of ours.
    Misdirected,
    /// It is private, and no token that opens it was shown.
    Private,
    Waiting(String),
    Returning,
    /// It was asked to wake, and did not in time.
    Asleep,
    Paused,
    Down(String),
    /// Nothing accepts connections at the recorded address.
    Refused(Diagnosis),
    /// The recorded address cannot be reached.
    Unreachable(io::Error),
    /// The connection ended without an answer, or the answer was not HTTP.
    BadAnswer(String),
    Timeout,
    /// The visitor stopped sending in the middle of the body.
    StalledBody,
    /// The visitor went away in the middle of the body.
    ClientGone,
}

impl Fault {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(status, _) => *status,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Private => StatusCode::UNAUTHORIZED,
            Self::Waiting(_) | Self::Returning | Self::Asleep | Self::Paused => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Down(_) | Self::Refused(_) | Self::Unreachable(_) | Self::BadAnswer(_) => {
                StatusCode::BAD_GATEWAY
            }
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::StalledBody => StatusCode::REQUEST_TIMEOUT,
            Self::ClientGone => StatusCode::BAD_REQUEST,
        }
    }

    /// How the app failed, when it counts as a request to the app. A page that waits for the app to
    /// be built asks again every second, and says nothing about the app.
    pub(super) fn of_the_app(&self) -> Option<ErrorKind> {
        match self {
            Self::Invalid(..) | Self::Misdirected | Self::Private | Self::StalledBody | Self::ClientGone => {
                None
            }
            Self::Waiting(_) | Self::Returning | Self::Asleep | Self::Paused => None,
            Self::Down(_) | Self::Refused(_) | Self::Unreachable(_) => Some(ErrorKind::Unreachable),
            Self::BadAnswer(_) => Some(ErrorKind::BadAnswer),
            Self::Timeout => Some(ErrorKind::Timeout),
        }
    }
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(_, what) => Self::Invalid(what),
            Fault::Misdirected => Self::Invalid("the Host header names no preview"),
            Fault::Private => Self::Invalid("the preview is private"),
            Fault::Waiting(stage) => Self::NotRunning(format!("the preview is {stage}")),
            Fault::Returning => Self::NotRunning("the preview is being found again".to_owned()),
            Fault::Asleep => Self::NotRunning("the preview does not wake".to_owned()),
            Fault::Paused => Self::NotRunning("the preview is paused".to_owned()),
            Fault::Down(reason) => Self::NotRunning(format!("the preview is down: {reason}")),
            Fault::Refused(diagnosis) => Self::Refused(diagnosis),
            Fault::Unreachable(error) => Self::BadAnswer(format!("the container cannot be reached: {error}")),
            Fault::BadAnswer(what) => Self::BadAnswer(what),
            Fault::Timeout | Fault::StalledBody => Self::Timeout,
            Fault::ClientGone => Self::BadAnswer("the request was abandoned".to_owned()),
        }
    }
}

impl Diagnosis {
    /// The finding as a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::NothingListens { port } => format!("nothing listens on port {port} yet"),
            Self::LoopbackOnly { port } => format!("the app listens on 127.0.0.1:{port} only: bind 0.0.0.0"),
            Self::Exited { reason } => format!("the app has ended: {reason}"),
            Self::Unknown => "the app refuses connections".to_owned(),
        }
    }
}
