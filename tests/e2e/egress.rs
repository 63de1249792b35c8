//! What previews reach: the internet as far as they may, and nothing of the house.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::{TestApp, until};
use crate::crash::Daemon;
use crate::outside::{Outside, is_root};
use crate::scene::{launch_with, path, put, python, stop, text, up, visitor};

/// `GET /HOST/PORT` connects, and says `open`, or the number of the error and how long it took.
pub const DIALLER: &str = r#"
import http.server, socket, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"ok"
        if self.path.count("/") == 2:
            _, host, port = self.path.split("/")
            begun = time.monotonic()
            try:
                socket.create_connection((host, int(port)), 5).close()
                said = "open"
            except socket.gaierror:
                said = "unknown"
            except OSError as error:
                said = "timeout" if error.errno is None else str(error.errno)
            body = f"{said} {time.monotonic() - begun:.1f}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

/// "No route to host": what a refusal of the packet filter looks like, and nothing else here.
const REFUSED: &str = "113";

/// What it says of a connection to `HOST:PORT`.
async fn dials(launched: &Value, address: &str) -> String {
    let answer = visitor(launched).get(&format!("/{}", address.replace(':', "/"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().split(' ').next().expect("a word").to_owned()
}

/// Every address of this host a stranger could try.
fn host_addresses(launched: &TestNetwork) -> Vec<String> {
    // No packet is sent: the kernel only says which address it would use.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("203.0.113.1:9").expect("a way out");
    let own = socket.local_addr().expect("an address").ip();
    vec![own.to_string(), launched.gateway.clone()]
}

struct TestNetwork {
    address: String,
    gateway: String,
}

/// Where a preview's container is.
async fn network_of(app: &TestApp, launched: &Value) -> TestNetwork {
    let preview = text(launched, "previewInstanceId");
    let owned = app.engine.owned_containers().await.expect("a list");
    let ours = |id: &previewd::domain::PreviewId| id.to_string() == preview;
    let container = owned.iter().find(|c| c.ownership.preview.as_ref().is_some_and(ours)).expect("it runs");
    let state = app.engine.inspect(&container.id).await.expect("an answer").expect("it is there");
    let address = *state.addresses.values().next().expect("an address");
    let IpAddr::V4(v4) = address else { panic!("IPv4 is expected: {address}") };
    // The first address of a /28 is the bridge's.
    let gateway = std::net::Ipv4Addr::from((u32::from(v4) & !15) + 1).to_string();
    TestNetwork { address: address.to_string(), gateway }
}

/// The chain that the first jump leads to.
fn chain_of(app: &TestApp) -> String {
    let rules = app.firewall_rules();
    rules[0].rsplit(' ').next().expect("a chain").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_reach_the_internet_and_nothing_of_the_house() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    if !is_root() {
        // Nothing is pretended where nothing can be kept.
        let readiness = until(20, || async {
            let readiness = app.stranger().get("/readiness").await.json();
            readiness["egress"].is_string().then_some(readiness)
        });
        assert!(text(&readiness.await, "egress").contains("not restricted"));
        put(&ann, "shut", &python(DIALLER)).await;
        let refused = launch_with(&ann, "shut", json!({ "wait": true, "egress": "none" })).await;
        assert!(refused.text().contains("cannot be restricted"), "{refused:?}");
        return app.finish().await;
    }
    let outside = Outside::open();
    let house = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = house.local_addr().expect("an address").port();
    let one = up(&ann, "dialler", &python(DIALLER)).await;
    let other = up(&app.user("bob"), "dialler-too", &python(DIALLER)).await;

    assert_eq!(dials(&one, &outside.address).await, "open", "the internet is open");
    let network = network_of(&app, &one).await;
    for address in host_addresses(&network) {
        assert_eq!(dials(&one, &format!("{address}:{port}")).await, REFUSED, "{address} of the host");
    }
    let sibling = network_of(&app, &other).await.address;
    assert_eq!(dials(&one, &format!("{sibling}:8000")).await, REFUSED, "another preview");
    for closed in ["169.254.169.254:80", "10.1.2.3:80", "172.20.1.1:80", "192.168.1.1:80", "100.64.1.1:80"] {
        assert_eq!(dials(&one, closed).await, REFUSED, "{closed}");
    }
    assert_eq!(dials(&one, "127.0.0.1:8000").await, "open", "itself");
    assert_eq!(visitor(&other).get("/").await.status, 200, "the daemon dials all of them");

    // Somebody clears the host's rules, as a careless firewall script would.
    let chain = chain_of(&app);
    let gateway = format!("{}:{port}", network.gateway);
    let mut was_open = false;
    for _ in 0..8 {
        // The daemon may be just about to look.
        assert!(Command::new("iptables").args(["-F", &chain]).status().expect("it runs").success());
        was_open = was_open || dials(&one, &gateway).await == "open";
    }
    assert!(was_open, "that this test looks at the right rules");
    until(20, || async { (dials(&one, &gateway).await == REFUSED).then_some(()) }).await;

    stop(&ann, "dialler").await;
    stop(&app.user("bob"), "dialler-too").await;
    drop(outside);
    app.finish().await;
}

/// The engine's hook for others' rules, out of use until this is dropped.
struct Unhooked;

impl Unhooked {
    fn change(how: &str) -> bool {
        let output = Command::new("iptables").args(["-w", "5", how, "FORWARD", "-j", "DOCKER-USER"]).output();
        output.expect("it runs").status.success()
    }

    fn now() -> Self {
        // Networks that are made at once leave it there more than once.
        while Self::change("-D") {}
        Self
    }
}

impl Drop for Unhooked {
    fn drop(&mut self) {
        Self::change("-I");
    }
}

/// Whenever it makes a network, the engine takes its hook away and puts it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_the_engine_is_making_opens_nothing_to_others() {
    if !is_root() {
        return;
    }
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "patient", &python(DIALLER)).await;
    let sibling = up(&app.user("bob"), "sibling", &python(DIALLER)).await;
    let sibling = network_of(&app, &sibling).await.address;
    for closed in ["10.1.2.3:80", "172.20.1.1:80", "192.168.1.1:80", &format!("{sibling}:8000")] {
        let unhooked = Unhooked::now();
        assert_eq!(dials(&launched, closed).await, REFUSED, "{closed}");
        drop(unhooked);
        assert_eq!(dials(&launched, closed).await, REFUSED, "{closed}, with the hook");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_and_a_launch_may_ask_for_less_and_never_for_more() {
    if !is_root() {
        return;
    }
    let outside = Outside::open();
    let allowed = format!("{},203.0.113.0/24", outside.host);
    let settings = vec![("PREVIEW_EGRESS", allowed), ("PREVIEW_MAX_INSTANCES_PER_USER", "9".to_owned())];
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let mut less = python(DIALLER);
    less["metadata"] = json!({ "egress": ["203.0.113.0/25"] });
    put(&ann, "less", &less).await;
    for (body, field) in [
        (json!({ "egress": "open" }), "egress"),
        (json!({ "egress": "203.0.113.0/24" }), "egress"),
        (json!({ "egress": "10.0.0.1" }), "egress"),
        (json!({ "egress": "a b" }), "egress"),
    ] {
        let refused = launch_with(&ann, "less", body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text().contains(field), "{refused:?}");
    }
    let kept = up(&ann, "listed", &python(DIALLER)).await;
    assert_eq!(dials(&kept, &outside.address).await, "open");
    assert_eq!(dials(&kept, "192.0.2.1:9").await, REFUSED, "public, and not on the list");
    let narrowed = up(&ann, "less", &less).await;
    assert_eq!(dials(&narrowed, &outside.address).await, REFUSED, "not on the generation's list");
    put(&ann, "shut", &python(DIALLER)).await;
    let shut =
        launch_with(&ann, "shut", json!({ "wait": true, "egress": "none", "databaseType": "postgresql" }));
    let shut = shut.await;
    assert_eq!(shut.status, 201, "{shut:?}");
    let shut = shut.json();
    assert_eq!(dials(&shut, &outside.address).await, REFUSED);
    assert_eq!(dials(&shut, "example.org:80").await, "unknown", "names are a way out too");
    assert_eq!(dials(&shut, "database:5432").await, "open", "its database is its own");
    let config = ann.get(&path("shut", "/config")).await.json();
    assert_eq!(config["egress"], "none", "{config}");
    app.finish().await;
}

/// Rules are of previews, and live as long as they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_outlive_a_killed_daemon_and_go_with_the_last_preview() {
    if !is_root() {
        return;
    }
    let outside = Outside::open();
    let mut app = TestApp::prepared(vec![]).await;
    let daemon = Daemon::start(&mut app).await;
    let mut body = python(DIALLER);
    body["metadata"] = json!({ "egress": "none" });
    let shut = up(&app.user("ann"), "shut", &body).await;
    daemon.kill().await;
    assert_eq!(app.firewall_rules().len(), 5, "the preview runs on, and so do its rules");
    let daemon = Daemon::start(&mut app).await;
    let (client, question) = (visitor(&shut), format!("/{}", outside.address.replace(':', "/")));
    let said = until(20, || async {
        let answer = client.try_send(hyper::Method::GET, &question, "").await.ok()?;
        Some(answer.text()).filter(|said| said.starts_with("open") || said.starts_with(REFUSED))
    });
    assert!(said.await.starts_with(REFUSED), "what it may not reach is in its row");
    assert_eq!(app.firewall_rules().len(), 5, "each jump once");
    stop(&app.user("ann"), "shut").await;
    daemon.end().await;
    assert_eq!(app.firewall_rules(), Vec::<String>::new());
    app.finish().await;
}
