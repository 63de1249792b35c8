//! Previews that come and go, all with visitors, log readers and changes of files: the daemon's memory
//! and descriptors stay what they were, and the engine is left as it was found.
//!
//! `MINUTES=10` (as in `make soak`): for so long, which is eight hours in small, and the memory's slope
//! counts; otherwise a few rounds.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::crash::Daemon;
use crate::http::Client;
use crate::scene::{launch_with, nonce, page, path, put, text, visitor};
use crate::socket::Socket;

/// Previews of one round, at once.
const AT_ONCE: usize = 3;

/// Rounds in which pools fill and allocators find their size.
const WARM_UP: usize = 4;

/// Connections that pools may open later. A leak is one a preview at the least.
const POOLED: usize = 3;

/// MiB an hour, after the warm-up.
const MOST_GROWTH: f64 = 1.0;

/// Previews that a busy host sees come and go in an hour. Here that many take somewhat more than a minute.
const AN_HOUR: f64 = 75.0;

/// What a daemon at rest holds.
#[derive(Debug, Clone, Copy)]
struct Holding {
    /// Hours' worth of previews since the first.
    hours: f64,
    mib: f64,
    descriptors: usize,
}

impl Holding {
    fn of(pid: u32, previews: usize) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let kib: f64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("readable").count();
        Self { hours: previews as f64 / AN_HOUR, mib: kib / 1024.0, descriptors }
    }
}

/// One preview's life, with all that users do to it.
async fn live(app: &TestApp, client: &Client, id: &str) {
    put(client, id, &page(&format!("{id} before"))).await;
    let launched = launch_with(client, id, json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let launched = launched.json();
    let guest = visitor(&launched);
    assert!(guest.get("/").await.text().contains("before"));
    let token = text(&launched, "previewToken");
    let mut lines = Socket::open(app.address, &format!("{}?token={token}", path(id, "/logs"))).await;
    lines.next().await.expect("a message");
    let change = json!({ "files": { "index.html": format!("{id} after") } });
    let changed = client.send(hyper::Method::PATCH, &path(id, "/files"), change.to_string()).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    until(30, || async { guest.get("/").await.text().contains("after").then_some(()) }).await;
    for view in ["/status", "/metrics", "/logs", "/events"] {
        assert_eq!(client.get(&path(id, view)).await.status, 200, "{view}");
    }
    assert_eq!(client.delete(&path(id, "")).await.status, 204);
    let gone = client.delete(&format!("/api/v2/generations/{id}")).await;
    assert_eq!(gone.status, 204, "{gone:?}");
}

/// Until the daemon has nothing to do and the engine nothing of previews.
async fn at_rest(app: &TestApp) {
    let empty = || async {
        let containers = app.engine.owned_containers().await.ok()?;
        let volumes = app.engine.owned_volumes().await.ok()?;
        (containers.is_empty() && volumes.is_empty()).then_some(())
    };
    until(30, empty).await;
    let live: Value = app.admin().get("/api/v2/previews?status=healthy").await.json();
    assert_eq!(live["previews"], json!([]));
}

/// Least squares: MiB an hour.
fn slope(held: &[Holding]) -> f64 {
    let mean = |of: fn(&Holding) -> f64| held.iter().map(of).sum::<f64>() / held.len() as f64;
    let (hours, mib) = (mean(|held| held.hours), mean(|held| held.mib));
    let both: f64 = held.iter().map(|held| (held.hours - hours) * (held.mib - mib)).sum();
    both / held.iter().map(|held| (held.hours - hours).powi(2)).sum::<f64>()
}

fn fewest(held: &[Holding]) -> usize {
    held.iter().map(|h| h.descriptors).min().expect("some")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_come_and_go_and_the_daemon_stays_what_it_was() {
    let minutes: Option<f64> = std::env::var("MINUTES").ok().and_then(|text| text.parse().ok());
    let mut app = TestApp::prepared(vec![("PREVIEW_MAX_INSTANCES_PER_USER", AT_ONCE.to_string())]).await;
    let daemon = Daemon::start(&mut app).await;
    let ann = app.user("ann");
    let begun = Instant::now();
    let is_over = |rounds: usize| match minutes {
        Some(minutes) => begun.elapsed() >= Duration::from_secs_f64(minutes * 60.0),
        None => rounds >= WARM_UP + 6,
    };
    let mut held: Vec<Holding> = Vec::new();
    while !is_over(held.len()) || held.len() < WARM_UP + 6 {
        let ids: Vec<String> = (0..AT_ONCE).map(|at| format!("fresh-{at}-{}", nonce())).collect();
        join_all(ids.iter().map(|id| live(&app, &ann, id))).await;
        at_rest(&app).await;
        app.remove_fresh_images().await;
        held.push(Holding::of(daemon.pid(), (held.len() + 1) * AT_ONCE));
    }
    let rounds = held.len();
    let held = match minutes {
        // Caches are full after some hundreds of previews: what is kept by content, pages of the store.
        Some(_) => &held[WARM_UP.max(rounds * 2 / 5)..],
        None => &held[WARM_UP..],
    };
    let (early, late) = held.split_at(held.len() / 2);
    let growth = slope(held);
    println!(
        "{} previews in {:.1} min: {:.1} MiB, then {:.1} ({growth:+.2} MiB an hour); {} descriptors, then {}",
        rounds * AT_ONCE,
        begun.elapsed().as_secs_f64() / 60.0,
        early[0].mib,
        late[late.len() - 1].mib,
        fewest(early),
        fewest(late),
    );
    assert!(fewest(late) <= fewest(early) + POOLED, "{held:?}");
    assert!(
        minutes.is_none_or(|minutes| minutes < 5.0) || growth <= MOST_GROWTH,
        "{growth:.2} MiB an hour: {held:?}"
    );
    daemon.end().await;
    app.finish().await;
}
