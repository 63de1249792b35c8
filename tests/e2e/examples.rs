//! Every example is launched and used through its port.

use crate::app::{TestApp, launch_example};
use crate::http::Client;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_is_built_started_and_served() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "fastapi-notes", "notes").await;
    assert_eq!(launched["status"], "launched");
    let visitor = Client::to(launched["baseUrl"].as_str().expect("a URL"));
    let home = visitor.get("/").await;
    assert_eq!((home.status, home.json()["app"].as_str()), (200, Some("fastapi-notes")));
    app.finish().await;
}
