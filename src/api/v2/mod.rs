//! The current API: camelCase, under `/api/v2` and the same under `/api`.

mod actions;
mod audit;
mod build;
mod compare;
mod database;
mod export;
mod files;
mod generations;
mod keys;
mod launch;
mod logs;
mod metrics;
mod previews;
mod request;
mod share;
mod socket;
mod stats;
mod status;
mod webhooks;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::{AppState, Config};

pub use logs::{LogPage, LogQuery, live as log_events, page as log_page};
pub use request::{RequestAnswer, RequestBody, authorised, forward, headers_schema};

pub fn routes(config: &Config) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(generations::list))
        .routes(routes!(generations::put).layer(DefaultBodyLimit::max(largest_upload(config))))
        .routes(routes!(generations::get, generations::delete))
        .routes(routes!(generations::dockerfile))
        .routes(routes!(compare::models))
        .routes(routes!(build::start, build::get, build::cancel))
        .routes(routes!(build::logs))
        .routes(routes!(previews::list))
        .routes(routes!(stats::list))
        .routes(routes!(launch::launch))
        .routes(routes!(status::get))
        .routes(routes!(previews::stop))
        .routes(routes!(previews::endpoints))
        .routes(routes!(compare::get))
        .routes(routes!(previews::config))
        .routes(routes!(previews::events))
        .routes(routes!(metrics::get))
        .routes(routes!(request::send))
        .routes(routes!(logs::newest))
        .routes(routes!(logs::stream))
        .routes(routes!(export::export))
        .routes(routes!(files::list, files::patch).layer(DefaultBodyLimit::max(largest_upload(config))))
        .routes(routes!(actions::restart))
        .routes(routes!(actions::pause))
        .routes(routes!(actions::resume))
        .routes(routes!(actions::extend))
        .routes(routes!(actions::renew_token))
        .routes(routes!(database::get))
        .routes(routes!(database::reset))
        .routes(routes!(database::query))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(audit::list))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(share::create))
        .routes(routes!(share::list))
        .routes(routes!(share::revoke))
}

/// Of a body that carries files, bytes. Base64 and JSON quoting make text up to a third longer.
pub fn largest_upload(config: &Config) -> usize {
    usize::try_from(config.max_generation_bytes * 3 / 2).unwrap_or(usize::MAX)
}
