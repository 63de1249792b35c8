//! Apps of the usual frameworks on their databases: launched, migrated, seeded, used, reset.

use serde_json::json;

use crate::app::{TestApp, launch_example, until};
use crate::clerk::query;
use crate::scene::{path, stop, text, visitor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_with_sqlalchemy_and_alembic() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "fastapi-ledger", "ledger").await;
    assert_eq!(launched["database"]["migrationStatus"], "completed", "{launched}");
    let ledger = visitor(&launched);
    let seeded = json!([{ "name": "cash", "cents": 380 }, { "name": "bank", "cents": 0 }]);
    assert_eq!(ledger.get("/accounts").await.json(), seeded);
    let as_json = ledger.clone().header("content-type", "application/json");
    assert_eq!(as_json.post("/accounts/bank/entries", &json!({ "cents": 70 })).await.status, 201);
    assert_eq!(ledger.get("/accounts").await.json()[1]["cents"], 70);
    let names = query(&ann, "ledger", "SELECT name FROM accounts ORDER BY id").await.json();
    assert_eq!(names["rows"], json!([["cash"], ["bank"]]));
    assert_eq!(ann.post(&path("ledger", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(ledger.get("/accounts").await.json(), seeded);
    stop(&ann, "ledger").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn django_with_migrations_and_a_fixture() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "django-library", "library").await;
    let library = visitor(&launched);
    let titles = async || {
        let books = library.get("/books").await.json();
        books["books"]
            .as_array()
            .expect("books")
            .iter()
            .map(|book| text(book, "title").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles().await, ["Moby-Dick", "Middlemarch"]);
    assert_eq!(library.post("/books", &json!({ "title": "Emma", "year": 1815 })).await.status, 201);
    assert_eq!(titles().await.len(), 3);
    assert_eq!(ann.post(&path("library", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(titles().await, ["Moby-Dick", "Middlemarch"]);
    stop(&ann, "library").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_with_knex() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "express-orders", "orders").await;
    let orders = visitor(&launched);
    let first = json!([{ "item": "rope", "amount": 2 }, { "item": "lantern", "amount": 1 }]);
    assert_eq!(orders.get("/orders").await.json(), first);
    let ordered = orders.clone().header("content-type", "application/json");
    assert_eq!(ordered.post("/orders", &json!({ "item": "tar", "amount": 9 })).await.status, 201);
    assert_eq!(ann.post(&path("orders", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(orders.get("/orders").await.json(), first);
    stop(&ann, "orders").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_on_mysql_with_files_of_sql_and_rows() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "express-shelves", "shelves").await;
    let database = &launched["database"];
    assert_eq!(
        (&database["type"], &database["migrationStatus"]),
        (&json!("mysql"), &json!("completed")),
        "{launched}"
    );
    let shelves = visitor(&launched);
    let seeded = json!([
        { "title": "Moby-Dick", "shelf": "sea" },
        { "title": "The Left Hand of Darkness", "shelf": "stars" },
    ]);
    assert_eq!(shelves.get("/books").await.json(), seeded);
    let as_json = shelves.clone().header("content-type", "application/json");
    assert_eq!(as_json.post("/books", &json!({ "title": "Solaris", "shelfId": 2 })).await.status, 201);
    assert_eq!(shelves.get("/books").await.json().as_array().map(Vec::len), Some(3));

    let inside = ann.get(&path("shelves", "/database")).await.json();
    assert_eq!((&inside["tables"], &inside["records"]), (&json!(2), &json!(5)), "{inside}");
    let answer = query(&ann, "shelves", "SELECT id, title FROM books WHERE id = 3;").await.json();
    let expected = json!({ "columns": ["id", "title"], "rows": [[3, "Solaris"]], "truncated": false });
    assert_eq!(answer, expected);
    assert_eq!(ann.post(&path("shelves", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(shelves.get("/books").await.json(), seeded);
    stop(&ann, "shelves").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_with_a_redis_of_its_own() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "express-visits", "visits").await;
    let cache = &launched["database"]["cache"];
    assert_eq!((&cache["type"], &cache["status"]), (&json!("redis"), &json!("ready")), "{launched}");
    assert_eq!(launched["database"]["type"], "none", "{launched}");
    let visits = visitor(&launched);
    let visit = async || visits.get("/").await.json()["visits"].as_u64();
    assert_eq!((visit().await, visit().await), (Some(1), Some(2)));
    // The app goes and comes back, the cache stays.
    assert_eq!(ann.post(&path("visits", "/restart"), &json!({})).await.status, 202);
    crate::scene::once(&ann, "visits", "healthy").await;
    assert_eq!(visit().await, Some(3));
    let inside = ann.get(&path("visits", "/database")).await.json();
    assert_eq!((&inside["cache"]["keys"], &inside["type"]), (&json!(1), &json!("none")), "{inside}");
    assert!(inside["cache"]["size"].as_u64() > Some(100_000), "{inside}");
    let refused = query(&ann, "visits", "SELECT 1").await;
    assert_eq!((refused.status, text(&refused.json(), "field")), (422, "sql"), "{refused:?}");

    let containers = async || app.engine.owned_containers().await.expect("a list");
    assert_eq!(containers().await.len(), 2);
    let redis = containers().await.into_iter().find(|container| container.name.contains("-redis-"));
    let redis = redis.expect("a cache");
    app.engine.kill(&redis.id).await.expect("killed");
    // It comes back empty, and the app's client finds it again.
    let again = async || {
        let answer = visits.get("/").await;
        (answer.status == 200).then(|| answer.json()["visits"].as_u64())
    };
    assert_eq!(until(30, again).await, Some(1));
    assert_eq!(ann.post(&path("visits", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(visit().await, Some(1));
    stop(&ann, "visits").await;
    assert!(containers().await.is_empty());
    app.finish().await;
}

/// Neon's own package speaks to Neon alone; what it is asked for reaches the preview's database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_with_neons_package() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "neon-guests", "guests").await;
    let guests = visitor(&launched).header("content-type", "application/json");
    let first = guests.post("/guests", &json!({ "name": "Ann" })).await;
    assert_eq!((first.status, first.json()), (201, json!({ "id": 1, "name": "Ann" })));
    assert_eq!(guests.post("/parties", &json!(["Bob", "Eve"])).await.json(), json!([2, 3]));
    assert_eq!(guests.post("/parties", &json!(["Kim", null])).await.status, 409, "nobody without a name");
    let names = query(&ann, "guests", "SELECT name FROM guests ORDER BY id").await.json();
    assert_eq!(names["rows"], json!([["Ann"], ["Bob"], ["Eve"]]), "the whole party or none of it");
    assert_eq!(guests.get("/guests").await.json().as_array().map(Vec::len), Some(3));
    stop(&ann, "guests").await;
    app.finish().await;
}
