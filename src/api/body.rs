//! Why the body of a request did not come whole.

use std::error::Error;

use axum::http::StatusCode;
use http_body_util::LengthLimitError;
use tower_http::timeout::TimeoutError;

use super::problem::ApiError;

/// The refusal for what one of axum's extractors could not read. That it was too long it says by the
/// status alone.
pub fn rejected(error: &(dyn Error + 'static), status: StatusCode, limit: usize) -> ApiError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge { limit: limit as u64 },
        _ => refusal(error, limit),
    }
}

/// The refusal for a body that could not be read, of at most `limit` bytes.
pub fn refusal(error: &(dyn Error + 'static), limit: usize) -> ApiError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return ApiError::TooLarge { limit: limit as u64 };
        }
        if error.is::<TimeoutError>() {
            return ApiError::SlowBody;
        }
        cause = error.source();
    }
    ApiError::Malformed(error.to_string())
}
