//! Imports and exports of JavaScript and TypeScript.

use tree_sitter::Node;

use super::super::super::syntax::{Entry, Expr, Import, Imported, Statement, children, line, text};
use super::expressions::{expression, string};
use super::{documented_value, statement};

/// `import a, { b as c } from "x"`, `import * as a from "x"`, `import a = require("x")`.
pub fn import(node: Node, source: &str) -> Option<Statement> {
    let parts = children(node);
    let clause = parts.iter().find(|part| matches!(part.kind(), "import_clause" | "import_require_clause"));
    let from = node.child_by_field_name("source").or_else(|| {
        let clause = clause?;
        clause
            .child_by_field_name("source")
            .or_else(|| children(*clause).into_iter().find(|part| part.kind() == "string"))
    })?;
    let mut names = Vec::new();
    for part in clause.map(|clause| children(*clause)).unwrap_or_default() {
        match part.kind() {
            "identifier" if clause.is_some_and(|clause| clause.kind() == "import_require_clause") => {
                names.push(Imported::Module { alias: text(part, source).to_owned() });
            }
            "identifier" => names.push(named("default", text(part, source))),
            "namespace_import" => {
                let alias = children(part).first().map(|name| text(*name, source).to_owned());
                names.extend(alias.map(|alias| Imported::Module { alias }));
            }
            "named_imports" => {
                for specifier in children(part) {
                    if let Some((name, alias)) = specified(specifier, source) {
                        names.push(named(name, alias));
                    }
                }
            }
            _ => {}
        }
    }
    Some(Statement::Import(Import { line: line(node), from: string(from, source), names }))
}

/// Exports are imports or declarations, and then names of the module.
pub fn export(node: Node, doc: Option<String>, source: &str, depth: usize, out: &mut Vec<Statement>) {
    if let Some(from) = node.child_by_field_name("source") {
        return out.extend(export_from(node, &string(from, source), source));
    }
    let mut cursor = node.walk();
    let is_default = node.children(&mut cursor).any(|part| part.kind() == "default");
    if let Some(value) = node.child_by_field_name("value") {
        let value = documented_value(value, doc, source, depth);
        out.push(exported("default", value));
    } else if let Some(declaration) = node.child_by_field_name("declaration") {
        let from = out.len();
        statement(declaration, doc, source, depth, out);
        let names: Vec<String> = out[from..].iter().flat_map(declared).collect();
        for name in names {
            let exported_as = if is_default { "default" } else { name.as_str() };
            out.push(exported(exported_as, Expr::Name(name.clone())));
        }
    } else {
        for part in children(node) {
            match part.kind() {
                "export_clause" => out.extend(children(part).into_iter().filter_map(|specifier| {
                    let (name, alias) = specified(specifier, source)?;
                    Some(exported(alias, Expr::Name(name.to_owned())))
                })),
                // `export = value`.
                _ => out.push(Statement::Assign {
                    target: Expr::member(Expr::Name("module".to_owned()), "exports"),
                    value: expression(part, source, depth),
                    declares: false,
                }),
            }
        }
    }
}

/// `export * from`, `export * as a from`, `export { a as b } from`.
fn export_from(node: Node, from: &str, source: &str) -> Vec<Statement> {
    let required = || Expr::Require(from.to_owned(), line(node));
    let mut out = Vec::new();
    for part in children(node) {
        match part.kind() {
            "export_clause" => out.extend(children(part).into_iter().filter_map(|specifier| {
                let (name, alias) = specified(specifier, source)?;
                Some(exported(alias, Expr::member(required(), name)))
            })),
            "namespace_export" => {
                let alias = children(part).first().map(|name| text(*name, source).to_owned());
                out.extend(alias.map(|alias| exported(&alias, required())));
            }
            _ => {}
        }
    }
    if out.is_empty() {
        out.push(Statement::ExportAll(from.to_owned()));
    }
    out
}

/// The names a lowered declaration binds.
fn declared(statement: &Statement) -> Vec<String> {
    match statement {
        Statement::Function(function) => vec![function.name.clone()],
        Statement::Class(class) => vec![class.name.clone()],
        Statement::Assign { target: Expr::Name(name), .. } => vec![name.clone()],
        Statement::Assign { target: Expr::Map(entries), .. } => entries.iter().filter_map(bound).collect(),
        _ => Vec::new(),
    }
}

/// The name that one entry of a pattern binds.
fn bound(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Pair(_, Expr::Name(name)) => Some(name.clone()),
        _ => None,
    }
}

fn exported(name: &str, value: Expr) -> Statement {
    Statement::Export { name: name.to_owned(), value }
}

fn named(name: &str, alias: &str) -> Imported {
    Imported::Name { name: name.to_owned(), alias: alias.to_owned() }
}

fn specified<'s>(node: Node, source: &'s str) -> Option<(&'s str, &'s str)> {
    let name = text(node.child_by_field_name("name")?, source);
    Some((name, node.child_by_field_name("alias").map_or(name, |alias| text(alias, source))))
}
