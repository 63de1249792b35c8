//! The life of a container, each call repeated as after a lost answer.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use previewd::domain::ContainerStatus;
use previewd::domain::{InstanceId, PreviewId};
use previewd::engine::{Config, Engine, EngineError, EventKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::base;
use crate::scene::{eventually, scene};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn every_step_of_its_life_may_be_repeated() {
    scene(async |scene| {
        let (engine, network) = (&scene.engine, scene.network().await);
        let spec = scene.spec("a", &network, &["sleep", "600"]);
        let id = engine.create_container(&spec).await.expect("created");
        assert_eq!(engine.create_container(&spec).await.as_ref(), Ok(&id), "adopted");
        // One for another start, which a daemon that was killed began: with its password, say.
        let mut other = spec.clone();
        other.environment.insert("PASSWORD".to_owned(), "another".to_owned());
        let another = engine.create_container(&other).await.expect("created anew");
        assert_ne!(another, id);
        assert_eq!(engine.inspect(&id).await, Ok(None));
        assert_eq!(engine.create_container(&other).await.as_ref(), Ok(&another), "adopted");
        engine.remove(&another).await.expect("removed");
        let id = engine.create_container(&spec).await.expect("created");
        let created = scene.state(&id).await;
        assert_eq!((created.status, created.exit_code), (ContainerStatus::Created, None));

        for _ in 0..2 {
            engine.start(&id).await.expect("started");
            assert!(scene.state(&id).await.process.is_some());
        }
        for _ in 0..2 {
            engine.pause(&id).await.expect("paused");
            let paused = scene.state(&id).await;
            assert!(paused.paused && paused.running);
        }
        for _ in 0..2 {
            engine.unpause(&id).await.expect("unpaused");
            assert!(!scene.state(&id).await.paused);
        }
        for _ in 0..2 {
            engine.stop(&id, GRACE).await.expect("stopped");
            assert_eq!(scene.state(&id).await.exit_code, Some(143), "by SIGTERM");
        }
        engine.restart(&id, GRACE).await.expect("restarted");
        assert_eq!(scene.state(&id).await.status, ContainerStatus::Running);
        engine.pause(&id).await.expect("paused");
        engine.stop(&id, Duration::from_secs(1)).await.expect("a paused one stops as well");
        engine.start(&id).await.expect("started");
        for _ in 0..2 {
            engine.kill(&id).await.expect("killed");
        }
        assert_eq!(engine.wait(&id, GRACE).await, Ok(137));
        for _ in 0..2 {
            engine.remove(&id).await.expect("removed");
            assert_eq!(engine.inspect(&id).await, Ok(None));
        }
        assert!(engine.start(&id).await.expect_err("it is gone").is_missing());
    })
    .await;
}

#[tokio::test]
async fn a_name_in_other_hands_is_a_conflict() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["sleep", "600"]);
        scene.engine.create_container(&spec).await.expect("created");
        let mut other = spec.clone();
        other.ownership.preview = Some(PreviewId::new());
        let refused = scene.engine.create_container(&other).await;
        assert!(matches!(refused, Err(EngineError::Conflict { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn what_another_instance_owns_is_not_touched() {
    scene(async |scene| {
        let network = scene.network().await;
        let id = scene.run(&scene.spec("a", &network, &["sleep", "600"])).await;
        let config = Config { docker_host: base::docker_host(), ..Config::new(InstanceId::random()) };
        let stranger = Engine::connect(config).expect("an address");
        assert_eq!(stranger.owned_containers().await, Ok(vec![]));
        assert!(matches!(stranger.remove(&id).await, Err(EngineError::NotOurs { .. })));
        assert!(matches!(stranger.remove_network(&network).await, Err(EngineError::NotOurs { .. })));
        assert!(matches!(stranger.remove_image(scene.image).await, Err(EngineError::NotOurs { .. })));
        let volume = scene.engine.owned_volumes().await.expect("a list").remove(0).name;
        assert!(matches!(stranger.remove_volume(&volume).await, Err(EngineError::NotOurs { .. })));
        assert!(scene.state(&id).await.running);
    })
    .await;
}

#[tokio::test]
async fn missing_things_and_failing_starts_are_told_apart() {
    scene(async |scene| {
        let network = scene.network().await;
        let mut spec = scene.spec("a", &network, &["sleep", "600"]);
        spec.image = "previewd-test/no-such-image:1".into();
        assert!(scene.engine.create_container(&spec).await.expect_err("no image").is_missing());
        spec = scene.spec("a", &network, &[]);
        spec.command = Some(vec!["/no-such-program".into()]);
        let id = scene.engine.create_container(&spec).await.expect("created");
        // The init process is found and started; that it cannot run the program shows by its exit.
        let started = scene.engine.start(&id).await;
        let code = scene.engine.wait(&id, GRACE).await.expect("an end");
        assert_eq!(code, 127, "{started:?}");
        assert_eq!(scene.engine.image_id("previewd-test/no-such-image:1").await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn who_listens_can_be_seen_and_dialled() {
    scene(async |scene| {
        let network = scene.network().await;
        let open = scene.run(&scene.spec("open", &network, &["listen", "0.0.0.0:8000"])).await;
        let shut = scene.run(&scene.spec("shut", &network, &["listen", "127.0.0.1:8001"])).await;
        let first_socket = async |id: &str| {
            let process = scene.state(id).await.process.expect("a process");
            eventually("a listening socket", async || process.listening()?.into_iter().next()).await
        };
        let socket = first_socket(&open).await;
        assert!(socket.is_open() && socket.port == 8000, "{socket:?}");
        let socket = first_socket(&shut).await;
        assert!(!socket.is_open() && socket.port == 8001, "{socket:?}");

        assert_eq!(scene.engine.addresses_reachable().await, Ok(true), "the tests run beside the engine");
        let address = scene.state(&open).await.address_in(&network).expect("an address");
        assert_eq!(answer((address, 8000)).await, "probe");
    })
    .await;
}

#[tokio::test]
async fn a_published_port_is_there_where_addresses_cannot_be_dialled() {
    scene(async |scene| {
        let network = scene.network().await;
        let mut spec = scene.spec("a", &network, &["listen", "0.0.0.0:8000"]);
        spec.publish = Some(8000);
        let id = scene.run(&spec).await;
        let state = scene.state(&id).await;
        let process = state.process.expect("a process");
        eventually("a listening socket", async || process.listening()?.into_iter().next()).await;
        let port = state.published_port.expect("a port");
        assert_eq!(answer(("127.0.0.1".parse().expect("ip"), port)).await, "probe");
    })
    .await;
}

async fn answer(to: (std::net::IpAddr, u16)) -> String {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    text.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn events_tell_its_story() {
    scene(async |scene| {
        let network = scene.network().await;
        let mut events = Box::pin(scene.engine.events());
        let story = async {
            let mut kinds = Vec::new();
            while kinds.last() != Some(&EventKind::Destroy) {
                let event = events.next().await.expect("the stream goes on").expect("an event");
                assert_eq!(event.ownership, scene.ownership);
                kinds.push(event.kind);
            }
            kinds
        };
        let act = async {
            let spec = scene.spec("a", &network, &["fail", "7"]);
            assert_eq!(scene.run_to_end(&spec).await.0, 7);
            scene.engine.remove(&spec.name).await.expect("removed");
        };
        let (kinds, ()) = tokio::join!(story, act);
        use EventKind::{Create, Destroy, Die, Start};
        assert_eq!(kinds, [Create, Start, Die { exit_code: Some(7) }, Destroy]);
    })
    .await;
}

#[tokio::test]
async fn stopping_has_the_patience_asked_for() {
    scene(async |scene| {
        let network = scene.network().await;
        // A call may take longer than the deadline of others when its grace is longer.
        let config = Config {
            docker_host: base::docker_host(),
            call_timeout: Duration::from_secs(2),
            ..Config::new(scene.engine.instance().clone())
        };
        let engine = Engine::connect(config).expect("an address");
        let id = scene.run(&scene.spec("a", &network, &["sleep", "600"])).await;
        let start = Instant::now();
        engine.stop(&id, Duration::from_secs(20)).await.expect("stopped");
        assert!(start.elapsed() < Duration::from_secs(10), "SIGTERM was enough");
    })
    .await;
}
