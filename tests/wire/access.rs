//! Every documented operation without a valid token, and with another user's.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::bad_input::store;
use crate::http::Client;
use crate::openapi::{OPEN, Operation, operations};
use crate::refusal::refused;

fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let far = jsonwebtoken::get_current_timestamp() + 600;
    let mut claims =
        json!({ "sub": "ann", "role": "admin", "tier": "pro", "aud": "previewd", "iat": 0, "exp": far });
    change(&mut claims);
    claims
}

fn signed(secret: &[u8], algorithm: Algorithm, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).expect("signed")
}

fn without(claim: &str) -> Value {
    claims(|claims| {
        claims.as_object_mut().expect("an object").remove(claim);
    })
}

/// Tokens that are none, by what is wrong with them.
fn bad_tokens(secret: &[u8]) -> Vec<(&'static str, String)> {
    let ours = |claims: Value| signed(secret, Algorithm::HS256, &claims);
    let whole = ours(claims(|_| ()));
    let parts: Vec<&str> = whole.split('.').collect();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    vec![
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("three dots", "...".to_owned()),
        ("expired", ours(claims(|c| c["exp"] = json!(1_000_000)))),
        ("not yet valid", ours(claims(|c| c["nbf"] = json!(jsonwebtoken::get_current_timestamp() + 300)))),
        ("another audience", ours(claims(|c| c["aud"] = json!("other")))),
        ("no audience", ours(without("aud"))),
        ("no subject", ours(without("sub"))),
        ("no expiry", ours(without("exp"))),
        ("no role", ours(without("role"))),
        ("an unknown role", ours(claims(|c| c["role"] = json!("root")))),
        ("a subject that is no name", ours(claims(|c| c["sub"] = json!("a\nb")))),
        ("another key", signed(&[7; 32], Algorithm::HS256, &claims(|_| ()))),
        ("another algorithm", signed(secret, Algorithm::HS512, &claims(|_| ()))),
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg none with a signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
    ]
}

async fn call(client: &Client, operation: &Operation, generation: &str) -> crate::http::Answer {
    client.send(operation.method.clone(), &operation.path_of(generation), operation.body()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_valid_token_every_protected_operation_is_401() {
    let app = TestApp::start().await;
    store(&app.user("ann"), "whole").await;
    let secret = app.secret();
    let good = app.stranger().bearer(signed(&secret, Algorithm::HS256, &claims(|_| ())));
    assert_eq!(good.get("/api/v2/generations/whole").await.status, 200, "the makers of these tokens work");
    let tokens = bad_tokens(&secret);
    let mut open = Vec::new();
    for operation in operations(&app).await {
        if operation.is_open() {
            let answer = call(&app.stranger(), &operation, "").await;
            assert!([200, 503].contains(&answer.status), "{operation:?}");
            open.push(operation.path);
            continue;
        }
        for generation in ["whole", "absent"] {
            let none = call(&app.stranger(), &operation, generation).await;
            refused(&none, 401, "token_missing");
            assert_eq!(none.headers["www-authenticate"], "Bearer", "{operation:?}");
            if !operation.is_about_a_generation() {
                break;
            }
        }
        let basic = app.stranger().header("authorization", "Basic YTpi");
        refused(&call(&basic, &operation, "whole").await, 401, "token_missing");
        for (what, token) in &tokens {
            let answer = call(&app.stranger().bearer(token), &operation, "whole").await;
            assert_eq!(answer.status, 401, "{what}: {operation:?} {}", answer.text());
            let code = if token.is_empty() {
                answer.json()["code"].as_str().unwrap().to_owned()
            } else {
                "token_invalid".to_owned()
            };
            refused(&answer, 401, &code);
            assert!(token.len() < 20 || !answer.text().contains(token.as_str()), "{what} comes back");
        }
    }
    open.sort_unstable();
    let mut expected = OPEN.to_vec();
    expected.sort_unstable();
    assert_eq!(open, expected, "the open operations are exactly these");
    assert_eq!(good.get("/api/v2/generations/whole").await.status, 200, "nothing was done to it");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_is_403_what_is_absent_404_and_admins_may() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.user("ann"), app.user("ben"));
    let secret_word = "only-ann-may-see-this";
    let body = json!({ "metadata": { "name": secret_word }, "files": { "index.html": secret_word } });
    assert_eq!(ann.put("/api/v2/generations/anns", &body).await.status, 201);
    let ours = operations(&app).await.into_iter().filter(Operation::is_about_a_generation);
    for operation in ours {
        let foreign = call(&ben, &operation, "anns").await;
        refused(&foreign, 403, "not_owner");
        assert!(!foreign.text().contains(secret_word), "{operation:?}");
        if operation.method != "PUT" {
            refused(&call(&ben, &operation, "absent").await, 404, "not_found");
            refused(&call(&app.admin(), &operation, "absent").await, 404, "not_found");
        }
    }
    for list in ["/api/v2/generations", "/api/generations", "/api/v2/previews"] {
        assert!(!ben.get(list).await.text().contains("anns"), "{list}");
    }
    let admin = app.admin();
    assert_eq!(admin.get("/api/v2/generations/anns").await.status, 200);
    assert!(admin.get("/api/v2/generations").await.text().contains("anns"));
    assert_eq!(admin.get("/api/generations/anns/dockerfile").await.status, 200);
    // There is no preview of it yet, and that is what an admin hears.
    refused(&admin.get("/api/v1/generations/anns/preview/status").await, 404, "not_found");
    assert_eq!(admin.delete("/api/v2/generations/anns").await.status, 204);
    app.finish().await;
}

/// The router has nothing that the documentation does not tell of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_documented_is_not_there() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let all = operations(&app).await;
    for operation in &all {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let is_documented =
                all.iter().any(|other| other.path == operation.path && other.method.as_str() == method);
            if !is_documented {
                let method = hyper::Method::from_bytes(method.as_bytes()).expect("a method");
                let answer = ann.send(method, &operation.path_of("absent"), "").await;
                refused(&answer, 405, "method_not_allowed");
            }
        }
        let below = format!("{}/more", operation.path_of("absent"));
        if !all.iter().any(|other| other.is_at(&below)) {
            refused(&ann.get(&below).await, 404, "not_found");
        }
    }
    app.finish().await;
}
