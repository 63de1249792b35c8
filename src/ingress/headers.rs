//! What of a head passes, and what does not: inward to the app, and outward to the visitor.

use hyper::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};

use super::fault::Fault;
use super::host;
use super::visit::Visit;

/// Judges a request, and turns its head into the one for the app. Answers with the protocol it asks to
/// change to, if it does.
pub(super) fn inward(head: &mut Parts, seen: &Seen, visit: &Visit) -> Result<Option<HeaderValue>, Fault> {
    judge(head, seen, visit)?;
    let upgrade = seen.asks_to_upgrade.then(|| head.headers.remove(header::UPGRADE)).flatten();
    strip(&mut head.headers, seen, visit);
    forward_identity(&mut head.headers, visit);
    head.version = Version::HTTP_11;
    Ok(upgrade)
}

/// Turns the head of the app's answer into the one for the visitor.
pub(super) fn outward(headers: &mut HeaderMap, status: StatusCode) {
    let seen = Seen::of(headers);
    if seen.connection {
        remove_named_by_connection(headers);
    }
    if seen.transfer_encoding {
        // It was read as chunked; a length beside it would be a second truth.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
    }
    if seen.hop_by_hop {
        remove_hop_by_hop(headers);
    }
    if seen.upgrade && status != StatusCode::UPGRADE_REQUIRED {
        headers.remove(header::UPGRADE);
    }
    if seen.own_cookie {
        keep_cookies(headers, header::SET_COOKIE, |cookie| {
            !cookie.trim_ascii_start().starts_with(OWN_COOKIE)
        });
    }
}

/// What one pass over the headers finds. Most requests have next to nothing to remove, and each removal
/// would be a look-up.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// It comes from a browser that would show HTML.
    pub(super) accepts_html: bool,
    hosts: usize,
    connection: bool,
    asks_to_upgrade: bool,
    upgrade: bool,
    transfer_encoding: bool,
    hop_by_hop: bool,
    expect: bool,
    trailers: bool,
    forwarded: bool,
    authorization: bool,
    own_cookie: bool,
    own_header: bool,
}

impl Seen {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        let (mut connection_upgrades, mut upgradable) = (false, false);
        for (name, value) in headers {
            match *name {
                header::HOST => seen.hosts += 1,
                header::ACCEPT => seen.accepts_html |= contains(value, b"text/html"),
                header::CONNECTION => {
                    seen.connection = true;
                    connection_upgrades |= tokens(value).any(|token| token.eq_ignore_ascii_case("upgrade"));
                }
                // A tunnel of HTTP/2 would carry requests past everything that is done here. Of two lines
                // the app might read the other.
                header::UPGRADE => {
                    upgradable = !seen.upgrade && !names_h2c(value);
                    seen.upgrade = true;
                }
                header::TRANSFER_ENCODING => seen.transfer_encoding = true,
                header::TE => {
                    seen.hop_by_hop = true;
                    seen.trailers |= contains(value, b"trailers");
                }
                header::PROXY_AUTHENTICATE | header::PROXY_AUTHORIZATION => seen.hop_by_hop = true,
                header::EXPECT => seen.expect = true,
                header::FORWARDED => seen.forwarded = true,
                header::AUTHORIZATION => seen.authorization = true,
                header::COOKIE | header::SET_COOKIE => seen.own_cookie |= contains(value, OWN_COOKIE),
                _ => seen.unusual(name.as_str()),
            }
        }
        seen.asks_to_upgrade = connection_upgrades && upgradable;
        seen
    }

    /// Whether the visitor takes what an app says after the body of its answer.
    pub(super) const fn takes_trailers(&self) -> bool {
        self.trailers
    }

    fn unusual(&mut self, name: &str) {
        match name {
            "keep-alive" | "proxy-connection" | "http2-settings" => self.hop_by_hop = true,
            "x-real-ip" => self.forwarded = true,
            OWN_HEADER => self.own_header = true,
            _ => self.forwarded |= name.starts_with(FORWARDED_PREFIX),
        }
    }
}

fn names_h2c(upgrade: &HeaderValue) -> bool {
    upgrade.as_bytes().windows(3).any(|word| word.eq_ignore_ascii_case(b"h2c"))
}

fn judge(head: &Parts, seen: &Seen, visit: &Visit) -> Result<(), Fault> {
    judge_target(&head.method, &head.uri)?;
    if seen.transfer_encoding && !is_chunked_alone(&head.headers) {
        return Err(Fault::Invalid(
            StatusCode::NOT_IMPLEMENTED,
            "the only Transfer-Encoding taken is chunked",
        ));
    }
    match (seen.hosts, head.headers.get(header::HOST)) {
        (1, Some(host)) => {
            match visit.checks_host && !host::is_ours(host.as_bytes(), &visit.gate.shared.config) {
                true => Err(Fault::Misdirected),
                false => Ok(()),
            }
        }
        // Before HTTP/1.1 there was none. No browser is so old.
        (0, _) if head.version == Version::HTTP_10 => Ok(()),
        _ => Err(Fault::Invalid(StatusCode::BAD_REQUEST, "a request needs exactly one Host header")),
    }
}

fn judge_target(method: &Method, target: &Uri) -> Result<(), Fault> {
    if *method == Method::CONNECT {
        return Err(Fault::Invalid(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not served here"));
    }
    let is_origin_form = target.authority().is_none() && target.scheme().is_none();
    let is_path = target.path().starts_with('/') || (target.path() == "*" && *method == Method::OPTIONS);
    match is_origin_form && is_path {
        true => Ok(()),
        false => Err(Fault::Invalid(StatusCode::BAD_REQUEST, "the request target must be a path")),
    }
}

fn is_chunked_alone(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first =
        values.next().is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    first && values.next().is_none()
}

fn strip(headers: &mut HeaderMap, seen: &Seen, visit: &Visit) {
    if seen.connection {
        remove_named_by_connection(headers);
    }
    if seen.hop_by_hop {
        remove_hop_by_hop(headers);
    }
    if seen.upgrade {
        headers.remove(header::UPGRADE);
    }
    if seen.trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if seen.expect {
        // Answered here, as soon as the app's connection takes the body.
        headers.remove(header::EXPECT);
    }
    if seen.forwarded {
        remove_forwarded(headers);
    }
    if seen.own_header {
        headers.remove(OWN_HEADER);
    }
    if seen.own_cookie {
        keep_cookies(headers, header::COOKIE, |_| true);
    }
    if seen.authorization && is_own_token(headers, visit) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// What we know of the visitor, in place of what it says of itself.
fn forward_identity(headers: &mut HeaderMap, visit: &Visit) {
    match headers.get(header::HOST).cloned() {
        Some(host) => headers.insert(&X_FORWARDED_HOST, host),
        None => headers.insert(header::HOST, HeaderValue::from_static("localhost")),
    };
    headers.insert(&X_FORWARDED_FOR, visit.peer.clone());
    let proto = if visit.is_encrypted { "https" } else { "http" };
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(proto));
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    let Entry::Occupied(entry) = headers.entry(header::CONNECTION) else { return };
    let is_plain = entry.get() == "keep-alive" || entry.get() == "close";
    // What nearly everybody sends names nothing.
    if is_plain && entry.iter().count() == 1 {
        entry.remove();
        return;
    }
    let (_, values) = entry.remove_entry_mult();
    let values: Vec<HeaderValue> = values.collect();
    for token in values.iter().flat_map(tokens) {
        if !is_kept_though_named(token) {
            headers.remove(token);
        }
    }
}

/// These are about the whole way, or about framing, whatever a sender claims; and `upgrade` has rules of
/// its own.
fn is_kept_though_named(token: &str) -> bool {
    ["close", "keep-alive", "upgrade", "host", "content-length", "transfer-encoding", "te"]
        .iter()
        .any(|kept| token.eq_ignore_ascii_case(kept))
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in [
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "http2-settings",
        "te",
    ] {
        headers.remove(name);
    }
}

fn remove_forwarded(headers: &mut HeaderMap) {
    headers.remove(header::FORWARDED);
    headers.remove("x-real-ip");
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(FORWARDED_PREFIX)).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

fn is_own_token(headers: &HeaderMap, visit: &Visit) -> bool {
    let Some(is_own) = &visit.gate.shared.hooks.own_token else { return false };
    let bearer = |value: &HeaderValue| {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| is_own(token.trim()))
    };
    headers.get_all(header::AUTHORIZATION).iter().any(|value| bearer(value).unwrap_or(false))
}

/// Drops our own cookies from every line of this name, and whole lines as `keeps_line` says.
fn keep_cookies(headers: &mut HeaderMap, name: HeaderName, keeps_line: fn(&[u8]) -> bool) {
    let Entry::Occupied(entry) = headers.entry(&name) else { return };
    let (_, values) = entry.remove_entry_mult();
    let kept: Vec<HeaderValue> = values.filter(|value| keeps_line(value.as_bytes())).collect();
    for value in kept {
        let value = if name == header::COOKIE { without_own_cookies(&value) } else { Some(value) };
        if let Some(value) = value {
            headers.append(name.clone(), value);
        }
    }
}

fn without_own_cookies(line: &HeaderValue) -> Option<HeaderValue> {
    let pairs = line.as_bytes().split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let kept: Vec<&[u8]> = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with(OWN_COOKIE)).collect();
    match kept.is_empty() {
        true => None,
        false => HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok(),
    }
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|token| !token.is_empty())
}

fn contains(value: &HeaderValue, part: &[u8]) -> bool {
    memchr::memmem::find(value.as_bytes(), part).is_some()
}

const OWN_HEADER: &str = "x-preview-token";
const OWN_COOKIE: &[u8] = b"previewd_";
const FORWARDED_PREFIX: &str = "x-forwarded-";
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
