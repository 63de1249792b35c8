//! What a container may not do, seen from the kernel's side.

use std::time::Duration;

use previewd::engine::EventKind;

use crate::scene::{eventually, scene};

#[tokio::test]
async fn the_kernel_holds_it_to_its_limits() {
    scene(async |scene| {
        let network = scene.network().await;
        let id = scene.run(&scene.spec("a", &network, &["listen", "0.0.0.0:8000"])).await;
        let process = scene.state(&id).await.process.expect("a process");
        let limits = process.cgroup_limits().expect("control groups");
        assert_eq!(limits.memory_bytes, Some(64 * 1024 * 1024));
        assert_eq!(limits.cpus, Some(0.5));
        assert_eq!(limits.pids, Some(32));
        // Kernels without swap accounting have no figure for it.
        assert_eq!(limits.swap_bytes.unwrap_or(0), 0);
        let meter = process.meter().expect("control groups");
        let usage = eventually("some use of memory", async || {
            meter.read().filter(|usage| usage.working_set_bytes > 0 && usage.pids >= 2)
        })
        .await;
        assert!(usage.working_set_bytes < 32 * 1024 * 1024 && usage.cpu_seconds < 10.0, "{usage:?}");
        assert_eq!(usage.memory_limit_bytes, Some(64 * 1024 * 1024));
        scene.engine.kill(&id).await.expect("killed");
        eventually("the end of its process", async || meter.read().is_none().then_some(())).await;
        assert!(process.meter().is_none(), "it is not there any more");
    })
    .await;
}

#[tokio::test]
async fn it_has_no_privilege_at_all() {
    scene(async |scene| {
        let network = scene.network().await;
        let id = scene.run(&scene.spec("a", &network, &["listen", "0.0.0.0:8000"])).await;
        let pid = scene.state(&id).await.process.expect("a process").pid();
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a file");
        let status = read("status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim_start_matches(':').split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(field("Uid"), ["10001"; 4]);
        assert_eq!(field("Gid"), ["10001"; 4]);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs"), ["1"]);
        assert_eq!(field("Seccomp"), ["2"]);
        assert_eq!(read("oom_score_adj").trim(), "500");
        let limits = read("limits");
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
            line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(limit("Max open files"), ["4096"; 2]);
        assert_eq!(limit("Max core file size"), ["0"; 2]);
        for namespace in ["pid", "ipc", "uts", "net", "mnt"] {
            let link = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/{namespace}")).expect("a link");
            assert_ne!(link(&pid.to_string()), link("self"), "{namespace} is its own");
        }
    })
    .await;
}

#[tokio::test]
async fn it_can_write_where_it_should_and_nowhere_else() {
    scene(async |scene| {
        let network = scene.network().await;
        let (good, bad) = (
            ["/app/x", "/app/file", "/tmp/x", "/run/x", "/home/app/x", "/data/x"],
            ["/x", "/etc/x", "/dev/x", "/probe", "/home/x", "/sys/x", "/proc/x"],
        );
        let words: Vec<_> = ["write"].iter().chain(&good).chain(&bad).copied().collect();
        let mut spec = scene.spec("a", &network, &words);
        spec.scratch = vec!["/data".into()];
        let (code, lines) = scene.run_to_end(&spec).await;
        assert_eq!((code, lines.len()), (0, good.len() + bad.len()), "{lines:?}");
        for line in &lines {
            let (path, outcome) = line.split_once(' ').expect("path and outcome");
            assert_eq!(outcome == "ok", good.contains(&path), "{line}");
        }
        assert_eq!(scene.engine.owned_volumes().await.expect("a list").len(), 1);
        scene.engine.remove(&spec.name).await.expect("removed");
        assert_eq!(scene.engine.owned_volumes().await, Ok(vec![]), "the volume went with it");
    })
    .await;
}

#[tokio::test]
async fn a_memory_bomb_is_killed_and_called_so() {
    scene(async |scene| {
        let network = scene.network().await;
        let mut events = Box::pin(scene.engine.events());
        let spec = scene.spec("a", &network, &["hog", "512"]);
        let watch = async {
            use futures_util::StreamExt;
            loop {
                let event = events.next().await.expect("the stream goes on").expect("an event");
                if event.kind == EventKind::Oom {
                    return;
                }
            }
        };
        let act = scene.run_to_end(&spec);
        let ((), (code, lines)) =
            tokio::time::timeout(Duration::from_secs(40), async { tokio::join!(watch, act) })
                .await
                .expect("an event and an end");
        assert_eq!((code, lines.len()), (137, 0));
        let state = scene.state(&spec.name).await;
        assert!(state.oom_killed && state.exit_code == Some(137), "{state:?}");
    })
    .await;
}

#[tokio::test]
async fn a_fork_bomb_runs_into_its_limit() {
    scene(async |scene| {
        let network = scene.network().await;
        let (code, lines) = scene.run_to_end(&scene.spec("a", &network, &["fork", "100"])).await;
        assert_eq!(code, 0);
        let forked: u32 = lines[0].strip_prefix("forked ").and_then(|n| n.parse().ok()).expect("a number");
        assert!((1..32).contains(&forked), "{forked}");
    })
    .await;
}

#[tokio::test]
async fn it_gets_its_environment_and_a_home() {
    scene(async |scene| {
        let network = scene.network().await;
        let mut spec = scene.spec("a", &network, &["env"]);
        spec.environment.insert("GREETING".into(), "a = b\n'c'".into());
        let (_, lines) = scene.run_to_end(&spec).await;
        for expected in ["HOME=/home/app", "GREETING=a = b", "'c'"] {
            assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:?}");
        }
    })
    .await;
}
