//! A real Prometheus scrapes the daemon, with the configuration, rules and dashboard of `infra/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use regex::Regex;
use serde_json::Value;

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{page, stop, text, up, visitor};

fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/monitoring")
}

/// Runs `promtool`; what it said when it was not content.
fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("input");
    std::fs::write(&file, input).expect("written");
    let done = Command::new("promtool")
        .args(arguments)
        .current_dir(monitoring())
        .stdin(std::fs::File::open(file).expect("opened"))
        .output()
        .expect("promtool, of the package prometheus: make setup installs it");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if done.status.success() { Ok(()) } else { Err(said) }
}

/// Prometheus on a free port, with the configuration of `infra/` but for the address it scrapes and
/// how often.
struct Prometheus {
    process: Child,
    client: Client,
    _data: tempfile::TempDir,
}

impl Prometheus {
    async fn start(app: &TestApp) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let config = std::fs::read_to_string(monitoring().join("prometheus.yml")).expect("a configuration");
        let here = config.replace("127.0.0.1:8000", &app.address.to_string()).replace(": 15s", ": 1s");
        assert_ne!(here, config);
        std::fs::write(data.path().join("prometheus.yml"), here).expect("written");
        std::fs::copy(monitoring().join("rules.yml"), data.path().join("rules.yml")).expect("copied");
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a port");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", data.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus: make setup installs it");
        let prometheus = Self { process, client: Client::new(address), _data: data };
        until(30, || async {
            let ready = prometheus.client.try_send(hyper::Method::GET, "/-/ready", "").await;
            ready.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await;
        prometheus
    }

    /// The series an expression gives now.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.client.get(&format!("/api/v1/query?query={}", escaped(expression))).await;
        let json = answer.json();
        assert_eq!(json["status"], "success", "{expression}: {json}");
        json["data"]["result"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Every expression of the dashboard, as Grafana would send it.
fn dashboard_expressions() -> Vec<String> {
    let file = monitoring().join("grafana/dashboards/previewd.json");
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("a dashboard")).expect("JSON");
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    assert!(found.len() > 30, "{} expressions", found.len());
    let sent = |text: &String| {
        text.replace("$__rate_interval", "1m").replace("$__range", "1h").replace("$preview", ".*")
    };
    found.iter().map(sent).collect()
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The names of ours that a text speaks of.
fn names(text: &str) -> BTreeSet<String> {
    let ours = Regex::new(r"\b(?:preview|previewd|docker|process)_[a-z0-9_]+").expect("a pattern");
    ours.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// The names of all samples in an exposition, and of families that have none yet.
fn exposed(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            Some((name, "histogram")) => {
                names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
            }
            Some((name, _)) => {
                names.insert(name.to_owned());
            }
            None => {}
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_scrapes_it_and_understands_rules_and_dashboard() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "page", &page("scraped")).await;
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    let id = text(&launched, "previewInstanceId").to_owned();
    let prometheus = Prometheus::start(&app).await;
    let of_it = format!("{{preview=\"{id}\"}}");
    let scraped = |name: &str| format!("{name}{of_it}");
    // The last in the exposition: when it is there, so are the others.
    until(30, || async {
        (!prometheus.query("previewd_tokio_busy_seconds_total").await.is_empty()).then_some(())
    })
    .await;
    for name in [
        "preview_cpu_usage_seconds_total",
        "preview_cpu_cfs_throttled_periods_total",
        "preview_memory_usage_bytes",
        "preview_memory_working_set_bytes",
        "preview_memory_limit_bytes",
        "preview_network_receive_bytes_total",
        "preview_network_transmit_bytes_total",
        "preview_fs_reads_bytes_total",
        "preview_fs_writes_bytes_total",
        "preview_oom_kills_total",
        "preview_processes",
    ] {
        assert_eq!(prometheus.query(&scraped(name)).await.len(), 1, "{name}");
    }
    until(15, || async {
        (!prometheus.query(&scraped("preview_cpu_usage_percent")).await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(prometheus.query("up{job=\"previewd\"} == 1").await.len(), 1);
    let live = prometheus.query("preview_instances_total{status=\"healthy\",tier=\"pro\"}").await;
    assert_eq!(live[0]["value"][1], "1", "{live:?}");
    let metadata = prometheus.client.get("/api/v1/metadata?metric=preview_instances_total").await.json();
    assert_eq!(metadata["data"]["preview_instances_total"][0]["type"], "gauge", "{metadata}");

    let exposed = exposed(&app.stranger().get("/metrics").await.text());
    let known = |text: &str| {
        let unknown: Vec<String> = names(text).into_iter().filter(|name| !exposed.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {text}");
    };
    for expression in dashboard_expressions() {
        prometheus.query(&expression).await;
        known(&expression);
    }
    known(&std::fs::read_to_string(monitoring().join("rules.yml")).expect("rules"));
    let rules = prometheus.client.get("/api/v1/rules").await.json();
    let loaded = rules["data"]["groups"][0]["rules"].as_array().map_or(0, Vec::len);
    assert!(loaded >= 10, "{rules}");
    until(30, || async {
        let rules = prometheus.client.get("/api/v1/rules").await.json();
        let all = rules["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        all.iter().all(|rule| rule["health"] == "ok").then_some(())
    })
    .await;

    stop(&ann, "page").await;
    assert!(!app.stranger().get("/metrics").await.text().contains(&id), "its series ended with it");
    until(15, || async { prometheus.query(&scraped("preview_processes")).await.is_empty().then_some(()) })
        .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_to_complain_of() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "page", &page("checked")).await;
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    let text = app.stranger().get("/metrics").await.text();
    assert!(text.lines().count() > 150, "{text}");
    assert_eq!(promtool(&["check", "metrics"], &text), Ok(()));
    assert!(promtool(&["check", "metrics"], "bad_counter 1\n# x\nBadName 2\n").is_err(), "it can complain");
    app.finish().await;
}

#[test]
fn the_configuration_and_the_rules_are_sound() {
    assert_eq!(promtool(&["check", "config", "prometheus.yml"], ""), Ok(()));
    assert_eq!(promtool(&["check", "rules", "rules.yml"], ""), Ok(()));
    assert_eq!(promtool(&["test", "rules", "rules_test.yml"], ""), Ok(()));
}
