//! What a visitor is told when there is no answer from the app: HTML for browsers, problem+json for
//! everybody else.

use std::fmt::Write;

use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::fault::Fault;
use super::hooks::Diagnosis;

/// The answer in the app's place.
pub(super) fn page(fault: &Fault, as_html: bool) -> Response<Body> {
    let status = fault.status();
    let words = Words::of(fault);
    let (kind, text) = match as_html {
        true => ("text/html; charset=utf-8", html(status, &words)),
        false => ("application/problem+json", problem(status, &words)),
    };
    let mut response = Response::new(Body::page(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

struct Words {
    what: String,
    /// What the visitor can do about it; may be empty.
    advice: &'static str,
    /// The page asks again by itself.
    refreshes: bool,
}

impl Words {
    fn of(fault: &Fault) -> Self {
        let (what, advice) = match fault {
            Fault::Invalid(_, what) => ((*what).to_owned(), ""),
            Fault::Misdirected => ("no preview answers to this host name".to_owned(), ADVICE_HOST),
            Fault::Private => ("this preview is private".to_owned(), ADVICE_PRIVATE),
            Fault::Waiting(stage) => (format!("the preview is {stage}"), "This page reloads by itself."),
            Fault::Returning => {
                ("the preview is being found again".to_owned(), "This page reloads by itself.")
            }
            Fault::Asleep => ("the preview is being woken".to_owned(), "This page reloads by itself."),
            Fault::Paused => ("the preview is paused".to_owned(), "Resume it to use it."),
            Fault::Down(reason) => (format!("the preview is down: {reason}"), "Its logs say more."),
            Fault::Refused(diagnosis) => (diagnosis.in_words(), advice_on(diagnosis)),
            Fault::Unreachable(error) => (format!("the container cannot be reached: {error}"), ""),
            Fault::BadAnswer(what) => (what.clone(), "Its logs may say why."),
            Fault::Timeout => ("the app did not answer in time".to_owned(), "Its logs may say why."),
            Fault::StalledBody => ("the rest of the request did not come".to_owned(), ""),
            Fault::ClientGone => ("the request was abandoned".to_owned(), ""),
        };
        Self {
            what,
            advice,
            refreshes: matches!(fault, Fault::Waiting(_) | Fault::Returning | Fault::Asleep),
        }
    }
}

fn advice_on(diagnosis: &Diagnosis) -> &'static str {
    match diagnosis {
        Diagnosis::NothingListens { .. } => {
            "The app is running. If it listens on another port, make it use $PORT."
        }
        Diagnosis::LoopbackOnly { .. } => "Inside a container, 127.0.0.1 can be reached by nobody else.",
        Diagnosis::Exited { .. } | Diagnosis::Unknown => "Its logs may say why.",
    }
}

fn problem(status: StatusCode, words: &Words) -> String {
    let detail = match words.advice {
        "" => words.what.clone(),
        advice => format!("{}. {advice}", words.what),
    };
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    })
    .to_string()
}

fn html(status: StatusCode, words: &Words) -> String {
    let refresh = if words.refreshes { r#"<meta http-equiv="refresh" content="1">"# } else { "" };
    let title = status.canonical_reason().unwrap_or("Error");
    let (what, advice) = (escaped(&words.what), words.advice);
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{refresh}
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 15vh auto 0; padding: 0 1em; color: #222; background: #fafafa }}
p {{ margin: .5em 0 }} .what::first-letter {{ text-transform: uppercase }} .code {{ color: #888 }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #181818 }} }}
</style></head>
<body><p class="code">{code} {title}</p><p class="what"><strong>{what}</strong></p><p>{advice}</p></body></html>
"#,
        code = status.as_u16(),
    )
}

/// Reasons come from containers: data, never markup.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
        out
    })
}

const ADVICE_PRIVATE: &str = "Open it with a link that was shared with you.";
const ADVICE_HOST: &str = "Use localhost, or the configured domain.";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *";
