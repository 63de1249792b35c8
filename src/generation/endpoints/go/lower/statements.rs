//! Go's statements.

use tree_sitter::Node;

use super::super::super::syntax::{Expr, MAX_DEPTH, Statement, children, text};
use super::expressions::{expression, list};

/// The statements of a block.
pub fn block(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    let mut statements = Vec::new();
    if depth < MAX_DEPTH {
        for child in children(node) {
            statement(child, source, depth + 1, &mut statements);
        }
    }
    statements
}

fn statement(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    let field = |name| node.child_by_field_name(name);
    match node.kind() {
        "statement_list" | "ERROR" => out.extend(block(node, source, depth)),
        "block" => out.push(Statement::Branches(vec![block(node, source, depth)])),
        "expression_statement" | "go_statement" | "defer_statement" => {
            let value = node.named_child(0).map_or(Expr::Unknown, |value| expression(value, source, depth));
            out.push(Statement::Expression { value, doc: None });
        }
        "short_var_declaration" => out.extend(assignment(node, true, source, depth)),
        "assignment_statement" => out.extend(assignment(node, false, source, depth)),
        "var_declaration" | "const_declaration" => declarations(node, source, depth, out),
        "return_statement" => {
            let values = node.named_child(0).map(|values| list(values, source, depth)).unwrap_or_default();
            out.push(Statement::Return(one_or_list(values)));
        }
        "for_statement" => out.push(for_loop(node, source, depth)),
        "if_statement" => {
            if let Some(first) = field("initializer") {
                statement(first, source, depth, out);
            }
            let branches = ["consequence", "alternative"].iter().filter_map(|name| field(name));
            let branches = branches.map(|branch| block_or_if(branch, source, depth)).collect();
            out.push(Statement::Branches(branches));
        }
        "expression_switch_statement" | "type_switch_statement" | "select_statement" => {
            let cases = children(node).into_iter().filter(|case| case.kind().ends_with("_case"));
            out.push(Statement::Branches(cases.map(|case| block(case, source, depth)).collect()));
        }
        "labeled_statement" => {
            if let Some(inner) = children(node).last().filter(|_| depth < MAX_DEPTH) {
                statement(*inner, source, depth + 1, out);
            }
        }
        _ => {}
    }
}

fn block_or_if(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    if node.kind() == "block" {
        return block(node, source, depth);
    }
    let mut inner = Vec::new();
    if depth < MAX_DEPTH {
        statement(node, source, depth + 1, &mut inner);
    }
    inner
}

fn assignment(node: Node, declares: bool, source: &str, depth: usize) -> Option<Statement> {
    let targets = list(node.child_by_field_name("left")?, source, depth);
    let values = list(node.child_by_field_name("right")?, source, depth);
    Some(Statement::Assign { target: one_or_list(targets), value: one_or_list(values), declares })
}

/// `for _, item := range items`: of two variables the second is the item.
fn for_loop(node: Node, source: &str, depth: usize) -> Statement {
    let range = children(node).into_iter().find(|child| child.kind() == "range_clause");
    let part = |name| range.and_then(|range| range.child_by_field_name(name));
    let target = part("left").map(|left| list(left, source, depth)).and_then(|mut all| all.pop());
    let over = part("right").map_or(Expr::Unknown, |right| expression(right, source, depth));
    let body = node.child_by_field_name("body").map(|body| block(body, source, depth)).unwrap_or_default();
    Statement::Loop { target: target.unwrap_or_default(), over, body }
}

/// `const a, b = 1, 2`, alone or in brackets.
pub fn declarations(node: Node, source: &str, depth: usize, out: &mut Vec<Statement>) {
    for child in children(node) {
        match child.kind() {
            "var_spec_list" if depth < MAX_DEPTH => declarations(child, source, depth + 1, out),
            "const_spec" | "var_spec" => {
                let values = child.child_by_field_name("value");
                let values = values.map(|values| list(values, source, depth)).unwrap_or_default();
                let mut cursor = child.walk();
                let names: Vec<Expr> = child
                    .children_by_field_name("name", &mut cursor)
                    .filter(|name| name.kind() == "identifier")
                    .map(|name| Expr::Name(text(name, source).to_owned()))
                    .collect();
                let (target, value) = (one_or_list(names), one_or_list(values));
                out.push(Statement::Assign { target, value, declares: true });
            }
            _ => {}
        }
    }
}

fn one_or_list(mut all: Vec<Expr>) -> Expr {
    match all.len() {
        0 => Expr::Unknown,
        1 => all.swap_remove(0),
        _ => Expr::List(all),
    }
}
