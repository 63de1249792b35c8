//! Where one container's counters come from: its files, or the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::SourceChoice;
use crate::domain::Counters;
use crate::engine::{ContainerState, Engine, Meter};

#[derive(Debug)]
pub(super) enum Source {
    /// Read anew whenever somebody asks.
    Files(Meter),
    /// What the engine said last, about once a second.
    Engine { newest: Arc<Newest>, _reader: AbortOnDropHandle<()> },
}

/// The last reading and when it came.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<Option<(Instant, Counters)>>);

/// A reading that is older than this tells of the past.
const STALE: Duration = Duration::from_secs(10);

/// Between two tries of a stream that ended while the container may still run.
const PAUSE: Duration = Duration::from_secs(2);

impl Source {
    /// Needs a runtime: the engine's statistics are read by a task, which ends with the source.
    pub(super) fn open(choice: SourceChoice, engine: &Engine, container: &ContainerState) -> Self {
        let process = container.process.as_ref().filter(|_| choice == SourceChoice::Auto);
        if let Some(meter) = process.and_then(|process| process.meter()) {
            return Self::Files(meter);
        }
        let newest = Arc::new(Newest::default());
        let reader = read(engine.clone(), container.id.clone(), Arc::clone(&newest));
        Self::Engine { newest, _reader: AbortOnDropHandle::new(tokio::spawn(reader)) }
    }

    /// The newest counters and when they were read; `None` when the container has ended, or has
    /// not been heard of yet.
    pub(super) fn read(&self) -> Option<(Instant, Counters)> {
        match self {
            Self::Files(meter) => meter.read().map(|counters| (Instant::now(), counters)),
            Self::Engine { newest, .. } => newest.lock().filter(|(at, _)| at.elapsed() < STALE),
        }
    }

    pub(super) const fn is_files(&self) -> bool {
        matches!(self, Self::Files(_))
    }
}

async fn read(engine: Engine, container: String, newest: Arc<Newest>) {
    loop {
        let mut readings = std::pin::pin!(engine.stats(&container));
        while let Some(reading) = readings.next().await {
            match reading {
                Ok(counters) => *newest.lock() = Some((Instant::now(), counters)),
                Err(error) if error.is_missing() => return,
                Err(error) => tracing::debug!(%error, container, "the engine's statistics broke off"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Newest {
    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Counters)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
