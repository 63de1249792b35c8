//! The path that is asked whether the app is well.

use super::plan::{Notes, Place, Source};
use super::project::Project;

/// Paths apps answer to for this, the more telling first.
const PATHS: [&str; 13] = [
    "/health",
    "/healthz",
    "/api/health",
    "/api/healthz",
    "/api/v1/health",
    "/healthcheck",
    "/health-check",
    "/api/healthcheck",
    "/_health",
    "/livez",
    "/readyz",
    "/ping",
    "/api/ping",
];

/// The path, and whether the metadata named it. `usual` is the framework's own idea.
pub fn choose(project: &Project<'_>, usual: Option<&'static str>, notes: &mut Notes) -> (String, bool) {
    if let Some(path) = &project.metadata.health_check_endpoint {
        notes.decide("health check", path, Source::Metadata, "healthCheckEndpoint says so", None);
        return (path.clone(), true);
    }
    if let Some((path, place)) = file_route(project).or_else(|| route(project)) {
        let reason = "a route of this name is in the code; any HTTP answer counts";
        notes.decide("health check", path, Source::Detected, reason, Some(place));
        return (path.to_owned(), false);
    }
    let path = usual.unwrap_or("/health");
    notes.decide(
        "health check",
        path,
        Source::Default,
        "nothing names another; any HTTP answer counts",
        None,
    );
    (path.to_owned(), false)
}

/// `app/api/health/route.ts` of Next.js.
fn file_route(project: &Project<'_>) -> Option<(&'static str, Place)> {
    project.paths().find_map(|path| {
        let at = path.find("app/api/")?;
        let route = path[at + 3..].rsplit_once("/route.")?.0;
        let known = PATHS.iter().find(|known| **known == route)?;
        Some((*known, Place { file: path.to_owned(), line: None }))
    })
}

/// A literal of exactly such a path where routes are made. Routers below the app are passed
/// over, as nothing here says what stands in front of theirs.
fn route(project: &Project<'_>) -> Option<(&'static str, Place)> {
    let mut best: Option<(usize, Place)> = None;
    let sources = project.python().iter().map(|file| file.path.as_str());
    let sources = sources.chain(project.node().iter().map(|file| file.path.as_str()));
    let sources = sources.chain(project.go().iter().map(|file| file.path.as_str()));
    for path in sources {
        let Some(text) = project.text(path).filter(|text| holds_any(text)) else { continue };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| makes_a_route(line)) {
            let rank = PATHS.iter().position(|known| quotes(line, known) || is_djangos(line, known));
            if let Some(rank) = rank.filter(|rank| best.as_ref().is_none_or(|(before, _)| rank < before)) {
                best = Some((rank, Place { file: path.to_owned(), line: Some(index + 1) }));
            }
        }
    }
    best.map(|(rank, place)| (PATHS[rank], place))
}

fn holds_any(text: &str) -> bool {
    ["health", "ping", "livez", "readyz"].iter().any(|word| text.contains(word))
}

fn makes_a_route(line: &str) -> bool {
    let line = line.trim_start();
    let below =
        ["@router.", "router.", "@bp.", "bp.", "blueprint"].iter().any(|start| line.starts_with(start));
    line.len() < 400
        && !below
        && [".get(", ".route(", "path(", "Route(", ".add_route(", ".handle(", "HandleFunc(", ".GET("]
            .iter()
            .any(|call| line.contains(call))
        && !line.contains("fetch")
        && !line.contains("axios")
        && !line.contains("client.")
}

/// `path("health/", …)`: without the slash in front.
fn is_djangos(line: &str, known: &str) -> bool {
    let bare = known.trim_start_matches('/');
    line.trim_start().starts_with("path(") && (quotes(line, bare) || quotes(line, &format!("{bare}/")))
}

fn quotes(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        matches!(before, Some('"' | '\'' | '`')) && before == after
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn a_route_in_the_code_is_asked() {
        let chosen = |files: &[(&str, &str)]| {
            project_of(&tree(files), |project| choose(project, Some("/"), &mut Notes::default()).0)
        };
        assert_eq!(chosen(&[("main.py", "@app.get('/ping')\n@app.get(\"/healthz\")\n")]), "/healthz");
        assert_eq!(chosen(&[("a.js", "app.get('/api/health', f)")]), "/api/health");
        assert_eq!(chosen(&[("app/api/health/route.ts", "")]), "/api/health");
        assert_eq!(chosen(&[("urls.py", "    path('health/', ok),\n")]), "/health");
        assert_eq!(chosen(&[("main.go", "http.HandleFunc(\"/healthz\", f)")]), "/healthz");
        assert_eq!(chosen(&[("a.py", "@router.get('/health')\n")]), "/");
        assert_eq!(chosen(&[("a.js", "fetch('/health').get('/health')")]), "/");
    }
}
