//! Asking the engine again when that may help.

use std::time::Duration;

use super::images::ImageError;
use crate::engine::EngineError;

/// Tries at once and then up to four times more, over about three seconds, as long as the
/// failure is transient. A refusal is final at once.
pub async fn retry<T, F>(call: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    again_while(EngineError::is_transient, call).await
}

/// The same for questions about images.
pub async fn patiently<T, F>(call: impl FnMut() -> F) -> Result<T, ImageError>
where
    F: Future<Output = Result<T, ImageError>>,
{
    again_while(|error| matches!(error, ImageError::Engine(engine) if engine.is_transient()), call).await
}

async fn again_while<T, E, F>(passes: impl Fn(&E) -> bool, mut call: impl FnMut() -> F) -> Result<T, E>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = Duration::from_millis(200);
    for _ in 0..4 {
        match call().await {
            Err(error) if passes(&error) => tracing::debug!(%error, "asking the engine again"),
            outcome => return outcome,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    call().await
}
