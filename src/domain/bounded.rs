//! Lists and maps that stop being read when they are longer than anything meant.
//!
//! A body of a hundred megabytes may hold tens of millions of entries, each far larger in memory
//! than as text: a check of the length after reading would come too late.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Above every limit that validation sets.
const MAX_ENTRIES: usize = 1000;

pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_seq(List)
}

pub(super) fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(Map)
}

fn too_many<E: Error>() -> E {
    E::custom(format_args!("expected at most {MAX_ENTRIES} entries"))
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element()? {
            if entries.len() == MAX_ENTRIES {
                return Err(too_many());
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct Map;

impl<'de> Visitor<'de> for Map {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if entries.len() == MAX_ENTRIES {
                return Err(too_many());
            }
            entries.insert(name, value);
        }
        Ok(entries)
    }
}
