//! Whether this daemon can dial containers at their own addresses.
//!
//! It can where it shares a network with the engine's bridges. Under Docker Desktop, with a
//! remote engine, or inside a container of its own it cannot; there a port published on
//! loopback is the way in.

use std::sync::OnceLock;

use crate::engine::{Engine, EngineError};

/// How previews are dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial {
    /// At the container's own address.
    Container,
    /// At a port the engine publishes on loopback.
    Published,
}

/// Found out once, or set by the operator.
#[derive(Debug, Default)]
pub struct Reach(OnceLock<Dial>);

impl Reach {
    /// `PREVIEW_DIAL` when it says, else to be found out.
    pub fn new(set: Option<Dial>) -> Self {
        Self(set.map(OnceLock::from).unwrap_or_default())
    }

    /// Asks the engine once; later calls know.
    pub async fn find_out(&self, engine: &Engine) -> Result<Dial, EngineError> {
        if let Some(known) = self.0.get() {
            return Ok(*known);
        }
        let found = if engine.addresses_reachable().await? { Dial::Container } else { Dial::Published };
        if found == Dial::Published {
            tracing::warn!(
                "container addresses cannot be dialled from here: previews use loopback-published ports"
            );
        }
        Ok(*self.0.get_or_init(|| found))
    }

    /// The common case until found otherwise.
    pub fn dial(&self) -> Dial {
        self.0.get().copied().unwrap_or(Dial::Container)
    }
}
