//! Framing, of requests and of chunked bodies: the same however the bytes are cut into reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::ingress::{follow_requests, unchunk};

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    // What is spoilt becomes a NUL, which hyper refuses: one that is there already says nothing.
    if bytes.contains(&0) {
        return;
    }
    let cut = usize::from(cut) + 1;
    let (passed, heads) = follow_requests([bytes]);
    let (cut_passed, cut_heads) = follow_requests(bytes.chunks(cut));
    assert_eq!(passed.len(), bytes.len());
    // Whether something was spoilt; where, depends on how much of the line had passed. What comes after it
    // is never read.
    assert_eq!(passed != bytes, cut_passed != bytes);
    assert!(passed != bytes || heads == cut_heads);

    let whole = unchunk([bytes]);
    assert_eq!(unchunk(bytes.chunks(cut)), whole);
    assert!(whole.is_none_or(|body| body.len() < bytes.len()));
});
