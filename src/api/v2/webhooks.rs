//! Addresses that are told of events.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::auth::{Caller, Role};
use crate::api::extract::{Path, Query};
use crate::api::listing::PageQuery;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json};
use crate::domain::{Delivery, DeliveryState, EventType, Invalid, Webhook, text};
use crate::webhooks::{Registration, WebhookError};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// Where events are sent: `https://` or `http://`, on the open network.
    #[serde(default)]
    #[schema(required, value_type = text::WebAddress)]
    url: String,
    /// Which ones; all of them when there is none.
    #[serde(default)]
    events: Vec<EventType>,
    /// 16 to 256 characters; `X-Preview-Signature` is made with it. It is not shown again.
    #[serde(default)]
    #[schema(required, min_length = 16, max_length = 256)]
    secret: String,
    /// Events of everybody's previews; admins may.
    #[serde(default)]
    everyone: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    id: String,
    owner: String,
    url: String,
    /// Empty: all of them.
    events: Vec<EventType>,
    everyone: bool,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookList {
    webhooks: Vec<WebhookView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// As `X-Preview-Delivery` says it, at each try the same.
    id: String,
    event_type: EventType,
    preview_instance_id: String,
    state: DeliveryState,
    attempts: u32,
    /// Of a pending one.
    next_attempt_at: Option<DateTime<Utc>>,
    /// HTTP status of the last answer.
    status: Option<u16>,
    /// Why the last try did not do.
    problem: Option<String>,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryList {
    deliveries: Vec<DeliveryView>,
    next_cursor: Option<String>,
}

/// Have events sent to an address, each as a POST of JSON with the headers `X-Preview-Event`,
/// `X-Preview-Delivery` (an id that stays the same when it is sent again), `X-Preview-Timestamp`
/// and `X-Preview-Signature`: `sha256=` and the HMAC-SHA256 of `{timestamp}.{body}` in hex. What is
/// not answered with a 2xx is sent again, later each time.
#[utoipa::path(post, path = "/webhooks", operation_id = "createWebhook", tag = "webhooks", request_body = WebhookBody,
    responses((status = 201, body = WebhookView), (status = 403, body = Problem), (status = 409, body = Problem, description = "you have as many as you may have"),
        (status = 422, body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    json::Json(body): json::Json<WebhookBody>,
) -> Result<(StatusCode, Json<WebhookView>), ApiError> {
    if body.everyone && caller.role != Role::Admin {
        return Err(ApiError::NotOwner);
    }
    let WebhookBody { url, events, secret, everyone } = body;
    let asked = Registration { owner: caller.user.clone(), url, events, everyone, secret };
    let webhook = state.webhooks.register(asked).await?;
    Ok((StatusCode::CREATED, Json(webhook.into())))
}

/// Your webhooks, oldest first; admins see all.
#[utoipa::path(get, path = "/webhooks", operation_id = "listWebhooks", tag = "webhooks",
    responses((status = 200, body = WebhookList)))]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<WebhookList>, ApiError> {
    let owner = (caller.role != Role::Admin).then_some(&caller.user);
    let webhooks = state.webhooks.list(owner).await?;
    Ok(Json(WebhookList { webhooks: webhooks.into_iter().map(WebhookView::from).collect() }))
}

/// Send nothing there any more, what waits included.
#[utoipa::path(delete, path = "/webhooks/{id}", operation_id = "deleteWebhook", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let webhook = own(&state, &caller, &id).await?;
    state.webhooks.delete(webhook.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was sent there, or is to be, newest first.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", operation_id = "listDeliveries", tag = "webhooks",
    params(("id" = String, Path), PageQuery),
    responses((status = 200, body = DeliveryList), (status = 404, body = Problem)))]
pub async fn deliveries(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<DeliveryList>, ApiError> {
    let webhook = own(&state, &caller, &id).await?;
    let found = state.webhooks.deliveries(webhook.id, page.page()?).await?;
    let deliveries = found.items.into_iter().map(DeliveryView::from).collect();
    Ok(Json(DeliveryList { deliveries, next_cursor: found.next }))
}

async fn own(state: &AppState, caller: &Caller, id: &str) -> Result<Webhook, ApiError> {
    let parsed = Uuid::parse_str(id).map_err(|_| Invalid::new("id", "expected the id of a webhook"))?;
    let webhook = state.webhooks.get(parsed).await?.ok_or_else(|| ApiError::not_found("webhook", id))?;
    caller.may_use(&webhook.owner).then_some(webhook).ok_or(ApiError::NotOwner)
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let Webhook { id, owner, url, events, everyone, created_at, .. } = webhook;
        Self { id: id.to_string(), owner: owner.to_string(), url, events, everyone, created_at }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let pending = delivery.state == DeliveryState::Pending;
        Self {
            id: delivery.id,
            event_type: delivery.event_type,
            preview_instance_id: delivery.preview_id.to_string(),
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: pending.then_some(delivery.next_at),
            status: delivery.status,
            problem: delivery.problem,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Invalid(invalid) => invalid.into(),
            WebhookError::Full { .. } => Self::Conflict(error.to_string()),
            WebhookError::Seal(_) => Self::Internal(error.to_string()),
            WebhookError::Store(error) => error.into(),
        }
    }
}
