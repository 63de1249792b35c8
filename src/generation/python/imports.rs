//! Imports of a Python file.

use tree_sitter::Node;

use crate::generation::syntax::{children, line_of, text_of};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `a.b`; empty in `from . import x`.
    pub module: String,
    /// Names taken from it; empty for `import a.b`.
    pub names: Vec<String>,
    /// Dots in front: 0 for an absolute import.
    pub level: usize,
    pub line: usize,
    /// Inside a function or a `try`: the program may live without it.
    pub optional: bool,
}

impl Import {
    /// `a` of `a.b`.
    pub fn top(&self) -> &str {
        self.module.split('.').next().unwrap_or_default()
    }
}

/// The imports of one statement, and the other names it gives things: (other name, name).
pub fn imports_of(node: Node<'_>, text: &str, optional: bool) -> (Vec<Import>, Vec<(String, String)>) {
    let line = line_of(node);
    let mut aliases = Vec::new();
    let mut names = Vec::new();
    let module = node.child_by_field_name("module_name");
    for child in children(node) {
        if Some(child) == module {
            continue;
        }
        match child.kind() {
            "dotted_name" => names.push(text_of(child, text).to_owned()),
            "aliased_import" => {
                let part =
                    |field| child.child_by_field_name(field).map(|node| text_of(node, text).to_owned());
                if let (Some(name), Some(alias)) = (part("name"), part("alias")) {
                    aliases.push((alias, name.clone()));
                    names.push(name);
                }
            }
            _ => {}
        }
    }
    let Some(module) = module else {
        let import = |module| Import { module, names: Vec::new(), level: 0, line, optional };
        return (names.into_iter().map(import).collect(), aliases);
    };
    let module = text_of(module, text);
    let level = module.chars().take_while(|c| *c == '.').count();
    let module = module.trim_start_matches('.').trim().to_owned();
    (vec![Import { module, names, level, line, optional }], aliases)
}
