//! The engine's build cache: what steps of earlier builds left there for later ones.
//!
//! It carries no labels, so whose a record is can only be told by its step. What a step of ours
//! left names its command; what was then built upon it is ours with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use bollard::query_parameters::PruneBuildOptionsBuilder;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::engine::{Engine, EngineError};

/// One record of the build cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedStep {
    pub id: String,
    pub bytes: u64,
    /// By a build; when it was made, if none came since.
    pub last_used: DateTime<Utc>,
}

/// So many ids go into one call: its address stays below what HTTP servers take.
const IDS_A_CALL: usize = 100;

impl Engine {
    /// What steps left whose command contains `mark`, and what was built upon that: the least
    /// recently used first, without what a build is using or an image consists of.
    ///
    /// Engines with an API before 1.42 also add up the files of all containers and volumes for
    /// this answer, so it is no call to make often.
    pub async fn cached_steps(&self, mark: &str) -> Result<Vec<CachedStep>, EngineError> {
        const CALL: &str = "list build cache";
        let path = "/system/df?type=build-cache&verbose=1";
        let answer = self.call(CALL, |_| self.0.address.get(path)).await?;
        let usage: Usage = serde_json::from_slice(&answer)
            .map_err(|error| EngineError::Protocol { call: CALL, reason: error.to_string() })?;
        Ok(steps(usage.records(), mark))
    }

    /// Forgets these; the bytes that became free. One that others were built upon since, or that a
    /// build uses by now, stays.
    pub async fn forget_steps(&self, ids: &[String]) -> Result<u64, EngineError> {
        let mut freed = 0;
        for some in ids.chunks(IDS_A_CALL) {
            // The engine takes the value for a regular expression, and only one value.
            let pattern = format!("^({})$", some.join("|"));
            let filters = HashMap::from([("id", vec![pattern.as_str()])]);
            let options = PruneBuildOptionsBuilder::default().filters(&filters).build();
            let answer = self.call("prune build cache", |docker| docker.prune_build(Some(options))).await?;
            freed += answer.space_reclaimed.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        }
        Ok(freed)
    }
}

/// The part of `GET /system/df` that tells of the build cache.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    build_cache: Option<Vec<Record>>,
    /// From API 1.52.
    build_cache_usage: Option<CacheUsage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CacheUsage {
    items: Option<Vec<Record>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "ID")]
    id: String,
    /// Before API 1.42.
    #[serde(default)]
    parent: String,
    parents: Option<Vec<String>>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    in_use: bool,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    size: i64,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl Usage {
    fn records(self) -> Vec<Record> {
        let newer = self.build_cache_usage.and_then(|usage| usage.items);
        newer.or(self.build_cache).unwrap_or_default()
    }
}

impl Record {
    fn parents(&self) -> impl Iterator<Item = &str> {
        let several = self.parents.iter().flatten().map(String::as_str);
        several.chain(Some(self.parent.as_str()).filter(|id| !id.is_empty()))
    }
}

fn steps(records: Vec<Record>, mark: &str) -> Vec<CachedStep> {
    let ours = with_descendants(&records, mark);
    let ours: HashSet<String> = ours.into_iter().map(str::to_owned).collect();
    let can_go = |record: &Record| {
        // What is no name of a record would mean something in a regular expression.
        let is_plain = record.id.bytes().all(|b| b.is_ascii_alphanumeric());
        is_plain && ours.contains(&record.id) && !record.in_use && !record.shared
    };
    let mut steps: Vec<_> = records
        .into_iter()
        .filter(can_go)
        .map(|record| CachedStep {
            id: record.id,
            bytes: u64::try_from(record.size).unwrap_or(0),
            last_used: record.last_used_at.unwrap_or(record.created_at),
        })
        .collect();
    steps.sort_by(|one, other| (one.last_used, &one.id).cmp(&(other.last_used, &other.id)));
    steps
}

fn with_descendants<'a>(records: &'a [Record], mark: &str) -> HashSet<&'a str> {
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in records {
        for parent in record.parents() {
            children.entry(parent).or_default().push(&record.id);
        }
    }
    let mut found = HashSet::new();
    let marked = records.iter().filter(|record| record.description.contains(mark));
    let mut open: Vec<&str> = marked.map(|record| record.id.as_str()).collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(children.get(id).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(answer: serde_json::Value) -> Vec<String> {
        let usage: Usage = serde_json::from_value(answer).expect("an answer");
        steps(usage.records(), "/our/mark").into_iter().map(|step| step.id).collect()
    }

    #[test]
    fn what_is_ours_and_what_stands_on_it_is_found_and_nothing_else() {
        let made = "2026-01-01T00:00:00Z";
        let record = |id: &str, parent: &str, description: &str, used: Option<&str>| {
            json!({
                "ID": id, "Parent": parent, "Type": "regular", "Description": description, "InUse": false,
                "Shared": false, "Size": 5, "CreatedAt": made, "LastUsedAt": used, "UsageCount": 1,
            })
        };
        let mut used = record("used", "", "mount / from exec /bin/sh -c . /our/mark", None);
        used["InUse"] = true.into();
        let mut part = record("part", "", "mount / from exec /bin/sh -c . /our/mark", None);
        part["Shared"] = true.into();
        let records = json!([
            record("base", "", "pulled from somewhere", None),
            record(
                "install",
                "base",
                "mount / from exec /bin/sh -c . /our/mark && x",
                Some("2026-01-03T00:00:00Z")
            ),
            record("copied", "install", "fileop target", Some("2026-01-02T00:00:00Z")),
            record("packages", "", "cached mount /c from exec /bin/sh -c . /our/mark", None),
            record("foreign", "base", "mount / from exec /bin/sh -c make", None),
            record("a|b", "install", "fileop target", None),
            used,
            part,
        ]);
        assert_eq!(found(json!({ "BuildCache": records })), ["packages", "copied", "install"]);
        // As later engines say it.
        let several = json!([
            { "ID": "one", "Description": "/our/mark", "CreatedAt": made },
            { "ID": "two", "Parents": ["other", "one"], "CreatedAt": made },
            { "ID": "three", "Parents": ["other"], "CreatedAt": made },
        ]);
        assert_eq!(found(json!({ "BuildCacheUsage": { "Items": several } })), ["one", "two"]);
        assert!(found(json!({ "BuildCache": null })).is_empty());
    }
}
