//! Cache mounts of an own Dockerfile: never those of our recipes, and of one owner alone.

use crate::generation::{OUR_CACHES, OWNERS};

/// The mount with an id of its owner's, where it is one of a cache that has none; an error says why it
/// is refused.
///
/// What a build step leaves in a cache is run by later ones. So nobody may name a cache of ours, by its
/// id or by the target an id defaults to, nor by a variable, which is not known here; the type may be one
/// too. And each owner has caches of their own. Of ids given twice the engine takes the last.
pub(super) fn scoped(mount: &str) -> Result<Option<String>, String> {
    let mut types = mount_options(mount, &["type"]);
    if !types.any(|r#type| r#type.eq_ignore_ascii_case("cache") || r#type.contains('$')) {
        return Ok(None);
    }
    let mut names = mount_options(mount, &["type", "id", "target", "dst", "destination"]);
    if names.any(|name| name.contains('$')) {
        return Err("variables in a cache mount are not accepted".to_owned());
    }
    // Cleaning a path drops whole names but never makes one, so looking for ours is enough.
    let mut ids = mount_options(mount, &["id", "target", "dst", "destination"]);
    if ids.any(|id| id.to_ascii_lowercase().contains(OUR_CACHES)) {
        return Err(format!("ids and targets of caches that hold {OUR_CACHES:?} are not accepted"));
    }
    let named = |keys| mount_options(mount, keys).last();
    let id = named(&["id"]).or_else(|| named(&["target", "dst", "destination"]));
    let of_nobody = id.filter(|id| !id.starts_with(OWNERS));
    Ok(of_nobody.map(|id| format!("{mount},id={OWNERS}{}", id.trim_start_matches('/'))))
}

/// The values of these keys of a `--mount`.
pub(super) fn mount_options<'a>(mount: &'a str, keys: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let pairs = mount.split(',').filter_map(|part| part.split_once('='));
    pairs.filter(|(key, _)| keys.iter().any(|k| key.eq_ignore_ascii_case(k))).map(|(_, value)| value)
}
