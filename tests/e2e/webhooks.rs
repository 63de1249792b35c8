//! Events that are told to a receiver over HTTP: signed, in order, again until they are taken.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, Mac};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{page, stop, text, up};

const SECRET: &str = "a secret of sixteen and more";

/// What came in: headers that matter, body, and what was answered.
#[derive(Debug, Clone)]
struct Letter {
    delivery: String,
    event: String,
    body: Value,
    answered: u16,
    genuine: bool,
}

/// Answers with the next status of a list, and with 200 after it.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start(statuses: &[u16]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            letters: Arc::default(),
            statuses: Arc::new(Mutex::new(statuses.iter().copied().collect())),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let receiver = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| receiver.clone().take(request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        receiver
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let header = |name: &str| head.headers[name].to_str().expect("text").to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{}.", header("x-preview-timestamp")).as_bytes());
        mac.update(&body);
        let signed: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let answered = self.statuses.lock().expect("lock").pop_front().unwrap_or(200);
        let letter = Letter {
            delivery: header("x-preview-delivery"),
            event: header("x-preview-event"),
            body: serde_json::from_slice(&body).expect("JSON"),
            answered,
            genuine: header("x-preview-signature") == format!("sha256={signed}"),
        };
        self.letters.lock().expect("lock").push(letter);
        let response =
            Response::builder().status(answered).header("location", "http://127.0.0.1:1/elsewhere");
        Ok(response.body(Full::default()).expect("a response"))
    }

    fn letters(&self) -> Vec<Letter> {
        self.letters.lock().expect("lock").clone()
    }

    /// Events that were taken, in order.
    fn taken(&self) -> Vec<String> {
        let letters = self.letters();
        letters.iter().filter(|letter| letter.answered == 200).map(|letter| letter.event.clone()).collect()
    }

    fn url(&self) -> String {
        format!("http://{}/hook?of=tests", self.address)
    }
}

async fn impatient() -> TestApp {
    TestApp::tuned(vec![], |config| {
        config.webhooks.private = true;
        config.webhooks.pause = Duration::from_millis(50);
        config.webhooks.attempts = 5;
    })
    .await
}

async fn register(client: &Client, url: &str, events: Value) -> Value {
    let body = json!({ "url": url, "events": events, "secret": SECRET });
    let answer = client.post("/api/v2/webhooks", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(!answer.text().contains(SECRET), "{answer:?}");
    answer.json()
}

async fn deliveries(client: &Client, id: &str) -> Vec<Value> {
    let answer = client.get(&format!("/api/v2/webhooks/{id}/deliveries?limit=100")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["deliveries"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_told_until_they_are_taken_also_by_the_next_run_of_the_daemon() {
    let mut app = impatient().await;
    let receiver = Receiver::start(&[500, 302]).await;
    let ann = app.user("ann");
    let webhook = register(&ann, &receiver.url(), json!(["launched", "healthy", "stopped"])).await;
    let id = text(&webhook, "id").to_owned();
    up(&ann, "told", &page("told")).await;
    until(20, || async { (receiver.taken() == ["launched", "healthy"]).then_some(()) }).await;
    // The first try failed, the second was sent elsewhere and did not go, the third was taken.
    let letters = receiver.letters();
    assert!(letters.iter().all(|letter| letter.genuine), "{letters:?}");
    let first: Vec<_> = letters.iter().take(3).map(|letter| (letter.answered, &letter.delivery)).collect();
    assert_eq!(first, [(500, first[0].1), (302, first[0].1), (200, first[0].1)]);
    assert_ne!(letters[3].delivery, letters[0].delivery);
    assert_eq!(letters[0].body["preview"]["generationId"], "told");
    assert_eq!(
        (&letters[0].body["type"], &letters[0].body["id"]),
        (&json!("launched"), &json!(letters[0].delivery))
    );
    // What happens while nobody takes it is told by the next run.
    receiver.statuses.lock().expect("lock").extend([503; 3]);
    stop(&ann, "told").await;
    app.shutdown().await;
    app.boot().await;
    until(20, || async { (receiver.taken() == ["launched", "healthy", "stopped"]).then_some(()) }).await;
    let ann = app.user("ann");
    let ended = || async {
        let all = deliveries(&ann, &id).await;
        (all.len() == 3 && all.iter().all(|one| one["state"] == "delivered")).then_some(all)
    };
    let all = until(20, ended).await;
    assert_eq!(
        (&all[2]["eventType"], &all[2]["attempts"], &all[2]["status"]),
        (&json!("launched"), &json!(3), &json!(200))
    );
    // Another's is another's, and one that is deleted is told nothing.
    let bob = app.user("bob");
    assert_eq!(bob.get("/api/v2/webhooks").await.json()["webhooks"], json!([]));
    assert_eq!(bob.get(&format!("/api/v2/webhooks/{id}/deliveries")).await.status, 403);
    assert_eq!(bob.delete(&format!("/api/v2/webhooks/{id}")).await.status, 403);
    let listed = ann.get("/api/v2/webhooks").await;
    assert!(listed.text().contains(&id) && !listed.text().contains(SECRET), "{listed:?}");
    assert_eq!(ann.delete(&format!("/api/v2/webhooks/{id}")).await.status, 204);
    assert_eq!(ann.get(&format!("/api/v2/webhooks/{id}/deliveries")).await.status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_takes_is_given_up_and_said() {
    let app = impatient().await;
    let receiver = Receiver::start(&[500; 64]).await;
    let ann = app.user("ann");
    let webhook = register(&ann, &receiver.url(), json!(["launched"])).await;
    // An admin may be told of everybody's previews, and of all events.
    let (admin, other) = (app.admin(), Receiver::start(&[]).await);
    let body = json!({ "url": other.url(), "secret": SECRET, "everyone": true });
    assert_eq!(ann.post("/api/v2/webhooks", &body).await.status, 403);
    assert_eq!(admin.post("/api/v2/webhooks", &body).await.status, 201);
    up(&ann, "untold", &page("untold")).await;
    let dead = || async {
        let all = deliveries(&ann, text(&webhook, "id")).await;
        all.first().filter(|one| one["state"] == "dead").cloned()
    };
    let dead = until(30, dead).await;
    assert_eq!((&dead["attempts"], &dead["status"]), (&json!(5), &json!(500)), "{dead}");
    until(20, || async { other.taken().contains(&"healthy".to_owned()).then_some(()) }).await;
    assert_eq!(other.taken()[0], "launched");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_open_network_is_told() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(&[]).await;
    let ann = app.user("ann");
    for url in [receiver.url().as_str(), "http://169.254.169.254/latest", "http://[::1]:80/", "ftp://a/", "x"]
    {
        let body = json!({ "url": url, "secret": SECRET });
        let refused = ann.post("/api/v2/webhooks", &body).await;
        assert_eq!((refused.status, text(&refused.json(), "field")), (422, "url"), "{refused:?}");
    }
    let short =
        ann.post("/api/v2/webhooks", &json!({ "url": "https://a.example/", "secret": "short" })).await;
    assert_eq!((short.status, text(&short.json(), "field")), (422, "secret"), "{short:?}");
    // A name that leads here is found out when it is looked up.
    let url = format!("http://localhost:{}/", receiver.address.port());
    let webhook = register(&ann, &url, json!(["launched"])).await;
    up(&ann, "shut", &page("shut")).await;
    let refused = || async {
        let all = deliveries(&ann, text(&webhook, "id")).await;
        all.first().filter(|one| one["problem"].is_string()).cloned()
    };
    let refused = until(20, refused).await;
    assert!(text(&refused, "problem").contains("open network"), "{refused}");
    assert!(receiver.letters().is_empty());
    app.finish().await;
}
