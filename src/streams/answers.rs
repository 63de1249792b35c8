//! What each address of a preview answered last, as its log tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::PreviewId;

/// Addresses remembered of one preview; an app that answers on more has no few endpoints.
const MOST: usize = 512;

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAnswer {
    pub status: u16,
    /// From the request's head to the answer's end.
    pub took: Duration,
    /// Counts the answers of a preview: the greater one came later.
    order: u64,
}

/// A handle; clones share the answers.
#[derive(Debug, Clone, Default)]
pub struct LastAnswers(Arc<Mutex<HashMap<PreviewId, Addresses>>>);

#[derive(Debug, Default)]
struct Addresses {
    count: u64,
    /// By method and path.
    of: HashMap<(String, String), LastAnswer>,
}

impl LastAnswers {
    pub(super) fn note(&self, preview: PreviewId, method: &str, path: &str, status: u16, took: Duration) {
        let mut previews = self.lock();
        let addresses = previews.entry(preview).or_default();
        addresses.count += 1;
        let answer = LastAnswer { status, took, order: addresses.count };
        let key = (method.to_owned(), path.to_owned());
        if addresses.of.len() < MOST || addresses.of.contains_key(&key) {
            addresses.of.insert(key, answer);
        }
    }

    pub(super) fn forget(&self, preview: PreviewId) {
        self.lock().remove(&preview);
    }

    /// The last answer of a route such as `/items/{id}`. An address that another of the `routes` of
    /// this method has as it stands, such as `/items/new`, is that one's.
    pub fn of(&self, preview: PreviewId, method: &str, route: &str, routes: &[&str]) -> Option<LastAnswer> {
        let previews = self.lock();
        let known = previews.get(&preview)?.of.iter();
        let known = known.filter(|((asked, path), _)| {
            asked == method && fits(route, path) && (path == route || !routes.contains(&path.as_str()))
        });
        known.map(|(_, answer)| *answer).max_by_key(|answer| answer.order)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PreviewId, Addresses>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address is one of a route's, whose `{parameters}` stand for a segment each, and `*` for
/// all that follows.
fn fits(route: &str, path: &str) -> bool {
    let (mut wanted, mut given) =
        (route.trim_end_matches('/').split('/'), path.trim_end_matches('/').split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(segment), _) if segment.contains('*') => return true,
            (Some(segment), Some(given)) if segment == given => {}
            (Some(segment), Some(given)) if segment.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_know_their_addresses() {
        for (route, path, expected) in [
            ("/", "/", true),
            ("/items", "/items/", true),
            ("/items/{id}", "/items/3", true),
            ("/items/{id}", "/items", false),
            ("/items/{id}", "/items/3/x", false),
            ("/files/*", "/files/a/b", true),
            ("/items", "/item", false),
        ] {
            assert_eq!(fits(route, path), expected, "{route} {path}");
        }
    }

    #[test]
    fn the_last_answer_is_meant_and_an_address_belongs_to_one_route() {
        let (answers, preview) = (LastAnswers::default(), PreviewId::new());
        let note = |path: &str, status| {
            answers.note(preview, "GET", path, status, Duration::from_millis(u64::from(status)));
        };
        let routes = ["/items/new", "/items/{id}"];
        let status = |route| answers.of(preview, "GET", route, &routes).map(|answer| answer.status);
        assert_eq!(status("/items/{id}"), None);
        note("/items/1", 200);
        note("/items/2", 404);
        note("/items/new", 500);
        assert_eq!((status("/items/{id}"), status("/items/new")), (Some(404), Some(500)));
        note("/items/1", 201);
        assert_eq!(status("/items/{id}"), Some(201));
        assert_eq!(answers.of(preview, "POST", "/items/new", &routes), None);
        answers.forget(preview);
        assert_eq!(status("/items/{id}"), None);
    }

    #[test]
    fn there_are_only_so_many() {
        let (answers, preview) = (LastAnswers::default(), PreviewId::new());
        (0..MOST + 9).for_each(|n| answers.note(preview, "GET", &format!("/{n}"), 200, Duration::ZERO));
        assert_eq!(answers.lock()[&preview].of.len(), MOST);
    }
}
