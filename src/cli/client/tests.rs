//! The client's behaviour on the wire.

use serde_json::{Value, json};

use super::*;
use crate::cli::testing::{context, empty, json_answer, problem, respond, serve, sse};

#[tokio::test]
async fn a_call_carries_token_query_and_body() {
    let server = serve(|_| json_answer(200, &json!({"a": 1}))).await;
    let (context, ..) = context(&server, false);
    let call = context.client.call(Method::POST, "/x").query("q", "a b&c=ü").header(ACCEPT, "x/y");
    let answer: Value = call.body(&json!([1])).expect("json").json().await.expect("an answer");
    assert_eq!(answer, json!({"a": 1}));
    let seen = &server.calls()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/x"));
    assert_eq!(seen.query, "q=a%20b%26c%3D%C3%BC");
    assert_eq!(seen.header("authorization"), "Bearer t0k3n");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.json(), json!([1]));
}

#[tokio::test]
async fn a_prefix_in_the_url_is_kept() {
    let server = serve(|_| empty(204)).await;
    let token = Token::new("t", "x");
    let client = Client::new(&format!("{}/preview/", server.url()), token).expect("a URL");
    client.call(Method::GET, "/api/v2/previews").send().await.expect("204");
    assert_eq!(server.calls()[0].path, "/preview/api/v2/previews");
}

#[tokio::test]
async fn problems_become_sentences() {
    let server = serve(|call| match call.path.as_str() {
        "/401" => problem(401, &json!({"detail": "the token has expired"})),
        "/422" => problem(
            422,
            &json!({"title": "Invalid", "detail": "expected a version", "field": "pythonVersion"}),
        ),
        "/503" => {
            let mut answer = problem(503, &json!({"detail": "no free port"}));
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            answer
        }
        _ => problem(500, &json!({"title": "Internal error", "traceId": "t-1"})),
    })
    .await;
    let (context, ..) = context(&server, false);
    let said = async |path: &str| {
        let error = context.client.call(Method::GET, path).send().await.expect_err("refused");
        (error.to_string(), error.is_transient())
    };
    let (unauthorised, _) = said("/401").await;
    assert!(unauthorised.contains("the token in PREVIEW_TOKEN (the token has expired)"), "{unauthorised}");
    assert_eq!(said("/422").await, ("pythonVersion: expected a version".into(), false));
    assert_eq!(said("/503").await, ("no free port; try again in 5s".into(), true));
    assert_eq!(said("/500").await, ("Internal error (trace t-1)".into(), false));
}

#[tokio::test]
async fn what_is_not_previewd_is_told_so() {
    let server = serve(|call| match call.path.as_str() {
        "/html" => respond(404, "text/html", "<h1>nginx</h1>"),
        _ => json_answer(200, &json!({"previews": 7})),
    })
    .await;
    let (context, ..) = context(&server, false);
    let error = context.client.call(Method::GET, "/html").send().await.expect_err("404");
    assert_eq!(
        error.to_string(),
        format!("{} answered 404, but not as previewd would: its body is no problem+json", server.url())
    );
    #[derive(Debug, serde::Deserialize)]
    struct Page {
        #[expect(dead_code, reason = "only its type matters")]
        previews: Vec<Value>,
    }
    let error = context.client.call(Method::GET, "/x").json::<Page>().await.expect_err("another shape");
    assert!(error.to_string().contains("previews"), "{error}");
    let error = context.client.call(Method::GET, "/x").events(None).await.err().expect("not a stream");
    assert!(error.to_string().ends_with("not a stream of events"), "{error}");
}

#[tokio::test]
async fn nobody_there_says_how_to_start_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let client = Client::new(&url, Token::new("t", "x")).expect("a URL");
    let error = client.call(Method::GET, "/x").send().await.expect_err("refused");
    assert_eq!(error.to_string(), format!("no daemon answers at {url}; start one with `previewd serve`"));
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_not_waited_for_for_ever() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let client = Client::new(&url, Token::new("t", "x")).expect("a URL");
    let call = client.call(Method::GET, "/x").deadline(Duration::from_millis(50));
    assert!(matches!(call.send().await, Err(ClientError::Late { .. })));
    let call = client.call(Method::GET, "/x").deadline(Duration::from_millis(50));
    assert!(matches!(call.events(None).await, Err(ClientError::Late { .. })));
}

#[tokio::test]
async fn events_arrive_and_the_end_is_told_from_a_cut() {
    let server = serve(|call| {
        assert_eq!(call.header("last-event-id"), "7");
        match call.path.as_str() {
            "/whole" => sse(&["id: 8\ndata: a\n\n"]),
            _ => crate::cli::testing::broken_sse(&["id: 8\ndata: a\n\n"]),
        }
    })
    .await;
    let (context, ..) = context(&server, false);
    let open =
        async |path: &str| context.client.call(Method::GET, path).events(Some("7")).await.expect("open");
    let mut whole = open("/whole").await;
    assert_eq!(whole.next().await.expect("an event").expect("one").data, "a");
    assert!(whole.next().await.expect("the end").is_none());
    let mut cut = open("/cut").await;
    assert_eq!(cut.next().await.expect("an event").expect("one").id.as_deref(), Some("8"));
    assert!(matches!(cut.next().await, Err(ClientError::Broken { .. })));
}

#[test]
fn urls_that_cannot_work_are_wrong_usage() {
    for bad in ["", "localhost:8000", "ftp://x", "http://", "http://a/?b"] {
        assert!(Client::new(bad, Token::new("t", "x")).is_err(), "{bad:?}");
    }
    assert!(Client::new("http://x", Token::new("a\nb", "x")).is_err(), "a token that would break the header");
}
