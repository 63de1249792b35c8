//! PHP: what composer.json says, and which folder is what a visitor is to see.

mod composer;

pub use composer::Composer;

use super::project::{Project, folder_of, join, name_of};

/// Folders that pages lie in, beside composer.json or at the top.
const ROOTS: [&str; 6] = ["public", "web", "www", "htdocs", "public_html", "webroot"];

/// The PHP of a tree that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Where composer.json lies, or the top of what is PHP.
    pub folder: String,
    /// What a visitor sees, from the top of the tree: `folder` itself, or a folder in it.
    pub root: String,
    /// The file asked first, from the top of the tree: `public/index.php`.
    pub index: String,
}

/// The page nearest to the top that PHP makes: what is in a folder for pages before what lies
/// beside composer.json.
pub fn served(project: &Project<'_>) -> Option<Served> {
    let mut indices: Vec<&str> = project
        .paths()
        .filter(|path| name_of(path) == "index.php" && path.matches('/').count() <= 3 && !is_aside(path))
        .collect();
    indices.sort_by_key(|path| {
        let folder = folder_of(path);
        (path.matches('/').count() - usize::from(ROOTS.contains(&name_of(folder))), path.len())
    });
    let best = |path: &&&str| {
        let folder = folder_of(path);
        // `public/index.php` is what stands behind an `index.php` beside it.
        !ROOTS.iter().any(|root| project.contains(&join(&join(folder, root), "index.php")))
    };
    let index = indices.iter().find(best).map(|path| (*path).to_owned()).or_else(|| only_page(project))?;
    let root = folder_of(&index).to_owned();
    let inner = ROOTS.contains(&name_of(&root)) && !project.contains(&join(&root, "composer.json"));
    let folder = if inner { folder_of(&root).to_owned() } else { root.clone() };
    Some(Served { folder, root, index })
}

/// A page at the top, where none is called index.php.
fn only_page(project: &Project<'_>) -> Option<String> {
    let mut pages = project.paths().filter(|path| path.ends_with(".php") && !path.contains('/'));
    let named = |name: &str| project.contains(name).then(|| name.to_owned());
    named("app.php").or_else(|| named("main.php")).or_else(|| named("api.php")).or_else(|| {
        let page = pages.next().map(str::to_owned)?;
        pages.next().is_none().then_some(page)
    })
}

/// What is not the app itself.
fn is_aside(path: &str) -> bool {
    const FOLDERS: [&str; 7] = ["vendor", "tests", "test", "node_modules", "docs", "examples", "storage"];
    path.split('/').any(|part| FOLDERS.contains(&part) || part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn found(paths: &[&str]) -> Option<(String, String, String)> {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
        project_of(&tree(&files), |project| {
            served(project).map(|served| (served.folder, served.root, served.index))
        })
    }

    fn is(folder: &str, root: &str, index: &str) -> Option<(String, String, String)> {
        Some((folder.to_owned(), root.to_owned(), index.to_owned()))
    }

    #[test]
    fn the_folder_that_visitors_see_is_found() {
        assert_eq!(found(&["composer.json", "public/index.php"]), is("", "public", "public/index.php"));
        assert_eq!(found(&["index.php", "public/index.php"]), is("", "public", "public/index.php"));
        assert_eq!(found(&["index.php", "admin/index.php"]), is("", "", "index.php"));
        assert_eq!(
            found(&["api/composer.json", "api/public/index.php"]),
            is("api", "api/public", "api/public/index.php")
        );
        assert_eq!(found(&["vendor/x/index.php", "hello.php"]), is("", "", "hello.php"));
        assert_eq!(found(&["a.php", "b.php"]), None);
    }
}
