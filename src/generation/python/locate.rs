//! Where the interpreter has to stand so that a file and what it imports are found.

use super::scan::PyFile;
use crate::generation::project::{Project, folder_of, join};
use crate::generation::quoting::is_plain_path;

/// How a Python file is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The folder of the tree that is the working directory; empty for the top.
    pub folder: String,
    /// The folder imports start from, when it is another.
    pub python_path: Option<String>,
    /// `app.main`.
    pub module: String,
    pub path: String,
}

/// Files that make a folder the root of a project.
const MANIFESTS: [&str; 5] = ["requirements.txt", "pyproject.toml", "uv.lock", "Pipfile", "setup.py"];

/// How `path` is imported; `None` when no name can import it.
pub fn locate(project: &Project<'_>, path: &str) -> Option<Location> {
    let file = project.python_file(path);
    let roots = roots_above(folder_of(path));
    let best = roots
        .iter()
        .filter_map(|root| Some((root, module_name(root, path)?)))
        .filter(|(root, module)| reaches_relative(file, module, path) && is_plain_path(root))
        .map(|(root, module)| (score(project, file, root), root, module))
        .max_by_key(|(score, root, _)| (*score, std::cmp::Reverse(root.len())))?;
    let (_, root, module) = best;
    Some(stand(project, root, module, path))
}

/// Where `app.main` lies: at the top, under `src`, or in the one folder that has it.
pub fn locate_module(project: &Project<'_>, module: &str) -> Option<Location> {
    let inner = module.replace('.', "/");
    let names = [format!("{inner}.py"), format!("{inner}/__init__.py")];
    let mut roots: Vec<&str> = vec!["", "src"];
    for path in project.paths() {
        for name in &names {
            if let Some(root) = path.strip_suffix(name.as_str()).and_then(|root| root.strip_suffix('/'))
                && is_plain_path(root)
                && !roots.contains(&root)
            {
                roots.push(root);
            }
        }
    }
    roots[2..].sort_by_key(|root| (root.matches('/').count(), root.to_string()));
    roots.into_iter().find_map(|root| {
        let path = names.iter().map(|name| join(root, name)).find(|path| project.contains(path))?;
        Some(stand(project, root, module.to_owned(), &path))
    })
}

/// The working directory is the nearest folder with a manifest, else the top.
fn stand(project: &Project<'_>, root: &str, module: String, path: &str) -> Location {
    let has_manifest = |folder: &str| MANIFESTS.iter().any(|name| project.contains(&join(folder, name)));
    let folder = roots_above(root).into_iter().rev().find(|folder| has_manifest(folder)).unwrap_or_default();
    let python_path = (folder != root).then(|| root.to_owned());
    Location { folder, python_path, module, path: path.to_owned() }
}

/// `a/b` gives the top, `a`, `a/b`.
fn roots_above(folder: &str) -> Vec<String> {
    let mut roots = vec![String::new()];
    if !folder.is_empty() {
        roots.extend(folder.match_indices('/').map(|(at, _)| folder[..at].to_owned()));
        roots.push(folder.to_owned());
    }
    roots
}

/// The dotted name of `path` seen from `root`.
fn module_name(root: &str, path: &str) -> Option<String> {
    let rest = if root.is_empty() { path } else { path.strip_prefix(root)?.strip_prefix('/')? };
    let rest = rest.strip_suffix(".py")?;
    let rest = rest.strip_suffix("/__init__").unwrap_or(rest);
    let mut parts = rest.split('/');
    parts.clone().next().filter(|_| parts.all(is_identifier))?;
    Some(rest.replace('/', "."))
}

fn is_identifier(part: &str) -> bool {
    part.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && part.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `from ..x import y` needs as many packages above as it has dots.
fn reaches_relative(file: Option<&PyFile>, module: &str, path: &str) -> bool {
    let level = file.and_then(|file| file.imports.iter().map(|import| import.level).max()).unwrap_or(0);
    let packages = module.matches('.').count() + usize::from(path.ends_with("/__init__.py"));
    level <= packages
}

/// Imports that only this root satisfies count most, then a manifest, then the habit of `src`.
fn score(project: &Project<'_>, file: Option<&PyFile>, root: &str) -> usize {
    let found = |top: &str| {
        !top.is_empty()
            && (project.contains(&join(root, &format!("{top}.py"))) || project.has_folder(&join(root, top)))
    };
    let imports = file.map_or(&[][..], |file| &file.imports);
    let met = imports.iter().filter(|import| import.level == 0 && found(import.top())).count();
    let manifest = MANIFESTS.iter().any(|name| project.contains(&join(root, name)));
    met * 10 + usize::from(manifest) * 2 + usize::from(root == "src" || root.ends_with("/src"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn at(files: &[(&str, &str)], path: &str) -> (String, Option<String>, String) {
        let files = tree(files);
        let location = project_of(&files, |project| locate(project, path)).expect("importable");
        (location.folder, location.python_path, location.module)
    }

    #[test]
    fn imports_decide_where_the_root_is() {
        let none = || (String::new(), None);
        let (folder, python_path) = none();
        assert_eq!(at(&[("main.py", "")], "main.py"), (folder, python_path, "main".into()));
        let (folder, python_path) = none();
        assert_eq!(
            at(&[("app/main.py", "from app.x import y"), ("app/x.py", "")], "app/main.py"),
            (folder, python_path, "app.main".into())
        );
        let (folder, python_path) = none();
        assert_eq!(
            at(&[("app/main.py", "from .x import y"), ("app/x.py", "")], "app/main.py"),
            (folder, python_path, "app.main".into())
        );
        assert_eq!(
            at(&[("app/main.py", "import x"), ("app/x.py", "")], "app/main.py"),
            (String::new(), Some("app".into()), "main".into())
        );
        assert_eq!(
            at(&[("src/main.py", "")], "src/main.py"),
            (String::new(), Some("src".into()), "main".into())
        );
        assert_eq!(
            at(&[("backend/requirements.txt", ""), ("backend/app/main.py", "")], "backend/app/main.py"),
            ("backend".into(), None, "app.main".into())
        );
    }

    #[test]
    fn a_folder_that_is_no_name_is_stepped_into() {
        assert_eq!(at(&[("my-app/main.py", "")], "my-app/main.py").2, "main");
        let files = tree(&[("a/b/main.py", "")]);
        let found = project_of(&files, |project| locate_module(project, "main")).expect("found");
        assert_eq!((found.python_path.as_deref(), found.path.as_str()), (Some("a/b"), "a/b/main.py"));
        assert!(project_of(&files, |project| locate_module(project, "app.main")).is_none());
    }
}
