//! Asking the engine again when that may help.

use std::time::Duration;

use crate::engine::EngineError;

/// Tries at once and then up to four times more, over about three seconds, as long as the
/// failure is transient. A refusal is final at once.
pub async fn retry<T, F>(mut call: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let mut pause = Duration::from_millis(200);
    for _ in 0..4 {
        match call().await {
            Err(error) if error.is_transient() => tracing::debug!(%error, "asking the engine again"),
            outcome => return outcome,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    call().await
}
