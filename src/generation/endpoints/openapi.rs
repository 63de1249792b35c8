//! The endpoints that a running app's own OpenAPI document lists.

use std::collections::BTreeMap;

use serde_json::Value;

use super::routes::{add_tags, clip};
use super::{Endpoint, Origin, path, schema};

const MAX_ENDPOINTS: usize = 5_000;
const MAX_PATH: usize = 1_000;
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "options", "head", "trace"];

/// The endpoints of an OpenAPI 2 or 3 document, by path and then method, without file and line.
/// The document comes from the app, so anything in it that is not as it should be is left out,
/// and no more than 5,000 endpoints are taken.
pub fn from_openapi(document: &Value) -> Vec<Endpoint> {
    let prefix = base_path(document);
    let Some(paths) = document.get("paths").and_then(Value::as_object) else { return Vec::new() };
    let mut found = BTreeMap::new();
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with('/')) {
        let path = path::from_starlette(&format!("{prefix}{path}"));
        for method in METHODS {
            let Some(operation) = item.get(method).filter(|operation| operation.is_object()) else {
                continue;
            };
            if path.len() <= MAX_PATH && found.len() < MAX_ENDPOINTS {
                let endpoint = endpoint(document, method, &path, item, operation);
                found.insert((path.clone(), endpoint.method.clone()), endpoint);
            }
        }
    }
    found.into_values().collect()
}

fn endpoint(document: &Value, method: &str, path: &str, item: &Value, operation: &Value) -> Endpoint {
    // Version 3 lets a path say what its operations do not.
    let text = |name| [operation, item].iter().find_map(|value| value.get(name)?.as_str()).and_then(clip);
    let listed = operation.get("tags").and_then(Value::as_array);
    let listed: Vec<String> =
        listed.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).take(100).collect();
    let mut tags = Vec::new();
    add_tags(&mut tags, &listed);
    Endpoint {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text("summary"),
        description: text("description"),
        tags,
        parameters: schema::parameters(document, item, operation),
        body: schema::body(document, operation),
        response: schema::response(document, operation),
        source: Origin::Document,
        differences: Vec::new(),
        file: String::new(),
        line: 0,
    }
}

/// What stands before every path: version 2's `basePath`, the path of version 3's first server.
fn base_path(document: &Value) -> String {
    let base = match document.get("basePath").and_then(Value::as_str) {
        Some(base) => base,
        None => {
            let server = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
            match server.split_once("://") {
                Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
                None => server,
            }
        }
    };
    // A server with variables, or relative to the document, cannot be told from here.
    let usable = base.starts_with('/') && !base.contains('{') && base.len() <= MAX_PATH;
    if usable { base.trim_end_matches('/').to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::from_openapi;

    fn lines(document: &serde_json::Value) -> Vec<String> {
        from_openapi(document)
            .iter()
            .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
            .collect()
    }

    #[test]
    fn versions_2_and_3_with_their_base_paths() {
        let paths =
            json!({"/b/{id}": {"post": {}, "get": {}, "parameters": []}, "/a": {"get": {"summary": "A"}}});
        let expected = ["GET /api/a", "GET /api/b/{id}", "POST /api/b/{id}"];
        assert_eq!(lines(&json!({"swagger": "2.0", "basePath": "/api/", "paths": paths})), expected);
        let servers = json!([{"url": "http://localhost:3000/api"}]);
        assert_eq!(lines(&json!({"openapi": "3.1.0", "servers": servers, "paths": paths})), expected);
        assert_eq!(
            lines(&json!({"openapi": "3.1.0", "servers": [{"url": "/"}], "paths": paths}))[0],
            "GET /a"
        );
    }

    #[test]
    fn nonsense_is_left_out() {
        assert_eq!(lines(&json!(null)), Vec::<String>::new());
        assert_eq!(lines(&json!({"paths": [1, 2]})), Vec::<String>::new());
        let odd = json!({"paths": {"/a": {"get": 1, "post": {"tags": "x", "summary": 5}}, "no-slash": {"get": {}}, "/b": 3}});
        assert_eq!(lines(&odd), ["POST /a"]);
        let many: serde_json::Map<_, _> = (0..9_000).map(|i| (format!("/{i}"), json!({"get": {}}))).collect();
        assert_eq!(lines(&json!({"paths": many})).len(), 5_000);
    }
}
