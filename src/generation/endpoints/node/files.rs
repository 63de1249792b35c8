//! Routes that are files: Next.js (`app/` and `pages/`), SvelteKit, Nuxt and Astro. The path is
//! the file's own, the methods are what it exports.

use super::super::interpreter::{Interpreter, Value};
use super::super::jsdoc;
use super::super::routes::{Framework, Role, Route, Router, RouterId, Site};
use super::super::verbs;

/// Tags what answers with a page rather than with data.
const PAGE: &str = "page";

/// Which framework's rules a folder follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Next,
    SvelteKit,
    Nuxt,
    Astro,
}

/// One file that answers.
#[derive(Debug, PartialEq, Eq)]
struct FileRoute {
    path: String,
    answers: Answers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// The methods it exports functions for.
    Exported,
    /// Every method, or those its code compares with.
    Handler,
    /// The one its name ends with: `users.post.ts`.
    Named(&'static str),
    Page,
}

/// Finds the routes of all files, once everything else is read.
pub fn finish(interpreter: &mut Interpreter) {
    let roots = roots(interpreter);
    if roots.is_empty() {
        return;
    }
    let id = interpreter.routers.add(Router::new(Framework::Files, Role::App));
    let files: Vec<String> =
        interpreter.sources().all().iter().map(|(path, _)| path.as_str().to_owned()).collect();
    for file in files.iter().filter(|file| !super::super::sources::is_skipped(file)) {
        // The innermost project a file is in.
        let root =
            roots.iter().filter(|(root, _)| within(file, root).is_some()).max_by_key(|(root, _)| root.len());
        let Some((root, kind)) = root else { continue };
        let found = within(file, root).and_then(|inside| of_file(*kind, inside));
        if let Some(found) = found {
            add(interpreter, id, file, &found);
        }
    }
}

/// Folders whose `package.json` asks for one of the frameworks.
fn roots(interpreter: &Interpreter) -> Vec<(String, Kind)> {
    let mut roots = Vec::new();
    for (path, file) in interpreter.sources().all().iter().filter(|(path, _)| path.name() == "package.json") {
        let text = std::str::from_utf8(&file.content).unwrap_or_default();
        let asks = |package: &str| text.contains(&format!("\"{package}\":"));
        let kind = match () {
            () if asks("next") => Kind::Next,
            () if asks("@sveltejs/kit") => Kind::SvelteKit,
            () if asks("nuxt") => Kind::Nuxt,
            () if asks("astro") => Kind::Astro,
            () => continue,
        };
        let folder = path.as_str().strip_suffix("package.json").unwrap_or_default();
        roots.push((folder.to_owned(), kind));
    }
    roots
}

fn within<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    path.strip_prefix(root)
}

/// The route that a file is, by its place in the project.
fn of_file(kind: Kind, file: &str) -> Option<FileRoute> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    match kind {
        Kind::Next => of_next(inside),
        Kind::SvelteKit => of_sveltekit(inside),
        Kind::Nuxt => of_nuxt(inside),
        Kind::Astro => of_astro(inside),
    }
}

fn of_next(file: &str) -> Option<FileRoute> {
    let (stem, extension) = file.rsplit_once('.')?;
    if !matches!(extension, "ts" | "tsx" | "js" | "jsx" | "mdx" | "md") {
        return None;
    }
    if let Some(inside) = stem.strip_prefix("app/") {
        let (folder, name) = inside.rsplit_once('/').unwrap_or(("", inside));
        let answers = match name {
            "route" => Answers::Exported,
            "page" => Answers::Page,
            _ => return None,
        };
        return Some(FileRoute { path: segments(folder)?, answers });
    }
    let inside = stem.strip_prefix("pages/")?;
    let answers = if inside.starts_with("api/") { Answers::Handler } else { Answers::Page };
    let name = inside.rsplit('/').next().unwrap_or(inside);
    let special = name.starts_with('_') || matches!(inside, "404" | "500");
    (!special).then(|| segments(without_index(inside)).map(|path| FileRoute { path, answers }))?
}

fn of_sveltekit(file: &str) -> Option<FileRoute> {
    let inside = file.strip_prefix("routes/")?;
    let (folder, name) = inside.rsplit_once('/').unwrap_or(("", inside));
    let answers = match name {
        "+server.ts" | "+server.js" => Answers::Exported,
        "+page.svelte" => Answers::Page,
        _ => return None,
    };
    Some(FileRoute { path: segments(folder)?, answers })
}

/// `server/api/users.post.ts` is `POST /api/users`; `server/routes/` has no prefix.
fn of_nuxt(file: &str) -> Option<FileRoute> {
    let (stem, extension) = file.rsplit_once('.')?;
    if extension == "vue" {
        let inside = stem.strip_prefix("pages/").or_else(|| stem.strip_prefix("app/pages/"))?;
        return Some(FileRoute { path: segments(without_index(inside))?, answers: Answers::Page });
    }
    if !matches!(extension, "ts" | "js" | "mjs") {
        return None;
    }
    let inside = match stem.strip_prefix("server/")? {
        inside if inside.starts_with("api/") => inside,
        inside => inside.strip_prefix("routes/")?,
    };
    let named = inside.rsplit_once('.').and_then(|(name, verb)| {
        let verb = verbs::VERBS.iter().find(|known| known.eq_ignore_ascii_case(verb))?;
        Some((name, *verb))
    });
    let (inside, answers) =
        named.map_or((inside, Answers::Handler), |(name, verb)| (name, Answers::Named(verb)));
    Some(FileRoute { path: segments(without_index(inside))?, answers })
}

fn of_astro(file: &str) -> Option<FileRoute> {
    let (stem, extension) = file.strip_prefix("pages/")?.rsplit_once('.')?;
    let answers = match extension {
        "astro" | "md" | "mdx" => Answers::Page,
        "ts" | "js" => Answers::Exported,
        _ => return None,
    };
    Some(FileRoute { path: segments(without_index(stem))?, answers })
}

fn without_index(path: &str) -> &str {
    match path.strip_suffix("index") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => folder.trim_end_matches('/'),
        _ => path,
    }
}

/// `(group)/users/[id]/[...rest]` to `/users/{id}/{rest}`; `None` for what is private.
fn segments(folder: &str) -> Option<String> {
    let mut path = String::new();
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        let grouped = part.starts_with('(') && part.ends_with(')');
        if part.starts_with('_') || part.starts_with("(.") {
            return None;
        }
        if grouped || part.starts_with('@') {
            continue;
        }
        let name = part.trim_matches(['[', ']']);
        path.push('/');
        match part.starts_with('[') && part.ends_with(']') {
            true => {
                let name = name.trim_start_matches("...").split('=').next().unwrap_or(name);
                path.extend(["{", name, "}"]);
            }
            false => path.push_str(part),
        }
    }
    Some(if path.is_empty() { "/".to_owned() } else { path })
}

fn add(interpreter: &mut Interpreter, id: RouterId, file: &str, found: &FileRoute) {
    match found.answers {
        Answers::Page => {
            let route = Route { tags: vec![PAGE.to_owned()], ..bare("GET", file, 1, found) };
            interpreter.add_route(id, route);
        }
        Answers::Named(method) => {
            let handler = default_export(interpreter, file);
            let route = described(interpreter, bare(method, file, 1, found), &handler);
            interpreter.add_route(id, route);
        }
        Answers::Handler => {
            let handler = default_export(interpreter, file);
            let text = interpreter.sources().get(file).map(|(_, text)| text.into_owned()).unwrap_or_default();
            let mut methods = verbs::compared(&text);
            if methods.is_empty() {
                methods.push("GET".to_owned());
            }
            for method in methods {
                let route = described(interpreter, bare(&method, file, 1, found), &handler);
                interpreter.add_route(id, route);
            }
        }
        Answers::Exported => {
            for (name, value) in interpreter.exports(file) {
                if verbs::VERBS.contains(&name.as_str()) && !matches!(name.as_str(), "HEAD" | "OPTIONS") {
                    let route = described(interpreter, bare(&name, file, 1, found), &value);
                    interpreter.add_route(id, route);
                }
            }
        }
    }
}

fn default_export(interpreter: &mut Interpreter, file: &str) -> Value {
    let exports = interpreter.exports(file).into_iter();
    exports.filter(|(name, _)| name == "default").map(|(_, value)| value).next().unwrap_or(Value::Unknown)
}

fn bare(method: &str, file: &str, line: u32, found: &FileRoute) -> Route {
    Route {
        methods: vec![method.to_owned()],
        path: found.path.clone(),
        site: Site { file: file.to_owned(), line },
        ..Route::default()
    }
}

/// With what the comment above the function says, and its line.
fn described(interpreter: &mut Interpreter, mut route: Route, handler: &Value) -> Route {
    let handler = interpreter.look_up(handler);
    if let Value::Function(function) = &handler {
        let function = interpreter.written(*function);
        route.site.line = function.line;
        route.body.clone_from(&function.reads);
        if let Some(doc) = &function.doc {
            let said = jsdoc::read(doc, &route.methods.concat());
            (route.summary, route.description, route.tags) = (said.summary, said.description, said.tags);
        }
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: Kind, file: &str) -> Option<(String, Answers)> {
        of_file(kind, file).map(|found| (found.path, found.answers))
    }

    #[test]
    fn every_framework_names_its_files_in_its_own_way() {
        let next = |file| path(Kind::Next, file);
        assert_eq!(
            next("src/app/api/users/[id]/route.ts"),
            Some(("/api/users/{id}".into(), Answers::Exported))
        );
        assert_eq!(next("app/(shop)/[[...slug]]/page.tsx"), Some(("/{slug}".into(), Answers::Page)));
        assert_eq!(next("app/page.jsx"), Some(("/".into(), Answers::Page)));
        assert_eq!(next("app/_lib/route.ts"), None);
        assert_eq!(next("pages/api/items/index.ts"), Some(("/api/items".into(), Answers::Handler)));
        assert_eq!(next("pages/_app.tsx"), None);
        assert_eq!(next("pages/index.tsx"), Some(("/".into(), Answers::Page)));
        assert_eq!(next("app/layout.tsx"), None);
        let nuxt = |file| path(Kind::Nuxt, file);
        assert_eq!(
            nuxt("server/api/users/[id].delete.ts"),
            Some(("/api/users/{id}".into(), Answers::Named("DELETE")))
        );
        assert_eq!(nuxt("server/routes/feed.ts"), Some(("/feed".into(), Answers::Handler)));
        assert_eq!(nuxt("pages/index.vue"), Some(("/".into(), Answers::Page)));
        let svelte = |file| path(Kind::SvelteKit, file);
        assert_eq!(
            svelte("src/routes/blog/[slug=word]/+server.ts"),
            Some(("/blog/{slug}".into(), Answers::Exported))
        );
        assert_eq!(path(Kind::Astro, "src/pages/feed.xml.ts"), Some(("/feed.xml".into(), Answers::Exported)));
    }
}
