//! The syntax trees of JavaScript and TypeScript to the little language of
//! [`syntax`].

mod bodies;
mod expressions;
mod functions;
mod modules;

use std::rc::Rc;
use std::sync::LazyLock;

use tree_sitter::{Language as Grammar, Node, Parser};

use super::super::jsdoc;
use super::super::sources::Language;
use super::super::syntax::{
    self, Expr, Lowered, MAX_DEPTH, Statement, children, first_error, is_trivia, text,
};
use crate::generation::tagged::readable;
use expressions::{expression, pattern};
use functions::{class, function};

static JAVASCRIPT: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_javascript::LANGUAGE.into());
static TYPESCRIPT: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into());
static TSX: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_typescript::LANGUAGE_TSX.into());

/// The statements of a file; what does not parse is left out.
pub fn lower(parser: &mut Parser, language: Language, source: &str) -> Lowered {
    let grammar = match language {
        Language::TypeScript => &TYPESCRIPT,
        Language::Tsx => &TSX,
        _ => &JAVASCRIPT,
    };
    match syntax::parse(parser, grammar, &readable(source)) {
        Some(tree) => Lowered { statements: block(tree.root_node(), source, 0), broken: first_error(&tree) },
        None => Lowered::default(),
    }
}

/// The statements of a block, each with the comment right above it.
fn block(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    let mut statements = Vec::new();
    if depth >= MAX_DEPTH {
        return statements;
    }
    for (child, doc) in documented(node, source) {
        statement(child, doc, source, depth + 1, &mut statements);
    }
    statements
}

/// The children that are no comments, with the comment that ends right above each.
fn documented<'t>(node: Node<'t>, source: &str) -> Vec<(Node<'t>, Option<String>)> {
    let mut all = Vec::new();
    let mut comment: Option<(String, usize)> = None;
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        let (first, last) = (child.start_position().row, child.end_position().row);
        let above = comment.take().filter(|(_, end)| first <= end + 1);
        if !is_trivia(child) {
            all.push((child, above.and_then(|(text, _)| jsdoc::clean(&text))));
            continue;
        }
        let words = text(child, source);
        comment = match above {
            Some((above, _)) if words.starts_with("//") && above.starts_with("//") && above.len() < 4_000 => {
                Some((format!("{above}\n{words}"), last))
            }
            _ => Some((words.to_owned(), last)),
        };
    }
    all
}

fn statement(node: Node, doc: Option<String>, source: &str, depth: usize, out: &mut Vec<Statement>) {
    let inner =
        |name| node.child_by_field_name(name).map_or(Expr::Unknown, |part| expression(part, source, depth));
    match node.kind() {
        "expression_statement" => {
            for child in children(node) {
                out.push(expression_statement(child, doc.clone(), source, depth));
            }
        }
        "lexical_declaration" | "variable_declaration" => declarations(node, doc, source, depth, out),
        "function_declaration" | "generator_function_declaration" => {
            out.push(Statement::Function(Rc::new(function(node, doc, source, depth))));
        }
        "class_declaration" | "abstract_class_declaration" => {
            out.push(Statement::Class(Rc::new(class(node, doc, source, depth))));
        }
        "import_statement" => out.extend(modules::import(node, source)),
        "export_statement" => modules::export(node, doc, source, depth, out),
        "return_statement" => {
            let value =
                children(node).first().map_or(Expr::Unknown, |value| expression(*value, source, depth));
            out.push(Statement::Return(value));
        }
        "for_in_statement" => {
            let target =
                node.child_by_field_name("left").map_or(Expr::Unknown, |left| pattern(left, source, depth));
            let body =
                node.child_by_field_name("body").map(|body| body_of(body, source, depth)).unwrap_or_default();
            out.push(Statement::Loop { target, over: inner("right"), body });
        }
        "statement_block" | "ERROR" | "program" | "switch_case" | "switch_default" => {
            out.extend(block(node, source, depth));
        }
        "if_statement" | "try_statement" | "for_statement" | "while_statement" | "do_statement"
        | "else_clause" | "catch_clause" | "finally_clause" | "switch_statement" | "switch_body"
        | "labeled_statement" => {
            let branches = branch_bodies(node, source, depth);
            out.push(Statement::Branches(branches));
        }
        _ => {}
    }
}

/// A statement or block, as statements.
fn body_of(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    let mut statements = Vec::new();
    if depth < MAX_DEPTH {
        statement(node, None, source, depth + 1, &mut statements);
    }
    statements
}

/// What a compound statement may run: its children that are statements.
fn branch_bodies(node: Node, source: &str, depth: usize) -> Vec<Vec<Statement>> {
    let bodies = children(node).into_iter().map(|child| body_of(child, source, depth));
    bodies.filter(|body| !body.is_empty()).collect()
}

fn expression_statement(node: Node, doc: Option<String>, source: &str, depth: usize) -> Statement {
    match node.kind() {
        "assignment_expression" => {
            let part = |name| node.child_by_field_name(name);
            let target = part("left").map_or(Expr::Unknown, |left| pattern(left, source, depth));
            let value =
                part("right").map_or(Expr::Unknown, |right| documented_value(right, doc, source, depth));
            Statement::Assign { target, value, declares: false }
        }
        _ => Statement::Expression { value: expression(node, source, depth), doc },
    }
}

/// A function that is assigned is documented by the comment above the assignment.
fn documented_value(node: Node, doc: Option<String>, source: &str, depth: usize) -> Expr {
    match (functions::is_function(node), doc) {
        (true, Some(doc)) => Expr::Function(Rc::new(function(node, Some(doc), source, depth))),
        _ => expression(node, source, depth),
    }
}

/// `const a = …, b = …`.
fn declarations(node: Node, doc: Option<String>, source: &str, depth: usize, out: &mut Vec<Statement>) {
    for child in children(node).into_iter().filter(|child| child.kind() == "variable_declarator") {
        let Some(name) = child.child_by_field_name("name") else { continue };
        let value = child.child_by_field_name("value");
        let value = value.map_or(Expr::Unknown, |value| documented_value(value, doc.clone(), source, depth));
        out.push(Statement::Assign { target: pattern(name, source, depth), value, declares: true });
    }
}
