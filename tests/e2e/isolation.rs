//! The attacker's view: a preview that tries everything to get out, and a table of how far it came.
//! `make isolation` prints it.

use std::process::Command;

use serde_json::json;
use tokio::net::TcpListener;

use crate::app::{TestApp, launch_example};
use crate::outside::is_root;
use crate::scene::{OBEDIENT, nonce, python, text, up, visitor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_hostile_app_tries_works() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let sibling = up(&app.user("bob"), "sibling", &python(OBEDIENT)).await;
    let hostile = launch_example(&ann, "hostile-escape", "hostile").await;
    let house = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = house.local_addr().expect("an address").port();
    let mut targets: Vec<String> = Vec::new();
    for container in app.engine.owned_containers().await.expect("a list") {
        let state = app.engine.inspect(&container.id).await.expect("an answer").expect("it is there");
        let address = state.addresses.values().next().expect("an address");
        if container.ownership.preview.map(|id| id.to_string()).as_deref()
            == sibling["previewInstanceId"].as_str()
        {
            targets.push(format!("{address}:8000"));
        }
    }
    assert_eq!(targets.len(), 1, "the sibling's address is known to the attacker");
    targets.push(format!("172.17.0.1:{port}"));
    let own = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    own.connect("203.0.113.1:9").expect("a way out");
    targets.push(format!("{}:{port}", own.local_addr().expect("an address").ip()));

    let answer = visitor(&hostile).get(&format!("/report?targets={}", targets.join(","))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = answer.json();
    let rows = rows.as_array().expect("a list");
    let is_kept = is_root();
    println!("\n{:<14}{:<46}{:<9}detail", "area", "attempt", "outcome");
    for row in rows {
        println!(
            "{:<14}{:<46}{:<9}{}",
            text(row, "area"),
            text(row, "attempt"),
            text(row, "outcome"),
            text(row, "detail")
        );
    }
    // Without the right to set rules the host can be reached, which readiness and doctor say.
    let counts = |row: &&serde_json::Value| is_kept || row["area"] != "network";
    let open: Vec<_> = rows.iter().filter(counts).filter(|row| row["outcome"] != "denied").collect();
    println!(
        "\n{} attempts, {} open{}",
        rows.len(),
        open.len(),
        if is_kept { "" } else { " (egress is not restricted: not root)" }
    );
    assert!(rows.len() > 110, "only {} attempts", rows.len());
    assert!(open.is_empty(), "{open:#?}");
    // It told the truth: an attacker that was stopped by its own mistakes proves nothing.
    let detail = |attempt: &str| {
        let row = rows.iter().find(|row| row["attempt"] == attempt);
        text(row.unwrap_or_else(|| panic!("no {attempt}")), "detail").to_owned()
    };
    assert!(detail("write /etc").contains("Read-only file system"), "{}", detail("write /etc"));
    assert!(detail("raw").contains("not permitted"), "{}", detail("raw"));
    assert!(detail("effective").contains("0000000000000000"), "{}", detail("effective"));
    app.finish().await;
}

/// What metadata calls a secret, and every other variable, is given at run time and is in no layer, label
/// or history of the image.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_the_container_and_in_no_image() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let secret = format!("s3cret-{}", nonce());
    let program = "import http.server, os\n\nclass Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        \
                   body = os.environ['API_KEY'].encode()\n        self.send_response(200)\n        \
                   self.send_header('Content-Length', str(len(body)))\n        self.end_headers()\n        \
                   self.wfile.write(body)\n\nhttp.server.ThreadingHTTPServer(('0.0.0.0', 8000), Handler).serve_forever()\n";
    let mut body = python(program);
    body["files"][".env"] = json!(format!("API_KEY={secret}\n"));
    body["metadata"] = json!({ "environment": { "API_KEY": secret }, "secrets": ["API_KEY"] });
    let launched = up(&ann, "fresh-secret", &body).await;
    assert_eq!(visitor(&launched).get("/").await.text(), secret);
    let images = app.engine.owned_images().await.expect("a list");
    let image = images
        .iter()
        .find(|image| image.ownership.generation.as_ref().is_some_and(|id| id.as_str() == "fresh-secret"));
    let image = image.expect("its image");
    for verb in [["history", "--no-trunc"].as_slice(), ["image", "inspect"].as_slice()] {
        let said = Command::new("docker").args(verb).arg(&image.id).output().expect("docker runs");
        assert!(said.status.success(), "{said:?}");
        assert!(!String::from_utf8_lossy(&said.stdout).contains(&secret), "{verb:?} tells the secret");
    }
    for events in ["/events", "/logs", "/status"] {
        let said = ann.get(&crate::scene::path("fresh-secret", events)).await.text();
        assert!(!said.contains(&secret), "{events} tells the secret");
    }
    app.finish().await;
}
