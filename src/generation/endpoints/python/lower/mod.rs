//! Python's syntax tree to the little language of [`syntax`].

mod expressions;
mod imports;

use std::rc::Rc;
use std::sync::LazyLock;

use tree_sitter::{Language, Node, Parser};

use super::super::syntax::{
    self, Class, Expr, Function, Lowered, MAX_DEPTH, Parameter, Statement, children, first_error, line, text,
    type_text,
};
use super::super::verbs;
use expressions::{expression, string};

static PYTHON: LazyLock<Language> = LazyLock::new(|| tree_sitter_python::LANGUAGE.into());

/// The statements of a file; what does not parse is left out.
pub fn lower(parser: &mut Parser, source: &str) -> Lowered {
    match syntax::parse(parser, &PYTHON, source) {
        Some(tree) => Lowered { statements: block(tree.root_node(), source, 0), broken: first_error(&tree) },
        None => Lowered::default(),
    }
}

fn block(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    let mut statements = Vec::new();
    if depth < MAX_DEPTH {
        for child in children(node) {
            statement(child, source, depth + 1, &mut statements);
        }
    }
    statements
}

fn statement(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    match node.kind() {
        "expression_statement" => expression_statement(node, source, depth, out),
        "decorated_definition" => decorated(node, source, depth, out),
        "function_definition" => {
            out.push(Statement::Function(Rc::new(function(node, source, depth, Vec::new()))))
        }
        "class_definition" => out.push(Statement::Class(Rc::new(class(node, source, depth, Vec::new())))),
        "import_statement" => imports::import(node, source, out),
        "import_from_statement" => out.extend(imports::import_from(node, source)),
        "return_statement" => {
            let value = node.named_child(0).map_or(Expr::Unknown, |value| expression(value, source, depth));
            out.push(Statement::Return(value));
        }
        "for_statement" => out.push(for_loop(node, source, depth)),
        "if_statement" | "try_statement" | "with_statement" | "while_statement" | "match_statement" => {
            let mut branches = Vec::new();
            collect_branches(node, source, depth, &mut branches);
            out.push(Statement::Branches(branches));
        }
        // What follows a syntax error is often whole again.
        "ERROR" => out.extend(block(node, source, depth)),
        _ => {}
    }
}

/// The blocks below a compound statement.
fn collect_branches(node: Node, source: &str, depth: usize, branches: &mut Vec<Vec<Statement>>) {
    if depth >= MAX_DEPTH {
        return;
    }
    for child in children(node) {
        match child.kind() {
            "block" => branches.push(block(child, source, depth + 1)),
            "elif_clause"
            | "else_clause"
            | "except_clause"
            | "finally_clause"
            | "case_clause"
            | "ERROR"
            | "except_group_clause" => collect_branches(child, source, depth + 1, branches),
            _ => {}
        }
    }
}

fn for_loop(node: Node, source: &str, depth: usize) -> Statement {
    let part =
        |name| node.child_by_field_name(name).map_or(Expr::Unknown, |part| expression(part, source, depth));
    let body = node.child_by_field_name("body").map(|body| block(body, source, depth)).unwrap_or_default();
    Statement::Loop { target: part("left"), over: part("right"), body }
}

fn expression_statement(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    for child in children(node) {
        match child.kind() {
            "assignment" => assignment(child, source, depth, out),
            "augmented_assignment" => out.extend(augmented(child, source, depth)),
            _ => out.push(Statement::Expression { value: expression(child, source, depth), doc: None }),
        }
    }
}

/// `a = b = value` binds both.
fn assignment(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
    else {
        return;
    };
    let mut targets = vec![left];
    let mut value = right;
    while value.kind() == "assignment" && targets.len() < 10 {
        let (Some(left), Some(right)) =
            (value.child_by_field_name("left"), value.child_by_field_name("right"))
        else {
            return;
        };
        targets.push(left);
        value = right;
    }
    let first = expression(targets[0], source, depth);
    let value = expression(value, source, depth);
    out.push(Statement::Assign { target: first.clone(), value, declares: true });
    for target in &targets[1..] {
        let target = expression(*target, source, depth);
        out.push(Statement::Assign { target, value: first.clone(), declares: true });
    }
}

/// `routes += [...]` binds the name to both together.
fn augmented(node: Node, source: &str, depth: usize) -> Option<Statement> {
    let left = expression(node.child_by_field_name("left")?, source, depth);
    let right = expression(node.child_by_field_name("right")?, source, depth);
    Some(Statement::Assign { target: left.clone(), value: Expr::Join(vec![left, right]), declares: true })
}

fn decorated(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    let mut decorators = Vec::new();
    for child in children(node) {
        match child.kind() {
            "decorator" => {
                decorators.extend(child.named_child(0).map(|value| expression(value, source, depth)));
            }
            "function_definition" => {
                let function = function(child, source, depth, std::mem::take(&mut decorators));
                out.push(Statement::Function(Rc::new(function)));
            }
            "class_definition" => {
                let class = class(child, source, depth, std::mem::take(&mut decorators));
                out.push(Statement::Class(Rc::new(class)));
            }
            _ => {}
        }
    }
}

fn function(node: Node, source: &str, depth: usize, decorators: Vec<Expr>) -> Function {
    let body = node.child_by_field_name("body");
    Function {
        name: field_text(node, "name", source),
        line: line(node),
        returns: type_text(node.child_by_field_name("return_type"), source),
        parameters: node
            .child_by_field_name("parameters")
            .map(|list| {
                children(list).into_iter().filter_map(|child| parameter(child, source, depth)).collect()
            })
            .unwrap_or_default(),
        doc: body.and_then(|body| docstring(body, source)),
        registers: super::may_register(text(node, source)),
        verbs: verbs::compared(text(node, source)),
        reads: None,
        body: body.map(|body| block(body, source, depth)).unwrap_or_default(),
        decorators,
    }
}

fn parameter(node: Node, source: &str, depth: usize) -> Option<Parameter> {
    let name = match node.kind() {
        "identifier" => node,
        "list_splat_pattern" | "typed_parameter" | "dictionary_splat_pattern" => node.named_child(0)?,
        _ => node.child_by_field_name("name")?,
    };
    let rest = node.kind() == "list_splat_pattern" || name.kind() == "list_splat_pattern";
    let default = node.child_by_field_name("value").map(|value| expression(value, source, depth));
    let name = text(name, source).trim_start_matches('*').to_owned();
    let annotation = type_text(node.child_by_field_name("type"), source);
    Some(Parameter { target: Expr::Name(name), default, rest, annotation, decorators: Vec::new() })
}

fn class(node: Node, source: &str, depth: usize, decorators: Vec<Expr>) -> Class {
    let body = node.child_by_field_name("body");
    let bases = node.child_by_field_name("superclasses");
    Class {
        name: field_text(node, "name", source),
        bases: bases
            .map(|list| {
                let bases = children(list).into_iter().filter(|base| base.kind() != "keyword_argument");
                bases.map(|base| expression(generic(base), source, depth)).collect()
            })
            .unwrap_or_default(),
        doc: body.and_then(|body| docstring(body, source)),
        registers: super::may_register(text(node, source)),
        body: body.map(|body| block(body, source, depth)).unwrap_or_default(),
        fields: Vec::new(),
        decorators,
    }
}

/// `ModelViewSet[Item]` is a `ModelViewSet`.
fn generic(base: Node) -> Node {
    base.child_by_field_name("value").filter(|_| base.kind() == "subscript").unwrap_or(base)
}

fn field_text(node: Node, field: &str, source: &str) -> String {
    node.child_by_field_name(field).map(|name| text(name, source).to_owned()).unwrap_or_default()
}

/// The text a body starts with, indentation taken out as `inspect.cleandoc` does.
fn docstring(body: Node, source: &str) -> Option<String> {
    let first = children(body).into_iter().next().filter(|first| first.kind() == "expression_statement")?;
    let literal = first.named_child(0).filter(|literal| literal.kind() == "string")?;
    if text(literal, source).starts_with(['f', 'F', 'b', 'B']) {
        return None;
    }
    match string(literal, source, 0) {
        Expr::Text(text) => Some(clean_docstring(&text)).filter(|doc| !doc.is_empty()),
        _ => None,
    }
}

fn clean_docstring(raw: &str) -> String {
    let lines: Vec<&str> = raw.lines().collect();
    let indent = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let margin = lines.iter().skip(1).filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let cleaned: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if at == 0 { line.trim() } else { line.get(margin..).unwrap_or("").trim_end() })
        .collect();
    cleaned.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::clean_docstring;

    #[test]
    fn docstrings_lose_the_indentation_of_their_code() {
        assert_eq!(clean_docstring(" One.\n\n    Two\n      deep.\n    "), "One.\n\nTwo\n  deep.");
        assert_eq!(clean_docstring(""), "");
        assert_eq!(clean_docstring("a\n é\n\u{3000}b"), "a\n é\n\u{3000}b", "only spaces and tabs indent");
    }
}
