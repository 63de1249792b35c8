//! Python's imports.

use tree_sitter::Node;

use super::super::super::syntax::{Import, Imported, Statement, children, line, text};

/// `import a.b` binds `a`; `import a.b as c` binds `a.b`.
pub fn import(node: Node, source: &str, out: &mut Vec<Statement>) {
    for child in children(node) {
        let (from, alias) = match child.kind() {
            "aliased_import" => match aliased(child, source) {
                Some(both) => both,
                None => continue,
            },
            _ => {
                let first = text(child, source).split('.').next().unwrap_or_default();
                (first, first)
            }
        };
        let names = vec![Imported::Module { alias: alias.to_owned() }];
        out.push(Statement::Import(Import { line: line(node), from: from.to_owned(), names }));
    }
}

/// `from a.b import c as d`.
pub fn import_from(node: Node, source: &str) -> Option<Statement> {
    let module = node.child_by_field_name("module_name")?;
    let mut names = Vec::new();
    for child in children(node).into_iter().filter(|child| child.id() != module.id()) {
        match child.kind() {
            "wildcard_import" => names.push(Imported::Everything),
            "aliased_import" => {
                if let Some((name, alias)) = aliased(child, source) {
                    names.push(Imported::Name { name: name.to_owned(), alias: alias.to_owned() });
                }
            }
            "dotted_name" => {
                let name = text(child, source).to_owned();
                names.push(Imported::Name { name: name.clone(), alias: name });
            }
            _ => {}
        }
    }
    let from = text(module, source).split_whitespace().collect();
    Some(Statement::Import(Import { line: line(node), from, names }))
}

fn aliased<'s>(node: Node, source: &'s str) -> Option<(&'s str, &'s str)> {
    let name = node.child_by_field_name("name")?;
    let alias = node.child_by_field_name("alias")?;
    Some((text(name, source), text(alias, source)))
}
