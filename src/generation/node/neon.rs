//! Neon's package for PostgreSQL speaks to Neon's own service alone: pg, which speaks to any, stands in
//! for it.

use std::collections::BTreeMap;

use super::install::Needs;
use super::package::Package;
use crate::generation::container;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, name_of};
use crate::generation::recipe::SUPPORT;

const PACKAGE: &str = "@neondatabase/serverless";
const MODULE: &str = "neon.cjs";
const STAND_IN: &str = include_str!("neon.cjs");

/// Sources that have seen to it themselves, or run where there is no pg: without spaces, and with one
/// kind of quotes.
const OTHERWISE: [&str; 4] = ["wsProxy", "fetchEndpoint", "runtime='edge", "runtime:'edge"];

/// The command that puts it in place once packages are there, and the module it runs.
pub struct StandIn {
    pub command: Vec<String>,
    pub support: BTreeMap<String, String>,
}

/// Nothing for packages that do not use it, or use it in a browser or where Next.js has no Node.
pub fn stand_in(
    project: &Project<'_>,
    package: &Package,
    in_place: bool,
    needs: &mut Needs,
    notes: &mut Notes,
) -> Option<StandIn> {
    let on_the_edge = |path: &str| ["middleware.ts", "middleware.js"].contains(&name_of(path));
    if !package.needs(PACKAGE)
        || needs.only_pages
        || project.node().iter().any(|file| on_the_edge(&file.path) || sees_to_it(project, &file.path))
    {
        return None;
    }
    if !package.needs("pg") {
        needs.packages.push("pg@8".to_owned());
    }
    let place: Place = package.place_of(project, PACKAGE);
    let reason = format!(
        "{PACKAGE} speaks to Neon's own service alone; pg stands in for it, and speaks to any PostgreSQL"
    );
    notes.decide("package", "pg", Source::Detected, reason, Some(place));
    let folder = if in_place { container::dir(package.folder()) } else { ".".to_owned() };
    let command = vec!["node".to_owned(), format!("{SUPPORT}{MODULE}"), folder];
    Some(StandIn { command, support: BTreeMap::from([(MODULE.to_owned(), STAND_IN.to_owned())]) })
}

fn sees_to_it(project: &Project<'_>, path: &str) -> bool {
    let Some(text) = project
        .text(path)
        .filter(|text| ["wsProxy", "fetchEndpoint", "edge"].iter().any(|it| text.contains(it)))
    else {
        return false;
    };
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().replace('"', "'");
    OTHERWISE.iter().any(|mark| squeezed.contains(mark))
}
