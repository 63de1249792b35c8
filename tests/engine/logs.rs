//! What a container prints, as lines.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use previewd::engine::{Config, Engine, EngineLogLine, LogStream, LogsFrom};

use crate::base;
use crate::scene::scene;

pub async fn all_lines(engine: &Engine, id: &str) -> Vec<String> {
    lines(engine, id, LogsFrom::Start).await.into_iter().map(|line| line.message).collect()
}

async fn lines(engine: &Engine, id: &str, from: LogsFrom) -> Vec<EngineLogLine> {
    engine.logs(id, from, false).try_collect().await.expect("lines")
}

#[tokio::test]
async fn lines_come_whole_and_from_their_stream() {
    scene(async |scene| {
        let network = scene.network().await;
        let words = ["say", "out:one\\n", "err:two\\n", "out:\\n", "out:no end"];
        let spec = scene.spec("a", &network, &words);
        scene.run_to_end(&spec).await;
        let mut found = lines(&scene.engine, &spec.name, LogsFrom::Start).await;
        found.sort_by_key(|line| line.stream == LogStream::Stderr);
        let texts: Vec<_> = found.iter().map(|line| (line.stream, line.message.as_str())).collect();
        use LogStream::{Stderr, Stdout};
        assert_eq!(texts, [(Stdout, "one"), (Stdout, ""), (Stdout, "no end"), (Stderr, "two")]);
    })
    .await;
}

#[tokio::test]
async fn a_long_line_is_put_together_again() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["long", "50000"]);
        let (_, lines) = scene.run_to_end(&spec).await;
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [50000]);
        let spec = scene.spec("b", &network, &["long", "200000"]);
        let (_, lines) = scene.run_to_end(&spec).await;
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [65536, 65536, 65536, 3392]);
    })
    .await;
}

#[tokio::test]
async fn reading_goes_on_where_it_ended() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["lines", "500"]);
        scene.run_to_end(&spec).await;
        let all = lines(&scene.engine, &spec.name, LogsFrom::Start).await;
        assert_eq!(all.len(), 500);
        let tail = lines(&scene.engine, &spec.name, LogsFrom::Tail(3)).await;
        assert_eq!(tail, all[497..]);
        let moment = all[250].timestamp;
        let since = lines(&scene.engine, &spec.name, LogsFrom::Since(moment)).await;
        assert!(since.iter().all(|line| line.timestamp >= moment));
        assert_eq!(since, all[all.len() - since.len()..], "no hole");
        assert!(since.len() >= 250);
    })
    .await;
}

#[tokio::test]
async fn following_outlives_the_deadline_of_calls_and_ends_with_the_container() {
    scene(async |scene| {
        let network = scene.network().await;
        let config = Config {
            docker_host: base::docker_host(),
            call_timeout: Duration::from_secs(1),
            ..Config::new(scene.engine.instance().clone())
        };
        let engine = Engine::connect(config).expect("an address");
        let id = scene.run(&scene.spec("a", &network, &["sleep", "3"])).await;
        let mut quiet = Box::pin(engine.logs(&id, LogsFrom::Start, true));
        let end = tokio::time::timeout(Duration::from_secs(20), quiet.next()).await;
        assert_eq!(end.expect("an end"), None, "no line and no error");
    })
    .await;
}

#[tokio::test]
async fn logs_of_nobody_are_missing() {
    scene(async |scene| {
        let mut stream = Box::pin(scene.engine.logs("no-such-container", LogsFrom::Start, true));
        let error = stream.next().await.expect("an item").expect_err("an error");
        assert!(error.is_missing(), "{error}");
        assert_eq!(stream.next().await, None);
    })
    .await;
}
