//! The metadata's `entryPoint`: a command, or the name of what is to be started.

use super::error::PlanError;
use super::quoting::split_words;

/// What a command starts, as far as it can be told from its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryPoint {
    /// A server given an app: `uvicorn app.main:app --workers 2`, or only `app.main:app`.
    PythonServer { server: Option<&'static Server>, argv: Vec<String>, target: Option<Target> },
    /// `python main.py`, or only `main.py`.
    PythonFile { path: String, argv: Vec<String> },
    /// `python -m app`.
    PythonModule { module: String, argv: Vec<String> },
    /// `node server.js`, or only `server.js`.
    NodeFile { path: String, argv: Vec<String> },
    /// `npm start`, `npm run x`.
    NodeScript { script: String, argv: Vec<String> },
    /// Any other program; believed.
    Other { argv: Vec<String> },
}

/// `module:attribute`, or `module:factory()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which word of the command it is.
    pub at: usize,
    pub module: String,
    pub attribute: String,
}

/// How a program that serves Python apps is told where to listen.
#[derive(Debug, PartialEq, Eq)]
pub struct Server {
    pub program: &'static str,
    /// The package that brings it.
    pub package: &'static str,
    pub bind: Bind,
    pub asgi: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// `--host H --port P`.
    HostPort,
    /// `--bind H:P`, short `-b`.
    Address,
    /// `-b H -p P`.
    Short,
    /// `--listen=H:P`.
    Listen,
}

pub const UVICORN: Server =
    Server { program: "uvicorn", package: "uvicorn", bind: Bind::HostPort, asgi: true };
pub const GUNICORN: Server =
    Server { program: "gunicorn", package: "gunicorn", bind: Bind::Address, asgi: false };

static SERVERS: [Server; 8] = [
    UVICORN,
    GUNICORN,
    Server { program: "hypercorn", package: "hypercorn", bind: Bind::Address, asgi: true },
    Server { program: "daphne", package: "daphne", bind: Bind::Short, asgi: true },
    Server { program: "granian", package: "granian", bind: Bind::HostPort, asgi: true },
    Server { program: "waitress-serve", package: "waitress", bind: Bind::Listen, asgi: false },
    Server { program: "flask", package: "flask", bind: Bind::HostPort, asgi: false },
    Server { program: "fastapi", package: "fastapi-cli", bind: Bind::HostPort, asgi: true },
];

impl EntryPoint {
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let argv =
            split_words(text).filter(|argv| !argv[0].is_empty()).ok_or_else(|| PlanError::EntryPoint {
                message: "expected a command; a quote is not closed or nothing is there".into(),
            })?;
        Ok(Self::of(argv))
    }

    pub fn is_python(&self) -> bool {
        matches!(self, Self::PythonServer { .. } | Self::PythonFile { .. } | Self::PythonModule { .. })
    }

    pub fn is_node(&self) -> bool {
        matches!(self, Self::NodeFile { .. } | Self::NodeScript { .. })
    }

    /// The words as given.
    pub fn argv(&self) -> &[String] {
        match self {
            Self::PythonServer { argv, .. }
            | Self::PythonFile { argv, .. }
            | Self::PythonModule { argv, .. }
            | Self::NodeFile { argv, .. }
            | Self::NodeScript { argv, .. }
            | Self::Other { argv } => argv,
        }
    }

    fn of(argv: Vec<String>) -> Self {
        let program = argv[0].as_str();
        let second = argv.get(1).map(String::as_str);
        if let Some(server) = server_named(program) {
            let target = target_in(&argv);
            return Self::PythonServer { server: Some(server), argv, target };
        }
        match (program, second) {
            (python, Some("-m")) if is_python_program(python) && argv.len() > 2 => of_module(argv),
            (python, Some(path)) if is_python_program(python) && path.ends_with(".py") => {
                Self::PythonFile { path: relative(path), argv }
            }
            ("node" | "nodejs", Some(_)) => match argv[1..].iter().find(|word| !word.starts_with('-')) {
                Some(path) => Self::NodeFile { path: relative(path), argv },
                None => Self::Other { argv },
            },
            ("npm" | "pnpm" | "yarn", Some("run")) if argv.len() > 2 => {
                Self::NodeScript { script: argv[2].clone(), argv }
            }
            ("npm" | "pnpm" | "yarn", Some(script @ ("start" | "dev" | "serve" | "test"))) => {
                Self::NodeScript { script: script.to_owned(), argv }
            }
            (path, None) if path.ends_with(".py") => {
                Self::PythonFile { path: relative(path), argv: vec!["python".into(), path.into()] }
            }
            (path, None) if is_node_file(path) => {
                Self::NodeFile { path: relative(path), argv: vec!["node".into(), path.into()] }
            }
            (_, None) if target_of(0, program).is_some() => {
                Self::PythonServer { server: None, target: target_of(0, program), argv }
            }
            _ => Self::Other { argv },
        }
    }
}

/// `python -m uvicorn app:app` is `uvicorn app:app`.
fn of_module(argv: Vec<String>) -> EntryPoint {
    let module = argv[2].clone();
    match server_named(&module) {
        Some(server) => {
            let argv = argv[2..].to_vec();
            let target = target_in(&argv);
            EntryPoint::PythonServer { server: Some(server), argv, target }
        }
        None => EntryPoint::PythonModule { module, argv },
    }
}

fn server_named(program: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.program == program)
}

fn is_python_program(program: &str) -> bool {
    program == "python" || program.strip_prefix("python3").is_some_and(|rest| rest.len() <= 3)
}

fn is_node_file(path: &str) -> bool {
    [".js", ".mjs", ".cjs"].iter().any(|end| path.ends_with(end))
}

fn relative(path: &str) -> String {
    path.trim_start_matches("./").to_owned()
}

fn target_in(argv: &[String]) -> Option<Target> {
    argv.iter().enumerate().skip(1).find_map(|(at, word)| target_of(at, word))
}

fn target_of(at: usize, word: &str) -> Option<Target> {
    let (module, attribute) = word.split_once(':')?;
    let dotted = |text: &str| {
        !text.is_empty()
            && text.split('.').all(|part| {
                part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                    && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            })
    };
    let name = attribute.strip_suffix("()").unwrap_or(attribute);
    (dotted(module) && dotted(name)).then(|| Target {
        at,
        module: module.to_owned(),
        attribute: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> (String, String) {
        match EntryPoint::parse(text).expect("a command") {
            EntryPoint::PythonServer { target: Some(target), .. } => (target.module, target.attribute),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_are_recognised() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(target("uvicorn app.main:app --host 1.2.3.4"), pair("app.main", "app"));
        assert_eq!(target("python3 -m uvicorn main:api"), pair("main", "api"));
        assert_eq!(target("gunicorn -w 2 'app:create_app()'"), pair("app", "create_app"));
        assert_eq!(target("gunicorn -b 0.0.0.0:80 wsgi:app"), pair("wsgi", "app"));
        assert_eq!(target("app.main:app"), pair("app.main", "app"));
        assert!(
            matches!(EntryPoint::parse("./main.py"), Ok(EntryPoint::PythonFile { path, .. }) if path == "main.py")
        );
        assert!(
            matches!(EntryPoint::parse("node --inspect server.js"), Ok(EntryPoint::NodeFile { path, .. }) if path == "server.js")
        );
        assert!(
            matches!(EntryPoint::parse("npm run serve"), Ok(EntryPoint::NodeScript { script, .. }) if script == "serve")
        );
        assert!(matches!(EntryPoint::parse("./bin/go"), Ok(EntryPoint::Other { .. })));
        assert_eq!(
            EntryPoint::parse("python 'a").map_err(|e| e.field().to_owned()),
            Err("metadata.entryPoint".into())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_command_or_none(text in any::<String>()) {
            let _ = EntryPoint::parse(&text);
        }
    }
}
