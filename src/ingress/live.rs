//! Pages that refresh themselves when the files of their preview have changed.
//!
//! Only in previews whose files are being changed: there a page gets a line at its end that loads a
//! script from the preview's own port, which listens to a stream of events from there. The page is
//! not held and nothing is looked for in it; where its policy (CSP) allows no such script, it stays
//! as it is. Not for compressed pages (a browser that asks for a page is not offered compression),
//! parts of pages, and what scripts fetch; nor where the request or the answer says
//! `X-Preview-Reload: off`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::response;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;

use super::body::{Body, Outbound};
use super::visit::{Phase, Visit};

/// Whether pages are told, and of what.
#[derive(Debug)]
pub(super) struct Live {
    on: AtomicBool,
    /// How often files have changed.
    changes: watch::Sender<u64>,
}

const STREAM: &str = "/__previewd/reload";
const SCRIPT_PATH: &str = "/__previewd/reload.js";
const SCRIPT: &str =
    "new EventSource(\"/__previewd/reload\").addEventListener(\"reload\", () => location.reload());\n";
const LINE: &[u8] = b"\n<script src=\"/__previewd/reload.js\" async></script>\n";
const OWN_HEADER: &str = "x-preview-reload";
/// A visitor that has gone is noticed by what cannot be sent.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Live {
    pub(super) fn new() -> Self {
        Self { on: AtomicBool::new(false), changes: watch::Sender::new(0) }
    }

    pub(super) fn set(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

/// The script, or the stream it listens to; none for a request that is the app's.
pub(super) fn own_answer(visit: &Arc<Visit>, request: &Request<Outbound>) -> Option<Response<Body>> {
    if *request.method() != Method::GET {
        return None;
    }
    match request.uri().path() {
        SCRIPT_PATH => Some(answer("text/javascript; charset=utf-8", Body::page(SCRIPT.to_owned()))),
        STREAM => {
            let last = request.headers().get("last-event-id");
            let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
            visit.enter(Phase::Answering);
            let events = events(Arc::clone(visit), last);
            Some(answer("text/event-stream", Body::stream(events)))
        }
        _ => None,
    }
}

fn answer(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Where the listener is; it leaves with the stream.
struct Listening {
    visit: Arc<Visit>,
    changes: watch::Receiver<u64>,
    /// The number of changes that the page has been told of.
    told: Option<u64>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.visit.answered();
    }
}

/// Ends with the preview's port.
fn events(visit: Arc<Visit>, last: Option<u64>) -> impl Stream<Item = Bytes> + Send + 'static {
    let changes = visit.gate.live.changes.subscribe();
    let listening = Listening { visit, changes, told: None };
    stream::unfold((listening, last), |(mut listening, last)| async move {
        let now = *listening.changes.borrow_and_update();
        let Some(told) = listening.told.replace(now) else {
            // What a page that comes again has missed is told at once.
            let event = if last.is_some_and(|last| last != now) { "reload" } else { "hello" };
            return Some((event_text(event, now), (listening, last)));
        };
        if told != now {
            return Some((event_text("reload", now), (listening, last)));
        }
        let closed = listening.visit.gate.closed.clone();
        tokio::select! {
            () = closed.cancelled() => None,
            changed = listening.changes.changed() => {
                changed.ok()?;
                let now = *listening.changes.borrow_and_update();
                listening.told = Some(now);
                Some((event_text("reload", now), (listening, last)))
            }
            () = tokio::time::sleep(HEARTBEAT) => Some((Bytes::from_static(b":\n\n"), (listening, last))),
        }
    })
}

fn event_text(event: &str, number: u64) -> Bytes {
    Bytes::from(format!("event: {event}\nid: {number}\ndata: {number}\n\n"))
}

/// A browser goes to a page, and nobody has said that it shall be left alone.
pub(super) fn asks_for_page(request: &Request<Outbound>, accepts_html: bool) -> bool {
    let headers = request.headers();
    let is =
        |name: &str, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
    let destination = headers.get("sec-fetch-dest");
    let goes = match destination {
        Some(_) => is("sec-fetch-dest", "document") || is("sec-fetch-dest", "iframe"),
        // Browsers say where to only on secure origins; scripts of some kinds say what they are.
        None => !headers.contains_key("x-requested-with") && !headers.contains_key("hx-request"),
    };
    *request.method() == Method::GET && accepts_html && goes && !is_off(headers)
}

/// What would come compressed could not be added to.
pub(super) fn uncompressed(request: &mut Request<Outbound>) {
    request.headers_mut().remove(header::ACCEPT_ENCODING);
}

/// Adds the line to an answer that is a page.
pub(super) fn add(response: Response<Body>) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    if is_page(&head) && lengthen(&mut head.headers) {
        body.follow_with(Bytes::from_static(LINE));
    }
    Response::from_parts(head, body)
}

fn is_page(head: &response::Parts) -> bool {
    let value =
        |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let kind = value(header::CONTENT_TYPE).to_ascii_lowercase();
    let whole = !head.status.is_informational()
        && !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
    whole
        && kind.trim_start().starts_with("text/html")
        && !kind.contains("utf-16")
        && matches!(value(header::CONTENT_ENCODING), "" | "identity")
        && !head.headers.contains_key(header::CONTENT_DISPOSITION)
        && !is_off(&head.headers)
}

fn is_off(headers: &HeaderMap) -> bool {
    headers.get(OWN_HEADER).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"off"))
}

/// The length that is said, where one is; false when it cannot be understood.
fn lengthen(headers: &mut HeaderMap) -> bool {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return true };
    let longer =
        length.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()?.checked_add(LINE.len() as u64));
    match longer {
        Some(longer) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(longer));
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(status: u16, headers: &[(&str, &str)]) -> Option<String> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let page = response.body(Body::page("<p>".to_owned())).expect("a response");
        let before = hyper::body::Body::size_hint(page.body()).exact();
        let after = add(page);
        let length =
            after.headers().get("content-length").map(|value| value.to_str().expect("text").to_owned());
        (hyper::body::Body::size_hint(after.body()).exact() != before).then(|| length.unwrap_or_default())
    }

    #[test]
    fn whole_pages_get_the_line_and_nothing_else_does() {
        let html = ("content-type", "text/html; charset=utf-8");
        assert_eq!(added(200, &[html, ("content-length", "3")]), Some((3 + LINE.len()).to_string()));
        assert_eq!(added(404, &[html]), Some(String::new()));
        for (status, headers) in [
            (200, &[("content-type", "application/json")][..]),
            (200, &[html, ("content-encoding", "gzip")][..]),
            (206, &[html][..]),
            (304, &[html][..]),
            (200, &[html, ("x-preview-reload", "off")][..]),
            (200, &[html, ("content-disposition", "attachment")][..]),
            (200, &[html, ("content-length", "many")][..]),
            (200, &[][..]),
        ] {
            assert_eq!(added(status, headers), None, "{status} {headers:?}");
        }
    }

    #[test]
    fn only_a_browser_that_goes_to_a_page_is_given_one() {
        let asks = |headers: &[(&str, &str)]| {
            let mut request = Request::get("/");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            asks_for_page(&request.body(Outbound::Empty).expect("a request"), true)
        };
        assert!(asks(&[]));
        assert!(asks(&[("sec-fetch-dest", "document")]));
        assert!(asks(&[("sec-fetch-dest", "iframe")]));
        assert!(!asks(&[("sec-fetch-dest", "empty")]));
        assert!(!asks(&[("hx-request", "true")]));
        assert!(!asks(&[("x-preview-reload", "off")]));
    }
}
