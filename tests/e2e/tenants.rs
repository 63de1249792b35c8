//! Every user × every operation × every method against a live preview with a database: what is
//! another's stays another's, to the last byte.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::http::{Answer, Client};
use crate::openapi::{Operation, operations};
use crate::refusal::refused;
use crate::scene::{launch_with, nonce, once, path, put, python, status, text, visitor};

/// Prints what it was given, as apps do, and serves it.
const TALKATIVE: &str = r#"
import http.server, os

print("told", os.environ["CONFIDED"], flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["CONFIDED"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"];

struct Scene {
    app: TestApp,
    all: Vec<Operation>,
    /// What only the owner may see.
    confided: Vec<String>,
    preview: Value,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_user_gets_a_byte_of_anothers_preview_by_any_operation_and_method() {
    let scene = scene().await;
    let ben = scene.app.user("ben");
    let bens = launched(&ben, "bens", "nothing-much").await;
    let bens_token = text(&bens, "previewToken").to_owned();
    let foreign = ben.clone().header("x-preview-token", &bens_token);
    for operation in &scene.all {
        for method in METHODS {
            if operation.is_about_a_generation() {
                scene.is_foreign(&foreign, operation, method, "anns").await;
            } else if method == "GET" {
                scene.silent(&ben.get(&operation.path).await, &format!("{operation:?}"));
            }
        }
    }
    // Comparing is about two, and either may be the foreign one.
    for (one, other) in [("bens", "anns"), ("anns", "bens")] {
        let both = format!("/api/v2/generations/{one}/preview/compare/{other}");
        let answer = ben.get(&both).await;
        refused(&answer, 403, "not_owner");
        scene.silent(&answer, &both);
    }
    for token in [bens_token.as_str(), "", "pvt_nonsense"] {
        scene.socket_stays_shut(token).await;
    }
    scene.untouched().await;
    scene.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anonymous_gets_401_and_owner_and_admin_get_in() {
    let scene = scene().await;
    let stranger = scene.app.stranger().header("x-preview-token", text(&scene.preview, "previewToken"));
    for operation in scene.all.iter().filter(|operation| !operation.is_open()) {
        let address = operation.path_of("anns");
        let answer = stranger.send(operation.method.clone(), &address, operation.body()).await;
        refused(&answer, 401, "token_missing");
        scene.silent(&answer, &format!("{operation:?}"));
    }
    let token = text(&scene.preview, "previewToken");
    for client in [scene.app.user("ann"), scene.app.admin()] {
        let client = client.header("x-preview-token", token);
        let reads = scene.all.iter().filter(|one| one.method == Method::GET && one.is_about_a_generation());
        // Streams have no end to wait for.
        let endless = ["/logs/stream", "/build/logs"];
        for operation in reads.filter(|one| !endless.iter().any(|end| one.path.ends_with(end))) {
            let answer = client.get(&operation.path_of("anns")).await;
            let let_in = ![401, 403, 405, 500].contains(&answer.status);
            assert!(let_in, "{operation:?}: {}", answer.text());
        }
        let asked = client.post(&path("anns", "/request"), &json!({ "path": "/" })).await;
        assert_eq!(asked.json()["body"], scene.confided[0].as_str(), "{asked:?}");
    }
    scene.untouched().await;
    scene.app.finish().await;
}

async fn scene() -> Scene {
    let app = TestApp::start().await;
    let word = format!("only-ann-may-see-{}", nonce());
    let preview = launched(&app.user("ann"), "anns", &word).await;
    let confided = ["previewInstanceId", "previewToken"].map(|member| text(&preview, member).to_owned());
    let confided = [word].into_iter().chain(confided).collect();
    Scene { all: operations(&app).await, app, confided, preview }
}

async fn launched(client: &Client, id: &str, word: &str) -> Value {
    put(client, id, &python(TALKATIVE)).await;
    let body = json!({ "wait": true, "databaseType": "sqlite", "environment": { "CONFIDED": word } });
    let launched = launch_with(client, id, body).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

impl Scene {
    async fn is_foreign(&self, client: &Client, operation: &Operation, method: &str, generation: &str) {
        let name = method.replace("HEAD", "GET");
        let documented =
            self.all.iter().find(|other| other.path == operation.path && other.method.as_str() == name);
        let body = documented.filter(|_| method != "HEAD").map(Operation::body).unwrap_or_default();
        let typed = Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = client.send(typed, &operation.path_of(generation), body).await;
        let expected = if documented.is_some() { 403 } else { 405 };
        assert_eq!(answer.status, expected, "{method} {operation:?}: {}", answer.text());
        self.silent(&answer, &format!("{method} {operation:?}"));
    }

    async fn socket_stays_shut(&self, token: &str) {
        let upgrading = self
            .app
            .stranger()
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        for base in ["/api/v2", "/api"] {
            let socket = format!("{base}/generations/anns/preview/logs?token={token}&buffer=1000");
            let answer = upgrading.get(&socket).await;
            refused(&answer, 401, "preview_token_invalid");
            self.silent(&answer, &socket);
        }
    }

    fn silent(&self, answer: &Answer, of: &str) {
        let said = format!("{:?} {}", answer.headers, answer.text());
        // The figures for Prometheus name previews by their ids, and nothing of what they hold.
        let own_figures = of.contains("\"/metrics\"");
        for word in self.confided.iter().filter(|word| !(own_figures && **word == self.confided[1])) {
            assert!(!said.contains(word.as_str()), "{of} says {word}");
        }
    }

    async fn untouched(&self) {
        let ann = self.app.user("ann");
        let now = once(&ann, "anns", "healthy").await;
        assert_eq!(now["previewInstanceId"], self.preview["previewInstanceId"]);
        assert_eq!(visitor(&self.preview).get("/").await.text(), self.confided[0]);
        let later = status(&ann, "anns").await;
        assert_eq!(later["expiresAt"], self.preview["expiresAt"], "nobody extended it");
    }
}
