//! What is kept secret is not to be read in the store's file, and outlives a change of keys.

use serde_json::json;

use crate::app::TestApp;
use crate::scene::{launch_with, once, path, put, python, text, visitor};

const TELLS: &str = r#"
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["OF_GENERATION"] + " " + os.environ["OF_LAUNCH"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn environments_are_encrypted_and_opened_after_a_rotation() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann");
    let mut body = python(TELLS);
    body["metadata"] = json!({ "environment": { "OF_GENERATION": "hunter2-of-generation" } });
    put(&ann, "secret", &body).await;
    let asked = json!({ "wait": true, "environment": { "OF_LAUNCH": "hunter2-of-launch" } });
    let launched = launch_with(&ann, "secret", asked).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let launched = launched.json();
    let told = "hunter2-of-generation hunter2-of-launch";
    assert_eq!(visitor(&launched).get("/").await.text(), told);
    let rows =
        "SELECT (SELECT metadata FROM generations) || (SELECT environment_vars FROM preview_instances)";
    let before = app.sql(rows).await;
    assert!(
        !before.contains("hunter2") && before.contains("OF_LAUNCH") && before.contains("sealed:v1."),
        "{before}"
    );
    app.shutdown().await;
    let files = ["previewd.db", "previewd.db-wal"].map(|name| std::fs::read(app.data_dir().join(name)));
    for bytes in files.into_iter().flatten() {
        assert!(memchr::memmem::find(&bytes, b"hunter2").is_none(), "it is in the file");
    }
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_previewd"))
        .args(["reseal", "--json"])
        .env_clear()
        .envs(&app.environment)
        .output()
        .await
        .expect("it runs");
    assert!(done.status.success(), "{done:?}");
    let after = app.sql(rows).await;
    assert!(!after.contains("hunter2") && after != before, "{after}");
    app.boot().await;
    let ann = app.user("ann");
    once(&ann, "secret", "healthy").await;
    // A restart makes the container anew, from what the store says.
    assert_eq!(ann.post(&path("secret", "/restart"), &json!({})).await.status, 202);
    once(&ann, "secret", "healthy").await;
    assert_eq!(visitor(&launched).get("/").await.text(), told);
    assert_eq!(text(&launched, "status"), "launched");
    app.finish().await;
}
