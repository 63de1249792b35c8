//! Servers started from code, of whatever library, and where they listen.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::imports::Import;
use crate::generation::syntax::{children, line_of, string_value, text_of};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRun {
    /// `uvicorn` or the variable `run` is called on.
    pub on: String,
    /// The whole of what is called: `uvicorn.run`.
    pub call: String,
    /// What was given, else the library's own when that is every address.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// What it serves, where that is named: `main:app`, or a variable.
    pub target: Option<String>,
    pub line: usize,
}

/// Parts of source by which a file with such a call is told.
pub const TELLING: [&str; 9] = [
    "run(",
    ".run_server(",
    "run_app(",
    ".listen(",
    "HTTPServer(",
    "TCPServer(",
    "WSGIServer(",
    "serve(",
    "make_server(",
];

/// Where a library's server listens when it is not told.
#[derive(Clone, Copy)]
struct Usual {
    everywhere: bool,
    port: Option<u16>,
    given: Given,
}

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// `host=…, port=…`.
    ByName,
    /// `(port, address)`.
    PortFirst,
    /// `(host, port)`.
    HostFirst,
    /// `((host, port), …)`.
    Pair,
    /// `(handler, host, port)`.
    AfterHandler,
}

const EVERYWHERE: &str = "0.0.0.0";

pub struct Servers<'s> {
    pub text: &'s str,
    pub imports: &'s [Import],
    /// `PORT = 9000`: the source of what names stand for.
    pub constants: &'s BTreeMap<String, &'s str>,
}

impl<'s> Servers<'s> {
    /// The server that a call starts.
    pub fn read(&self, call: Node<'s>) -> Option<ServerRun> {
        let function = text_of(call.child_by_field_name("function")?, self.text);
        let arguments = children(call.child_by_field_name("arguments")?);
        let usual = self.usual(function, &arguments)?;
        let (host, port) = self.address(usual.given, &arguments);
        // What is handed on as a whole may say where.
        let is_open = arguments.iter().any(|argument| argument.kind() == "dictionary_splat");
        let first = arguments.first();
        let target = first.and_then(|first| match first.kind() {
            "identifier" => Some(text_of(*first, self.text).to_owned()),
            _ => string_value(text_of(*first, self.text)),
        });
        let on = function.rsplit_once('.').map_or(function, |(on, _)| on);
        Some(ServerRun {
            on: on.to_owned(),
            call: function.to_owned(),
            host: host.or_else(|| (usual.everywhere || is_open).then(|| EVERYWHERE.to_owned())),
            port: port.or(usual.port),
            target,
            line: line_of(call),
        })
    }

    fn usual(&self, function: &str, arguments: &[Node<'s>]) -> Option<Usual> {
        let (on, name) = function.rsplit_once('.').unwrap_or(("", function));
        let imported = |package: &str| self.imports.iter().any(|import| import.top() == package);
        let taken = |package: &str| {
            let mut of = self.imports.iter().filter(|import| import.top() == package);
            on == package || on.is_empty() && of.any(|import| import.takes(&[name]))
        };
        let usual = |everywhere, port, given| Some(Usual { everywhere, port, given });
        match name {
            "run" if on == "ui" && imported("nicegui") => usual(true, Some(8080), Given::ByName),
            "run" if taken("bottle") => usual(false, Some(8080), Given::ByName),
            "run" | "run_server" if !on.is_empty() => {
                let known = ["uvicorn", "app", "application", "socketio"].contains(&on);
                let told = self.named("host", arguments).or_else(|| self.named("port", arguments)).is_some();
                (known || told).then_some(Usual { everywhere: false, port: None, given: Given::ByName })
            }
            "Config" if on == "uvicorn" => usual(false, None, Given::ByName),
            "run_app" if imported("aiohttp") => usual(true, Some(8080), Given::ByName),
            "listen" if imported("tornado") => usual(true, None, Given::PortFirst),
            "serve" if taken("waitress") => usual(true, Some(8080), Given::ByName),
            "serve" if taken("websockets") => usual(false, None, Given::AfterHandler),
            "make_server" => usual(false, None, Given::HostFirst),
            "HTTPServer" | "ThreadingHTTPServer" | "TCPServer" | "ThreadingTCPServer" | "WSGIServer" => {
                usual(false, None, Given::Pair)
            }
            _ => None,
        }
    }

    fn address(&self, given: Given, arguments: &[Node<'s>]) -> (Option<String>, Option<u16>) {
        let positional: Vec<Node<'s>> =
            arguments.iter().copied().filter(|argument| argument.kind() != "keyword_argument").collect();
        let pair = || positional.first().map(|pair| children(*pair)).unwrap_or_default();
        if given == Given::Pair
            && let Some(pair) = positional.first().filter(|pair| pair.kind() == "identifier")
        {
            return self.named_pair(*pair);
        }
        let (host, port) = match given {
            Given::ByName => (None, None),
            Given::PortFirst => (positional.get(1).copied(), positional.first().copied()),
            Given::HostFirst => (positional.first().copied(), positional.get(1).copied()),
            Given::AfterHandler => (positional.get(1).copied(), positional.get(2).copied()),
            Given::Pair => (pair().first().copied(), pair().get(1).copied()),
        };
        let host = self.named("host", arguments).or_else(|| self.named("address", arguments)).or(host);
        let port = self.named("port", arguments).or(port);
        (host.map(|host| self.host(host)), port.and_then(|port| last_number(self.source(port))))
    }

    /// `address = ("", 8000)`.
    fn named_pair(&self, node: Node<'s>) -> (Option<String>, Option<u16>) {
        let source = self.source(node);
        let host = source.trim_start_matches('(').split(',').next().unwrap_or(source);
        let host = string_value(host).unwrap_or_else(|| host.chars().take(200).collect());
        let host = if host.is_empty() { EVERYWHERE.to_owned() } else { host };
        (Some(host), last_number(source))
    }

    fn named(&self, name: &str, arguments: &[Node<'s>]) -> Option<Node<'s>> {
        arguments.iter().take(50).find_map(|argument| {
            let is_it = text_of(argument.child_by_field_name("name")?, self.text) == name;
            argument.child_by_field_name("value").filter(|_| is_it)
        })
    }

    /// An empty one means every address; what nobody can tell from here stays as it is written.
    fn host(&self, node: Node<'s>) -> String {
        let source = self.source(node);
        match string_value(source) {
            Some(host) if host.is_empty() => EVERYWHERE.to_owned(),
            Some(host) => host,
            None => source.chars().take(200).collect(),
        }
    }

    /// Of a name, the source of what it stands for.
    fn source(&self, node: Node<'s>) -> &'s str {
        let text = text_of(node, self.text);
        self.constants.get(text).copied().unwrap_or(text)
    }
}

/// The port in `8000`, `int(os.getenv("PORT", 8000))` or `int(os.environ.get("PORT") or "8000")`.
pub fn last_number(text: &str) -> Option<u16> {
    if text.len() > 200 {
        return None;
    }
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter_map(|word| word.parse::<u16>().ok())
        .rfind(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::super::scan;

    fn listens(text: &str) -> Vec<(String, Option<String>, Option<u16>)> {
        let runs = scan("m.py", text).runs.into_iter();
        runs.map(|run| (run.call, run.host, run.port)).collect()
    }

    #[test]
    fn each_librarys_server_is_known_with_its_port() {
        let one = |text: &str, call: &str, host: Option<&str>, port: u16| {
            let expected = (call.to_owned(), host.map(str::to_owned), Some(port));
            assert_eq!(listens(text), [expected], "{text}");
        };
        let every = Some("0.0.0.0");
        one("from aiohttp import web\nweb.run_app(make())\n", "web.run_app", every, 8080);
        one(
            "from aiohttp import web\nweb.run_app(app, host='localhost', port=9001)\n",
            "web.run_app",
            Some("localhost"),
            9001,
        );
        one("from nicegui import ui\nui.run(title='x')\n", "ui.run", every, 8080);
        one("from bottle import route, run\nrun(host='localhost')\n", "run", Some("localhost"), 8080);
        one("import tornado.web\napp.listen(8888)\n", "app.listen", every, 8888);
        let defined = "from tornado.options import define, options\ndefine('port', default=8889, type=int)\napp.listen(options.port, address='127.0.0.1')\n";
        one(defined, "app.listen", Some("127.0.0.1"), 8889);
        let constant =
            "from http.server import HTTPServer\nPORT = 9000\nHTTPServer(('', PORT), H).serve_forever()\n";
        one(constant, "HTTPServer", every, 9000);
        let variable = "import os\nport = int(os.environ.get('PORT', 5005))\napp.run(host='::', port=port)\n";
        one(variable, "app.run", Some("::"), 5005);
        one("app.run_server(debug=True, port=8050)\n", "app.run_server", None, 8050);
        one("from waitress import serve\nserve(app, port=8081)\n", "serve", every, 8081);
        assert_eq!(listens("import socket\ns.listen(5)\nasyncio.run(main())\n"), []);
    }
}
