//! Who comes in to a private preview: whoever shows a token that opens it.
//!
//! A token may come in a header, in a cookie of ours, or in the address as `previewd_token=`. From
//! there it goes into the cookie, and the visitor is sent to the same address without it: so it is
//! in no `Referer`, no bookmark and no log, and the app never sees any of the three.

use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE,
    UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::body::{Body, Outbound};
use super::fault::Fault;
use super::visit::Visit;
use crate::domain::PreviewId;

/// Knows which previews are private, and what opens them. Asked on the hot path: it must not block.
pub trait Doorkeeper: Send + Sync {
    fn is_private(&self, preview: PreviewId) -> bool;

    /// Whether this token opens the preview at this moment.
    fn admits(&self, preview: PreviewId, token: &str) -> bool;

    /// What the token is called where it must not be told.
    fn named(&self, token: &str) -> String;

    /// Somebody came with a token in the address, from `peer`, and was let in or not.
    fn knocked(&self, preview: PreviewId, token: &str, peer: &str, admitted: bool);
}

/// The parameter of an address that carries a token.
const PARAMETER: &str = "previewd_token";

/// Longer than any token of ours.
const LONGEST: usize = 200;

/// Lets a request pass, or answers it: with the way on for who brought a token in the address.
pub(super) fn pass(visit: &Visit, request: &mut Request<Outbound>) -> Result<Option<Response<Body>>, Fault> {
    let Some(keeper) = &visit.gate.shared.hooks.doorkeeper else { return Ok(None) };
    let preview = visit.gate.preview;
    let brought = request.uri().query().is_some_and(|query| query.contains(PARAMETER));
    if let Some((token, rest)) = brought.then(|| taken_out(request.uri())).flatten() {
        let admitted = !keeper.is_private(preview) || keeper.admits(preview, &token);
        keeper.knocked(preview, &token, visit.peer.to_str().unwrap_or_default(), admitted);
        if !admitted {
            return Err(Fault::Private);
        }
        let asks_for_a_page = matches!(*request.method(), Method::GET | Method::HEAD);
        if asks_for_a_page && !request.headers().contains_key(UPGRADE) {
            return Ok(Some(shown_in(visit, &token, &rest)));
        }
        *request.uri_mut() = rest.parse().map_err(|_| BAD_ADDRESS)?;
        return Ok(None);
    }
    if !keeper.is_private(preview) {
        return Ok(None);
    }
    let opens = |token: &str| {
        let opens = keeper.admits(preview, token);
        if opens {
            visit.opened_by(|| keeper.named(token));
        }
        opens
    };
    if presented(request.headers(), preview, opens) { Ok(None) } else { Err(Fault::Private) }
}

const BAD_ADDRESS: Fault = Fault::Invalid(StatusCode::BAD_REQUEST, "the address is not valid");

/// The token in an address, and the address without it.
fn taken_out(uri: &Uri) -> Option<(String, String)> {
    let is_token = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name == PARAMETER);
    let query = uri.query()?;
    let (_, token) = query.split('&').find(is_token)?.split_once('=')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    // Two slashes at the start would lead to another host.
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    if token.len() > LONGEST || !token.bytes().all(is_plain) {
        return Some((String::new(), path));
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
    let rest = if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) };
    Some((token.to_owned(), rest))
}

/// Away from the address with the token in it.
fn shown_in(visit: &Visit, token: &str, rest: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    let secure = if visit.is_encrypted { "; Secure" } else { "" };
    let name = cookie_name(visit.gate.preview);
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}");
    // What is no token is in no cookie.
    let cookie = Some((SET_COOKIE, cookie.as_str())).filter(|_| !token.is_empty());
    for (name, value) in [(LOCATION, rest)].into_iter().chain(cookie) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Previews on ports of one host share their cookies: each has a name of its own.
fn cookie_name(preview: PreviewId) -> String {
    format!("previewd_{preview}")
}

fn presented(headers: &HeaderMap, preview: PreviewId, admits: impl Fn(&str) -> bool) -> bool {
    let texts =
        |name| headers.get_all(name).into_iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    let bearer = |text: &str| {
        let (scheme, token) = text.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    };
    if texts("x-preview-token".parse().unwrap_or(AUTHORIZATION)).any(&admits) {
        return true;
    }
    if texts(AUTHORIZATION).filter_map(bearer).any(|token| admits(&token)) {
        return true;
    }
    let name = cookie_name(preview);
    texts(COOKIE)
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .any(|(key, token)| key == name && admits(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_an_address_wherever_it_stands() {
        let out = |text: &str| taken_out(&text.parse().expect("an address"));
        let found = |token: &str, rest: &str| Some((token.to_owned(), rest.to_owned()));
        assert_eq!(out("/?previewd_token=pvt_a"), found("pvt_a", "/"));
        assert_eq!(out("/a/b?x=1&previewd_token=pvs_a.1.b&y=2"), found("pvs_a.1.b", "/a/b?x=1&y=2"));
        assert_eq!(out("/a?previewd_token=one&previewd_token=two"), found("one", "/a"));
        assert_eq!(out("//evil.example/x?previewd_token=a"), found("a", "/evil.example/x"));
        assert_eq!(out("/a?previewd_token=a%0d%0ab"), found("", "/a"));
        assert_eq!(out("//evil.example/x?previewd_token=%41"), found("", "/evil.example/x"));
        assert_eq!(out("/a?not_previewd_token=a"), None);
        assert_eq!(out("/a"), None);
    }
}
