//! SIGTERM while visitors are being served: what is under way ends well, and the preview runs on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::Method;

use crate::app::{TestApp, until};
use crate::crash::Daemon;
use crate::scene::{OBEDIENT, python, up, visitor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigterm_under_load_drains_and_previews_run_on() {
    let rest = ("PREVIEW_NETWORK_REST", "30".to_owned());
    let mut app = TestApp::prepared(vec![rest]).await;
    let daemon = Daemon::start(&mut app).await;
    let launched = up(&app.user("ann"), "loaded", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    let (over, broken, served) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let visitors: Vec<_> = (0..16)
        .map(|_| {
            let (client, over, broken, served) =
                (visitor(&launched), Arc::clone(&over), Arc::clone(&broken), Arc::clone(&served));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    // A connection that is refused was never taken; one that was taken is answered.
                    match client.open(Method::GET, "/", "").await {
                        Ok(_) => drop(served.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => {
                            let text = format!("{error:#}");
                            let refused = text.contains("refused") || text.contains("os error 104");
                            broken.fetch_add(u32::from(!refused), Ordering::Relaxed);
                            tokio::task::yield_now().await;
                        }
                    }
                }
            })
        })
        .collect();
    until(20, || async { (served.load(Ordering::Relaxed) > 200).then_some(()) }).await;
    let begun = Instant::now();
    daemon.end().await;
    let drained = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    futures_util::future::join_all(visitors).await;
    println!(
        "SIGTERM under load: drained in {} ms, {} served, {} broken",
        drained.as_millis(),
        served.load(Ordering::Relaxed),
        broken.load(Ordering::Relaxed)
    );
    assert!(broken.load(Ordering::Relaxed) <= 16, "at most the one that each had just opened");
    let daemon = Daemon::start(&mut app).await;
    let again = until(20, || async {
        let answer = visitor(&launched).try_send(Method::GET, "/", "").await.ok()?;
        (answer.status == 200).then(|| answer.text())
    });
    assert_eq!(again.await, pid, "the app was never stopped");
    let stopped = app.user("ann").delete("/api/v2/generations/loaded/preview").await;
    assert_eq!(stopped.status, 204, "{stopped:?}");
    let begun = Instant::now();
    daemon.end().await;
    assert!(begun.elapsed() < Duration::from_secs(6), "its network rests, and is not waited for");
    app.finish().await;
}
