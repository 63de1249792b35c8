//! `.env.example`: what its author would set is better than nothing where nothing else is set.

use std::collections::BTreeMap;

use super::plan::{Notes, Place, Source};
use super::project::{Project, join};
use super::{dotenv, needs};

const NAMES: [&str; 5] = [".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults"];

/// Adds the example's variables that `variables` lacks. Where databases and caches are is for the
/// platform to say, and an address to listen on would be the developer's own.
pub fn add(project: &Project<'_>, folder: &str, variables: &mut BTreeMap<String, String>, notes: &mut Notes) {
    let places = [folder, ""].into_iter().flat_map(|folder| NAMES.iter().map(move |name| join(folder, name)));
    let Some(path) = places.into_iter().find(|path| project.contains(path)) else { return };
    let given = |name: &str| project.metadata.environment.contains_key(name);
    let mut added = Vec::new();
    for (name, value) in project.text(&path).map(dotenv::read).unwrap_or_default() {
        let own =
            matches!(name.as_str(), "PORT" | "NODE_ENV" | "PATH" | "HOME") || needs::is_of_a_service(&name);
        if own || value.is_empty() || given(&name) || variables.contains_key(&name) {
            continue;
        }
        let listens = matches!(name.as_str(), "HOST" | "HOSTNAME" | "BIND" | "APP_HOST" | "SERVER_HOST");
        let value = if listens { "0.0.0.0".to_owned() } else { value };
        added.push(name.clone());
        variables.insert(name, value);
    }
    if !added.is_empty() {
        let reason = "nothing else sets them; set when the container starts, with the lowest precedence";
        notes.decide(
            "variables of the example",
            added.join(" "),
            Source::Default,
            reason,
            Place::file(&path),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn examples_fill_what_is_missing_and_no_more() {
        let files = tree(&[(
            "api/.env.example",
            "KEY=x\nHOST=localhost\nPORT=1\nDATABASE_URL=postgres://x\nREDIS_URL=r\nEMPTY=\nSET=example\n",
        )]);
        let mut variables = BTreeMap::from([("SET".to_owned(), "already".to_owned())]);
        project_of(&files, |project| add(project, "api", &mut variables, &mut Notes::default()));
        let found: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("HOST", "0.0.0.0"), ("KEY", "x"), ("SET", "already")]);
    }
}
