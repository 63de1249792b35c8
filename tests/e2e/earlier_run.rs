//! What an earlier run of the daemon left, and what somebody did to it meanwhile: no launch waits for
//! what cannot be put right, and nobody is given what is another's.

use std::process::Command;
use std::time::{Duration, Instant};

use hyper::Method;
use previewd::domain::{GenerationId, PreviewId, ResourceLimits};
use previewd::engine::{ContainerSpec, EngineError, Kind, NetworkSpec, Ownership};
use serde_json::json;

use crate::app::{TestApp, until};
use crate::base::probe_image;
use crate::clerk::on_postgresql;
use crate::crash::{Daemon, log_of};
use crate::kills::{arm, start};
use crate::outside::is_root;
use crate::scene::{OBEDIENT, launch_with, once, page, path, put, python, stop, text, up, visitor};
use crate::slow_filter::SlowFilter;

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A network as a daemon makes them, that no row names.
async fn idle_network(app: &TestApp) -> String {
    let instance = app.engine.instance().clone();
    // Other tests have networks in the same pool.
    for third in 200..250 {
        let name = format!("previewd-{instance}-10-214-{third}-0-28");
        let spec = NetworkSpec {
            name: name.clone(),
            subnet: format!("10.214.{third}.0/28"),
            internal: false,
            peers: true,
            ownership: Ownership::of(instance.clone(), Kind::Network),
        };
        match app.engine.create_network(&spec).await {
            Ok(_) => return name,
            Err(EngineError::SubnetTaken { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no subnet is free");
}

/// A container that is none of ours, put into a network of ours; gone with the test.
struct Stranger(String);

impl Stranger {
    async fn in_network(network: &str) -> Self {
        let image = probe_image().await;
        Self(docker(&["run", "--detach", "--network", network, image, "/probe", "sleep", "600"]))
    }

    fn runs(&self) -> bool {
        docker(&["inspect", "--format", "{{.State.Running}}", &self.0]) == "true"
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

/// The network of a user's preview.
async fn network_of(app: &TestApp, user: &str, id: &str) -> String {
    let config = app.user(user).get(&path(id, "/config")).await.json();
    text(&config, "network").to_owned()
}

async fn is_gone(app: &TestApp, network: &str) {
    until(30, || async { (!app.engine.has_network(network).await.ok()?).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cannot_go_holds_up_no_launch_and_is_nobodys() {
    for spares in ["0", "1"] {
        let mut app = TestApp::prepared(vec![("PREVIEW_NETWORK_SPARES", spares.to_owned())]).await;
        let network = idle_network(&app).await;
        let stranger = Stranger::in_network(&network).await;
        app.boot().await;
        let ann = app.user("ann");
        let begun = Instant::now();
        let launched = up(&ann, "page", &page("launched beside a stranger")).await;
        assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
        assert_eq!(visitor(&launched).get("/").await.status, 200);
        assert_ne!(network_of(&app, "ann", "page").await, network);
        stop(&ann, "page").await;
        assert!(stranger.runs(), "what is not ours is left alone");
        drop(stranger);
        is_gone(&app, &network).await;
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_without_a_row_shares_its_network_with_nobody() {
    let mut app = TestApp::prepared(vec![]).await;
    let network = idle_network(&app).await;
    let instance = app.engine.instance().clone();
    let spec = ContainerSpec {
        name: format!("previewd-{instance}-{}", PreviewId::new()),
        image: probe_image().await.to_owned(),
        command: Some(vec!["/probe".to_owned(), "sleep".to_owned(), "600".to_owned()]),
        arguments: None,
        environment: Default::default(),
        network: network.clone(),
        names: Vec::new(),
        limits: ResourceLimits::new(64, 0.5, 64),
        ownership: Ownership {
            preview: Some(PreviewId::new()),
            generation: GenerationId::parse("gone").ok(),
            ..Ownership::of(instance, Kind::Preview)
        },
        publish: None,
        runtime: None,
        working_dir: None,
        writable: Vec::new(),
        scratch: Vec::new(),
        volumes: Vec::new(),
    };
    let orphan = app.engine.create_container(&spec).await.expect("created");
    app.engine.start(&orphan).await.expect("started");
    app.boot().await;
    let launched = up(&app.user("ann"), "page", &page("launched beside an orphan")).await;
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    assert_ne!(network_of(&app, "ann", "page").await, network);
    until(30, || async { app.engine.inspect(&orphan).await.ok()?.is_none().then_some(()) }).await;
    is_gone(&app, &network).await;
    app.finish().await;
}

/// The shared server of databases: its container, and the network that it lives in.
async fn server(app: &TestApp) -> Option<(String, String)> {
    let all = app.engine.owned_containers().await.ok()?;
    let server = all.into_iter().find(|container| container.ownership.kind == Kind::Server)?;
    Some((server.id, server.home_network?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_was_taken_out_of_its_network_comes_back() {
    let app = TestApp::start().await;
    up(&app.user("bob"), "witness", &on_postgresql()).await;
    for network_goes in [false, true] {
        let (container, home) = server(&app).await.expect("a server");
        docker(&["network", "disconnect", "--force", &home, &container]);
        if network_goes {
            docker(&["network", "rm", &home]);
        }
        let begun = Instant::now();
        let launched = up(&app.user("ann"), "page", &on_postgresql()).await;
        assert!(begun.elapsed() < Duration::from_secs(40), "it took {:?}", begun.elapsed());
        assert_eq!(visitor(&launched).get("/").await.status, 200);
        stop(&app.user("ann"), "page").await;
    }
    app.finish().await;
}

/// A thaw is told to the engine in a moment for which the container stands still. A daemon that dies
/// right then leaves one that serves, by its row, and is frozen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_stood_still_when_the_daemon_died_wakes_for_its_visitor() {
    let mut app = TestApp::prepared(vec![("PREVIEW_IDLE_PAUSE", "1".to_owned())]).await;
    for side in ["before", "after"] {
        let mut daemon = start(&mut app).await;
        let launched = up(&app.user("ann"), "drowsy", &python(OBEDIENT)).await;
        let pid = visitor(&launched).get("/").await.text();
        once(&app.user("ann"), "drowsy", "paused").await;
        arm(&app, &format!("unpause container:{side}=return")).await;
        assert_eq!(visitor(&launched).get("/").await.text(), pid, "woken");
        assert!(daemon.died(30).await, "{}", log_of(&app));
        let daemon = start(&mut app).await;
        let answer =
            until(20, || async { visitor(&launched).try_send(Method::GET, "/", "").await.ok() }).await;
        assert_eq!((answer.status, answer.text()), (200, pid), "{side}");
        stop(&app.user("ann"), "drowsy").await;
        daemon.end().await;
    }
    app.finish().await;
}

/// Whatever comes up while the networks of the earlier run are not known yet: a server of databases
/// has its network for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_has_a_network_of_its_own_also_when_it_comes_up_after_a_kill() {
    if !is_root() {
        return;
    }
    let mut app = TestApp::prepared(vec![]).await;
    let file = app.data_dir().join("faults");
    let named = file.display().to_string();
    let filter = SlowFilter::new();
    let mut daemon = Daemon::start_with(&mut app, &[("FAULTS_FILE", &named)]).await;
    up(&app.user("eve"), "kept", &page("there all the time")).await;
    put(&app.user("ann"), "filled", &on_postgresql()).await;
    // Its network is written down, and nothing of its database is made.
    arm(&app, "storing what is known of a preview's database:before=1*off->return").await;
    let (ann, address) = (app.user("ann"), path("filled", "/launch"));
    let launch = tokio::spawn(async move { ann.try_send(Method::POST, &address, "{}").await });
    assert!(daemon.died(60).await, "{}", log_of(&app));
    let _ = launch.await.expect("no panic");
    filter.takes(3);
    let daemon = filter.start(&mut app, &[]).await;
    once(&app.user("ann"), "filled", "healthy").await;
    let (_, home) = server(&app).await.expect("a server");
    let others = [network_of(&app, "eve", "kept").await, network_of(&app, "ann", "filled").await];
    assert!(!others.contains(&home), "{home} is a server's, and a preview's: {others:?}");
    for (user, id) in [("ann", "filled"), ("eve", "kept")] {
        stop(&app.user(user), id).await;
    }
    daemon.end().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_filter_that_hangs_is_said_and_what_runs_can_be_stopped() {
    if !is_root() {
        return;
    }
    let mut app = TestApp::prepared(vec![("PREVIEW_MAX_INSTANCES_PER_USER", "9".to_owned())]).await;
    let filter = SlowFilter::new();
    let daemon = filter.start(&mut app, &[]).await;
    let kept = up(&app.user("eve"), "kept", &page("there all the time")).await;
    daemon.kill().await;
    filter.hangs();
    let daemon = filter.start(&mut app, &[]).await;
    let ann = app.user("ann");
    let ids = ["one", "two", "three", "four"];
    for id in ids {
        put(&ann, id, &page("launched while nothing can be restricted")).await;
    }
    let begun = Instant::now();
    let launches = ids.map(|id| launch_with(&ann, id, json!({ "wait": true })));
    for answer in futures_util::future::join_all(launches).await {
        assert!(answer.status == 502 && answer.text().contains("iptables-restore did not end"), "{answer:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(50), "all were told after {:?}", begun.elapsed());
    assert_eq!(visitor(&kept).get("/").await.status, 200, "what runs is served");
    stop(&app.user("eve"), "kept").await;
    let log = log_of(&app);
    assert!(log.contains("iptables-restore did not end"), "{log}");
    filter.goes_on();
    let launched = until(30, || async {
        let answer = launch_with(&ann, "one", json!({ "wait": true })).await;
        (answer.status == 201).then(|| answer.json())
    });
    assert_eq!(visitor(&launched.await).get("/").await.status, 200);
    stop(&ann, "one").await;
    daemon.end().await;
    app.finish().await;
}
