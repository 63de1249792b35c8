//! Code in, facts out, pure: imports nothing of ours but `domain`.

pub mod endpoints;
