//! The first good answer of an app, asked for as an impatient client would.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::http::Client;

/// Between two questions; the same for us and for every baseline.
pub const EVERY: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(180);

/// Asks for `/` until the answer is 200, and checks that its body names the generation.
pub async fn first_ok(address: SocketAddr, generation: &str) -> anyhow::Result<Instant> {
    first_ok_every(EVERY, address, generation).await
}

/// The same, asking less often: fifty who ask every two milliseconds are a load of their own.
pub async fn first_ok_every(
    every: Duration,
    address: SocketAddr,
    generation: &str,
) -> anyhow::Result<Instant> {
    let client = Client::new(address);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked =
            tokio::time::timeout(Duration::from_secs(5), client.try_send(hyper::Method::GET, "/", ""));
        if let Ok(Ok(answer)) = asked.await
            && answer.status == 200
        {
            let now = Instant::now();
            if !answer.text().contains(generation) {
                bail!("an answer that does not name {generation}: {}", answer.text());
            }
            return Ok(now);
        }
        if Instant::now() > deadline {
            bail!("no 200 from {address} within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(every).await;
    }
}

/// Waits until something holds, asking as often as [`first_ok`].
pub async fn until<F: Future<Output = anyhow::Result<Option<T>>>, T>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(EVERY).await;
    }
}
