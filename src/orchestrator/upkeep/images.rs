//! Which images go, and in which order.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::engine::{Engine, EngineError, OwnedImage};
use crate::store::{Store, StoreError};

/// An image of ours that no live preview uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleImage {
    /// Its first name, or its id where it has none any more.
    pub name: String,
    /// With the layers it shares with others.
    pub bytes: u64,
    /// When a preview last had it; when it was made, if none ever did.
    pub last_used: DateTime<Utc>,
}

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdleImage {
    /// Whether it was not used for so long.
    pub fn is_old(&self, now: DateTime<Utc>, ttl: Duration) -> bool {
        (now - self.last_used).to_std().is_ok_and(|unused| unused >= ttl)
    }
}

/// Images of this installation that none of `in_use` names, the least recently used first.
pub async fn idle_images(
    engine: &Engine,
    store: &Store,
    in_use: &HashSet<String>,
) -> Result<Vec<IdleImage>, CollectError> {
    let uses = store.image_uses().await?;
    let images = engine.owned_images().await?;
    Ok(idle(images, &uses, in_use))
}

fn idle(
    images: Vec<OwnedImage>,
    uses: &HashMap<String, DateTime<Utc>>,
    in_use: &HashSet<String>,
) -> Vec<IdleImage> {
    let is_idle = |image: &OwnedImage| !image.names.iter().any(|name| in_use.contains(name));
    let mut idle: Vec<_> = images
        .into_iter()
        .filter(is_idle)
        .map(|image| {
            let used = image.names.iter().filter_map(|name| uses.get(name).copied());
            let last_used = used.chain(image.created_at).max().unwrap_or(DateTime::UNIX_EPOCH);
            let name = image.names.into_iter().next().unwrap_or(image.id);
            IdleImage { name, bytes: image.size_bytes, last_used }
        })
        .collect();
    idle.sort_by(|one, other| (one.last_used, &one.name).cmp(&(other.last_used, &other.name)));
    idle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstanceId;
    use crate::engine::{Kind, Ownership};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn image(name: &str, made: i64) -> OwnedImage {
        OwnedImage {
            id: format!("sha256:{name}"),
            names: if name.is_empty() { Vec::new() } else { vec![name.to_owned()] },
            ownership: Ownership::of(InstanceId::random(), Kind::Image),
            created_at: Some(at(made)),
            size_bytes: 1,
        }
    }

    #[test]
    fn the_least_recently_used_comes_first_and_what_is_used_not_at_all() {
        let images = vec![image("a", 10), image("b", 20), image("c", 30), image("live", 1), image("", 25)];
        let uses = [("a".to_owned(), at(100)), ("b".to_owned(), at(40))].into();
        let found = idle(images, &uses, &["live".to_owned()].into());
        let order: Vec<_> = found.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(order, ["sha256:", "c", "b", "a"]);
        let old = |seconds| found.iter().filter(|i| i.is_old(at(100), Duration::from_secs(seconds))).count();
        assert_eq!((old(0), old(60), old(61), old(76)), (4, 3, 2, 0));
    }
}
