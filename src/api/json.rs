//! JSON bodies whose errors name the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::ApiError;
use crate::domain::Invalid;

/// A body parsed as JSON, whatever its content type; an empty body is the default value.
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                return ApiError::TooLarge { limit: super::SMALL_BODY as u64 };
            }
            ApiError::Malformed(rejection.body_text())
        })?;
        parse(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// Text that is no JSON is malformed (400); JSON of another shape is invalid (422) and names
/// the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::Malformed("it is empty".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inner = error.inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                ApiError::Invalid(Invalid::new(field_of(&error), inner.to_string()))
            }
            _ => ApiError::Malformed(inner.to_string()),
        }
    })?;
    reader.end().map_err(|error| ApiError::Malformed(error.to_string()))?;
    Ok(value)
}

fn field_of(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string() {
        path if path == "." => String::new(),
        path => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Metadata;

    #[test]
    fn an_error_names_the_field_and_says_whether_it_was_json_at_all() {
        let invalid = |text: &str| match parse::<Metadata>(text.as_bytes()) {
            Err(ApiError::Invalid(invalid)) => invalid.field,
            other => panic!("{other:?}"),
        };
        assert_eq!(invalid(r#"{"port": "x"}"#), "port");
        assert_eq!(invalid(r#"{"systemPackages": ["a", 1]}"#), "systemPackages[1]");
        assert_eq!(invalid(r#"{"colour": 1}"#), "colour");
        assert!(matches!(parse::<Metadata>(b"{"), Err(ApiError::Malformed(_))));
        assert!(matches!(parse::<Metadata>(b"{} {}"), Err(ApiError::Malformed(_))));
    }
}
