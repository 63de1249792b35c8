//! What a file does when it is run and not when a server imports it: the statements under
//! `if __name__ == "__main__"`; and whether importing it starts a server already.

use tree_sitter::{Node, Tree};

use super::PyFile;
use crate::generation::syntax::{children, line_of, text_of};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The first line under the guard that does more than to start a server.
    pub work: Option<usize>,
    /// Some of that work is named as what an app needs before it can serve: `init_db()`.
    pub prepares: bool,
    /// A server is started under the guard.
    pub serves: bool,
    /// The line that starts a server whenever the file is imported.
    pub serves_on_import: Option<usize>,
    /// A `finally` is waiting for the server to end.
    pub finally: bool,
}

/// Statements looked at, so that no file takes long.
const MAX_STATEMENTS: usize = 2000;

/// Statements under a guard that are followed into what they call.
const MAX_FOLLOWED: usize = 20;

pub fn read(tree: &Tree, text: &str, file: &PyFile) -> Program {
    let reader = Reader { text, file };
    let mut program = Program::default();
    for statement in children(tree.root_node()) {
        match guarded(statement, text) {
            Some(block) => reader.under_guard(statement, block, &mut program),
            None => reader.at_the_top(statement, &mut program),
        }
    }
    program
}

/// The block under `if __name__ == …:`.
fn guarded<'t>(statement: Node<'t>, text: &str) -> Option<Node<'t>> {
    let condition = statement.child_by_field_name("condition").filter(|_| statement.kind() == "if_statement");
    let is_guard = condition.is_some_and(|condition| text_of(condition, text).contains("__name__"));
    statement.child_by_field_name("consequence").filter(|_| is_guard)
}

struct Reader<'s> {
    text: &'s str,
    file: &'s PyFile,
}

impl<'s> Reader<'s> {
    fn of(&self, node: Node<'_>) -> &'s str {
        text_of(node, self.text)
    }

    fn under_guard(&self, statement: Node<'_>, block: Node<'_>, program: &mut Program) {
        for (index, leaf) in leaves(block).into_iter().enumerate() {
            let main = if index < MAX_FOLLOWED { self.main_function(leaf) } else { None };
            match main {
                Some(body) => leaves(body).into_iter().for_each(|leaf| self.note(leaf, program)),
                None => self.note(leaf, program),
            }
        }
        program.finally |= program.serves && self.of(statement).contains("finally:");
    }

    fn at_the_top(&self, statement: Node<'_>, program: &mut Program) {
        if program.serves_on_import.is_some() {
            return;
        }
        let start = leaves(statement)
            .into_iter()
            .find(|leaf| called(*leaf).is_some_and(|call| self.starts_server(self.name(call))));
        program.serves_on_import = start.map(line_of);
    }

    fn note(&self, leaf: Node<'_>, program: &mut Program) {
        let Some(call) = called(leaf) else { return };
        let name = self.name(call);
        if self.starts_server(name) {
            program.serves = true;
        } else if !is_quiet(name) {
            program.work.get_or_insert(line_of(leaf));
            program.prepares |= prepares(self.of(call));
        }
    }

    fn name(&self, call: Node<'_>) -> &'s str {
        call.child_by_field_name("function").map_or("", |function| self.of(function))
    }

    /// The body of `main`, where the statement is `main()` and a server is started in it.
    fn main_function<'t>(&self, leaf: Node<'t>) -> Option<Node<'t>> {
        let name = self.name(called(leaf)?);
        let mut root = leaf;
        while let Some(parent) = root.parent() {
            root = parent;
        }
        let mut functions = children(root).into_iter().filter(|node| node.kind() == "function_definition");
        let of_name = |node: &Node<'_>| node.child_by_field_name("name").is_some_and(|n| self.of(n) == name);
        let body = functions.rfind(of_name)?.child_by_field_name("body")?;
        let serves = |leaf: Node<'_>| called(leaf).is_some_and(|call| self.starts_server(self.name(call)));
        leaves(body).into_iter().any(serves).then_some(body)
    }

    /// Only calls that what runs the file for its work knows to stop at.
    fn starts_server(&self, function: &str) -> bool {
        const USUAL: [&str; 6] = ["app", "application", "server", "socketio", "sio", "api"];
        let taken = |name: &str, package: &str| {
            let mut imports = self.file.imports.iter().filter(|import| import.top() == package);
            imports.any(|import| import.takes(&[name]))
        };
        match function.rsplit_once('.') {
            Some(("uvicorn", "run") | ("waitress", "serve")) => true,
            Some((on, "run" | "run_server")) => {
                let known = self.file.apps.iter().map(|app| app.name.as_str());
                let made = self.file.calls.iter().filter(|call| call.1.to_ascii_lowercase().contains("app"));
                let mut known = known.chain(made.map(|call| call.0.as_str()));
                USUAL.contains(&on) || known.any(|name| name.split('.').next() == Some(on))
            }
            Some(_) => false,
            None => function == "serve" && taken("serve", "waitress"),
        }
    }
}

/// The simple statements of a block, those in its `if`, `try`, `with` and loops among them, and
/// those of functions and classes not.
fn leaves(block: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut waiting = vec![block];
    while let Some(node) = waiting.pop() {
        if found.len() >= MAX_STATEMENTS {
            break;
        }
        match node.kind() {
            "block" | "if_statement" | "elif_clause" | "else_clause" | "try_statement" | "except_clause"
            | "finally_clause" | "with_statement" | "for_statement" | "while_statement" => {
                waiting.extend(children(node).into_iter().rev());
            }
            "expression_statement" => found.push(node),
            _ => {}
        }
    }
    found
}

/// The call that a statement is, or that it assigns or awaits the value of.
fn called(statement: Node<'_>) -> Option<Node<'_>> {
    let mut node = statement;
    for _ in 0..4 {
        node = match node.kind() {
            "call" => return Some(node),
            "expression_statement" | "await" => children(node).into_iter().next()?,
            "assignment" => node.child_by_field_name("right")?,
            _ => return None,
        };
    }
    None
}

/// It reads arguments and settings, or says something: nothing is missed where it is not done.
fn is_quiet(function: &str) -> bool {
    const ON: [&str; 9] =
        ["logging", "logger", "log", "parser", "argparse", "os.environ", "environ", "args", "config"];
    const NAMES: [&str; 14] = [
        "print",
        "int",
        "str",
        "bool",
        "float",
        "len",
        "getenv",
        "get",
        "lower",
        "strip",
        "ArgumentParser",
        "parse_args",
        "load_dotenv",
        "freeze_support",
    ];
    let (on, name) = function.rsplit_once('.').unwrap_or(("", function));
    NAMES.contains(&name) || ON.contains(&on)
}

fn prepares(call: &str) -> bool {
    let lower = call.to_ascii_lowercase();
    ["init", "create", "seed", "setup", "set_up", "migrat", "populate", "db", "table", "load_"]
        .iter()
        .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::scan;

    fn program(text: &str) -> (Option<usize>, bool, Option<usize>) {
        let program = scan("app.py", text).program;
        (program.work, program.serves, program.serves_on_import)
    }

    #[test]
    fn work_under_the_guard_is_told_from_a_start() {
        let head = "from flask import Flask\napp = Flask(__name__)\ndef main():\n    seed()\n    app.run()\n";
        let guard = |body: &str| program(&format!("{head}if __name__ == '__main__':\n{body}"));
        assert_eq!(guard("    app.run(debug=True)\n"), (None, true, None));
        let quiet =
            "    import os\n    port = int(os.getenv('PORT', 1))\n    print(port)\n    app.run(port=port)\n";
        assert_eq!(guard(quiet), (None, true, None));
        let tables = "    with app.app_context():\n        db.create_all()\n    app.run()\n";
        assert_eq!(guard(tables), (Some(8), true, None));
        assert_eq!(guard("    init_db()\n    app.run()\n"), (Some(7), true, None));
        assert_eq!(guard("    main()\n"), (Some(4), true, None));
        assert_eq!(guard("    test()\n"), (Some(7), false, None));
    }

    #[test]
    fn a_server_started_by_an_import_is_seen() {
        let text = "import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nuvicorn.run(app)\n";
        assert_eq!(program(text), (None, false, Some(4)));
        let inside = "from fastapi import FastAPI\napp = FastAPI()\ndef start():\n    uvicorn.run(app)\n";
        assert_eq!(program(inside), (None, false, None));
    }
}
