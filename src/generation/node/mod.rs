//! What JavaScript source, package.json and lockfiles say, and how packages are installed.

mod install;
mod package;
mod scan;
mod version;

pub use install::{Needs, recipe};
pub use package::Package;
pub use scan::{JsFile, scan};
pub use version::choose as choose_version;
