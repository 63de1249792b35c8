//! What the sources say and what the running app says, as one list.

use std::collections::{BTreeMap, BTreeSet};

use super::{Endpoint, Origin, differences, path};

/// The union of both, by path and then method. Where both know an endpoint, the live document
/// gives path, summary, description, tags, parameters and types as far as it has them, the source
/// gives file and line, and what they do not agree on is told. Spellings that differ in a
/// parameter's name or a slash at the end are one endpoint.
pub fn refine(found: Vec<Endpoint>, live: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut all: BTreeMap<(String, String), Endpoint> = BTreeMap::new();
    let spelled: BTreeSet<(String, String)> = live.iter().map(key).collect();
    let mut shapes: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for endpoint in live {
        shapes.entry(shape(&endpoint)).or_default().push(key(&endpoint));
        all.entry(key(&endpoint)).or_insert(endpoint);
    }
    for endpoint in found {
        let exact = Some(key(&endpoint)).filter(|key| spelled.contains(key));
        let alike = || shapes.get(&shape(&endpoint)).and_then(|keys| keys.first().cloned());
        match exact.or_else(alike).and_then(|key| all.get_mut(&key)) {
            Some(live) => complete(live, endpoint),
            None => {
                all.entry(key(&endpoint)).or_insert(endpoint);
            }
        }
    }
    all.into_values().collect()
}

fn complete(live: &mut Endpoint, source: Endpoint) {
    // The first source to match an endpoint is where it is.
    if live.file.is_empty() {
        live.differences = differences::between(&source, live);
        live.source = Origin::Both;
        live.file = source.file;
        live.line = source.line;
    }
    live.summary = live.summary.take().or(source.summary);
    live.description = live.description.take().or(source.description);
    if live.tags.is_empty() {
        live.tags = source.tags;
    }
    if live.parameters.is_empty() {
        live.parameters = source.parameters;
    }
    live.body = live.body.take().or(source.body);
    live.response = live.response.take().or(source.response);
}

fn key(endpoint: &Endpoint) -> (String, String) {
    (endpoint.path.clone(), endpoint.method.clone())
}

fn shape(endpoint: &Endpoint) -> (String, String) {
    (path::shape(&endpoint.path), endpoint.method.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::endpoints::{Parameter, Place};

    fn endpoint(method: &str, path: &str, summary: Option<&str>, file: &str) -> Endpoint {
        Endpoint {
            method: method.to_owned(),
            path: path.to_owned(),
            summary: summary.map(str::to_owned),
            description: None,
            tags: Vec::new(),
            parameters: Vec::new(),
            body: None,
            response: None,
            source: if file.is_empty() { Origin::Document } else { Origin::Code },
            differences: Vec::new(),
            file: file.to_owned(),
            line: u32::from(!file.is_empty()),
        }
    }

    #[test]
    fn the_live_document_words_it_and_the_source_says_where() {
        let found = vec![
            endpoint("GET", "/items/{id}", Some("from source"), "a.py"),
            endpoint("GET", "/only/source", None, "b.py"),
        ];
        let mut described = endpoint("GET", "/items/{item_id}/", Some("live"), "");
        described.tags = vec!["t".to_owned()];
        let all = refine(found, vec![described, endpoint("POST", "/only/live", None, "")]);
        let lines: Vec<_> = all
            .iter()
            .map(|e| (e.method.as_str(), e.path.as_str(), e.summary.as_deref(), e.file.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ("GET", "/items/{item_id}/", Some("live"), "a.py"),
                ("POST", "/only/live", None, ""),
                ("GET", "/only/source", None, "b.py"),
            ]
        );
        assert_eq!(all[0].tags, ["t"]);
        let sources: Vec<_> = all.iter().map(|e| e.source).collect();
        assert_eq!(sources, [Origin::Both, Origin::Document, Origin::Code]);
        assert_eq!(
            all[0].differences,
            ["the path is /items/{id} in the code and /items/{item_id}/ in the document"]
        );
    }

    #[test]
    fn what_the_document_contradicts_is_told_and_what_it_adds_is_not() {
        let parameter = |name: &str, required| Parameter {
            name: name.to_owned(),
            place: Place::Query,
            kind: None,
            required,
        };
        let mut code = endpoint("POST", "/a", None, "a.py");
        code.parameters = vec![parameter("gone", true), parameter("free", true)];
        (code.body, code.response) = (Some("NewItem".to_owned()), Some("list[Item]".to_owned()));
        let mut live = endpoint("POST", "/a", None, "");
        live.parameters = vec![parameter("free", false), parameter("added", true)];
        (live.body, live.response) = (Some("OldItem".to_owned()), Some("Item[]".to_owned()));
        let all = refine(vec![code], vec![live]);
        assert_eq!(
            all[0].differences,
            [
                "the query parameter gone is in the code and not in the document",
                "the query parameter free is required in the code and optional in the document",
                "the body is NewItem in the code and OldItem in the document",
            ]
        );
        assert_eq!(all[0].parameters.len(), 2, "the document's");
    }

    #[test]
    fn an_exact_spelling_is_preferred_to_one_alike() {
        let both = || vec![endpoint("GET", "/a", None, ""), endpoint("GET", "/a/", None, "")];
        let found = vec![endpoint("GET", "/a/", None, "slash.py"), endpoint("GET", "/a", None, "bare.py")];
        let files: Vec<_> = refine(found, both()).into_iter().map(|e| (e.path, e.file)).collect();
        assert_eq!(files, [("/a".into(), "bare.py".to_owned()), ("/a/".into(), "slash.py".to_owned())]);
    }
}
