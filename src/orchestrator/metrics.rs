//! What the orchestrator counts, under the names of the contract.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::domain::{EventType, Stage};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
}

/// What `preview_errors_total` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    Plan,
    Build,
    Engine,
    Database,
    StartupTimeout,
    /// It was running and ended by itself.
    Exit,
    PortAllocation,
    /// It became unhealthy.
    HealthCheck,
    /// A preview token that is not the present one.
    TokenValidation,
    OutOfMemory,
    /// It wrote more than it may.
    Storage,
}

/// A cheap handle on the counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    launches: Family<ResultLabel, Counter>,
    errors: Family<TypeLabel, Counter>,
    launch_seconds: Histogram,
    build_seconds: Histogram,
    start_seconds: Histogram,
    session_seconds: Family<ResultLabel, Histogram>,
    stream_seconds: Family<TypeLabel, Histogram>,
}

/// One open stream to a client; it counts for as long as it is kept.
#[derive(Debug)]
pub struct OpenStream {
    seconds: Histogram,
    begun: Instant,
}

/// Streams that stay open.
const STREAMS: [&str; 2] = ["sse", "websocket"];

/// How sessions end.
const ENDINGS: [EventType; 3] = [EventType::Stopped, EventType::Expired, EventType::Failed];

impl Metrics {
    /// Makes the counters and puts them into the registry.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.01, 2.0, 14));
        let inner = Inner {
            launches: Family::default(),
            errors: Family::default(),
            launch_seconds: seconds(),
            build_seconds: seconds(),
            start_seconds: seconds(),
            // From half a minute to twelve hours.
            session_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(30.0, 2.0, 11))
            }),
            // From a second to five hours.
            stream_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1.0, 4.0, 8))),
        };
        inner.begin_at_zero();
        inner.enter(registry);
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn launched(&self, took: Duration) {
        self.inner.launches.get_or_create(&ResultLabel { result: "success" }).inc();
        self.inner.launch_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn failed(&self, stage: Stage) {
        if stage != Stage::Run {
            self.inner.launches.get_or_create(&ResultLabel { result: "failure" }).inc();
        }
        self.inner.errors.get_or_create(&TypeLabel { r#type: stage.error_type() }).inc();
    }

    pub(super) fn error(&self, kind: ErrorType) {
        self.inner.errors.get_or_create(&TypeLabel { r#type: kind.as_str() }).inc();
    }

    pub(super) fn built(&self, took: Duration) {
        self.inner.build_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn started(&self, took: Duration) {
        self.inner.start_seconds.observe(took.as_secs_f64());
    }

    /// From the launch to the end, whatever that was.
    pub(super) fn session_ended(&self, how: EventType, lasted: Duration) {
        let label = ResultLabel { result: how.as_str() };
        self.inner.session_seconds.get_or_create(&label).observe(lasted.as_secs_f64());
    }

    /// A stream of server-sent events that opens.
    pub fn sse(&self) -> OpenStream {
        self.stream(STREAMS[0])
    }

    /// A WebSocket that opens.
    pub fn websocket(&self) -> OpenStream {
        self.stream(STREAMS[1])
    }

    fn stream(&self, r#type: &'static str) -> OpenStream {
        let seconds = self.inner.stream_seconds.get_or_create(&TypeLabel { r#type }).clone();
        OpenStream { seconds, begun: Instant::now() }
    }

    /// Launches that came to an answer, and those that did not.
    pub fn launches(&self) -> (u64, u64) {
        let of = |result| self.inner.launches.get_or_create(&ResultLabel { result }).get();
        (of("success"), of("failure"))
    }

    /// Errors by type, those that came up.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |kind: ErrorType| {
            let r#type = kind.as_str();
            (r#type, self.inner.errors.get_or_create(&TypeLabel { r#type }).get())
        };
        ErrorType::ALL.into_iter().map(count).filter(|(_, count)| *count > 0)
    }
}

impl Inner {
    /// Counters are there from the start: what appears only with its first event looks, to whoever
    /// computes rates, as if that event had never happened.
    fn begin_at_zero(&self) {
        for result in ["success", "failure"] {
            drop(self.launches.get_or_create(&ResultLabel { result }));
        }
        for kind in ErrorType::ALL {
            drop(self.errors.get_or_create(&TypeLabel { r#type: kind.as_str() }));
        }
        for r#type in STREAMS {
            drop(self.stream_seconds.get_or_create(&TypeLabel { r#type }));
        }
        for ending in ENDINGS {
            drop(self.session_seconds.get_or_create(&ResultLabel { result: ending.as_str() }));
        }
    }

    fn enter(&self, registry: &mut Registry) {
        registry.register("preview_launches", "Launches by result", self.launches.clone());
        registry.register("preview_errors", "Failures by type", self.errors.clone());
        registry.register(
            "preview_launch_duration_seconds",
            "From an accepted launch to the first answer",
            self.launch_seconds.clone(),
        );
        registry.register(
            "docker_image_build_duration_seconds",
            "Builds that made an image",
            self.build_seconds.clone(),
        );
        registry.register(
            "docker_container_startup_duration_seconds",
            "From a created container to the first answer",
            self.start_seconds.clone(),
        );
        registry.register(
            "preview_session_duration_seconds",
            "From a launch to the end of the preview, by how it ended",
            self.session_seconds.clone(),
        );
        registry.register(
            "preview_stream_duration_seconds",
            "How long streams to clients were open, by type",
            self.stream_seconds.clone(),
        );
    }
}

impl OpenStream {
    /// Open for as long as the work takes.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        work.await
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl ErrorType {
    pub const ALL: [Self; 11] = [
        Self::Plan,
        Self::Build,
        Self::Engine,
        Self::Database,
        Self::StartupTimeout,
        Self::Exit,
        Self::PortAllocation,
        Self::HealthCheck,
        Self::TokenValidation,
        Self::OutOfMemory,
        Self::Storage,
    ];

    /// The `type` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => Stage::Plan.error_type(),
            Self::Build => Stage::Build.error_type(),
            Self::Engine => Stage::Prepare.error_type(),
            Self::Database => Stage::Database.error_type(),
            Self::StartupTimeout => Stage::Startup.error_type(),
            Self::Exit => Stage::Run.error_type(),
            Self::PortAllocation => "port_allocation",
            Self::HealthCheck => "health_check",
            Self::TokenValidation => "token_validation",
            Self::OutOfMemory => "out_of_memory",
            Self::Storage => "storage",
        }
    }
}
