//! What of the API's traffic goes into the audit trail: everything that changes something, whatever
//! came of it, and looks at what others do.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::StatusCode;
use chrono::Utc;

use super::auth::Caller;
use super::auth::rules::Rule;
use super::trace::TRACEPARENT;
use crate::domain::{AuditEntry, TraceContext};

/// Reading operations that are written down too.
const LOOKS: [&str; 2] = ["exportLogs", "listAudit"];

/// An entry whose end is still to come.
pub struct Begun {
    entry: AuditEntry,
}

/// Begins an entry for a request that belongs into the trail. `template` is the address with its
/// parameters' names.
pub fn begin(request: &Request, rule: Rule, template: &str, address: Option<IpAddr>) -> Option<Begun> {
    let looks = LOOKS.contains(&rule.operation) || rule.opens_socket(request.headers());
    let belongs = looks || !request.method().is_safe();
    belongs.then(|| Begun {
        entry: AuditEntry {
            timestamp: Utc::now(),
            actor: None,
            on_behalf: None,
            via: "none".to_owned(),
            action: rule.operation.to_owned(),
            target: target(template, request.uri().path()),
            address: address.map(|address| address.to_canonical().to_string()),
            status: 0,
            trace_id: trace_id(request),
            times: 1,
        },
    })
}

impl Begun {
    pub fn by(&mut self, caller: &Caller) {
        self.entry.actor = Some(caller.by.to_string());
        self.entry.on_behalf = (caller.user != caller.by).then(|| caller.user.to_string());
        self.entry.via = match &caller.key {
            Some(key) => format!("key:{}", key.id),
            None => "token".to_owned(),
        };
    }

    /// Of whom no more is known than the token it brings.
    pub fn by_preview_token(&mut self) {
        self.entry.via = "previewToken".to_owned();
    }

    pub fn ended(mut self, status: StatusCode) -> AuditEntry {
        self.entry.status = status.as_u16();
        self.entry
    }
}

/// What stands in the place of parameters; where there are two, both.
fn target(template: &str, path: &str) -> Option<String> {
    let parts = template.split('/').zip(path.split('/'));
    let named: Vec<&str> = parts.filter(|(name, _)| name.starts_with('{')).map(|(_, value)| value).collect();
    // Paths come from strangers: the trail need not keep more of them than names of ours have.
    let text: String = named.join("/").chars().take(300).collect();
    (!text.is_empty()).then_some(text)
}

fn trace_id(request: &Request) -> Option<String> {
    let said = request.headers().get(TRACEPARENT)?.to_str().ok()?;
    Some(TraceContext::parse(said)?.trace_id().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_stands_for_parameters() {
        let of = |template, path| target(template, path);
        assert_eq!(
            of("/api/v2/generations/{gid}/preview/launch", "/api/v2/generations/a-1/preview/launch")
                .as_deref(),
            Some("a-1")
        );
        assert_eq!(of("/x/{gid}/compare/{other}", "/x/a/compare/b").as_deref(), Some("a/b"));
        assert_eq!(of("/api/v2/keys", "/api/v2/keys"), None);
    }
}
