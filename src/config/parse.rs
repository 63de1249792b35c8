//! From text to a value, or `None`.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub fn word<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub fn in_range(range: RangeInclusive<u64>) -> impl Fn(&str) -> Option<u64> {
    move |text| text.parse::<u64>().ok().filter(|number| range.contains(number))
}

/// Whole seconds.
pub fn duration_s(range: RangeInclusive<u64>) -> impl Fn(&str) -> Option<Duration> {
    move |text| in_range(range.clone())(text).map(Duration::from_secs)
}

pub fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Empty text is no value, and that is fine.
pub fn optional<T>(parse: impl Fn(&str) -> Option<T>) -> impl Fn(&str) -> Option<Option<T>> {
    move |text| if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

/// Scheme and host of each, as a browser says them; `*` is any, `null` a page from a file.
pub fn origins(text: &str) -> Option<Vec<String>> {
    let is_one = |origin: &&str| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        matches!(*origin, "*" | "null") || host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
    };
    let mut origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let all: Vec<String> = origins.clone().map(str::to_owned).collect();
    origins.all(|origin| is_one(&origin)).then_some(all)
}

/// `{"memory":256,"cpu":0.5}` as MiB and cores.
pub fn tier(text: &str) -> Option<(u64, f64)> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tier {
        memory: u64,
        cpu: f64,
    }
    let tier: Tier = serde_json::from_str(text).ok()?;
    let ok = (16..=1_048_576).contains(&tier.memory) && (0.05..=1024.0).contains(&tier.cpu);
    ok.then_some((tier.memory, tier.cpu))
}
