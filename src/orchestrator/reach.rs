//! Whether this daemon can dial containers at their own addresses.
//!
//! It can where it shares a network with the engine's bridges. Under Docker Desktop, with a
//! remote engine, or inside a container of its own it cannot; there a port published on
//! loopback is the way in.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::engine::{Engine, EngineError};

#[derive(Debug, Default)]
pub struct Reach(AtomicU8);

const UNKNOWN: u8 = 0;
const CONTAINERS: u8 = 1;
const PUBLISHED: u8 = 2;

impl Reach {
    /// Asks the engine once; later calls know.
    pub async fn find_out(&self, engine: &Engine) -> Result<(), EngineError> {
        if self.0.load(Ordering::Acquire) != UNKNOWN {
            return Ok(());
        }
        let found = if engine.addresses_reachable().await? { CONTAINERS } else { PUBLISHED };
        if found == PUBLISHED {
            tracing::warn!(
                "container addresses cannot be dialled from here: previews use loopback-published ports"
            );
        }
        self.0.store(found, Ordering::Release);
        Ok(())
    }

    /// The common case until found otherwise.
    pub fn dials_containers(&self) -> bool {
        self.0.load(Ordering::Acquire) != PUBLISHED
    }
}
