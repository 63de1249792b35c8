//! What Python source and its dependency files say, and how their packages are installed.

mod companions;
mod declared;
mod dependencies;
mod django_settings;
mod implied;
mod imports;
mod install;
mod locate;
mod lockfiles;
mod mend;
mod packages;
mod program;
mod requirements;
mod scan;
mod servers;
mod settings;
mod version;

pub use declared::declared;
pub use imports::Import;
pub use install::{Needs, recipe};
pub use locate::{Location, locate, locate_module};
pub use requirements::names_in as requirement_names;
pub use scan::{AppObject, Interface, PyFile, apps_of, scan};
pub use version::choose as choose_version;

/// A package's name as indexes compare it: lower case, `-` for any run of `-_.`.
pub fn normalized(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}
