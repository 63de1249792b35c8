//! An engine that is not there, and one that does not answer.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use previewd::domain::InstanceId;
use previewd::engine::{Config, Engine, EngineError, LogsFrom};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::base;

fn engine_at(path: &std::path::Path, call_timeout: Duration) -> Engine {
    let docker_host = format!("unix://{}", path.display());
    let config = Config { docker_host, call_timeout, ..Config::new(InstanceId::random()) };
    Engine::connect(config).expect("an address")
}

#[tokio::test]
async fn a_silent_engine_costs_the_deadline_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("engine.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let engine = engine_at(&socket, Duration::from_secs(1));
    let start = Instant::now();
    let error = engine.inspect("x").await.expect_err("nobody answers");
    assert!(matches!(error, EngineError::Timeout { .. }) && error.is_transient(), "{error}");
    let first = Box::pin(engine.logs("x", LogsFrom::Start, true)).next().await.expect("an item");
    assert!(first.expect_err("nobody answers").is_transient());
    let first = Box::pin(engine.events()).next().await.expect("an item");
    assert!(first.expect_err("nobody answers").is_transient());
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_handle_recovers_when_the_engine_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("engine.sock");
    let engine = engine_at(&socket, Duration::from_secs(10));
    assert!(matches!(engine.info().await, Err(EngineError::Unreachable { .. })));
    assert!(matches!(engine.addresses_reachable().await, Err(EngineError::Unreachable { .. })));
    let real = base::docker_host();
    let real = real.strip_prefix("unix://").expect("the tests use an engine's socket");
    std::os::unix::fs::symlink(real, &socket).expect("a link");
    let info = engine.info().await.expect("an engine");
    assert!(info.buildkit && info.cpus > 0 && info.memory_bytes > 0, "{info:?}");
    assert!(info.runtimes.contains(&"runc".to_owned()) && matches!(info.cgroup_version, 1 | 2), "{info:?}");
    std::fs::remove_file(&socket).expect("removed");
    let error = engine.info().await.expect_err("it is gone again");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_engine_behind_tcp_is_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let docker_host = format!("tcp://{}", listener.local_addr().expect("an address"));
    let door = tokio::spawn(async move {
        let real = base::docker_host();
        let real = real.strip_prefix("unix://").expect("the tests use an engine's socket");
        while let Ok((mut client, _)) = listener.accept().await {
            let mut engine = UnixStream::connect(real).await.expect("the engine");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut engine).await });
        }
    });
    let engine =
        Engine::connect(Config { docker_host, ..Config::new(InstanceId::random()) }).expect("well-formed");
    assert!(!engine.info().await.expect("an answer").version.is_empty());
    assert_eq!(engine.owned_containers().await, Ok(vec![]));
    door.abort();
    assert!(door.await.expect_err("closed").is_cancelled());
    assert!(engine.info().await.expect_err("the door is closed").is_transient());
}
