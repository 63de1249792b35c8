//! Path and query parameters whose errors are problems that name the field.

use std::error::Error;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{self, FromRequestParts};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::ApiError;
use crate::domain::Invalid;

/// Parameters of the path.
pub struct Path<T>(pub T);

/// Parameters after the `?`. What a handler does not know is refused, when its type refuses
/// unknown fields: a misspelt `force` must not be taken for no `force`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = extract::Path::from_request_parts(parts, state).await;
        found.map(|extract::Path(value)| Self(value)).map_err(wrong_path)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        query(&parts.uri).map(Self)
    }
}

/// The parameters of an address. None holds a NUL, which PostgreSQL takes in no text.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let with_nul = uri.query().unwrap_or_default().split('&').find(|pair| pair.contains("%00"));
    if let Some(pair) = with_nul {
        let name = pair.split('=').next().filter(|name| !name.contains('%')).unwrap_or("query");
        return Err(Invalid::new(name, "expected text without NUL").into());
    }
    let found = extract::Query::try_from_uri(uri);
    found.map(|extract::Query(value)| value).map_err(|error| wrong_query(&error).into())
}

fn wrong_path(rejection: PathRejection) -> ApiError {
    let PathRejection::FailedToDeserializePathParams(error) = rejection else {
        return ApiError::Internal(rejection.body_text());
    };
    let key = match error.kind() {
        ErrorKind::InvalidUtf8InPathParam { key } | ErrorKind::ParseErrorAtKey { key, .. } => key.as_str(),
        _ => "path",
    };
    // What the path calls `gid` is a generation's id everywhere else.
    let field = if matches!(key, "gid" | "generation_id") { "generationId" } else { key };
    Invalid::new(field, "expected text in UTF-8").into()
}

fn wrong_query(rejection: &QueryRejection) -> Invalid {
    type At = serde_path_to_error::Error<serde::de::value::Error>;
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if let Some(at) = error.downcast_ref::<At>() {
            let message = at.inner().to_string();
            // A parameter that is given twice has its name in the message alone.
            let twice = message.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`'));
            let field = twice.map_or_else(|| at.path().to_string(), |(name, _)| name.to_owned());
            return Invalid::new(field, message);
        }
        cause = error.source();
    }
    Invalid::new("query", rejection.body_text())
}
