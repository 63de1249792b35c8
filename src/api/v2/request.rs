//! A request to the app, sent for a platform that shows its own page around the preview.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::trace::TRACEPARENT;
use crate::api::{AppState, json, owned};
use crate::domain::{Invalid, Preview, text};
use crate::ingress::{ProxiedRequest, ProxiedResponse, RequestError};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestBody {
    #[serde(default = "get")]
    #[schema(value_type = text::Method, inline)]
    pub method: String,
    #[schema(value_type = text::RequestPath, inline)]
    pub path: String,
    /// Appended to the path, percent-encoded.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub query: BTreeMap<String, Box<RawValue>>,
    /// Text is sent as it is, other JSON as it is written here; see `bodyEncoding`.
    #[serde(default)]
    #[schema(value_type = Value)]
    pub body: Option<Box<RawValue>>,
    /// `base64` when `body` is binary.
    pub body_encoding: Option<BodyEncoding>,
    #[serde(default)]
    #[schema(schema_with = headers_schema)]
    pub headers: BTreeMap<String, String>,
    /// Seconds, 1 to 60, default 10.
    #[schema(minimum = 1, maximum = 60)]
    pub timeout: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum BodyEncoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// What the app answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestAnswer {
    pub status_code: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub body_encoding: BodyEncoding,
    pub elapsed_ms: f64,
    /// The body was longer than 10 MiB and ends there.
    pub truncated: bool,
}

/// What the description says of the headers of a request.
pub fn headers_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(text::HeaderName::rule().schema()))
        .additional_properties(Some(text::HeaderValue::rule().schema()))
        .build()
}

fn get() -> String {
    "GET".to_owned()
}

/// Send a request to the app. Needs the preview token in `X-Preview-Token`.
#[utoipa::path(post, path = "/generations/{gid}/preview/request", operation_id = "sendRequest", tag = "previews",
    params(("gid" = String, Path), ("X-Preview-Token" = String, Header)), request_body = RequestBody,
    responses((status = 200, body = RequestAnswer), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 502, body = Problem), (status = 504, body = Problem)))]
pub async fn send(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    headers: HeaderMap,
    json::Json(body): json::Json<RequestBody>,
) -> Result<Json<RequestAnswer>, ApiError> {
    let preview = authorised(&state, &caller, &gid, &headers).await?;
    Ok(Json(forward(&state, &preview, body, &headers).await?))
}

/// The caller's preview, when the preview token is its present one.
pub async fn authorised(
    state: &AppState,
    caller: &Caller,
    gid: &str,
    headers: &HeaderMap,
) -> Result<Preview, ApiError> {
    let preview = owned::preview(state, caller, gid).await?;
    let token = headers.get("x-preview-token").ok_or(ApiError::BadPreviewToken("send X-Preview-Token"))?;
    let token = token.to_str().unwrap_or_default();
    if !preview.status.is_live() {
        return Err(ApiError::BadPreviewToken("the preview has ended, and its token with it"));
    }
    match state.orchestrator.token_matches(&preview, token) {
        true => Ok(preview),
        false => Err(ApiError::BadPreviewToken("this is not the preview's present token")),
    }
}

pub async fn forward(
    state: &AppState,
    preview: &Preview,
    body: RequestBody,
    headers: &HeaderMap,
) -> Result<RequestAnswer, ApiError> {
    let mut request = body.into_request()?;
    // The app's part belongs to the trace of whoever asked, unless that was asked otherwise.
    if let Some(trace) = headers.get(TRACEPARENT) {
        request.headers.entry(TRACEPARENT).or_insert(trace.clone());
    }
    let answer = state.ingress.request(preview.id, request).await?;
    Ok(answer.into())
}

impl RequestBody {
    fn into_request(self) -> Result<ProxiedRequest, ApiError> {
        let invalid = |field: &str, message: &str| ApiError::Invalid(Invalid::new(field, message));
        text::Method::rule().check("method", &self.method)?;
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| invalid("method", "expected an HTTP method"))?;
        let seconds = self.timeout.unwrap_or(10);
        if !(1..=60).contains(&seconds) {
            return Err(invalid("timeout", "expected 1 to 60 seconds"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let place = format!("headers[{name:?}]");
            text::HeaderName::rule().check(&place, name)?;
            text::HeaderValue::rule().check(&place, value)?;
            let key = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(&place, "expected a header name"))?;
            let value =
                HeaderValue::from_str(value).map_err(|_| invalid(&place, "expected a header value"))?;
            headers.append(key, value);
        }
        let path_and_query = self.path_and_query()?;
        let (body, is_json) = self.body_bytes()?;
        if is_json && !headers.contains_key("content-type") {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        Ok(ProxiedRequest { method, path_and_query, headers, body, timeout: Duration::from_secs(seconds) })
    }

    fn path_and_query(&self) -> Result<String, ApiError> {
        text::RequestPath::rule().check("path", &self.path)?;
        let mut path = self.path.clone();
        for (name, value) in &self.query {
            path.push(if path.contains('?') { '&' } else { '?' });
            let value = match Given::of(value, || format!("query[{name:?}]"))? {
                Given::Nothing => "null".to_owned(),
                Given::Text(text) => text,
                Given::Json(json) => json.to_owned(),
            };
            path.push_str(&format!("{}={}", percent_encoded(name), percent_encoded(&value)));
        }
        Ok(path)
    }

    fn body_bytes(&self) -> Result<(Bytes, bool), ApiError> {
        let Some(body) = &self.body else { return Ok((Bytes::new(), false)) };
        match (Given::of(body, || "body".to_owned())?, self.body_encoding) {
            (Given::Nothing, _) => Ok((Bytes::new(), false)),
            (Given::Text(text), Some(BodyEncoding::Base64)) => {
                let decoded = STANDARD.decode(text).map_err(|_| Invalid::new("body", "expected base64"))?;
                Ok((decoded.into(), false))
            }
            (Given::Text(text), _) => Ok((text.into(), false)),
            (Given::Json(json), _) => Ok((json.to_owned().into(), true)),
        }
    }
}

/// JSON on its way to the app: what is no text goes as it was written, for a number may be one that no number of ours holds.
enum Given<'a> {
    Nothing,
    Text(String),
    Json(&'a str),
}

impl<'a> Given<'a> {
    /// Text of which an escape is half a character is none.
    fn of(value: &'a RawValue, place: impl FnOnce() -> String) -> Result<Self, Invalid> {
        match value.get() {
            "null" => Ok(Self::Nothing),
            text if text.starts_with('"') => serde_json::from_str(text)
                .map(Self::Text)
                .map_err(|error| Invalid::new(place(), error.to_string())),
            json => Ok(Self::Json(json)),
        }
    }
}

/// Everything but the unreserved characters of RFC 3986.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

impl From<ProxiedResponse> for RequestAnswer {
    fn from(answer: ProxiedResponse) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &answer.headers {
            let both = headers.entry(name.to_string()).or_default();
            *both = if both.is_empty() { text(value) } else { format!("{both}, {}", text(value)) };
        }
        let (body, body_encoding) = match std::str::from_utf8(&answer.body) {
            Ok(text) => (text.to_owned(), BodyEncoding::Utf8),
            Err(_) => (STANDARD.encode(&answer.body), BodyEncoding::Base64),
        };
        Self {
            status_code: answer.status.as_u16(),
            headers,
            body,
            body_encoding,
            elapsed_ms: answer.elapsed.as_secs_f64() * 1000.0,
            truncated: answer.truncated,
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let reason = error.to_string();
        let (status, code) = match error {
            RequestError::NotOpen | RequestError::NotRunning(_) => return Self::Conflict(reason),
            RequestError::Invalid(_) => return Self::Invalid(Invalid::new("request", reason)),
            RequestError::Refused(_) => (StatusCode::BAD_GATEWAY, "app_refused"),
            RequestError::BadAnswer(_) => (StatusCode::BAD_GATEWAY, "app_answer_broken"),
            RequestError::Timeout => (StatusCode::GATEWAY_TIMEOUT, "app_timeout"),
        };
        Self::Upstream { status, code, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(body: &str) -> Result<ProxiedRequest, ApiError> {
        json::parse::<RequestBody>(body.as_bytes()).and_then(RequestBody::into_request)
    }

    #[test]
    fn json_reaches_the_app_as_it_was_written() {
        let huge = "1".repeat(400);
        let asked = format!(
            r#"{{"path": "/a?b=c", "body": {{"n": 12345678901234567890.50, "m": [{huge}]}}, "query": {{"q": {huge}, "t": "x y", "z": null}}}}"#
        );
        let request = sent(&asked).expect("valid");
        assert_eq!(request.body, format!(r#"{{"n": 12345678901234567890.50, "m": [{huge}]}}"#));
        assert_eq!(request.path_and_query, format!("/a?b=c&q={huge}&t=x%20y&z=null"));
        assert_eq!(request.headers["content-type"], "application/json");
    }

    #[test]
    fn text_is_sent_as_it_is_and_null_is_nothing() {
        let request = sent(r#"{"path": "/", "body": "a\n\u00e9"}"#).expect("valid");
        assert_eq!((request.body.as_ref(), request.headers.len()), ("a\né".as_bytes(), 0));
        let request = sent(r#"{"path": "/", "body": "AP8=", "bodyEncoding": "base64"}"#).expect("valid");
        assert_eq!(request.body.as_ref(), [0, 255]);
        for nothing in [r#"{"path": "/", "body": null}"#, r#"{"path": "/"}"#] {
            assert!(sent(nothing).expect("valid").body.is_empty());
        }
    }

    #[test]
    fn half_a_character_is_refused_where_it_stands() {
        let field = |body: &str| match sent(body) {
            Err(ApiError::Invalid(invalid)) => invalid.field,
            other => panic!("{:?}", other.map(|request| request.path_and_query)),
        };
        assert_eq!(field(r#"{"path": "/", "body": "\ud800"}"#), "body");
        assert_eq!(field(r#"{"path": "/", "query": {"a": "\ud800"}}"#), "query[\"a\"]");
        assert!(matches!(sent(r#"{"path": "/", "body": {"a": 1,}}"#), Err(ApiError::Malformed(_))));
    }
}
