//! What an app prints: the same lines however it comes, each fit to store and show.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::streams::{level_of, read_output};

/// Characters, of a line's text and the marks of one that goes on.
const LONGEST: usize = 2000;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let whole = read_output([bytes]);
    assert_eq!(read_output(bytes.chunks(usize::from(cut) + 1)), whole);
    for line in &whole {
        assert!(line.chars().count() <= LONGEST, "{}", line.len());
        assert!(line.chars().all(|c| c == '\t' || !c.is_control()), "{line:?}");
        level_of(line, cut % 2 == 0);
    }
});
