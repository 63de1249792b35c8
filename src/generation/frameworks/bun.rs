//! Programs written for Bun: by what it alone has, or because the scripts and the lockfile are its.

use crate::generation::node::{Package, owns};
use crate::generation::project::{Project, join};

/// What no other runtime has.
const ITS_OWN: [&str; 6] = ["'bun:", "\"bun:", "Bun.serve(", "Bun.file(", "from 'bun'", "from \"bun\""];

/// The file is one that Bun has to run.
pub fn runs(project: &Project<'_>, path: &str) -> bool {
    let text = project.text(path).unwrap_or_default();
    let package = project.package();
    let own = project
        .node()
        .iter()
        .filter(|file| package.is_none_or(|package| owns(project.packages(), package, &file.path)));
    let texts = own.filter_map(|file| project.text(&file.path)).chain([text]);
    texts.into_iter().any(|text| ITS_OWN.iter().any(|mark| text.contains(mark)))
        || (exports_a_server(text) && package.is_some_and(|package| is_used(project, package)))
}

/// `export default { port, fetch }` or an app that answers: Bun serves what its program exports.
fn exports_a_server(text: &str) -> bool {
    text.contains("export default") && !text.contains("serve(") && !text.contains(".listen(")
}

fn is_used(project: &Project<'_>, package: &Package) -> bool {
    let locked = ["bun.lock", "bun.lockb"].iter().any(|name| project.contains(&join(package.folder(), name)));
    let by_script = package.scripts.values().any(|text| text.split_whitespace().next() == Some("bun"));
    locked || by_script || package.lists("@types/bun") || package.lists("bun-types")
}
