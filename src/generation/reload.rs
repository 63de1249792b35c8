//! How a running container comes to changed files. Pure: two plans and their files in, a way and
//! what has to be put where out.
//!
//! ```text
//!   anything but the source differs in what the image is made of ──► rebuild
//!   the source is compiled, or prepared, on its way into the image ─► rebuild
//!   what serves it looks at its files by itself ────────────────────► hot
//!   otherwise ──────────────────────────────────────────────────────► restart
//! ```

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::container;
use super::context::{Entry, append, content};
use super::dockerfile::{Dialect, dockerfile};
use super::plan::{Language, Plan};
use super::project::join;
use super::recipe::Recipe;
use super::warm::ORDER;
use crate::domain::{FileSet, Mode, ReloadWay};

/// What is to be done, and why so.
#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    pub way: ReloadWay,
    pub reason: String,
    /// Files and links under the app's folder: what they become.
    write: BTreeMap<String, Entry>,
    /// Paths under the app's folder that are taken away.
    pub remove: Vec<String>,
    /// How long what serves them may take to notice; none when it reads them for each request.
    pub notices_within: Option<Duration>,
}

/// The owner of everything that an app may write.
const USER: u64 = 10001;
const ROOT: &str = "app/";

/// uvicorn and Django without an inotify library look four times and once a second.
const NOTICES: Duration = Duration::from_millis(1500);

/// The least that leads from the old files to the new ones.
pub fn reload(old: (&Plan, &FileSet), new: (&Plan, &FileSet)) -> Reload {
    let (before, after) = (content(old.0, old.1), content(new.0, new.1));
    let tree = |entries: &BTreeMap<String, Entry>| -> BTreeMap<String, Entry> {
        let app = entries.iter().filter_map(|(path, entry)| Some((path.strip_prefix(ROOT)?, entry)));
        app.map(|(path, entry)| (path.to_owned(), entry.clone())).collect()
    };
    let (was, is) = (tree(&before), tree(&after));
    let remove: Vec<String> = was.keys().filter(|path| !is.contains_key(*path)).cloned().collect();
    let write: BTreeMap<String, Entry> =
        is.into_iter().filter(|(path, entry)| was.get(path) != Some(entry)).collect();
    let changed: Vec<&str> = write.keys().chain(&remove).map(String::as_str).collect();
    let (way, reason) = match other_image(old, new, (&before, &after)) {
        Some(reason) => (ReloadWay::Rebuild, reason),
        None => in_container(new, &changed),
    };
    let notices_within = (way == ReloadWay::Hot && starts_anew(new.0, new.1)).then_some(NOTICES);
    Reload { way, reason, write, remove, notices_within }
}

impl Reload {
    /// How many paths are touched.
    pub fn len(&self) -> usize {
        self.write.len() + self.remove.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is written, as an archive for the app's folder: every folder before what lies in it,
    /// so that no link in the container is followed. `modified` is in seconds since 1970; who
    /// compares times must find it later than that of the files before.
    ///
    /// `order` goes beside them, for a process that waits for it.
    pub fn archive(&self, modified: u64, order: Option<Vec<u8>>) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut folders: Vec<&str> = self.write.keys().flat_map(|path| folders_of(path)).collect();
        folders.sort_unstable();
        folders.dedup();
        let all = folders.into_iter().map(|folder| (folder, &Entry::Folder));
        let all = all.chain(self.write.iter().map(|(path, entry)| (path.as_str(), entry)));
        for (path, entry) in all {
            append(&mut tar, path, entry, (USER, modified))?;
        }
        if let Some(order) = order {
            let file = Entry::File { content: order.into(), executable: false };
            append(&mut tar, ORDER, &file, (USER, modified))?;
        }
        tar.into_inner()
    }
}

fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Why the image is another one in more than its source; none when it is not.
fn other_image(
    old: (&Plan, &FileSet),
    new: (&Plan, &FileSet),
    content: (&BTreeMap<String, Entry>, &BTreeMap<String, Entry>),
) -> Option<String> {
    let around = |entries: &BTreeMap<String, Entry>| -> Vec<(String, Entry)> {
        let beside = entries.iter().filter(|(path, _)| !path.starts_with(ROOT));
        beside.map(|(path, entry)| (path.clone(), entry.clone())).collect()
    };
    let (before, after) = (around(content.0), around(content.1));
    if let Some((path, _)) = after.iter().find(|entry| !before.contains(entry)) {
        return Some(match path.split_once('/') {
            Some(("deps" | "pages-deps", file)) => format!("dependencies changed: {file}"),
            _ => format!("{path} changed"),
        });
    }
    if let Some((path, _)) = before.iter().find(|entry| !after.contains(entry)) {
        return Some(format!("{path} is gone"));
    }
    let text = |plan: &Plan| dockerfile(plan, Dialect::BuildKit);
    if text(old.0) != text(new.0) {
        return Some("the image is made another way".to_owned());
    }
    let reads =
        |plan: &Plan| -> Vec<String> { plan.environment_read.iter().map(|read| read.name.clone()).collect() };
    // What a container finds in its environment is settled when it is made.
    if old.0.dotenv != new.0.dotenv {
        return Some("variables of .env changed".to_owned());
    }
    if old.0.database != new.0.database || new.0.database.is_some() && reads(old.0) != reads(new.0) {
        return Some("the app expects its database another way".to_owned());
    }
    (old.0.port != new.0.port).then(|| "the app listens on another port".to_owned())
}

/// The image is the same but for its source.
fn in_container((plan, files): (&Plan, &FileSet), changed: &[&str]) -> (ReloadWay, String) {
    use ReloadWay::{Hot, Rebuild, Restart};
    let rebuild = |reason: &str| (Rebuild, reason.to_owned());
    match &plan.recipe {
        Recipe::Static(_) => (Hot, "files are served as they are".to_owned()),
        Recipe::Go(_) | Recipe::Rust(_) => rebuild("the source is compiled"),
        Recipe::Site(_) => rebuild("the pages are built"),
        Recipe::Both(_) => rebuild("pages and server are in one image"),
        Recipe::Dockerfile(_) => rebuild("an own Dockerfile says what is in the image"),
        Recipe::Php(php) if php.assets.is_some() => rebuild("styles and scripts are built"),
        Recipe::Php(php) if php.fresh => (Hot, "PHP looks at its files for each request".to_owned()),
        Recipe::Php(php) if !php.prepare.is_empty() => {
            rebuild("something is made of the files when the image is")
        }
        Recipe::Ruby(ruby) if !ruby.prepare.is_empty() && !changed.iter().all(|path| is_code(path)) => {
            rebuild("something is made of the files when the image is")
        }
        Recipe::Php(_) | Recipe::Ruby(_) => (Restart, "the app reads its code when it starts".to_owned()),
        Recipe::Node(node) if node.builds() => rebuild("the app is built"),
        Recipe::Node(node) if node.prepares_source() && !changed.iter().all(|path| is_code(path)) => {
            rebuild("something is made of the files when the image is")
        }
        Recipe::Python(python)
            if !python.prepare.is_empty()
                && plan.mode == Mode::Run
                && !changed.iter().all(|path| is_code(path)) =>
        {
            rebuild("something is made of the files when the image is")
        }
        Recipe::Python(_) | Recipe::Node(_) if plan.mode == Mode::Dev && watches(plan, files) => {
            (Hot, "the development server watches its files".to_owned())
        }
        Recipe::Python(_) | Recipe::Node(_) => {
            match changed.iter().all(|path| is_read_per_request(plan, path)) {
                true => (Hot, "these files are read for each request".to_owned()),
                false => (Restart, "the app reads its code when it starts".to_owned()),
            }
        }
    }
}

/// Code and templates: nothing of them is copied elsewhere when the image is made.
fn is_code(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(
        extension,
        "py" | "rb" | "erb" | "js" | "mjs" | "cjs" | "ts" | "mts" | "jsx" | "tsx" | "txt" | "md"
    ) || path.split('/').any(|part| part == "templates")
}

/// The start command is one that starts again by itself.
fn watches(plan: &Plan, files: &FileSet) -> bool {
    let said = started_by(plan, files);
    if plan.language == Language::Python {
        return said.contains("--reload") || said.contains("runserver");
    }
    const WATCHERS: [&str; 17] = [
        "nodemon",
        "--watch",
        " watch",
        "ts-node-dev",
        "vite",
        "next",
        "nuxt",
        "nuxi",
        "astro",
        "ng serve",
        "react-scripts",
        "remix",
        "react-router",
        "vue-cli-service",
        "webpack",
        "svelte",
        "parcel",
    ];
    WATCHERS.iter().any(|watcher| said.contains(watcher))
}

/// The start command, or the script of package.json that it runs.
fn started_by(plan: &Plan, files: &FileSet) -> String {
    let start = plan.start.as_deref().unwrap_or_default().join(" ");
    const SCRIPTS: [&str; 3] = ["\"dev\"", "\"start:dev\"", "\"start\""];
    let package = join(container::folder(&plan.working_dir), "package.json");
    let package = files.text(&package).unwrap_or_default();
    // `npm run dev` says nothing by itself; what the script says does.
    let script = SCRIPTS.iter().find_map(|name| package.split_once(name)?.1.lines().next());
    let runs_script = ["npm ", "pnpm ", "yarn ", "bun "].iter().any(|manager| start.starts_with(manager));
    match script {
        Some(script) if runs_script => script.to_owned(),
        _ => start,
    }
}

/// What watches the files ends the app and starts it again, as others do not: those serve each
/// module from its file.
fn starts_anew(plan: &Plan, files: &FileSet) -> bool {
    const STARTERS: [&str; 5] = ["nodemon", "--watch", "ts-node-dev", " watch", "nest start"];
    match plan.language {
        Language::Python => plan.mode == Mode::Dev && watches(plan, files),
        Language::Node => {
            plan.mode == Mode::Dev && STARTERS.iter().any(|word| started_by(plan, files).contains(word))
        }
        _ => false,
    }
}

/// Servers of these kinds open such files anew each time.
fn is_read_per_request(plan: &Plan, path: &str) -> bool {
    let inside = |folder: &str| path.split('/').rev().skip(1).any(|part| part == folder);
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_asset = matches!(
        extension,
        "css"
            | "js"
            | "mjs"
            | "map"
            | "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "svg"
            | "webp"
            | "ico"
            | "woff"
            | "woff2"
    );
    match plan.framework.as_str() {
        // Jinja as Starlette sets it up looks at a template's time before it uses it.
        "fastapi" | "starlette" => {
            inside("static") && is_asset
                || inside("templates") && matches!(extension, "html" | "jinja" | "j2")
        }
        "flask" => inside("static") && is_asset,
        "express" => inside("public") && (is_asset || extension == "html"),
        _ => false,
    }
}
