//! A server on Node in a package of its own, beside pages that have a server of their own: Next.js
//! in one folder, Express in another.

use super::{ALL, Framework, Strength};
use crate::generation::node::{self, Package, Role};
use crate::generation::plan::Language;
use crate::generation::project::Project;

/// Those that open a port, and the framework each is of; the likeliest first.
pub fn find(project: &Project<'_>) -> Vec<(Package, &'static dyn Framework)> {
    let mut packages = project.packages().iter();
    let Some(pages) = packages.next() else { return Vec::new() };
    let serves = |package: &&Package| {
        package.folder() != pages.folder()
            && node::role_of(project, package) == Role::Server
            && !node::is_aside(package.folder())
    };
    packages
        .filter(serves)
        .filter_map(|package| Some((package.clone(), framework(project, package)?)))
        .collect()
}

fn framework(project: &Project<'_>, package: &Package) -> Option<&'static dyn Framework> {
    let seen = project.of_package(package);
    if !seen.node().iter().any(|file| !file.listens.is_empty()) {
        return None;
    }
    let on_node = ALL.iter().copied().filter(|framework| framework.language() == Language::Node);
    let found = on_node.filter_map(|framework| Some((framework, framework.detect(&seen)?.strength)));
    let serving = found.filter(|(_, strength)| *strength >= Strength::Server);
    // Of equals the first, as everywhere.
    serving.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(framework, _)| framework)
}
