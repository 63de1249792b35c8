//! API keys: shown once, hashed at rest, for what their scopes say, gone when revoked; and acting
//! for others.

use previewd::api::auth::Role;
use previewd::domain::UserTier;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::bad_input::store;
use crate::http::Client;
use crate::refusal::{invalid, refused};

const KEYS: &str = "/api/v2/keys";

async fn made(client: &Client, body: Value) -> Value {
    let made = client.post(KEYS, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

fn with(app: &TestApp, key: &Value) -> Client {
    app.stranger().bearer(key["key"].as_str().expect("a key"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_once_works_for_its_scopes_and_ends_when_it_is_revoked() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let key = made(&ann, json!({ "name": "ci" })).await;
    let (text, id) = (key["key"].as_str().unwrap(), key["id"].as_str().unwrap());
    assert!(text.starts_with(&format!("pvk_{id}_")), "{key}");
    assert_eq!(key["scopes"], json!(["read", "launch"]));
    let ci = with(&app, &key);
    store(&ci, "by-key").await;
    assert_eq!(ann.get("/api/v2/generations/by-key").await.json()["owner"], "ann");
    refused(&ci.get(KEYS).await, 403, "scope_missing");
    refused(&ci.post(KEYS, &json!({ "name": "more" })).await, 403, "scope_missing");
    let listed = ann.get(KEYS).await;
    assert!(!listed.text().contains(text) && listed.text().contains(id), "{listed:?}");
    assert!(!app.sql("SELECT hash || id || name FROM api_keys").await.contains(text));
    let used = || async {
        let list = ann.get(KEYS).await.json();
        list["keys"][0]["lastUsedAt"].is_string().then_some(())
    };
    until(10, used).await;
    let reader = with(&app, &made(&ann, json!({ "name": "eyes", "scopes": ["read"] })).await);
    assert_eq!(reader.get("/api/v2/generations/by-key").await.status, 200);
    refused(&reader.delete("/api/v2/generations/by-key").await, 403, "scope_missing");
    assert_eq!(ann.delete(&format!("{KEYS}/{id}")).await.status, 204);
    let after = ci.get("/api/v2/generations").await;
    refused(&after, 401, "token_invalid");
    assert!(after.text().contains("revoked"), "{after:?}");
    assert_eq!(ann.delete(&format!("{KEYS}/{id}")).await.status, 204, "as often as one likes");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_others_and_keys_beyond_oneself_are_refused() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.user("ann"), app.client("ben", Role::User, UserTier::Free));
    let key = made(&ann, json!({ "name": "anns" })).await;
    let id = key["id"].as_str().unwrap();
    refused(&ben.delete(&format!("{KEYS}/{id}")).await, 403, "not_owner");
    assert!(!ben.get(KEYS).await.text().contains(id));
    refused(&ben.delete(&format!("{KEYS}/000000000000")).await, 404, "not_found");
    refused(&ben.delete(&format!("{KEYS}/%00%0a")).await, 404, "not_found");
    for beyond in [
        json!({ "name": "x", "scopes": ["admin"] }),
        json!({ "name": "x", "scopes": ["read", "act"] }),
        json!({ "name": "x", "user": "ann" }),
        json!({ "name": "x", "tier": "enterprise" }),
    ] {
        refused(&ben.post(KEYS, &beyond).await, 403, "admins_only");
    }
    for (wrong, field) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x", "scopes": [] }), "scopes"),
        (json!({ "name": "x", "scopes": ["read", "read"] }), "scopes"),
        (json!({ "name": "x", "scopes": ["root"] }), "scopes[0]"),
        (json!({ "name": "x", "expiresIn": 0 }), "expiresIn"),
        (json!({ "name": "x", "expiresIn": 9_999_999_999_u64 }), "expiresIn"),
        (json!({ "name": "x", "colour": 1 }), "colour"),
    ] {
        assert_eq!(invalid(&ben.post(KEYS, &wrong).await), field, "{wrong}");
    }
    let text = key["key"].as_str().unwrap();
    for bad in [&text[..text.len() - 1], "pvk_", "pvk_x", "pvk_000000000000_x", &format!("{text}x")] {
        refused(&app.stranger().bearer(bad).get("/api/v2/generations").await, 401, "token_invalid");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_acts_for_its_users_and_nobody_else_does() {
    let app = TestApp::start().await;
    let body =
        json!({ "name": "platform", "scopes": ["read", "launch", "act"], "user": "shop", "tier": "pro" });
    let key = made(&app.admin(), body).await;
    let platform = with(&app, &key);
    let for_ann = platform.clone().header("x-on-behalf-of", "ann");
    store(&for_ann, "anns").await;
    assert_eq!(app.user("ann").get("/api/v2/generations/anns").await.status, 200, "it is hers");
    refused(&platform.get("/api/v2/generations/anns").await, 403, "not_owner");
    refused(
        &platform.clone().header("x-on-behalf-of", "ben").get("/api/v2/generations/anns").await,
        403,
        "not_owner",
    );
    let odd = platform.clone().header("x-on-behalf-of", "a b").get("/api/v2/generations").await;
    assert_eq!(invalid(&odd), "X-On-Behalf-Of");
    // An admin may as well, and then sees what the user sees.
    let admin = app.admin().header("x-on-behalf-of", "ben");
    assert!(!admin.get("/api/v2/generations").await.text().contains("anns"));
    refused(
        &app.user("ben").header("x-on-behalf-of", "ann").get("/api/v2/generations").await,
        403,
        "may_not_act",
    );
    let plain = with(&app, &made(&app.user("ben"), json!({ "name": "plain" })).await);
    refused(&plain.header("x-on-behalf-of", "ann").get("/api/v2/generations").await, 403, "may_not_act");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_says_who_made_it_and_not_for_whom() {
    let app = TestApp::start().await;
    let key = made(&app.admin().header("x-on-behalf-of", "ann"), json!({ "name": "given" })).await;
    assert_eq!((&key["user"], &key["createdBy"]), (&json!("ann"), &json!("operator")), "{key}");
    let own = made(&app.user("ann"), json!({ "name": "own" })).await;
    assert_eq!((&own["user"], &own["createdBy"]), (&json!("ann"), &json!("ann")), "{own}");
    app.finish().await;
}
