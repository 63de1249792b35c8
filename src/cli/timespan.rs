//! Spans of time as people write and read them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Reads `90`, `45s`, `30m`, `1h30m`, `2d`; a bare number is seconds. At least one second and at
/// most 100 years.
pub fn parse(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a number of seconds, or a span such as 45s, 30m, 1h30m or 2d";
    const LONGEST: u64 = 100 * 365 * 86_400;
    let wrong = || EXPECTED.to_owned();
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut after = rest[digits..].chars();
        let unit = match after.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            None if digits == text.len() => 1,
            _ => return Err(wrong()),
        };
        seconds = count.checked_mul(unit).and_then(|s| s.checked_add(seconds)).ok_or_else(wrong)?;
        rest = after.as_str();
    }
    match seconds {
        1..=LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

/// A point in the past: RFC 3339, or a span before now.
pub fn parse_since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let span = parse(text)
        .map_err(|_| "expected a span such as 10m, or a time such as 2026-01-31T12:00:00Z".to_owned())?;
    chrono::TimeDelta::from_std(span)
        .ok()
        .and_then(|span| Utc::now().checked_sub_signed(span))
        .ok_or_else(|| "is too long ago".to_owned())
}

/// One unit, rounded down: `42s`, `12m`, `3h`, `2d`. For columns.
pub fn short(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The two largest units: `1h 30m`, `12m 5s`, `2d 4h`. For sentences.
pub fn long(seconds: u64) -> String {
    let parts = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (size, unit) in parts {
        if rest >= size {
            words.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    words.truncate(2);
    match words.is_empty() {
        true => "0s".to_owned(),
        false => words.join(" "),
    }
}

/// How long a step took: `45ms`, `3.2s`, `2m 5s`.
pub fn elapsed(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        1000..60_000 => format!("{:.1}s", milliseconds as f64 / 1000.0),
        _ => long(milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_written() {
        for (text, seconds) in [("90", 90), ("45s", 45), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in
            ["", "0", "-1", "1.5h", "h", "10x", "1h30", "99999999999999999999", "999999999999999d", "1 h"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn since_takes_a_time_or_a_span() {
        let time = parse_since("2026-01-31T12:00:00+01:00").expect("a time");
        assert_eq!(time.to_rfc3339(), "2026-01-31T11:00:00+00:00");
        let since = parse_since("10m").expect("a span");
        let ago = Utc::now() - since;
        assert!((600..605).contains(&ago.num_seconds()));
        assert!(parse_since("yesterday").is_err());
    }

    #[test]
    fn spans_are_written_short_and_long() {
        assert_eq!(
            [short(-5), short(59), short(61), short(7200), short(200_000)],
            ["0s", "59s", "1m", "2h", "2d"]
        );
        assert_eq!([long(0), long(65), long(5400), long(180_061)], ["0s", "1m 5s", "1h 30m", "2d 2h"]);
        assert_eq!([elapsed(45), elapsed(3210), elapsed(125_000)], ["45ms", "3.2s", "2m 5s"]);
    }
}
