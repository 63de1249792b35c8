//! Ruby: what the Gemfile asks for, and the program that serves. Read by its lines, which is
//! enough for these.

mod gemfile;

pub use gemfile::Gemfile;

use super::plan::Place;
use super::project::{Project, folder_of, join, name_of};

/// What starts an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `config.ru`: any server that speaks Rack starts it.
    Rack(String),
    /// A script that serves by itself when it is run, and the line that says so.
    Script(String, usize),
}

/// The program nearest to the top.
pub fn program(project: &Project<'_>) -> Option<Program> {
    let mut racks: Vec<&str> =
        project.paths().filter(|path| name_of(path) == "config.ru" && !is_aside(path)).collect();
    racks.sort_by_key(|path| path.matches('/').count());
    if let Some(path) = racks.first() {
        return Some(Program::Rack((*path).to_owned()));
    }
    let mut scripts: Vec<(&str, usize)> = project
        .paths()
        .filter(|path| path.ends_with(".rb") && path.matches('/').count() <= 2 && !is_aside(path))
        .take(500)
        .filter_map(|path| Some((path, serves(project.text(path)?)?)))
        .collect();
    scripts.sort_by_key(|(path, _)| {
        let usual = ["app.rb", "main.rb", "server.rb", "web.rb"].contains(&name_of(path));
        (path.matches('/').count(), !usual, path.len())
    });
    scripts.first().map(|(path, line)| Program::Script((*path).to_owned(), *line))
}

impl Program {
    pub fn path(&self) -> &str {
        match self {
            Self::Rack(path) | Self::Script(path, _) => path,
        }
    }

    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Rack(path) => Place::file(path),
            Self::Script(path, line) => Place::line(path, *line),
        }
    }

    /// Where the Gemfile is looked for first.
    pub fn folder(&self) -> &str {
        folder_of(self.path())
    }
}

/// The line that loads what serves.
fn serves(text: &str) -> Option<usize> {
    const LIBRARIES: [&str; 5] = ["sinatra", "sinatra/base", "webrick", "roda", "cuba"];
    text.lines()
        .take(200)
        .position(|line| {
            let rest = line.trim().strip_prefix("require ").unwrap_or_default().trim();
            let name = rest.trim_matches(['"', '\'']);
            rest.len() == name.len() + 2 && LIBRARIES.contains(&name)
        })
        .map(|index| index + 1)
}

/// Rails, when `config/application.rb` stands beside the Gemfile.
pub fn is_rails(project: &Project<'_>, folder: &str, gemfile: Option<&Gemfile>) -> bool {
    gemfile.is_some_and(|gemfile| gemfile.lists("rails"))
        || project.contains(&join(folder, "config/application.rb"))
}

fn is_aside(path: &str) -> bool {
    const FOLDERS: [&str; 7] = ["vendor", "spec", "test", "tests", "node_modules", "examples", "docs"];
    path.split('/').any(|part| FOLDERS.contains(&part) || part.starts_with('.'))
}
