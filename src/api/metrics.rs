//! `GET /metrics`: what Prometheus and its kin scrape.
//!
//! Two formats of one registry. OpenMetrics is what a scraper gets that asks for it, as Prometheus
//! does; everyone else, `curl` and `promtool` among them, gets the older text format.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::problem::ApiError;

/// All families of the daemon.
#[derive(Clone)]
pub struct Exposition {
    registry: Arc<Registry>,
    /// One scrape at a time: each reads every container.
    turn: Arc<Mutex<()>>,
}

impl Exposition {
    pub fn new(registry: Registry) -> Self {
        Self { registry: Arc::new(registry), turn: Arc::default() }
    }

    /// The families as they are now, in OpenMetrics.
    async fn text(&self) -> Result<String, ApiError> {
        let _turn = self.turn.lock().await;
        let registry = Arc::clone(&self.registry);
        // Reading the kernel's files blocks, if only for microseconds each.
        let encoded = tokio::task::spawn_blocking(move || {
            let mut text = String::with_capacity(64 * 1024);
            encode(&mut text, &registry).map(|()| text)
        });
        let failed = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
        encoded.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// All figures for Prometheus, containers' sampled for this call. OpenMetrics where `Accept` asks
/// for it, else the text format.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", security(()), tag = "system",
    responses((status = 200, content((String = "text/plain"), (String = "application/openmetrics-text")))))]
async fn metrics(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    let text = state.metrics.text().await?;
    let answer = match wants_openmetrics(&headers) {
        true => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        false => ("text/plain; version=0.0.4; charset=utf-8", as_plain_text(&text)),
    };
    Ok(([(header::CONTENT_TYPE, answer.0)], answer.1).into_response())
}

fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        parts.next() == Some("application/openmetrics-text") && !parts.any(|part| part == "q=0")
    })
}

/// OpenMetrics as the text format 0.0.4: there a counter's family has the name of its samples, and
/// there is neither unit nor end.
///
/// `preview_instances_total` is a gauge by its contract, and ends as only counters may in this
/// format: its type is left unsaid, so that what checks names has nothing to object to.
fn as_plain_text(openmetrics: &str) -> String {
    let mut plain = String::with_capacity(openmetrics.len());
    let mut help = ("", "");
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
            continue;
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "gauge" if name.ends_with("_total") => ("", "untyped"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let help = if help.0 == name { help.1 } else { "" };
            plain.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
            continue;
        }
        if !line.starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples_and_there_is_no_end() {
        let openmetrics = "# HELP hits Hits of all.\n# TYPE hits counter\nhits_total{a=\"b\"} 1\n\
            # HELP seconds Time.\n# TYPE seconds histogram\nseconds_sum 1.0\nseconds_count 1\nseconds_bucket{le=\"+Inf\"} 1\n\
            # HELP live_total Live.\n# TYPE live_total gauge\nlive_total 3\n\
            # HELP cpu_seconds CPU.\n# TYPE cpu_seconds gauge\n# UNIT cpu_seconds seconds\ncpu_seconds 2\n# EOF\n";
        assert_eq!(
            as_plain_text(openmetrics),
            "# HELP hits_total Hits of all.\n# TYPE hits_total counter\nhits_total{a=\"b\"} 1\n\
             # HELP seconds Time.\n# TYPE seconds histogram\nseconds_sum 1.0\nseconds_count 1\nseconds_bucket{le=\"+Inf\"} 1\n\
             # HELP live_total Live.\n# TYPE live_total untyped\nlive_total 3\n\
             # HELP cpu_seconds CPU.\n# TYPE cpu_seconds gauge\ncpu_seconds 2\n"
        );
    }

    #[test]
    fn the_format_is_the_one_asked_for() {
        let asks = |accept: &str| {
            let value = accept.parse().expect("a header");
            wants_openmetrics(&HeaderMap::from_iter([(header::ACCEPT, value)]))
        };
        assert!(asks("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
        assert!(!asks("text/plain") && !asks("*/*") && !asks("application/openmetrics-text;q=0"));
        assert!(!wants_openmetrics(&HeaderMap::new()));
    }
}
