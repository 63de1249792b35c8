//! One preview's way in: its port, its upstream, its counters, and everything open on its behalf.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Config;
use super::fault::Fault;
use super::hooks::{Diagnosis, Hooks};
use super::live::Live;
use super::traffic::Tally;
use super::upstream::{Kept, Upstream, Upstreams};
use crate::domain::PreviewId;

/// What all previews share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) hooks: Hooks,
}

pub(super) struct Gate {
    pub(super) preview: PreviewId,
    pub(super) port: u16,
    pub(super) shared: Arc<Shared>,
    pub(super) upstreams: Upstreams,
    pub(super) tally: Tally,
    pub(super) live: Live,
    /// The listener, its connections and the tunnels.
    pub(super) tasks: TaskTracker,
    pub(super) closed: CancellationToken,
    /// Signalled when the upstream is set: requests to a preview that sleeps wait for it.
    changed: Notify,
    /// Requests that wait for it.
    waiting: AtomicU64,
    /// Told to end when the gate closes. Each has its own channel, for a shared one would be a lock
    /// that every connection takes whenever it is polled.
    members: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    next_member: AtomicU64,
    /// The latest diagnosis, so that a page that reloads does not have the container examined each time.
    diagnosis: Mutex<Option<(Instant, Diagnosis)>>,
}

/// A connection or tunnel that ends with the gate.
pub(super) struct Member {
    gate: Arc<Gate>,
    id: u64,
    end: oneshot::Receiver<()>,
}

impl Gate {
    pub(super) fn new(preview: PreviewId, port: u16, shared: Arc<Shared>) -> Self {
        Self {
            preview,
            port,
            shared,
            upstreams: Upstreams::new(),
            tally: Tally::new(),
            live: Live::new(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            changed: Notify::new(),
            waiting: AtomicU64::new(0),
            members: Mutex::default(),
            next_member: AtomicU64::new(0),
            diagnosis: Mutex::default(),
        }
    }

    pub(super) fn set_upstream(&self, upstream: Upstream) {
        self.upstreams.set(upstream);
        *lock(&self.diagnosis) = None;
        self.changed.notify_waiters();
    }

    /// The address to ask, with a kept connection if there is one. Waits for a preview that wakes, or
    /// that is being found again after a restart of the daemon.
    pub(super) async fn checkout<C: Kept>(&self, now: Instant) -> Result<(SocketAddr, Option<C>), Fault> {
        match self.upstreams.take(now, &self.shared.config) {
            Err(Fault::Asleep | Fault::Returning) => {
                let _waits = Waiting::count(&self.waiting);
                Box::pin(self.come_back()).await
            }
            route => route,
        }
    }

    /// Requests that the app has not answered to their end.
    pub(super) fn under_way(&self) -> u64 {
        self.tally.in_flight().saturating_sub(self.waiting.load(Relaxed))
    }

    async fn come_back<C: Kept>(&self) -> Result<(SocketAddr, Option<C>), Fault> {
        let deadline = tokio::time::Instant::now() + self.shared.config.wake_timeout;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let fault = match self.upstreams.take(Instant::now(), &self.shared.config) {
                Err(fault @ (Fault::Asleep | Fault::Returning)) => fault,
                route => return route,
            };
            if let (Fault::Asleep, Some(wake)) = (&fault, &self.shared.hooks.wake) {
                wake(self.preview);
            }
            timeout_at(deadline, changed).await.map_err(|_| fault)?;
        }
    }

    /// Why the container refuses connections.
    pub(super) async fn diagnose(&self) -> Diagnosis {
        if let Some((when, diagnosis)) = &*lock(&self.diagnosis)
            && when.elapsed() < DIAGNOSIS_LASTS
        {
            return diagnosis.clone();
        }
        let asked = timeout(DIAGNOSIS_TAKES, self.shared.hooks.diagnose.refused(self.preview)).await;
        let diagnosis = asked.unwrap_or(Diagnosis::Unknown);
        *lock(&self.diagnosis) = Some((Instant::now(), diagnosis.clone()));
        diagnosis
    }

    pub(super) fn join(self: &Arc<Self>) -> Member {
        let (end, ended) = oneshot::channel();
        let id = self.next_member.fetch_add(1, Relaxed);
        // The sender is dropped, which is the signal, if the gate is closed already.
        let mut members = lock(&self.members);
        if !self.closed.is_cancelled() {
            members.insert(id, end);
        }
        drop(members);
        Member { gate: self.clone(), id, end: ended }
    }

    /// Ends everything, and returns when it has ended: listener, connections and tunnels.
    pub(super) async fn close(&self) {
        self.closed.cancel();
        lock(&self.members).clear();
        self.tasks.close();
        self.tasks.wait().await;
        self.upstreams.set(Upstream::Down { reason: "it has been closed".to_owned() });
    }
}

/// A request that waits; a visitor may give up.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn count(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Member {
    /// Returns when the gate closes.
    pub(super) async fn ended(&mut self) {
        // Nothing is ever sent: the sender's end is the signal.
        let _ = (&mut self.end).await;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.gate.members).remove(&self.id);
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("preview", &self.preview)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// None of these can be left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const DIAGNOSIS_LASTS: Duration = Duration::from_secs(1);
const DIAGNOSIS_TAKES: Duration = Duration::from_secs(2);
