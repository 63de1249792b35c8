//! A clock that jumps by a day, forth and back, under a running daemon: nothing ends early, and
//! nothing lives for ever.

use std::time::Duration;

use crate::app::{TestApp, until};
use crate::crash::Daemon;
use crate::scene::{OBEDIENT, python, text, up, visitor};

/// Where Debian puts it; `make setup` installs it.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_ends_early_or_lives_on_when_the_clock_jumps() {
    if !std::path::Path::new(LIBRARY).exists() {
        return;
    }
    let offsets = tempfile::NamedTempFile::new().expect("a file");
    let jump = |by: &str| std::fs::write(offsets.path(), by).expect("written");
    jump("+0");
    let settings = vec![
        // Sessions of the first API may be short: a minute, of which the jumps take some seconds.
        ("PREVIEW_MAX_UPTIME", "60".to_owned()),
        ("PREVIEW_HEALTH_CHECK_INTERVAL", "1".to_owned()),
    ];
    let mut app = TestApp::prepared(settings).await;
    let path = offsets.path().display().to_string();
    let faked = [
        ("LD_PRELOAD", LIBRARY),
        ("FAKETIME_TIMESTAMP_FILE", path.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let daemon = Daemon::start_with(&mut app, &faked).await;
    let long = up(&app.user("ann"), "long", &python(OBEDIENT)).await;
    let short = app.user("ann").put("/api/v2/generations/short", &python(OBEDIENT)).await;
    assert_eq!(short.status, 201, "{short:?}");
    let launched =
        app.user("ann").post("/api/v1/generations/short/preview/launch", &serde_json::json!({})).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let launched = launched.json();
    let begun = std::time::Instant::now();
    let pid = visitor(&long).get("/").await.text();
    let short_one = crate::http::Client::to(text(&launched, "base_url"));
    until(30, || async {
        (short_one.try_send(hyper::Method::GET, "/", "").await.ok()?.status == 200).then_some(())
    })
    .await;
    for by in ["+1d", "-1d", "+0"] {
        jump(by);
        // Some rounds of everything that looks at a clock: health, samples, sessions, comparison.
        let seen = std::time::Instant::now();
        while seen.elapsed() < Duration::from_secs(4) {
            assert_eq!(visitor(&long).get("/").await.text(), pid, "{by}");
            assert_eq!(short_one.get("/").await.status, 200, "{by}: it ended early");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    // And the other way: a jump back must not lengthen a session.
    jump("-1d");
    until(90, || async {
        let answer = short_one.try_send(hyper::Method::GET, "/", "").await;
        answer.map_or(true, |answer| answer.status != 200).then_some(())
    })
    .await;
    let lasted = begun.elapsed();
    assert!(lasted >= Duration::from_secs(50), "it ended after {lasted:?}");
    println!("clock: ±1 day survived; a session of 60 s lasted {:.0} s", lasted.as_secs_f64());
    assert_eq!(visitor(&long).get("/").await.text(), pid);
    jump("+0");
    let stopped = app.user("ann").delete("/api/v2/generations/long/preview").await;
    assert_eq!(stopped.status, 204, "{stopped:?}");
    daemon.end().await;
    app.finish().await;
}
