//! What the orchestrator counts, under the names of the contract.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::domain::Stage;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
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
}

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
        };
        // Counters are there from the start: what appears only with its first event looks, to
        // whoever computes rates, as if that event had never happened.
        for result in ["success", "failure"] {
            drop(inner.launches.get_or_create(&ResultLabel { result }));
        }
        for stage in [Stage::Plan, Stage::Build, Stage::Prepare, Stage::Database, Stage::Startup, Stage::Run]
        {
            drop(inner.errors.get_or_create(&TypeLabel { r#type: stage.error_type() }));
        }
        registry.register("preview_launches", "Launches by result", inner.launches.clone());
        registry.register("preview_errors", "Failures by type", inner.errors.clone());
        registry.register(
            "preview_launch_duration_seconds",
            "From an accepted launch to the first answer",
            inner.launch_seconds.clone(),
        );
        registry.register(
            "docker_image_build_duration_seconds",
            "Builds that made an image",
            inner.build_seconds.clone(),
        );
        registry.register(
            "docker_container_startup_duration_seconds",
            "From a created container to the first answer",
            inner.start_seconds.clone(),
        );
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

    pub(super) fn built(&self, took: Duration) {
        self.inner.build_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn started(&self, took: Duration) {
        self.inner.start_seconds.observe(took.as_secs_f64());
    }
}
