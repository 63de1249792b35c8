//! The operations of `/openapi.json`, for the tests that go through all of them.

use hyper::Method;
use serde_json::Value;

use crate::app::TestApp;

/// What everyone may call who reaches the port; all else needs a token.
pub const OPEN: [&str; 6] = ["/health", "/healthz", "/liveness", "/readiness", "/version", "/metrics"];

#[derive(Debug, Clone)]
pub struct Operation {
    pub method: Method,
    /// With `{gid}` or `{generation_id}` in it, and `{other}` where two are compared.
    pub path: String,
    pub description: Value,
}

impl Operation {
    pub fn is_open(&self) -> bool {
        OPEN.contains(&self.path.as_str())
    }

    pub fn is_about_a_generation(&self) -> bool {
        self.path.contains("{g")
    }

    /// Whether an address is one of this operation's.
    pub fn is_at(&self, path: &str) -> bool {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (self.path.split('/').collect(), path.split('/').collect());
        ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|(ours, theirs)| ours.starts_with('{') || ours == theirs)
    }

    pub fn path_of(&self, generation: &str) -> String {
        ["{gid}", "{generation_id}", "{other}", "{shareId}", "{keyId}", "{id}"]
            .iter()
            .fold(self.path.clone(), |path, name| path.replace(name, generation))
    }

    /// A body that is right, so that nothing but the caller can be refused.
    pub fn body(&self) -> String {
        let body = match (self.method.as_str(), self.path.rsplit('/').next()) {
            ("PUT" | "PATCH", _) => serde_json::json!({ "files": { "index.html": "other" } }),
            (_, Some("extend")) => serde_json::json!({ "duration": 60 }),
            (_, Some("request")) => serde_json::json!({ "path": "/" }),
            ("POST", Some("webhooks")) => {
                serde_json::json!({ "url": "https://hooks.example/in", "secret": "0123456789abcdef" })
            }
            ("POST", Some("keys")) => serde_json::json!({ "name": "x" }),
            ("POST", _) => serde_json::json!({}),
            _ => return String::new(),
        };
        body.to_string()
    }
}

pub async fn document(app: &TestApp) -> Value {
    let answer = app.stranger().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Every operation, and those of v2 under the unversioned paths as well.
pub async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = document(app).await;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, description) in item.as_object().expect("operations") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let operation = Operation { method, path: path.clone(), description: description.clone() };
            if let Some(rest) = path.strip_prefix("/api/v2/") {
                all.push(Operation { path: format!("/api/{rest}"), ..operation.clone() });
            }
            all.push(operation);
        }
    }
    assert!(all.len() > 40, "{} operations", all.len());
    all
}
