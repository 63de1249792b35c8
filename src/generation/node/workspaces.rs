//! Which packages are members of a workspace: those its globs name.

use serde_json::Value;

use crate::generation::project::{Project, folder_of, join};

const MOST_MEMBERS: usize = 200;

/// The package.json files of the workspace that a package.json is the top of; none where it is none.
pub fn members(project: &Project<'_>, path: &str, json: &Value) -> Vec<String> {
    let folder = folder_of(path);
    let globs = match globs_of(json) {
        globs if !globs.is_empty() => globs,
        _ => project.text(&join(folder, "pnpm-workspace.yaml")).map(globs_of_pnpm).unwrap_or_default(),
    };
    let is_named = |other: &str| {
        let Some(member) = folder_of(other).strip_prefix(folder).map(|rest| rest.trim_start_matches('/'))
        else {
            return false;
        };
        // The last glob that fits decides, as it does for the managers.
        let fitting = globs.iter().rev().find(|glob| fits(glob.trim_start_matches('!'), member));
        !member.is_empty() && fitting.is_some_and(|glob| !glob.starts_with('!'))
    };
    let under = |other: &str| folder.is_empty() || other.starts_with(&format!("{folder}/"));
    project
        .paths()
        .filter(|other| *other != path && other.ends_with("/package.json") && under(other) && is_named(other))
        .take(MOST_MEMBERS)
        .map(str::to_owned)
        .collect()
}

/// `["apps/*"]`, or yarn's `{"packages": ["apps/*"]}`.
fn globs_of(json: &Value) -> Vec<String> {
    let listed = json.get("workspaces").map(|given| given.get("packages").unwrap_or(given));
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).take(100).map(str::to_owned).collect()
}

/// The list below `packages:`; other settings may stand in the file alone.
fn globs_of_pnpm(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("packages:"));
    let here =
        lines.next().and_then(|line| line.split_once('[')).map(|(_, list)| list.trim_end_matches([']', ' ']));
    let below = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let below = below.map_while(|line| line.strip_prefix('-'));
    let given: Vec<&str> = here.into_iter().flat_map(|list| list.split(',')).chain(below).take(100).collect();
    let bare = |item: &str| {
        let item = item.split(" #").next().unwrap_or(item).trim();
        item.trim_matches(['"', '\'']).to_owned()
    };
    given.into_iter().map(bare).collect()
}

/// `apps/*` and `packages/**` as the managers understand them.
fn fits(glob: &str, folder: &str) -> bool {
    let glob = glob.trim_start_matches("./").trim_end_matches('/');
    let (glob, folder): (Vec<&str>, Vec<&str>) =
        (glob.split('/').take(20).collect(), folder.split('/').collect());
    all_fit(&glob, &folder)
}

fn all_fit(glob: &[&str], folder: &[&str]) -> bool {
    match (glob.split_first(), folder.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=folder.len()).any(|skipped| all_fit(rest, &folder[skipped..])),
        (Some((part, rest)), Some((name, below))) => part_fits(part, name) && all_fit(rest, below),
        _ => false,
    }
}

/// One star, somewhere in the name.
fn part_fits(part: &str, name: &str) -> bool {
    match part.split_once('*') {
        None => part == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn found(top: &str, pnpm: Option<&str>) -> Vec<String> {
        let mut files = vec![("package.json", top)];
        files.extend(["apps/web", "apps/api", "packages/ui/core", "server", "old/web"].map(|folder| {
            let path: &'static str = match folder {
                "apps/web" => "apps/web/package.json",
                "apps/api" => "apps/api/package.json",
                "packages/ui/core" => "packages/ui/core/package.json",
                "server" => "server/package.json",
                _ => "old/web/package.json",
            };
            (path, "{}")
        }));
        files.extend(pnpm.map(|text| ("pnpm-workspace.yaml", text)));
        project_of(&tree(&files), |project| {
            let json = serde_json::from_str(top).expect("JSON");
            let members = members(project, "package.json", &json);
            members.iter().map(|path| folder_of(path).to_owned()).collect()
        })
    }

    #[test]
    fn members_are_those_the_globs_name() {
        assert_eq!(found(r#"{"workspaces":["apps/*"]}"#, None), ["apps/api", "apps/web"]);
        assert_eq!(
            found(r#"{"workspaces":{"packages":["./server/","packages/**"]}}"#, None),
            ["packages/ui/core", "server"]
        );
        assert_eq!(found(r#"{"workspaces":["*/web","!old/*"]}"#, None), ["apps/web"]);
        assert_eq!(found(r#"{"workspaces":[]}"#, None), [""; 0]);
        assert_eq!(
            found(
                "{}",
                Some(
                    "# ours\npackages:\n  - 'apps/*'  # both\n\n  - \"server\"\nonlyBuiltDependencies:\n  - sharp\n"
                )
            ),
            ["apps/api", "apps/web", "server"]
        );
        assert_eq!(found("{}", Some("packages: ['server', \"old/**\"]\n")), ["old/web", "server"]);
        assert_eq!(found("{}", Some("onlyBuiltDependencies:\n  - sharp\n")), [""; 0], "settings alone");
    }
}
