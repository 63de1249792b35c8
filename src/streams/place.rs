//! How far a container's output was read, in terms that hold for every way of reading it.
//!
//! Attached, lines come without the engine's timestamps; followed later, they come with them, and
//! perhaps without the oldest ones, which the engine has thrown away. So a place is a count of
//! lines of each stream, with a fingerprint of the last few and the moment of the last one.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Written down with the lines it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Id of the container.
    pub container: String,
    pub stdout: Place,
    pub stderr: Place,
}

/// One stream of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whole lines read.
    pub lines: u64,
    /// Pieces read of the line that has begun since: lines without end are cut.
    pub pieces: u64,
    /// Fingerprints of the last whole lines, the newest last; 0 where there was none.
    last: [u64; Self::REMEMBERED],
    /// When the last one was printed, nanoseconds since 1970.
    at: i64,
    /// Fingerprint of the very first line, and when it was printed.
    first: (u64, i64),
}

/// Where to go on in the engine's own log: after `ordinal` lines of the moment `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub at: DateTime<Utc>,
    pub ordinal: u64,
}

/// Finds a place among the lines the engine still has.
#[derive(Debug)]
pub struct Finder {
    wanted: Place,
    seen: Place,
    here: Option<Cut>,
    /// The line with the right number and fingerprint.
    exact: Option<Cut>,
    /// The nearest in time of those with the right fingerprint, and how far off it was.
    alike: Option<(TimeDelta, Cut)>,
    /// The last line that is not younger than the place.
    by_time: Option<Cut>,
}

impl Place {
    const REMEMBERED: usize = 4;

    /// A line, or a piece of one that goes on, was read.
    pub fn advance(&mut self, text: &str, at: DateTime<Utc>, continues: bool) {
        self.at = at.timestamp_nanos_opt().unwrap_or_default();
        if self.is_start() {
            self.first = (fingerprint(text), self.at);
        }
        if continues {
            self.pieces += 1;
            return;
        }
        self.lines += 1;
        self.pieces = 0;
        self.last.rotate_left(1);
        self.last[Self::REMEMBERED - 1] = fingerprint(text);
    }

    pub fn is_start(&self) -> bool {
        self.lines == 0 && self.pieces == 0
    }

    /// Whether another place counts from the same first line: nothing before it is gone.
    fn begins_like(&self, other: &Self) -> bool {
        /// The engine and we look at the clock a moment apart.
        const APART: u64 = 2_000_000_000;
        self.first.0 == other.first.0 && self.first.1.abs_diff(other.first.1) < APART
    }

    fn moment(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.at)
    }
}

impl Finder {
    pub fn new(wanted: Place) -> Self {
        Self { wanted, seen: Place::default(), here: None, exact: None, alike: None, by_time: None }
    }

    /// The next of the engine's lines.
    pub fn see(&mut self, text: &str, at: DateTime<Utc>, continues: bool) {
        self.seen.advance(text, at, continues);
        let ordinal = self.here.filter(|here| here.at == at).map_or(1, |here| here.ordinal + 1);
        let here = Cut { at, ordinal };
        self.here = Some(here);
        if continues {
            return;
        }
        if at <= self.wanted.moment() {
            self.by_time = Some(here);
        }
        if self.seen.last != self.wanted.last {
            return;
        }
        if self.seen.lines == self.wanted.lines && self.seen.begins_like(&self.wanted) {
            self.exact = Some(here);
        }
        let off = (at - self.wanted.moment()).abs();
        if self.alike.is_none_or(|(nearest, _)| off <= nearest) {
            self.alike = Some((off, here));
        }
    }

    /// Where to go on; `None` is at the beginning.
    pub fn found(&self) -> Option<Cut> {
        if self.wanted.lines == 0 {
            return None;
        }
        self.exact.or(self.alike.map(|(_, cut)| cut)).or(self.by_time)
    }

    /// Whether the place was found beyond doubt, or had nothing before it.
    pub fn is_certain(&self) -> bool {
        self.wanted.lines == 0 || self.exact.is_some() || self.alike.is_some()
    }
}

/// A number that two different lines do not share by chance. Not zero.
fn fingerprint(text: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let chunks = text.as_bytes().chunks_exact(8);
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    let words = chunks.map(|chunk| chunk.try_into().map_or(0, u64::from_le_bytes));
    let hash = words.fold(text.len() as u64 ^ FACTOR, mix);
    mix(hash, u64::from_le_bytes(rest)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000 + ms).expect("a time")
    }

    fn place_after(lines: &[&str], late_by_ms: i64) -> Place {
        let mut place = Place::default();
        for (number, line) in (0..).zip(lines) {
            place.advance(line, moment(1000 * number + late_by_ms), false);
        }
        place
    }

    /// The engine has these lines, one a second from the first `gone` on.
    fn find(place: Place, lines: &[&str], gone: usize) -> (Option<Cut>, bool) {
        let mut finder = Finder::new(place);
        for (number, line) in (0..).zip(lines).skip(gone) {
            finder.see(line, moment(1000 * number), false);
        }
        (finder.found(), finder.is_certain())
    }

    #[test]
    fn a_place_is_found_by_its_number_in_a_whole_log() {
        let lines = ["same"; 9];
        let cut = Cut { at: moment(4000), ordinal: 1 };
        assert_eq!(find(place_after(&lines[..5], 3), &lines, 0), (Some(cut), true));
        assert_eq!(find(Place::default(), &lines, 0), (None, true));
    }

    #[test]
    fn a_place_is_found_by_what_was_said_when_the_beginning_is_gone() {
        let lines = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let cut = Cut { at: moment(5000), ordinal: 1 };
        assert_eq!(find(place_after(&lines[..6], 3), &lines, 2), (Some(cut), true));
        // Lines that are all alike are told by their times.
        let lines = ["tick"; 40];
        let cut = Cut { at: moment(20_000), ordinal: 1 };
        assert_eq!(find(place_after(&lines[..21], 3), &lines, 10), (Some(cut), true));
    }

    #[test]
    fn a_place_that_is_gone_is_guessed_from_the_time_and_said_to_be() {
        let lines = ["a", "b", "c", "d", "e", "f"];
        let (cut, certain) = find(place_after(&["x", "y", "z"], 500), &lines, 0);
        assert_eq!((cut, certain), (Some(Cut { at: moment(2000), ordinal: 1 }), false));
    }

    #[test]
    fn lines_of_one_moment_are_told_apart_and_pieces_are_no_lines() {
        let mut place = Place::default();
        let mut finder_lines = Vec::new();
        for (text, continues) in [("a", false), ("b", false), ("long", true), ("er", false), ("c", false)] {
            finder_lines.push((text, continues));
        }
        for (text, continues) in &finder_lines[..4] {
            place.advance(text, moment(1), *continues);
        }
        assert_eq!((place.lines, place.pieces), (3, 0));
        let mut finder = Finder::new(place);
        finder_lines.iter().for_each(|(text, continues)| finder.see(text, moment(0), *continues));
        assert_eq!(finder.found(), Some(Cut { at: moment(0), ordinal: 4 }));
    }

    #[test]
    fn fingerprints_tell_lines_apart() {
        let texts = ["", "a", "b", "aaaaaaaa", "aaaaaaaab", "aaaaaaab", "\0", "line 1", "line 2"];
        let mut prints: Vec<_> = texts.map(fingerprint).into();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), texts.len());
    }
}
