//! What a build is given: one deterministic archive.
//!
//! ```text
//! Dockerfile
//! Dockerfile.classic  the same for the classic builder
//! empty/              where the source will be
//! app/…               the source (without what .dockerignore leaves out, .git and .env files)
//! deps/…              what the dependency layer depends on
//! support/…           modules of ours that the app is started with
//! pages-deps/…        the same for pages that are built beside a server
//! nginx.conf          pages
//! both.sh             starts a server and nginx in front of it
//! pages.sh            starts the pages' own server beside it
//! php-fpm.conf        PHP's server
//! previewd/env        this host's settings for steps that reach out, a shell script
//! previewd/ca.crt     this host's certificate authorities; empty when there are none
//! ```
//!
//! An own Dockerfile gets the tree as it came, minus what its `.dockerignore` and we leave out.

pub mod ignore;
mod inputs;
mod nginx;

use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;

use self::ignore::Ignore;
pub use self::inputs::{BuildInputs, build_args};
use super::dockerfile::{Dialect, dockerfile, of_environment, onto_environment};
use super::plan::{Notes, Plan};
use super::quoting::sh_word;
use super::recipe::{BothRecipe, DependencyFile, NodeRecipe, PagesServer, Recipe};
use crate::domain::FileSet;

/// One entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Folder,
    File { content: Bytes, executable: bool },
    Link(String),
}

/// Never part of any build.
pub fn always_left_out(path: &str) -> bool {
    path.split('/').any(|part| part == ".git")
}

/// `.env` and its like; their values are given at run time instead, so that none is in a layer.
pub fn holds_secrets(path: &str) -> bool {
    const HARMLESS: [&str; 6] = ["example", "sample", "template", "dist", "defaults", "test"];
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.strip_prefix(".env") {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('.')
            .is_some_and(|kind| !HARMLESS.contains(&kind.rsplit('.').next().unwrap_or_default())),
        None => false,
    }
}

/// Where the Dockerfile lies in the context.
pub const DOCKERFILE: &str = "Dockerfile";
/// The same image for the classic builder, where the Dockerfile is of our writing. Not under
/// `previewd/`: what is mounted into a step is part of what its cached result depends on.
pub const CLASSIC_DOCKERFILE: &str = "Dockerfile.classic";

/// Which part of an image is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What it has in common with others of the same dependencies.
    Environment,
    /// The rest, onto an image of the environment.
    Onto(String),
}

/// Writes the context of a build as a tar: sorted, owned by root, dated 1970. Equal arguments
/// give equal bytes. A part that the plan does not have is written as nothing.
pub fn context(
    plan: &Plan,
    files: &FileSet,
    inputs: &BuildInputs,
    part: &Part,
    out: impl Write,
) -> io::Result<()> {
    let (mut entries, [kit, classic]) = match part {
        Part::Whole => (content(plan, files), DIALECTS.map(|dialect| Some(dockerfile(plan, dialect)))),
        Part::Environment => {
            (below_source(plan, files), DIALECTS.map(|dialect| of_environment(plan, dialect)))
        }
        Part::Onto(image) => {
            let mut entries = content(plan, files);
            entries.retain(|path, _| is_source(path));
            (entries, DIALECTS.map(|dialect| onto_environment(plan, image, dialect)))
        }
    };
    let text = |text: String| Entry::File { content: text.into(), executable: false };
    entries.insert(DOCKERFILE.to_owned(), text(inputs.scope_caches(&kit.unwrap_or_default())));
    if !matches!(plan.recipe, Recipe::Dockerfile(_)) {
        let ca = inputs.ca_bundle.clone().unwrap_or_default();
        entries.insert(CLASSIC_DOCKERFILE.to_owned(), text(classic.unwrap_or_default()));
        entries.insert("previewd/env".to_owned(), text(inputs.env_script()));
        entries.insert("previewd/ca.crt".to_owned(), Entry::File { content: ca, executable: false });
    }
    pack(entries, 0, out)
}

const DIALECTS: [Dialect; 2] = [Dialect::BuildKit, Dialect::Classic];

/// Writes entries as a tar, every folder before what lies in it, all of one owner and group.
pub fn pack(entries: BTreeMap<String, Entry>, owner: u32, out: impl Write) -> io::Result<()> {
    let entries = with_folders(entries);
    let mut tar = tar::Builder::new(out);
    for (path, entry) in &entries {
        append(&mut tar, path, entry, (owner.into(), 0))?;
    }
    tar.into_inner()?.flush()
}

fn is_source(path: &str) -> bool {
    path == "app" || path.starts_with("app/")
}

/// What the environment is made of besides its Dockerfile.
pub fn below_source(plan: &Plan, files: &FileSet) -> BTreeMap<String, Entry> {
    let mut entries = content(plan, files);
    entries.retain(|path, _| !is_source(path));
    entries
}

/// What the image is made of besides the Dockerfile: the same on every host.
pub fn content(plan: &Plan, files: &FileSet) -> BTreeMap<String, Entry> {
    if let Recipe::Dockerfile(_) = plan.recipe {
        let ignore = Ignore::own(files.text(".dockerignore"), &mut Notes::default());
        return carried(files, &ignore, "", |_| true);
    }
    let ignore = Ignore::generated(files.text(".dockerignore"), &mut Notes::default());
    let mut entries = carried(files, &ignore, "app/", |path| !holds_secrets(path));
    entries.insert("app".to_owned(), Entry::Folder);
    entries.insert("deps".to_owned(), Entry::Folder);
    entries.insert("empty".to_owned(), Entry::Folder);
    add_dependencies(&mut entries, files, "deps", plan.recipe.dependency_files());
    let text = |text: String| Entry::File { content: text.into(), executable: false };
    match &plan.recipe {
        Recipe::Static(recipe) => {
            entries.insert("nginx.conf".to_owned(), text(nginx::of_files(recipe, plan.port)));
        }
        Recipe::Site(recipe) => {
            let pages = nginx::of_built_pages(&recipe.pages, plan.port);
            entries.insert("nginx.conf".to_owned(), text(pages));
        }
        Recipe::Both(recipe) => {
            entries.insert("nginx.conf".to_owned(), text(nginx::of_both(recipe, plan.port)));
            entries.insert("both.sh".to_owned(), text(include_str!("both.sh").to_owned()));
            if let Some(pages) = &recipe.pages_server {
                entries.insert("pages.sh".to_owned(), text(pages_script(recipe, pages)));
            }
        }
        Recipe::Php(recipe) => {
            entries.insert("nginx.conf".to_owned(), text(nginx::of_php(recipe, plan.port)));
            entries.insert("both.sh".to_owned(), text(include_str!("both.sh").to_owned()));
            let fresh = if recipe.fresh { "php_value[opcache.revalidate_freq] = 0\n" } else { "" };
            let server = format!("{}{fresh}", include_str!("php-fpm.conf"));
            entries.insert("php-fpm.conf".to_owned(), text(server));
        }
        _ => {}
    }
    if let Some(beside) = plan.recipe.beside() {
        entries.insert("pages-deps".to_owned(), Entry::Folder);
        add_dependencies(&mut entries, files, "pages-deps", beside.dependency_files.iter());
    }
    let support = plan.recipe.python().into_iter().flat_map(|python| &python.support);
    let support = support.chain(plan.recipe.nodes().flat_map(|node| &node.support));
    for (name, module) in support {
        entries.insert(format!("support/{name}"), text(module.clone()));
    }
    // Where pages are made among packages of their own, a link would be in the place of these.
    let is_taken = matches!(&plan.recipe, Recipe::Both(both) if both.makes_pages_in(&plan.working_dir));
    if plan.recipe.node_server().is_some_and(NodeRecipe::links_packages) && !is_taken {
        link_packages(plan, &mut entries);
    }
    entries
}

fn add_dependencies<'a>(
    entries: &mut BTreeMap<String, Entry>,
    files: &FileSet,
    under: &str,
    dependencies: impl Iterator<Item = (&'a String, &'a DependencyFile)>,
) {
    for (name, file) in dependencies {
        let content = match file {
            DependencyFile::Written(text) => Some(Bytes::from(text.clone())),
            DependencyFile::Copied(path) => files.get(path).map(|file| file.content.clone()),
        };
        if let Some(content) = content {
            entries.insert(format!("{under}/{name}"), Entry::File { content, executable: false });
        }
    }
}

/// Starts the pages' own server on the Node that was brought along.
fn pages_script(recipe: &BothRecipe, pages: &PagesServer) -> String {
    let dir = recipe.pages_dir();
    let mut folders = vec![dir.clone()];
    folders.extend(recipe.node.as_ref().map(NodeRecipe::install_dir));
    folders.dedup();
    let programs: Vec<String> =
        folders.iter().map(|folder| sh_word(&format!("{folder}/node_modules/.bin"))).collect();
    let mut script = format!("cd {} || exit 1\n", sh_word(&dir));
    for (name, value) in &pages.environment {
        script.push_str(&format!("export {name}={}\n", sh_word(value)));
    }
    let start: Vec<String> = pages.start.iter().map(|word| sh_word(word)).collect();
    script.push_str(&format!(
        "export PORT={} HOSTNAME=127.0.0.1 LD_LIBRARY_PATH=/opt/pages/lib PATH={}:/opt/pages/bin:$PATH\nexec {}\n",
        pages.port,
        programs.join(":"),
        start.join(" ")
    ));
    script
}

/// `node_modules` of the source is a link to the packages' own layer, unless the tree brings one.
fn link_packages(plan: &Plan, entries: &mut BTreeMap<String, Entry>) {
    let at = format!("{}/node_modules", plan.working_dir.trim_start_matches('/'));
    let under = format!("{at}/");
    if !entries.keys().any(|path| path.starts_with(&under)) {
        entries.insert(at, Entry::Link("/opt/node/node_modules".to_owned()));
    }
}

fn carried(
    files: &FileSet,
    ignore: &Ignore,
    under: &str,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, Entry> {
    files
        .iter()
        .filter(|(path, _)| {
            let path = path.as_str();
            !always_left_out(path) && wanted(path) && !ignore.excludes(path)
        })
        .map(|(path, file)| {
            let entry = Entry::File { content: file.content.clone(), executable: file.executable };
            (format!("{under}{path}"), entry)
        })
        .collect()
}

/// The same with every folder an entry lies in.
pub fn with_folders(mut entries: BTreeMap<String, Entry>) -> BTreeMap<String, Entry> {
    let mut folders = Vec::new();
    for path in entries.keys() {
        folders.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
    }
    for folder in folders {
        entries.entry(folder).or_insert(Entry::Folder);
    }
    entries
}

/// Adds an entry that belongs to a user and was modified then, in seconds since 1970.
pub fn append(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    entry: &Entry,
    (user, modified): (u64, u64),
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(modified);
    header.set_uid(user);
    header.set_gid(user);
    match entry {
        Entry::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, format!("{path}/"), io::empty())
        }
        Entry::File { content, executable } => {
            header.set_mode(if *executable { 0o755 } else { 0o644 });
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, content.as_ref())
        }
        Entry::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            tar.append_link(&mut header, path, target)
        }
    }
}
