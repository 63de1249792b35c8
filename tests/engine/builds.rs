//! Building images with either builder.

use std::time::Duration;

use previewd::domain::BuildEvent;
use previewd::engine::{Archive, BuildError, BuildRequest, Builder, Config, Engine, Kind};
use tokio::sync::mpsc;

use crate::base::{request, tar};
use crate::refusing_engine::RefusingEngine;
use crate::scene::{Scene, eventually, scene, scene_with};

const BOTH: [Builder; 2] = [Builder::BuildKit, Builder::Classic];

impl Scene {
    /// Builds on the probe image with further lines of Dockerfile.
    fn build_request(&self, lines: &str) -> BuildRequest {
        let dockerfile = format!("FROM {}\n{lines}\n", self.image);
        let context = tar(&[("Dockerfile", dockerfile.as_bytes(), 0o644), ("data", b"some data", 0o644)]);
        let tag = format!("previewd-test/{}:1", self.engine.instance());
        request(&tag, context, self.ownership.with_kind(Kind::Image))
    }

    async fn build(&self, lines: &str) -> (Result<String, BuildError>, Vec<BuildEvent>) {
        collect(&self.engine, self.build_request(lines)).await
    }
}

async fn collect(engine: &Engine, request: BuildRequest) -> (Result<String, BuildError>, Vec<BuildEvent>) {
    let (sender, mut receiver) = mpsc::channel(1000);
    let outcome = engine.build(request, &sender).await;
    drop(sender);
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    (outcome, events)
}

/// A step that nothing has cached: it has an argument more, which the program does not look at.
fn fresh(scene: &Scene, words: [&str; 2]) -> String {
    let [verb, argument] = words;
    format!("RUN [\"/probe\", \"{verb}\", \"{argument}\", \"{}\"]", scene.engine.instance())
}

#[tokio::test]
async fn an_image_is_built_labelled_and_cached() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let lines = format!("{}\nCOPY data /data", fresh(&scene, ["lines", "3"]));
            let (built, events) = scene.build(&lines).await;
            let id = built.expect("an image");
            assert!(id.starts_with("sha256:"), "{id}");
            let owned = scene.engine.owned_images().await.expect("a list");
            assert_eq!(
                (owned.len(), &owned[0].id, &owned[0].ownership.preview),
                (1, &id, &scene.ownership.preview)
            );
            assert_eq!(scene.engine.image_id(&owned[0].names[0]).await, Ok(Some(id.clone())));

            let said: Vec<_> = events
                .iter()
                .filter_map(|event| match event {
                    BuildEvent::Output { line, .. } => Some(line.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(said, ["line 0", "line 1", "line 2"]);
            let started = events.iter().filter(|event| matches!(event, BuildEvent::Started { .. })).count();
            let finished = events.iter().filter(|event| matches!(event, BuildEvent::Finished { .. })).count();
            assert!(started >= 3 && started == finished, "{events:?}");
            assert!(matches!(&events[0], BuildEvent::Builder { .. }));

            let (again, events) = scene.build(&lines).await;
            assert_eq!(again.as_ref(), Ok(&id));
            let cached = |event: &BuildEvent| match event {
                BuildEvent::Finished { step, cached, .. } if step.name.contains("RUN") => Some(*cached),
                _ => None,
            };
            assert_eq!(events.iter().filter_map(cached).collect::<Vec<_>>(), [true], "{events:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn of_the_build_cache_what_steps_of_ours_left_is_found_and_forgotten() {
    scene_with(Builder::BuildKit, async |scene| {
        let (ours, others) = (format!("ours-{}", scene.engine.instance()), scene.name("others"));
        let step = |mark: &str| format!("RUN [\"/probe\", \"lines\", \"1\", \"{mark}\"]\nCOPY data /data");
        for mark in [&others, &ours] {
            scene.build(&step(mark)).await.0.expect("an image");
        }
        // What an image consists of is no cache: forgetting it would free nothing.
        assert_eq!(scene.engine.cached_steps(&ours).await, Ok(Vec::new()));
        for image in scene.engine.owned_images().await.expect("a list") {
            scene.engine.remove_image(image.names.first().unwrap_or(&image.id)).await.expect("removed");
        }
        let found = scene.engine.cached_steps(&ours).await.expect("a list");
        // The step, and the file that was put upon it.
        assert_eq!(found.len(), 2, "{found:?}");
        let ids: Vec<_> = found.iter().map(|step| step.id.clone()).collect();
        scene.engine.forget_steps(&ids).await.expect("forgotten");
        assert_eq!(scene.engine.cached_steps(&ours).await, Ok(Vec::new()));
        assert_eq!(scene.engine.cached_steps(&others).await.map(|steps| steps.len()), Ok(2));
        let (_, events) = scene.build(&step(&ours)).await;
        let ran = events.iter().any(|event| {
            matches!(event, BuildEvent::Finished { step, cached: false, .. } if step.name.contains("RUN"))
        });
        assert!(ran, "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn a_failing_step_is_named_with_its_last_words() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let (outcome, events) = scene.build("RUN [\"/probe\", \"fail\", \"7\"]").await;
            let Err(BuildError::StepFailed { step, exit_code, mut tail, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            tail.sort();
            assert!(step.contains("RUN [\"/probe\", \"fail\", \"7\"]"), "{step}");
            assert_eq!(exit_code, Some(7));
            assert_eq!(tail, ["to stderr", "to stdout"]);
            let failed = |event: &&BuildEvent| matches!(event, BuildEvent::Finished { error: Some(_), .. });
            assert_eq!(events.iter().filter(failed).count(), 1, "{events:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_cannot_be_built_says_why() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let ownership = scene.ownership.with_kind(Kind::Image);
            let tag = format!("previewd-test/{}:1", scene.engine.instance());
            let build = async |dockerfile: &str| {
                let context = tar(&[("Dockerfile", dockerfile.as_bytes(), 0o644)]);
                collect(&scene.engine, request(&tag, context, ownership.clone())).await.0
            };
            // An address nobody listens at, so that nothing is asked anywhere else.
            let outcome = build("FROM 127.0.0.1:1/no/such:1\n").await;
            assert!(
                matches!(&outcome, Err(BuildError::BaseMissing { image, .. }) if image == "127.0.0.1:1/no/such:1"),
                "{outcome:?}"
            );
            let outcome = build("FROM scratch\nMAKE coffee\n").await;
            let rejected = |outcome: &Result<String, BuildError>| match outcome {
                Err(BuildError::Rejected { .. }) => true,
                // The classic builder parses before it answers, and answers with a status.
                Err(BuildError::Engine(previewd::engine::EngineError::Refused { status, .. })) => *status == 400,
                _ => false,
            };
            assert!(rejected(&outcome), "{outcome:?}");
            let outcome = build("FROM scratch\nCOPY not-there /\n").await;
            assert!(
                matches!(&outcome, Err(BuildError::StepFailed { step, exit_code: None, .. }) if step.contains("COPY")),
                "{outcome:?}"
            );
        })
        .await;
    }
}

/// Whether a process with this word among its arguments runs on this host.
fn runs(word: &str) -> bool {
    let commands = std::fs::read_dir("/proc").expect("/proc").flatten();
    commands
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()))
}

#[tokio::test]
async fn a_build_nobody_waits_for_stops() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let word = scene.engine.instance().to_string();
            let request = scene.build_request(&fresh(&scene, ["sleep", "60"]));
            let (events, _unread) = mpsc::channel(1);
            let engine = scene.engine.clone();
            let build = tokio::spawn(async move { engine.build(request, &events).await });
            eventually("the step to run", async || runs(&word).then_some(())).await;
            build.abort();
            assert!(build.await.expect_err("aborted").is_cancelled());
            eventually("the step to end", async || (!runs(&word)).then_some(())).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_build_that_takes_too_long_stops() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let word = scene.engine.instance().to_string();
            let after = Duration::from_secs(3);
            let mut request = scene.build_request(&fresh(&scene, ["sleep", "60"]));
            request.timeout = Some(after);
            let (outcome, _) = collect(&scene.engine, request).await;
            let Err(BuildError::Timeout { step: Some(step), .. }) = &outcome else { panic!("{outcome:?}") };
            assert!(step.contains("sleep"), "{step}");
            eventually("the step to end", async || (!runs(&word)).then_some(())).await;
        })
        .await;
    }
}

#[tokio::test]
async fn where_buildkit_is_refused_the_classic_builder_is_used_and_says_so() {
    scene(async |scene| {
        let door = RefusingEngine::start("version=2");
        let config =
            Config { docker_host: door.docker_host.clone(), ..Config::new(scene.engine.instance().clone()) };
        let engine = Engine::connect(config).expect("an address");
        let mut request = scene.build_request("COPY data /data");
        let dockerfile =
            format!("FROM {}\nRUN --mount=type=cache,target=/c [\"/probe\", \"env\"]\n", scene.image);
        let classic = format!("FROM {}\nRUN [\"/probe\", \"env\"]\n", scene.image);
        let context = tar(&[
            ("Dockerfile", dockerfile.as_bytes(), 0o644),
            ("Dockerfile.classic", classic.as_bytes(), 0o644),
        ]);
        request.context = Archive::bytes(context);
        request.classic_dockerfile = Some("Dockerfile.classic".into());
        let (outcome, events) = collect(&engine, request).await;
        outcome.expect("an image");
        let builders: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                BuildEvent::Builder { name, note } => Some((name.as_str(), note.is_some())),
                _ => None,
            })
            .collect();
        assert_eq!(builders, [("buildkit", false), ("classic", true)], "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_session_is_no_reason_to_fail() {
    scene(async |scene| {
        let door = RefusingEngine::start("/session");
        let config =
            Config { docker_host: door.docker_host.clone(), ..Config::new(scene.engine.instance().clone()) };
        let engine = Engine::connect(config).expect("an address");
        let (outcome, events) = collect(&engine, scene.build_request("COPY data /data")).await;
        outcome.unwrap_or_else(|error| panic!("{error}: {events:?}"));
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_never_reads_does_not_stop_a_build() {
    scene(async |scene| {
        let (events, _unread) = mpsc::channel(1);
        let request = scene.build_request(&fresh(&scene, ["lines", "20000"]));
        scene.engine.build(request, &events).await.expect("an image");
    })
    .await;
}

#[tokio::test]
async fn builds_leave_no_connection_open() {
    scene(async |scene| {
        let door = RefusingEngine::start("nothing");
        let config =
            Config { docker_host: door.docker_host.clone(), ..Config::new(scene.engine.instance().clone()) };
        let engine = Engine::connect(config).expect("an address");
        collect(&engine, scene.build_request("COPY data /data")).await.0.expect("an image");
        let failing = scene.build_request("RUN [\"/probe\", \"fail\", \"7\"]");
        collect(&engine, failing).await.0.expect_err("a failing step");
        let mut request = scene.build_request(&fresh(&scene, ["sleep", "60"]));
        request.timeout = Some(Duration::from_secs(2));
        collect(&engine, request).await.0.expect_err("it takes too long");
        let open = || door.open.load(std::sync::atomic::Ordering::SeqCst);
        eventually("every connection to close", async || (open() == 0).then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn a_context_that_breaks_off_is_not_the_engines_fault() {
    for builder in BOTH {
        scene_with(builder, async |scene| {
            let mut request = scene.build_request("COPY data /data");
            request.context = Archive::stream(|| {
                let start = tar(&[("Dockerfile", b"FROM scratch", 0o644)]).slice(..512);
                futures_util::stream::iter([Ok(start), Err(std::io::Error::other("disk on fire"))])
            });
            let error = collect(&scene.engine, request).await.0.expect_err("half a context");
            let BuildError::Engine(error) = error else { panic!("{error}") };
            assert!(!error.is_transient() && error.to_string().contains("disk on fire"), "{error}");
        })
        .await;
    }
}
