//! What the sources say and what the running app says, as one list.

use std::collections::{BTreeMap, BTreeSet};

use super::{Endpoint, path};

/// The union of both, by path and then method. Where both know an endpoint, the live document
/// gives path, summary, description and tags as far as it has them, and the source gives file
/// and line. Spellings that differ in a parameter's name or a slash at the end are one endpoint.
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
        live.file = source.file;
        live.line = source.line;
    }
    live.summary = live.summary.take().or(source.summary);
    live.description = live.description.take().or(source.description);
    if live.tags.is_empty() {
        live.tags = source.tags;
    }
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

    fn endpoint(method: &str, path: &str, summary: Option<&str>, file: &str) -> Endpoint {
        Endpoint {
            method: method.to_owned(),
            path: path.to_owned(),
            summary: summary.map(str::to_owned),
            description: None,
            tags: Vec::new(),
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
    }

    #[test]
    fn an_exact_spelling_is_preferred_to_one_alike() {
        let both = || vec![endpoint("GET", "/a", None, ""), endpoint("GET", "/a/", None, "")];
        let found = vec![endpoint("GET", "/a/", None, "slash.py"), endpoint("GET", "/a", None, "bare.py")];
        let files: Vec<_> = refine(found, both()).into_iter().map(|e| (e.path, e.file)).collect();
        assert_eq!(files, [("/a".into(), "bare.py".to_owned()), ("/a/".into(), "slash.py".to_owned())]);
    }
}
