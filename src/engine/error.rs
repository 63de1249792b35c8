//! What can go wrong between us and the engine, and whether trying again can help.

use std::time::Duration;

use bollard::errors::Error as Bollard;

/// `call` names the engine call as one would say it: `create container`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("{address:?} is no engine address: expected unix:///path or tcp://host:port")]
    Address { address: String },
    /// Nobody answers: no socket, connection refused, connection lost.
    #[error("the engine cannot be reached ({call}): {reason}")]
    Unreachable { call: &'static str, reason: String },
    /// Our deadline passed. Whether the engine did it is unknown.
    #[error("the engine did not answer within {after:?} ({call})")]
    Timeout { call: &'static str, after: Duration },
    /// The container, image or network is not there.
    #[error("{call}: {message}")]
    Missing { call: &'static str, message: String },
    /// A name that is taken, or a state that forbids the call.
    #[error("{call}: {message}")]
    Conflict { call: &'static str, message: String },
    /// Another network of the engine or the host uses these addresses; take the next subnet.
    #[error("subnet {subnet} is taken: {message}")]
    SubnetTaken { subnet: String, message: String },
    /// It does not carry our label, so it is left alone.
    #[error("{call}: {name:?} does not belong to this instance")]
    NotOurs { call: &'static str, name: String },
    #[error("the engine refused ({call}, {status}): {message}")]
    Refused { call: &'static str, status: u16, message: String },
    /// The engine said halfway through a stream that it failed.
    #[error("{call} failed: {message}")]
    Failed { call: &'static str, message: String },
    /// An answer we cannot read, or a request we could not finish.
    #[error("no sensible exchange with the engine ({call}): {reason}")]
    Protocol { call: &'static str, reason: String },
}

impl EngineError {
    /// The same call may succeed later without anybody changing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Refused { status: 502..=504, .. }
        )
    }

    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    pub(super) fn from_bollard(call: &'static str, error: Bollard) -> Self {
        match error {
            Bollard::DockerResponseServerError { status_code, message } => {
                Self::from_status(call, status_code, message)
            }
            // What we were sending broke off, such as a build context that cannot be read.
            Bollard::HyperResponseError { err } if err.is_user() => {
                Self::Protocol { call, reason: with_causes(&err) }
            }
            error @ (Bollard::HyperResponseError { .. }
            | Bollard::IOError { .. }
            | Bollard::RequestTimeoutError) => Self::Unreachable { call, reason: with_causes(&error) },
            Bollard::DockerStreamError { error } => Self::Failed { call, message: error },
            Bollard::DockerContainerWaitError { error, .. } => Self::Failed { call, message: error },
            error => Self::Protocol { call, reason: with_causes(&error) },
        }
    }

    fn from_status(call: &'static str, status: u16, message: String) -> Self {
        match status {
            404 => Self::Missing { call, message },
            409 => Self::Conflict { call, message },
            status => Self::Refused { call, status, message },
        }
    }
}

/// hyper's own words stop at "client error"; the reason is one or two causes further down.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_status(status_code: u16) -> EngineError {
        let message = "why".to_owned();
        EngineError::from_bollard("call", Bollard::DockerResponseServerError { status_code, message })
    }

    #[test]
    fn a_status_decides_what_kind_of_error_it_is() {
        assert!(from_status(404).is_missing());
        assert!(matches!(from_status(409), EngineError::Conflict { .. }));
        assert!(matches!(from_status(500), EngineError::Refused { status: 500, .. }));
        assert!(!from_status(500).is_transient(), "the engine tried and could not");
        assert!(from_status(503).is_transient());
        let timeout = EngineError::Timeout { call: "call", after: Duration::from_secs(1) };
        assert!(timeout.is_transient());
    }
}
