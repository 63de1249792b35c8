//! A Dockerfile that came with the generation: read, its base images checked against the allowed
//! list and renamed where we have our own, otherwise left as it is.

mod alpine;
mod caches;
mod check;
mod copies;
mod frontend;
mod locks;
mod parse;
mod port;
mod variables;

#[cfg(test)]
pub use self::parse::parse as instructions;
pub use alpine::installs_with_apk;
pub use check::check;
pub use copies::copies_what_is_missing;
pub use locks::installs_without_lock;
pub use port::{NamedPort, port};
