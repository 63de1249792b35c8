//! Private previews: who gets in, who does not, and what the app sees of it.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::http::{Answer, Client};
use crate::refusal::refused;
use crate::scene::{launch_with, once, page, path, put, python, stop, text, visitor};

/// Answers with the address and the headers it was asked with.
const MIRROR: &str = r#"
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        body = (self.path + "\n" + str(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

async fn private(client: &Client, id: &str, body: &Value) -> Value {
    put(client, id, body).await;
    let launched = launch_with(client, id, json!({ "wait": true, "private": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().expect("text")
}

fn cookie(answer: &Answer) -> String {
    let set = answer.headers["set-cookie"].to_str().expect("text");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    set.split(';').next().expect("a pair").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_preview_opens_to_its_token_and_the_app_never_sees_one() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = private(&ann, "closed", &python(MIRROR)).await;
    let token = text(&launched, "previewToken");
    let stranger = visitor(&launched);
    let refused = stranger.clone().header("accept", "text/html").get("/secret").await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.text().contains("private"), "{refused:?}");
    for wrong in ["pvt_nonsense", "", &token[..token.len() - 1]] {
        assert_eq!(stranger.get(&format!("/?previewd_token={wrong}")).await.status, 401, "{wrong}");
        assert_eq!(stranger.clone().header("x-preview-token", wrong).get("/").await.status, 401, "{wrong}");
    }
    assert_eq!(stranger.clone().bearer(app.token("ann")).get("/").await.status, 401, "that is for the API");
    let shown = stranger.get(&format!("/a?x=1&previewd_token={token}&y=2")).await;
    assert_eq!((shown.status, location(&shown)), (303, "/a?x=1&y=2"), "{shown:?}");
    assert_eq!(shown.headers["referrer-policy"], "no-referrer");
    let cookie = cookie(&shown);
    let seen = stranger.clone().header("cookie", format!("mine=1; {cookie}")).get(location(&shown)).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(seen.text().starts_with("/a?x=1&y=2\n") && seen.text().contains("mine=1"), "{}", seen.text());
    for client in [
        stranger.clone().header("x-preview-token", token),
        stranger.clone().bearer(token),
        stranger.clone().header("cookie", &cookie),
    ] {
        let seen = client.get("/b").await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert!(!seen.text().contains(token), "{}", seen.text());
    }
    // The owner's calls through the API need no cookie.
    let asked = ann.clone().header("x-preview-token", token);
    let asked = asked.post(&path("closed", "/request"), &json!({ "path": "/c" })).await;
    assert_eq!(asked.json()["statusCode"], 200, "{asked:?}");
    let logs = until(10, || async {
        let logs = ann.get(&path("closed", "/logs?limit=1000")).await.text();
        logs.contains("asked for /c").then_some(logs)
    });
    assert!(!logs.await.contains(token), "the token is in the log");
    // Renewing ends the token at once, and the app goes on.
    let renewed = ann.post(&path("closed", "/token"), &json!({})).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert_eq!(stranger.clone().header("cookie", &cookie).get("/").await.status, 401);
    let fresh = renewed.json();
    let fresh = text(&fresh, "previewToken");
    assert_eq!(stranger.clone().header("x-preview-token", fresh).get("/").await.status, 200);
    // A restart ends it as well.
    assert_eq!(ann.post(&path("closed", "/restart"), &json!({})).await.status, 202);
    once(&ann, "closed", "healthy").await;
    assert_eq!(stranger.clone().header("x-preview-token", fresh).get("/").await.status, 401);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_link_opens_one_preview_until_it_is_revoked() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = private(&ann, "shared", &page("for friends")).await;
    let other = private(&ann, "other", &page("for nobody")).await;
    let link = ann.post(&path("shared", "/share"), &json!({ "expiresIn": 3600 })).await;
    assert_eq!(link.status, 201, "{link:?}");
    let link = link.json();
    assert_eq!(link["private"], true);
    let url = text(&link, "url");
    let (base, query) = url.split_once("/?").expect("a query");
    assert_eq!(base, text(&launched, "baseUrl"));
    let friend = visitor(&launched);
    let shown = friend.get(&format!("/?{query}")).await;
    assert_eq!((shown.status, location(&shown)), (303, "/"), "{shown:?}");
    let friend = friend.header("cookie", cookie(&shown));
    assert!(friend.get("/").await.text().contains("for friends"));
    let elsewhere = visitor(&other).get(&format!("/?{query}")).await;
    assert_eq!(elsewhere.status, 401, "it is for one preview");
    refused(&app.user("ben").post(&path("shared", "/share"), &json!({})).await, 403, "not_owner");
    let tampered = query.replace("pvs_", "pvs_0");
    assert_eq!(visitor(&launched).get(&format!("/?{tampered}")).await.status, 401);
    // It is as good after a restart of the daemon.
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    let opened = || async {
        let answer = friend.try_send(Method::GET, "/", "").await.ok()?;
        (answer.status == 200).then_some(())
    };
    until(20, opened).await;
    assert_eq!(visitor(&launched).get("/").await.status, 401, "and so is the door");
    let id = text(&link, "shareId");
    let list = ann.get(&path("shared", "/shares")).await;
    assert!(list.text().contains(id) && !list.text().contains("pvs_"), "{list:?}");
    let address = path("shared", &format!("/shares/{id}"));
    refused(&app.user("ben").delete(&address).await, 403, "not_owner");
    refused(&ann.delete(&path("other", &format!("/shares/{id}"))).await, 404, "not_found");
    assert_eq!(ann.delete(&address).await.status, 204);
    assert_eq!(friend.get("/").await.status, 401, "at once");
    let admin = app.admin();
    until(10, || async {
        let trail = admin.get("/api/v2/audit?action=openPreview&target=shared").await.json();
        trail.to_string().contains(&format!("share:{id}")).then_some(())
    })
    .await;
    stop(&ann, "shared").await;
    let late = ann.post(&path("shared", "/share"), &json!({})).await;
    refused(&late, 409, "conflict");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setting_makes_all_previews_private_and_a_link_has_its_time() {
    let app = TestApp::with(vec![("PREVIEW_PRIVATE", "true".to_owned())]).await;
    let ann = app.user("ann");
    put(&ann, "page", &page("closed by the setting")).await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await.json();
    assert_eq!(visitor(&launched).get("/").await.status, 401);
    for (wrong, status) in [
        (json!({ "expiresIn": 1 }), 422),
        (json!({ "expiresIn": 99_999_999 }), 422),
        (json!({ "x": 1 }), 422),
    ] {
        assert_eq!(ann.post(&path("page", "/share"), &wrong).await.status, status, "{wrong}");
    }
    put(&ann, "open", &page("open all the same")).await;
    let open = launch_with(&ann, "open", json!({ "wait": true, "private": false })).await.json();
    assert_eq!(visitor(&open).get("/").await.status, 200);
    // A token in the address of an open preview does not reach the app either.
    let shown = visitor(&open).get("/?previewd_token=pvt_x").await;
    assert_eq!((shown.status, location(&shown)), (303, "/"));
    app.finish().await;
}

/// Entries of visits, once as many requests as these are in them: `via status` with how many.
async fn visits(app: &TestApp, target: &str, requests: u64) -> std::collections::BTreeMap<String, u64> {
    let admin = app.admin();
    until(20, || async {
        let trail = admin.get(&format!("/api/v2/audit?action=visitPreview&target={target}&limit=200")).await;
        let mut found = std::collections::BTreeMap::new();
        for entry in trail.json()["entries"].as_array()? {
            assert_eq!((text(entry, "address"), &entry["actor"]), ("127.0.0.1", &Value::Null), "{entry}");
            *found.entry(format!("{} {}", text(entry, "via"), entry["status"])).or_default() +=
                entry["times"].as_u64()?;
        }
        (found.values().sum::<u64>() >= requests).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visits_are_gathered_in_the_trail_with_who_from_where_and_whether_it_was_open() {
    let app = TestApp::with(vec![("PREVIEW_AUDIT_VISITS", "1".to_owned())]).await;
    let ann = app.user("ann");
    let open = crate::scene::up(&ann, "open", &page("for all")).await;
    for _ in 0..7 {
        assert_eq!(visitor(&open).get("/").await.status, 200);
    }
    let closed = private(&ann, "closed", &page("for some")).await;
    let guest = visitor(&closed).header("x-preview-token", text(&closed, "previewToken"));
    for _ in 0..3 {
        assert_eq!(visitor(&closed).get("/").await.status, 401);
        assert_eq!(guest.get("/").await.status, 200);
    }
    let found = visits(&app, "open", 7).await;
    assert_eq!(found, [("none 200".to_owned(), 7)].into());
    let found = visits(&app, "closed", 6).await;
    assert_eq!(found, [("none 401".to_owned(), 3), ("previewToken 200".to_owned(), 3)].into());
    app.finish().await;
}
