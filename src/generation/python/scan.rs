//! One Python file read for what starts it: app objects and factories, servers run from code,
//! imports, environment variables.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::imports::{Import, imports_of};
use super::program::{self, Program};
use super::servers::{self, ServerRun, Servers};
use crate::generation::plan::EnvRead;
use crate::generation::syntax::{children, each_node, first_error, line_of, parse, string_value, text_of};

#[derive(Debug, Clone, Default)]
pub struct PyFile {
    pub path: String,
    pub imports: Vec<Import>,
    pub apps: Vec<AppObject>,
    /// A server run from code: `uvicorn.run(…)`, `app.run(…)`.
    pub runs: Vec<ServerRun>,
    pub env: Vec<EnvRead>,
    pub main_guard: bool,
    /// `app = create_app()` at the top: (variable, function, line).
    pub calls: Vec<(String, String, usize)>,
    /// It runs a server of the standard library.
    pub serves: bool,
    /// What it does when it is run by itself.
    pub program: Program,
    /// The line of the first thing that is no Python; only looked for in files that are parsed.
    pub syntax_error: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interface {
    Asgi,
    Wsgi,
}

/// Something a server can be pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppObject {
    /// `fastapi`, `starlette`, `flask`, …
    pub framework: &'static str,
    pub interface: Interface,
    /// The variable, or the function when it is a factory.
    pub name: String,
    pub factory: bool,
    pub line: usize,
}

/// Classes whose instances are apps.
const CLASSES: [(&str, &str, Interface); 9] = [
    ("FastAPI", "fastapi", Interface::Asgi),
    ("Starlette", "starlette", Interface::Asgi),
    ("Quart", "quart", Interface::Asgi),
    ("Litestar", "litestar", Interface::Asgi),
    ("ASGIApp", "socketio", Interface::Asgi),
    ("Flask", "flask", Interface::Wsgi),
    ("APIFlask", "flask", Interface::Wsgi),
    ("Bottle", "bottle", Interface::Wsgi),
    ("Dash", "dash", Interface::Wsgi),
];

/// What a file has to hold to be worth parsing.
const TELLING: [&str; 6] = ["environ", "getenv", "if __name__", "create_app(", "BaseSettings", "decouple"];

/// Reads one file. Broken syntax is read as far as it can be.
pub fn scan(path: &str, text: &str) -> PyFile {
    let imports = imports_of(text);
    let serves = text.contains("HTTPServer") || text.contains("serve_forever");
    let mut file = PyFile { path: path.to_owned(), imports, serves, ..PyFile::default() };
    let telling = CLASSES.iter().map(|class| class.0).chain(TELLING).chain(servers::TELLING);
    if !telling.into_iter().any(|mark| text.contains(mark)) {
        return file;
    }
    let Some(tree) = parse(&tree_sitter_python::LANGUAGE.into(), text) else { return file };
    file.syntax_error = first_error(&tree);
    let mut scan =
        Scan { text, file: &mut file, scopes: Vec::new(), calls: Vec::new(), constants: BTreeMap::new() };
    each_node(&tree, |node| scan.visit(node));
    file.calls = std::mem::take(&mut scan.calls);
    file.program = program::read(&tree, text, &file);
    file
}

struct Scan<'s> {
    text: &'s str,
    file: &'s mut PyFile,
    scopes: Vec<Scope<'s>>,
    /// `app = make()` at the top: (variable, function, line).
    calls: Vec<(String, String, usize)>,
    /// The source of what a name was last given.
    constants: BTreeMap<String, &'s str>,
}

struct Scope<'s> {
    end: usize,
    /// A function that can be called without arguments; `None` for classes and the rest.
    factory: Option<&'s str>,
    line: usize,
    locals: Vec<(&'s str, &'static str, Interface)>,
}

impl<'s> Scan<'s> {
    fn visit(&mut self, node: Node<'s>) {
        while self.scopes.last().is_some_and(|scope| node.start_byte() >= scope.end) {
            self.scopes.pop();
        }
        match node.kind() {
            "function_definition" => self.enter_function(node),
            "class_definition" => {
                self.enter(node, None);
                super::settings::read(node, self.text, self.file);
            }
            "assignment" => self.assignment(node),
            "return_statement" => self.returned(node),
            "call" => self.call(node),
            "subscript" => self.subscript(node),
            "if_statement" => self.guard(node),
            _ => {}
        }
    }

    fn of(&self, node: Node<'_>) -> &'s str {
        text_of(node, self.text)
    }

    fn enter(&mut self, node: Node<'s>, factory: Option<&'s str>) {
        let (end, line) = (node.end_byte(), line_of(node));
        self.scopes.push(Scope { end, factory, line, locals: Vec::new() });
    }

    fn enter_function(&mut self, node: Node<'s>) {
        let needs_arguments = node.child_by_field_name("parameters").is_some_and(|parameters| {
            children(parameters).iter().any(|p| matches!(p.kind(), "identifier" | "typed_parameter"))
        });
        let is_async = node.child(0).is_some_and(|first| first.kind() == "async");
        let name = node.child_by_field_name("name").map(|name| self.of(name));
        let factory = name.filter(|_| self.scopes.is_empty() && !needs_arguments && !is_async);
        self.enter(node, factory);
    }

    fn assignment(&mut self, node: Node<'s>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        if left.kind() != "identifier" {
            return;
        }
        let name = self.of(left);
        self.constant(name.to_owned(), right);
        if right.kind() == "attribute" && self.scopes.is_empty() {
            self.part_of_app(name, self.of(right));
        }
        if right.kind() != "call" {
            return;
        }
        let class = self.class_of(right);
        match (self.scopes.last_mut(), class) {
            (None, Some((framework, interface))) => {
                // Dash is no app a server can be given; what it keeps in this attribute is.
                let part = if framework == "dash" { ".server" } else { "" };
                let name = format!("{name}{part}");
                self.add_app(AppObject { framework, interface, name, factory: false, line: line_of(node) });
            }
            (None, None) => {
                if let Some(function) = right.child_by_field_name("function")
                    && function.kind() == "identifier"
                    && self.calls.len() < 1000
                {
                    self.calls.push((name.to_owned(), self.of(function).to_owned(), line_of(node)));
                }
            }
            (Some(scope), Some((framework, interface))) if scope.locals.len() < 100 => {
                scope.locals.push((name, framework, interface));
            }
            (Some(_), _) => {}
        }
    }

    fn returned(&mut self, node: Node<'s>) {
        let [scope] = self.scopes.as_slice() else { return };
        let Some(function) = scope.factory else { return };
        let Some(value) = children(node).into_iter().next() else { return };
        let found = match value.kind() {
            "identifier" => {
                let name = self.of(value);
                scope.locals.iter().rev().find(|local| local.0 == name).map(|local| (local.1, local.2))
            }
            "call" => self.class_of(value),
            _ => None,
        };
        if let Some((framework, interface)) = found {
            let (name, line) = (function.to_owned(), scope.line);
            if !self.file.apps.iter().any(|app| app.name == name) {
                self.add_app(AppObject { framework, interface, name, factory: true, line });
            }
        }
    }

    /// `server = app.server` of Dash, which a server can be given as it is.
    fn part_of_app(&mut self, name: &str, part: &str) {
        if let Some(app) = self.file.apps.iter_mut().find(|app| !app.factory && app.name == part) {
            app.name = name.to_owned();
        }
    }

    fn add_app(&mut self, app: AppObject) {
        if self.file.apps.len() < 100 {
            self.file.apps.push(app);
        }
    }

    /// The app class a call instantiates.
    fn class_of(&self, call: Node<'_>) -> Option<(&'static str, Interface)> {
        let function = self.of(call.child_by_field_name("function")?);
        let last = function.rsplit('.').next().unwrap_or(function);
        // `from fastapi import FastAPI as F`.
        let taken = self.file.imports.iter().flat_map(|import| &import.names);
        let alias = taken.take(500).find(|(name, alias)| alias == function && name != alias);
        let name = alias.map_or(last, |(name, _)| name.as_str());
        CLASSES.iter().find(|class| class.0 == name).map(|class| (class.1, class.2))
    }

    fn call(&mut self, node: Node<'s>) {
        let (Some(function), Some(arguments)) =
            (node.child_by_field_name("function"), node.child_by_field_name("arguments"))
        else {
            return;
        };
        let function = self.of(function);
        match function {
            "os.getenv" | "getenv" | "os.environ.get" | "environ.get" => {
                let given = children(arguments);
                let has_default = given.len() > 1;
                self.env_read(given.first().copied(), has_default);
            }
            _ if super::settings::is_reader(function, &self.file.imports) => {
                let given = children(arguments);
                let has_default = given.iter().skip(1).any(|given| {
                    given.child_by_field_name("name").is_none_or(|name| self.of(name) == "default")
                });
                self.env_read(given.first().copied(), has_default);
            }
            "define" | "tornado.options.define" => self.option(arguments),
            _ => self.server_run(node),
        }
    }

    fn server_run(&mut self, call: Node<'s>) {
        let servers = Servers { text: self.text, imports: &self.file.imports, constants: &self.constants };
        if let Some(run) = servers.read(call).filter(|_| self.file.runs.len() < 100) {
            self.file.runs.push(run);
        }
    }

    /// `define("port", default=8888)` of Tornado is read as `options.port`.
    fn option(&mut self, arguments: Node<'s>) {
        let given = children(arguments);
        let name = given.first().and_then(|name| string_value(self.of(*name)));
        let default = given.iter().find_map(|argument| {
            let is_default = self.of(argument.child_by_field_name("name")?) == "default";
            argument.child_by_field_name("value").filter(|_| is_default)
        });
        if let (Some(name), Some(default)) = (name, default) {
            self.constant(format!("options.{name}"), default);
        }
    }

    fn constant(&mut self, name: String, value: Node<'s>) {
        if self.constants.len() < 500 {
            self.constants.insert(name, self.of(value));
        }
    }

    fn subscript(&mut self, node: Node<'s>) {
        let Some(value) = node.child_by_field_name("value") else { return };
        if matches!(self.of(value), "os.environ" | "environ") {
            self.env_read(node.child_by_field_name("subscript"), false);
        }
    }

    fn env_read(&mut self, name: Option<Node<'s>>, has_default: bool) {
        let Some(name) = name else { return };
        let Some(value) = string_value(self.of(name)) else { return };
        if crate::generation::quoting::is_env_name(&value) && self.file.env.len() < 1000 {
            let (file, line) = (self.file.path.clone(), line_of(name));
            self.file.env.push(EnvRead { name: value, file, line, has_default });
        }
    }

    fn guard(&mut self, node: Node<'s>) {
        if let Some(condition) = node.child_by_field_name("condition")
            && self.of(condition).starts_with("__name__")
        {
            self.file.main_guard = true;
        }
    }
}

/// Every app object of a project, with those made by calling a factory, of whatever file.
pub fn apps_of(files: &[PyFile]) -> Vec<(&PyFile, AppObject)> {
    let own = files.iter().flat_map(|file| file.apps.iter().map(move |app| (file, app.clone())));
    let mut apps: Vec<(&PyFile, AppObject)> = own.collect();
    let factories: Vec<AppObject> =
        apps.iter().map(|(_, app)| app.clone()).filter(|app| app.factory).collect();
    for file in files {
        for (name, function, line) in &file.calls {
            if let Some(factory) = factories.iter().find(|factory| factory.name == *function) {
                apps.push((
                    file,
                    AppObject { name: name.clone(), factory: false, line: *line, ..factory.clone() },
                ));
            }
        }
    }
    apps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_objects_and_factories_are_found() {
        let file = scan(
            "main.py",
            r#"
from fastapi import FastAPI as F
import flask, os
api = F(title="x")
web: flask.Flask = flask.Flask(__name__)
def make(debug=False):
    app = F()
    return app
def needs(x):
    return F()
class A:
    app = F()
app = make()
"#,
        );
        let files = [file];
        let apps = apps_of(&files);
        let found: Vec<_> =
            apps.iter().map(|(_, app)| (app.name.as_str(), app.framework, app.factory)).collect();
        assert_eq!(
            found,
            [
                ("api", "fastapi", false),
                ("web", "flask", false),
                ("make", "fastapi", true),
                ("app", "fastapi", false)
            ]
        );
    }

    #[test]
    fn ports_hosts_and_variables_are_read() {
        let file = scan(
            "m.py",
            r#"
import os
if __name__ == "__main__":
    uvicorn.run("m:app", host='127.0.0.1', port=int(os.getenv("PORT", 8123)))
key = os.environ["KEY"]
db = os.environ.get("DB") or "x"
# os.getenv("NOT")
"#,
        );
        assert!(file.main_guard);
        assert_eq!(file.runs[0].port, Some(8123));
        assert_eq!(file.runs[0].host.as_deref(), Some("127.0.0.1"));
        let names: Vec<_> =
            file.env.iter().map(|read| (read.name.as_str(), read.has_default, read.line)).collect();
        assert_eq!(names, [("PORT", true, 4), ("KEY", false, 5), ("DB", false, 6)]);
    }

    #[test]
    fn broken_source_is_read_as_far_as_it_goes() {
        let file = scan("m.py", "from fastapi import FastAPI\napp = FastAPI()\ndef broken(:\n  ][");
        assert_eq!(file.apps.len(), 1);
        scan("m.py", "");
        for piece in ["(", "[{", "if x:\n ", "FastAPI(", "f'{"] {
            scan("m.py", &format!("FastAPI\n{}", piece.repeat(60_000 / piece.len())));
        }
    }
}
