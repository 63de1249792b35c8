//! Who may call what: the one table. An operation that is not in it is refused to everybody, and
//! fails the test below.

use std::collections::HashMap;

use axum::http::Method;
use axum::http::header::{HeaderMap, HeaderValue, UPGRADE};
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, PathItem};

use crate::domain::Scope;

/// Whom an operation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the port: it says nothing of any user.
    Public,
    /// Whoever has a valid token; what is listed is the caller's own, and everybody's for admins.
    Caller,
    /// The owner of the generation in the path, and admins. The handler finds the thing through
    /// [`owned`](crate::api::owned), which compares.
    Owner,
    /// The same, and a WebSocket that brings the preview's token in its address.
    OwnerOrPreviewToken,
    /// Admins alone.
    Admin,
    /// Whoever has a token, for what opens doors in its name; an API key only with the scope admin.
    Account,
}

use Access::{Account, Admin, Caller, Owner, OwnerOrPreviewToken, Public};

/// By operation id. v2's count for the unversioned paths as well.
const TABLE: &[(&str, Access)] = &[
    ("getHealth", Public),
    ("getHealthz", Public),
    ("getLiveness", Public),
    ("getReadiness", Public),
    ("getVersion", Public),
    ("getMetrics", Public),
    ("listGenerations", Caller),
    ("putGeneration", Owner),
    ("getGeneration", Owner),
    ("deleteGeneration", Owner),
    ("getDockerfile", Owner),
    ("listModels", Owner),
    ("startBuild", Owner),
    ("getBuild", Owner),
    ("cancelBuild", Owner),
    ("streamBuildLogs", Owner),
    ("listPreviews", Caller),
    ("getPreviewStats", Caller),
    ("launchPreview", Owner),
    ("getPreviewStatus", Owner),
    ("stopPreview", Owner),
    ("listEndpoints", Owner),
    ("compareGenerations", Owner),
    ("getPreviewConfig", Owner),
    ("listPreviewEvents", Owner),
    ("getPreviewMetrics", Owner),
    ("sendRequest", Owner),
    ("getLogs", OwnerOrPreviewToken),
    ("streamLogs", Owner),
    ("exportLogs", Owner),
    ("restartPreview", Owner),
    ("pausePreview", Owner),
    ("resumePreview", Owner),
    ("extendPreview", Owner),
    ("renewPreviewToken", Owner),
    ("getDatabase", Owner),
    ("resetDatabase", Owner),
    ("queryDatabase", Owner),
    ("sharePreview", Owner),
    ("listShares", Owner),
    ("revokeShare", Owner),
    ("listPreviewFiles", Owner),
    ("patchPreviewFiles", Owner),
    ("createWebhook", Account),
    ("listWebhooks", Account),
    ("deleteWebhook", Account),
    ("listDeliveries", Account),
    ("listAudit", Admin),
    ("createKey", Account),
    ("listKeys", Account),
    ("revokeKey", Account),
    ("v1LaunchPreview", Owner),
    ("v1GetPreviewStatus", Owner),
    ("v1StopPreview", Owner),
    ("v1ListEndpoints", Owner),
    ("v1SendRequest", Owner),
    ("v1GetPreviewConfig", Owner),
    ("v1GetLogs", Owner),
    ("v1StreamLogs", Owner),
    ("v1GetDetailedHealth", Caller),
    ("v1GetMetricsSummary", Caller),
];

/// Pages about the API, which are in no description of it.
const PAGES: &[&str] = &["/openapi.json", "/docs", "/docs/", "/docs/{*rest}"];

/// The table by address, as the router matches it.
#[derive(Debug, Default)]
pub struct Rules {
    by_path: HashMap<String, Vec<(Method, Rule)>>,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The operation's id.
    pub operation: &'static str,
    pub access: Access,
}

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Rule(Rule),
    /// Other methods have a rule there: these.
    WrongMethod(String),
    /// Nobody may.
    None,
}

impl Rules {
    /// Of all operations described that the table knows.
    pub fn of(api: &OpenApi) -> Self {
        let mut rules = Self::default();
        for page in PAGES {
            rules.add(page, Method::GET, Rule { operation: "docs", access: Access::Public });
        }
        for (path, item) in &api.paths.paths {
            for (method, operation) in operations(item) {
                let Some(rule) = rule_of(operation) else {
                    tracing::error!(path, %method, "an operation without a rule is refused to everybody");
                    continue;
                };
                rules.add(path, method.clone(), rule);
                if let Some(rest) = path.strip_prefix("/api/v2/") {
                    rules.add(&format!("/api/{rest}"), method, rule);
                }
            }
        }
        rules
    }

    fn add(&mut self, path: &str, method: Method, rule: Rule) {
        self.by_path.entry(path.to_owned()).or_default().push((method, rule));
    }

    /// `path` is the address as it was declared, with its parameters' names.
    pub fn verdict(&self, path: &str, method: &Method) -> Verdict {
        let Some(known) = self.by_path.get(path) else { return Verdict::None };
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        match known.iter().find(|(one, _)| one == method) {
            Some((_, rule)) => Verdict::Rule(*rule),
            None => Verdict::WrongMethod(allowed(known)),
        }
    }
}

/// As `Allow` lists them.
fn allowed(known: &[(Method, Rule)]) -> String {
    let mut names: Vec<&str> = known.iter().map(|(method, _)| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.join(",")
}

/// Writes each operation's rule into its description, as `x-access`.
pub fn describe(api: &mut OpenApi) {
    for item in api.paths.paths.values_mut() {
        let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in all.into_iter().flatten() {
            if let Some(rule) = rule_of(operation) {
                let said = ExtensionsBuilder::new().add("x-access", rule.access.as_str()).build();
                operation.extensions.get_or_insert_default().merge(said);
            }
        }
    }
}

impl Access {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Caller => "caller",
            Self::Owner => "owner",
            Self::OwnerOrPreviewToken => "ownerOrPreviewToken",
            Self::Account => "account",
            Self::Admin => "admin",
        }
    }

    /// What an API key has to be for.
    pub fn scope(self, method: &Method) -> Scope {
        match self {
            Self::Account | Self::Admin => Scope::Admin,
            _ if method.is_safe() => Scope::Read,
            _ => Scope::Launch,
        }
    }
}

impl Rule {
    /// Whether a request with this head asks for a socket, where there is one.
    pub fn opens_socket(&self, headers: &HeaderMap) -> bool {
        let is_socket = |to: &HeaderValue| to.as_bytes().eq_ignore_ascii_case(b"websocket");
        self.access == Access::OwnerOrPreviewToken && headers.get(UPGRADE).is_some_and(is_socket)
    }
}

fn rule_of(operation: &Operation) -> Option<Rule> {
    let id = operation.operation_id.as_deref()?;
    let (operation, access) = TABLE.iter().find(|(known, _)| *known == id)?;
    Some(Rule { operation, access: *access })
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_rule_and_every_rule_an_operation() {
        let api = crate::api::openapi();
        let described: BTreeSet<String> = api
            .paths
            .paths
            .values()
            .flat_map(operations)
            .map(|(_, operation)| operation.operation_id.clone().expect("an operation id"))
            .collect();
        let known: BTreeSet<String> = TABLE.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(known.len(), TABLE.len(), "an operation has two rules");
        let lacking: Vec<_> = described.difference(&known).collect();
        assert!(lacking.is_empty(), "say in src/api/auth/rules.rs who may call {lacking:?}");
        let stale: Vec<_> = known.difference(&described).collect();
        assert!(stale.is_empty(), "rules without an operation: {stale:?}");
    }

    #[test]
    fn what_has_no_rule_is_refused() {
        let rules = Rules::of(&crate::api::openapi());
        let of = |path: &str, method: Method| rules.verdict(path, &method);
        let rule = |operation, access| Verdict::Rule(Rule { operation, access });
        assert_eq!(of("/api/v2/generations/{gid}", Method::PUT), rule("putGeneration", Access::Owner));
        assert_eq!(of("/api/generations/{gid}", Method::HEAD), rule("getGeneration", Access::Owner));
        assert_eq!(of("/health", Method::GET), rule("getHealth", Access::Public));
        assert_eq!(of("/health", Method::POST), Verdict::WrongMethod("GET,HEAD".to_owned()));
        assert_eq!(of("/api/v2/secret", Method::GET), Verdict::None);
    }
}
