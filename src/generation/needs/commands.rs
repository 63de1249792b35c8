//! What finding a migration and finding first data have in common.

use super::DatabaseTask;
use crate::generation::container;
use crate::generation::plan::{Place, Source};
use crate::generation::project::{Project, folder_of, join, name_of};
use crate::generation::quoting::is_plain_path;

/// A command found in the tree, run in one of its folders.
pub fn found(tool: &str, argv: &[&str], folder: &str, reason: &str, place: Option<Place>) -> DatabaseTask {
    let command = argv.iter().map(|word| (*word).to_owned()).collect();
    task(tool, command, folder, Vec::new(), reason, place)
}

/// Files of SQL; whoever has the database applies them.
pub fn sql(folder: &str, files: Vec<String>, reason: &str, place: Option<Place>) -> DatabaseTask {
    task("sql", Vec::new(), folder, files, reason, place)
}

fn task(
    tool: &str,
    command: Vec<String>,
    folder: &str,
    files: Vec<String>,
    reason: &str,
    place: Option<Place>,
) -> DatabaseTask {
    let (file, line) = place.map_or((None, None), |place| (Some(place.file), place.line));
    let (tool, reason, working_dir) = (tool.to_owned(), reason.to_owned(), in_container(folder));
    DatabaseTask { tool, command, working_dir, files, source: Source::Detected, reason, file, line }
}

/// What the metadata says is to be run.
pub fn given(command: &str, field: &str, working_dir: &str) -> Option<DatabaseTask> {
    Some(DatabaseTask {
        tool: "metadata".to_owned(),
        command: crate::generation::quoting::split_words(command)?,
        working_dir: working_dir.to_owned(),
        files: Vec::new(),
        source: Source::Metadata,
        reason: format!("{field} says so"),
        file: None,
        line: None,
    })
}

/// Where a folder of the tree lies in the container; the top for names that are odd.
pub fn in_container(folder: &str) -> String {
    container::dir(if is_plain_path(folder) { folder } else { "" })
}

/// The file of this name nearest to the top.
pub fn nearest<'a>(project: &Project<'a>, name: &str) -> Option<&'a str> {
    project.paths().filter(|path| name_of(path) == name).min_by_key(|path| path.matches('/').count())
}

/// A script of some package.json by one of these names: the package's folder, the script, where.
pub fn script(project: &Project<'_>, names: &[&str]) -> Option<(String, String, Option<Place>)> {
    project.packages().iter().find_map(|package| {
        let name = names.iter().find(|name| package.scripts.contains_key(**name))?;
        let place = package.script_place(project, name);
        Some((package.folder().to_owned(), (*name).to_owned(), place))
    })
}

/// Whether a go.mod requires a module, or one below it, and where.
pub fn go_requires(project: &Project<'_>, module: &str) -> Option<Place> {
    project.paths().filter(|path| name_of(path) == "go.mod").take(10).find_map(|path| {
        let text = project.text(path)?;
        let index = text.lines().position(|line| {
            let line = line.trim_start().trim_start_matches("require").trim_start();
            line.strip_prefix(module).is_some_and(|rest| rest.starts_with([' ', '/']))
        })?;
        Place::line(path, index + 1)
    })
}

/// Files with SQL directly in a folder, in order of name, without those that undo.
pub fn sql_files(project: &Project<'_>, folder: &str) -> Vec<String> {
    let undoes = |path: &str| {
        let name = name_of(path);
        name.ends_with(".down.sql") || name.contains("rollback") || name.contains("_down.")
    };
    let inside = project.paths().filter(|path| folder_of(path) == folder && path.ends_with(".sql"));
    inside.filter(|path| !undoes(path)).map(str::to_owned).take(500).collect()
}

/// The first of these files that is there, with the folder it was looked for in.
pub fn first_file(project: &Project<'_>, folders: &[&str], names: &[&str]) -> Option<(String, String)> {
    folders.iter().find_map(|folder| {
        let found = names.iter().map(|name| join(folder, name)).find(|path| project.contains(path))?;
        Some(((*folder).to_owned(), found))
    })
}
