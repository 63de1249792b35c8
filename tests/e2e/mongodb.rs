//! Previews on MongoDB's protocol: a user and a database each on the operator's server, kept apart
//! and gone. Without the driver, whoever asks for one is told what is missing.

use serde_json::json;

use crate::app::TestApp;
use crate::scene::{launch_with, page, put};

#[cfg(feature = "mongodb")]
mod with_driver {
    use mongodb::bson::doc;
    use serde_json::{Value, json};

    use crate::app::{TestApp, until};
    use crate::clerk::{environment, query};
    use crate::http::Client;
    use crate::mongo_server::MongoServer;
    use crate::scene::{launch_with, once, page, path, put, status, stop, text, up, visitor};

    /// Runs the commands it is sent, as its own user or as the one it is told.
    const CLERK: &str = r#"
import http.server, json, os, pymongo

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"environment": dict(os.environ)} if self.path == "/environment" else {"ok": True})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        address = asked.get("address") or os.environ["MONGODB_URI"]
        try:
            with pymongo.MongoClient(address, serverSelectionTimeoutMS=5000) as client:
                database = client[asked["in"]] if "in" in asked else client.get_default_database()
                self.answer(database.command(asked["command"]))
        except Exception as error:
            self.answer({"error": str(error), "code": getattr(error, "code", None)})

    def answer(self, what):
        body = json.dumps(what, default=str).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;

    /// What MongoDB says to a user without the right, and to one it does not know.
    const UNAUTHORIZED: u16 = 13;
    const NO_LOGIN: u16 = 18;

    fn on_mongodb() -> Value {
        let files = json!({ "main.py": CLERK, "requirements.txt": "pymongo==4.10.1\n" });
        json!({ "metadata": { "dbType": "mongodb" }, "files": files })
    }

    async fn daemon(server: &MongoServer) -> TestApp {
        TestApp::with(vec![("PREVIEW_DATABASE_MONGODB_URL", server.url.clone())]).await
    }

    async fn run(preview: &Client, command: Value) -> Value {
        preview.post("/", &json!({ "command": command })).await.json()
    }

    async fn insert(preview: &Client, people: Value) {
        let answer = run(preview, json!({ "insert": "people", "documents": people })).await;
        assert_eq!(answer["ok"], 1.0, "{answer}");
    }

    async fn people(preview: &Client) -> Value {
        run(preview, json!({ "count": "people" })).await["n"].clone()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn previews_on_the_operators_server_reach_nothing_but_their_own_database() {
        let server = MongoServer::start().await;
        let app = daemon(&server).await;
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let launched = up(&ann, "anns", &on_mongodb()).await;
        assert_eq!(launched["database"]["type"], "mongodb", "{launched}");
        assert_eq!(launched["database"]["mode"], "external", "{launched}");
        let other = up(&bob, "bobs", &on_mongodb()).await;
        let (anns, bobs) = (visitor(&launched), visitor(&other));
        insert(&anns, json!([{ "name": "Ada" }, { "name": "Grace" }])).await;

        let (of_ann, of_bob) = (environment(&anns).await, environment(&bobs).await);
        assert_eq!(of_ann["DATABASE_URL"], of_ann["MONGODB_URI"]);
        let ann_url = text(&of_ann, "MONGODB_URI");
        let ann_db = ann_url.rsplit_once('/').expect("a database").1;
        let bob_url = text(&of_bob, "MONGODB_URI");
        for command in [
            json!({ "find": "people" }),
            json!({ "insert": "people", "documents": [{}] }),
            json!({ "dropDatabase": 1 }),
            json!({ "createUser": "more", "pwd": "more", "roles": ["dbOwner"] }),
        ] {
            let asked = json!({ "in": ann_db, "command": command });
            let refused = bobs.post("/", &asked).await.json();
            assert_eq!(refused["code"], UNAUTHORIZED, "{command}: {refused}");
        }
        for command in [json!({ "listDatabases": 1 }), json!({ "usersInfo": { "forAllDBs": true } })] {
            let refused = bobs.post("/", &json!({ "in": "admin", "command": command })).await.json();
            assert_eq!(refused["code"], UNAUTHORIZED, "{command}: {refused}");
        }
        let stranger = format!("{}/{ann_db}", bob_url.rsplit_once('/').expect("a database").0);
        let refused = bobs.post("/", &json!({ "address": stranger, "command": { "ping": 1 } })).await.json();
        assert_eq!(refused["code"], NO_LOGIN, "{refused}");

        assert_eq!(server.ours().await, (2, 1), "a database is there from its first document on");
        stop(&bob, "bobs").await;
        assert_eq!(people(&anns).await, 2);
        assert_eq!(server.ours().await, (1, 1));
        stop(&ann, "anns").await;
        assert_eq!(server.ours().await, (0, 0));
        app.finish().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_is_looked_into_kept_over_a_restart_and_emptied_by_a_reset() {
        let server = MongoServer::start().await;
        let app = daemon(&server).await;
        let ann = app.user("ann");
        let launched = up(&ann, "documents", &on_mongodb()).await;
        let clerk = visitor(&launched);
        insert(&clerk, json!([{ "name": "Ada" }, { "name": "Grace" }])).await;
        assert_eq!(run(&clerk, json!({ "create": "empty" })).await["ok"], 1.0);

        let inside = ann.get(&path("documents", "/database")).await.json();
        assert_eq!((&inside["status"], &inside["records"]), (&json!("ready"), &json!(2)), "{inside}");
        let rows = |name: &str| {
            let listed = inside["tableList"].as_array().expect("a list").iter();
            listed.clone().find(|table| table["name"] == name).map(|table| table["rows"].clone())
        };
        assert_eq!((rows("people"), rows("empty")), (Some(json!(2)), Some(json!(0))), "{inside}");
        let refused = query(&ann, "documents", "SELECT 1").await;
        assert!(refused.status == 422 && refused.text().contains("no SQL"), "{refused:?}");

        assert_eq!(ann.post(&path("documents", "/restart"), &json!({})).await.status, 202);
        once(&ann, "documents", "healthy").await;
        assert_eq!(people(&clerk).await, 2);
        assert_eq!(ann.post(&path("documents", "/database/reset"), &json!({})).await.status, 200);
        until(60, async || (people(&clerk).await == 0).then_some(())).await;
        assert_eq!(server.ours().await.0, 1);
        let seen = status(&ann, "documents").await;
        assert_eq!(seen["database"]["type"], "mongodb", "{seen}");
        stop(&ann, "documents").await;
        assert_eq!(server.ours().await, (0, 0));
        app.finish().await;
    }

    /// What a daemon that was killed left there is swept by the next; what others have stays.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn users_and_databases_without_a_preview_go_and_others_stay() {
        let server = MongoServer::start().await;
        let app = daemon(&server).await;
        let ann = app.user("ann");
        let launched = up(&ann, "swept", &on_mongodb()).await;
        let url = environment(&visitor(&launched)).await;
        let name = text(&url, "MONGODB_URI").rsplit_once('/').expect("a database").1.to_owned();
        let (ours, _) = name.rsplit_once('_').expect("a prefix");
        for orphan in [format!("{ours}_left"), "pv_ffffffff_other".to_owned()] {
            let user = doc! { "createUser": &orphan, "pwd": "secret", "roles": [{ "role": "dbOwner", "db": &orphan }] };
            server.run(&orphan, user).await;
            server.run(&orphan, doc! { "insert": "things", "documents": [{ "n": 1 }] }).await;
        }
        assert_eq!(server.ours().await, (3, 2));
        until(60, async || (server.ours().await == (2, 1)).then_some(())).await;
        stop(&ann, "swept").await;
        assert_eq!(server.ours().await, (1, 1));
        app.finish().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_is_not_there_or_refuses_us_is_said_without_its_password() {
        let server = MongoServer::start().await;
        let (login, place) = server.url.rsplit_once('@').expect("a login");
        let (_, password) = login.rsplit_once(':').expect("a password");
        let nowhere = server.url.replace(place, "127.0.0.1:9/admin");
        for (url, said) in
            [(server.url.replace(password, "wrong-secret"), "uthentication"), (nowhere, "127.0.0.1:9")]
        {
            let app = TestApp::with(vec![("PREVIEW_DATABASE_MONGODB_URL", url)]).await;
            let ann = app.user("ann");
            put(&ann, "refused", &page("refused")).await;
            let asked = json!({ "wait": true, "databaseType": "mongodb" });
            let refused = launch_with(&ann, "refused", asked).await;
            let text = refused.text();
            assert!(refused.status == 502 && text.contains(said), "{refused:?}");
            assert!(!text.contains("wrong-secret") && !text.contains(password), "{text}");
            app.finish().await;
        }
    }
}

/// Whoever asks for one that cannot be had is told what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_driver_or_image_the_answer_says_what_is_missing() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "documents", &page("documents")).await;
    let refused = launch_with(&ann, "documents", json!({ "wait": true, "databaseType": "mongodb" })).await;
    let said = refused.text();
    let missing: (u16, &[&str]) = match cfg!(feature = "mongodb") {
        true => (502, &["previewd/mongo:7", "infra/base-images.sh mongo", "PREVIEW_DATABASE_MONGODB_URL"]),
        false => (422, &["this daemon gives no mongodb", "cargo build --features mongodb"]),
    };
    assert_eq!(refused.status, missing.0, "{said}");
    for word in missing.1 {
        assert!(said.contains(word), "{word}: {said}");
    }
    app.finish().await;
}
