//! What `/openapi.json` says is what is taken: values at the edges of each published schema are
//! never refused as invalid, and values beyond them are refused, by a daemon that has a live
//! preview to do it to. `make hostile` asks the same with many more values.

mod values;

use hyper::Method;
use previewd::api::auth::Role;
use previewd::domain::UserTier;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::http::{Answer, Client};
use crate::openapi::{Operation, document, operations};
use values::{Edges, edges};

const GENERATION: &str = "published";
/// The id of no webhook.
const NOBODYS: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Rules that a schema cannot say, of which each has a test of its own.
const UNSAID: [(&str, &str); 8] = [
    // One that an earlier page gave.
    ("", "cursor"),
    // The one of the path.
    ("launchPreview", "generationId"),
    // Of the two the earlier, and not too many steps between.
    ("getPreviewMetrics", "start"),
    ("getPreviewMetrics", "end"),
    ("getPreviewMetrics", "step"),
    // A base64 text when `bodyEncoding` says so.
    ("sendRequest", "bodyEncoding"),
    // A stream may begin without a line.
    ("streamLogs", "limit"),
    ("v1StreamLogs", "limit"),
];

/// What ends the preview or keeps others from it.
const ENDS: [&str; 6] = [
    "deleteGeneration",
    "stopPreview",
    "v1StopPreview",
    "pausePreview",
    "restartPreview",
    "renewPreviewToken",
];

struct Asker {
    client: Client,
    registrar: Client,
    document: Value,
}

/// One request, and whether the description allows it.
struct Case {
    operation: String,
    method: Method,
    path: String,
    body: String,
    allowed: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_what_is_taken() {
    let settings = vec![
        ("PREVIEW_SESSION_EXTENSION_MINUTES", "43200".to_owned()),
        ("PREVIEW_LOG_MAX_LINES", "100000".to_owned()),
    ];
    let app = TestApp::with(settings).await;
    let ann = app.client("ann", Role::Admin, UserTier::Pro);
    crate::bad_input::store(&ann, GENERATION).await;
    let launch = format!("/api/v2/generations/{GENERATION}/preview/launch");
    let launched = ann.post(&launch, &json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{}", launched.text());
    let token = launched.json()["previewToken"].as_str().expect("a token").to_owned();
    // Nobody's previews tell the addresses that are registered here.
    let asker = Asker {
        client: ann.header("x-preview-token", token),
        registrar: app.user("ben"),
        document: document(&app).await,
    };
    let (mut asked, mut wrong) = ([0, 0], Vec::new());
    for operation in operations(&app).await {
        let id = operation.description["operationId"].as_str().expect("an id").to_owned();
        if ENDS.contains(&id.as_str()) || !operation.path.starts_with("/api/v") {
            continue;
        }
        for case in asker.cases(&id, &operation) {
            asked[usize::from(case.allowed)] += 1;
            let answer = asker.ask(&case).await;
            if !case.is_answered_well(&answer) {
                wrong.push(case.said(&answer));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked:?}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked[0] > 300 && asked[1] > 300, "{asked:?}");
    app.finish().await;
}

impl Asker {
    fn cases(&self, id: &str, operation: &Operation) -> Vec<Case> {
        let mut cases = Vec::new();
        let webhook = Operation { path: operation.path.replace("{id}", NOBODYS), ..operation.clone() };
        let path = webhook.path_of(GENERATION);
        let case = |path: String, body: String, allowed| Case {
            operation: id.to_owned(),
            method: operation.method.clone(),
            path,
            body,
            allowed,
        };
        let plain = self.body(operation).map(|edges| edges.good[0].to_string()).unwrap_or_default();
        for parameter in operation.description["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let Edges { good, bad } = edges(&parameter["schema"], &self.document);
            let address = |value: &Value| match parameter["in"].as_str() {
                Some("query") => Some(format!("{path}?{name}={}", encoded(value))),
                _ => None,
            };
            if !is_unsaid(id, name) {
                cases.extend(good.iter().filter_map(address).map(|path| case(path, plain.clone(), true)));
                cases.extend(bad.iter().filter_map(address).map(|path| case(path, plain.clone(), false)));
            }
        }
        if let Some(Edges { good, bad }) = self.body(operation) {
            let said = |body: &&Value| {
                !body.as_object().is_some_and(|body| body.keys().any(|name| is_unsaid(id, name)))
            };
            cases.extend(good.iter().filter(said).map(|body| case(path.clone(), body.to_string(), true)));
            cases.extend(bad.iter().filter(said).map(|body| case(path.clone(), body.to_string(), false)));
        }
        cases
    }

    fn body(&self, operation: &Operation) -> Option<Edges> {
        let schema = &operation.description["requestBody"]["content"]["application/json"]["schema"];
        (!schema.is_null()).then(|| edges(schema, &self.document))
    }

    /// Of an answer that never ends only the head.
    async fn ask(&self, case: &Case) -> Answer {
        let client = if case.operation == "createWebhook" { &self.registrar } else { &self.client };
        let answer =
            client.open(case.method.clone(), &case.path, case.body.clone()).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let streams = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = match streams {
            true => Default::default(),
            false => http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes(),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

impl Case {
    /// 404, 409 and 429 are about the state of things; 401 and 403 about the caller.
    fn is_answered_well(&self, answer: &Answer) -> bool {
        match self.allowed {
            true => ![400, 405, 413, 422].contains(&answer.status) && answer.status < 500,
            false => [400, 404, 422].contains(&answer.status),
        }
    }

    fn said(&self, answer: &Answer) -> String {
        let cut = |text: &str| text.chars().take(300).collect::<String>();
        let allowed = if self.allowed { "allowed" } else { "not allowed" };
        let (path, body, text) = (cut(&self.path), cut(&self.body), cut(&answer.text()));
        format!("{} {path:?} {body} is {allowed}: {} {text}", self.operation, answer.status)
    }
}

fn is_unsaid(operation: &str, name: &str) -> bool {
    UNSAID.iter().any(|(of, field)| (of.is_empty() || *of == operation) && *field == name)
}

fn encoded(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
