//! What JavaScript source, package.json and lockfiles say, and how packages are installed.

mod declared;
mod imports;
mod install;
mod lock;
mod missing;
mod neon;
mod package;
mod prisma;
mod role;
mod scan;
mod version;
mod workspaces;

pub use declared::declared;
pub use install::{Needs, recipe, recipe_of, workspace_root};
pub use package::{Package, owns};
pub use prisma::generates_into_source;
pub use role::{Role, is_aside, of as role_of, sort};
pub use scan::{JsFile, Listen, scan};
pub use version::choose as choose_version;
