//! Any order, and any overlap, in which a preview is launched, asked, broken and ended, with the daemon
//! killed in between or its session running out: no answer is an error of ours, no state follows
//! another that it may not follow, and in the end nothing is left and the preview can be launched again.
//!
//! `STORIES=100` (as in `make soak`): so many random stories of each kind (default 4).

use std::cell::RefCell;
use std::time::Duration;

use hyper::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::app::{TestApp, until};
use crate::crash::Daemon;
use crate::http::{Answer, Client};
use crate::scene::{OBEDIENT, launch_with, path, put, python, visitor};

/// What happens to a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Launch,
    LaunchAndWait,
    Stop,
    Restart,
    Extend,
    Pause,
    Resume,
    Patch,
    Visit,
    /// The app ends by itself.
    Crash,
    /// Somebody removes its container.
    RemoveContainer,
    /// The daemon is killed, or ends, and another begins.
    EndDaemon,
}

/// Steps, each with the milliseconds until the next, which does not wait for its end.
type Story = Vec<(Step, u64)>;

fn stories() -> impl Strategy<Value = Story> {
    let step = prop_oneof![
        4 => Just(Step::Launch),
        2 => Just(Step::LaunchAndWait),
        2 => Just(Step::Stop),
        1 => Just(Step::Restart),
        1 => Just(Step::Extend),
        2 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => Just(Step::Patch),
        2 => Just(Step::Visit),
        1 => Just(Step::Crash),
        1 => Just(Step::RemoveContainer),
        1 => Just(Step::EndDaemon),
    ];
    let pause = prop_oneof![Just(0), 1_u64..50, 100_u64..1500];
    proptest::collection::vec((step, pause), 5..14)
}

struct World {
    app: TestApp,
    /// None: the daemon lives in this process, and ends as it does by SIGTERM.
    daemon: Option<Daemon>,
    told: usize,
}

impl World {
    async fn end_daemon(&mut self) {
        match self.daemon.take() {
            Some(daemon) => {
                daemon.kill().await;
                self.daemon = Some(Daemon::start(&mut self.app).await);
            }
            None => {
                self.app.shutdown().await;
                self.app.boot().await;
            }
        }
    }

    async fn remove_container(&self) {
        for container in self.app.engine.owned_containers().await.expect("a list") {
            // Another may be removing it.
            let _ = self.app.engine.remove(&container.id).await;
        }
    }

    async fn tell(&mut self, story: &Story) {
        self.told += 1;
        let id = format!("story-{}", self.told);
        put(&self.app.user("ann"), &id, &python(OBEDIENT)).await;
        let mut asked: Vec<(Step, JoinHandle<Option<Answer>>)> = Vec::new();
        let mut seen: Vec<(String, String)> = Vec::new();
        for (step, pause) in story {
            match step {
                Step::EndDaemon => {
                    self.end_daemon().await;
                    if seen.last().is_some_and(|(_, status)| status == "stopping") {
                        // A stop that was not answered yet may be lost with the daemon.
                        seen.clear();
                    }
                }
                Step::RemoveContainer => self.remove_container().await,
                step => {
                    let (ann, id, step) = (self.app.user("ann"), id.clone(), *step);
                    asked.push((step, tokio::spawn(async move { ask(&ann, &id, step).await })));
                }
            }
            tokio::time::sleep(Duration::from_millis(*pause)).await;
            seen.extend(state(&self.app.user("ann"), &id).await);
        }
        for (step, answer) in asked {
            let answer = tokio::time::timeout(Duration::from_secs(90), answer).await;
            // None: the daemon that was asked is gone.
            let Some(answer) = answer.unwrap_or_else(|_| panic!("{step:?} has no answer")).expect("no panic")
            else {
                continue;
            };
            let is_fine = matches!(answer.status, 200..=299 | 404 | 409 | 503)
                // It failed, or goes on while the daemon that was asked ends.
                || step == Step::LaunchAndWait && matches!(answer.status, 502 | 504)
                || step == Step::Visit && answer.status < 600;
            assert!(is_fine, "{step:?}: {answer:?}");
        }
        seen.extend(state(&self.app.user("ann"), &id).await);
        for pair in seen.windows(2) {
            assert!(may_follow(&pair[0], &pair[1]), "{pair:?} of {seen:?}");
        }
        self.ends(&id).await;
        let ann = self.app.user("ann");
        let again = launch_with(&ann, &id, json!({ "wait": true })).await;
        assert_eq!(again.status, 201, "it cannot be launched again: {again:?}");
        assert_eq!(visitor(&again.json()).get("/").await.status, 200);
        self.ends(&id).await;
    }

    /// Stopped, with nothing left, and its end told once.
    async fn ends(&self, id: &str) {
        let ann = self.app.user("ann");
        let stopped = ann.delete(&path(id, "")).await;
        assert!(matches!(stopped.status, 204 | 404), "{stopped:?}");
        let nothing = || async {
            let containers = self.app.engine.owned_containers().await.ok()?;
            let volumes = self.app.engine.owned_volumes().await.ok()?;
            // One is spare.
            let networks = self.app.engine.owned_networks().await.ok()?;
            (containers.is_empty() && volumes.is_empty() && networks.len() <= 1).then_some(())
        };
        until(20, nothing).await;
        if stopped.status == 404 {
            return;
        }
        let (_, status) = state(&ann, id).await.expect("its record");
        assert!(is_over(&status), "{status}");
        let events = ann.get(&path(id, "/events")).await.json();
        let kinds: Vec<&str> = events["events"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|event| event["eventType"].as_str())
            .collect();
        let last = kinds.last().copied().unwrap_or_default();
        assert!(["stopped", "expired", "failed"].contains(&last), "{kinds:?}");
    }
}

async fn ask(ann: &Client, id: &str, step: Step) -> Option<Answer> {
    let post = async |rest: &str, body: Value| {
        ann.try_send(Method::POST, &path(id, rest), body.to_string()).await.ok()
    };
    match step {
        Step::Launch => post("/launch", json!({})).await,
        Step::LaunchAndWait => post("/launch", json!({ "wait": true })).await,
        Step::Stop => ann.try_send(Method::DELETE, &path(id, ""), "").await.ok(),
        Step::Restart => post("/restart", json!({})).await,
        Step::Extend => post("/extend", json!({ "duration": 60 })).await,
        Step::Pause => post("/pause", json!({})).await,
        Step::Resume => post("/resume", json!({})).await,
        Step::Patch => {
            let change = json!({ "files": { "note.txt": "changed" } }).to_string();
            ann.try_send(Method::PATCH, &path(id, "/files"), change).await.ok()
        }
        Step::Visit => visit(ann, id, "/").await,
        Step::Crash => visit(ann, id, "/exit").await.and(None),
        Step::RemoveContainer | Step::EndDaemon => None,
    }
}

async fn visit(ann: &Client, id: &str, place: &str) -> Option<Answer> {
    let status = ann.try_send(Method::GET, &path(id, "/status"), "").await.ok()?;
    let status = status.json();
    // It has none before it has a port.
    let address = status["baseUrl"].as_str().filter(|address| !address.is_empty())?;
    Client::to(address).try_send(Method::GET, place, "").await.ok()
}

/// Which preview of the generation it is, and its status.
async fn state(ann: &Client, id: &str) -> Option<(String, String)> {
    let status = ann.try_send(Method::GET, &path(id, "/status"), "").await.ok()?;
    if status.status != 200 {
        return None;
    }
    let status = status.json();
    let text = |member: &str| status[member].as_str().map(str::to_owned);
    Some((text("previewInstanceId")?, text("status")?))
}

fn is_over(status: &str) -> bool {
    ["stopped", "failed"].contains(&status)
}

fn may_follow((one, before): &(String, String), (other, after): &(String, String)) -> bool {
    match before.as_str() {
        // A launch makes another preview.
        _ if one != other => is_over(before) || before == "stopping",
        "stopped" | "failed" => before == after,
        "stopping" => after == "stopping" || is_over(after),
        _ => true,
    }
}

fn told(make: impl AsyncFn() -> World) {
    let count = std::env::var("STORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    // Each try takes seconds, and the story that failed is told whole.
    let config = Config { cases: count, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let world = RefCell::new(runtime.block_on(make()));
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&stories(), |story| {
        println!("{story:?}");
        runtime.block_on(world.borrow_mut().tell(&story));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let World { app, daemon, .. } = world.into_inner();
    runtime.block_on(async {
        if let Some(daemon) = daemon {
            daemon.end().await;
        }
        app.finish().await;
    });
}

#[test]
fn whatever_happens_to_a_preview_and_its_daemon_is_killed_it_ends_well() {
    told(async || {
        let mut app = TestApp::prepared(Vec::new()).await;
        let daemon = Some(Daemon::start(&mut app).await);
        World { app, daemon, told: 0 }
    });
}

#[test]
fn whatever_happens_to_a_preview_whose_session_runs_out_it_ends_well() {
    told(async || {
        let app = TestApp::tuned(Vec::new(), |config| config.api.session = Duration::from_secs(3)).await;
        World { app, daemon: None, told: 0 }
    });
}
