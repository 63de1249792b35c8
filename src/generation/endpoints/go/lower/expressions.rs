//! Go's expressions.

use std::rc::Rc;

use tree_sitter::Node;

use super::super::super::syntax::{Argument, Call, Entry, Expr, MAX_DEPTH, children, line, text, unescape};
use super::function;

pub fn expression(node: Node, source: &str, depth: usize) -> Expr {
    if depth >= MAX_DEPTH {
        return Expr::Unknown;
    }
    let depth = depth + 1;
    let field =
        |name| node.child_by_field_name(name).map_or(Expr::Unknown, |part| expression(part, source, depth));
    match node.kind() {
        "identifier" | "type_identifier" | "package_identifier" => Expr::Name(text(node, source).to_owned()),
        "interpreted_string_literal" | "raw_string_literal" => Expr::Text(string(node, source)),
        "selector_expression" => member(node, "operand", "field", source, depth),
        "qualified_type" => member(node, "package", "name", source, depth),
        "generic_type" => field("type"),
        "call_expression" => call(node, source, depth),
        "composite_literal" => composite(node, source, depth),
        "literal_value" => literal(node, source, depth),
        "func_literal" => Expr::Function(Rc::new(function(node, None, source, depth))),
        "unary_expression" | "type_assertion_expression" | "type_conversion_expression" => field("operand"),
        "index_expression" => Expr::Index(Box::new(field("operand")), Box::new(field("index"))),
        "parenthesized_expression" | "literal_element" | "expression_list" | "pointer_type" => {
            children(node).first().map_or(Expr::Unknown, |inner| expression(*inner, source, depth))
        }
        "binary_expression" => match node.child_by_field_name("operator").map_or("", |op| text(op, source)) {
            "+" => Expr::Join(vec![field("left"), field("right")]),
            _ => Expr::Unknown,
        },
        _ => Expr::Unknown,
    }
}

/// The expressions of a list.
pub fn list(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    match node.kind() {
        "expression_list" => all(node, source, depth),
        _ => vec![expression(node, source, depth)],
    }
}

/// What stands between the quotes.
pub fn string(node: Node, source: &str) -> String {
    let quoted = text(node, source);
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    match node.kind() {
        "raw_string_literal" => inside.to_owned(),
        _ => unescape(inside),
    }
}

fn all(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    children(node).into_iter().map(|child| expression(child, source, depth)).collect()
}

fn member(node: Node, object: &str, name: &str, source: &str, depth: usize) -> Expr {
    let (object, name) = (node.child_by_field_name(object), node.child_by_field_name(name));
    match (object, name) {
        (Some(object), Some(name)) => Expr::member(expression(object, source, depth), text(name, source)),
        _ => Expr::Unknown,
    }
}

fn call(node: Node, source: &str, depth: usize) -> Expr {
    let Some(callee) = node.child_by_field_name("function") else { return Expr::Unknown };
    let arguments = node.child_by_field_name("arguments").map(|list| all(list, source, depth));
    let mut arguments = arguments.unwrap_or_default();
    let callee = match text(callee, source) {
        // `new(Server)`
        "new" if arguments.len() == 1 => arguments.swap_remove(0),
        _ => expression(callee, source, depth),
    };
    let named = node.child_by_field_name("function").and_then(|callee| callee.child_by_field_name("field"));
    Expr::Call(Box::new(Call {
        callee,
        arguments: arguments.into_iter().map(|value| Argument { name: None, value }).collect(),
        line: line(named.unwrap_or(node)),
    }))
}

/// `Server{router: r}` makes an instance; `[]Route{…}` is a list, `map[string]Route{…}` a map.
fn composite(node: Node, source: &str, depth: usize) -> Expr {
    let (Some(of), Some(body)) = (node.child_by_field_name("type"), node.child_by_field_name("body")) else {
        return Expr::Unknown;
    };
    match of.kind() {
        "type_identifier" | "qualified_type" | "generic_type" => {
            let arguments = match literal(body, source, depth) {
                Expr::Map(entries) => entries.into_iter().filter_map(argument).collect(),
                _ => Vec::new(),
            };
            let callee = expression(of, source, depth);
            Expr::Call(Box::new(Call { callee, arguments, line: line(node) }))
        }
        "slice_type" | "array_type" | "implicit_length_array_type" => Expr::List(all(body, source, depth)),
        _ => literal(body, source, depth),
    }
}

fn argument(entry: Entry) -> Option<Argument> {
    match entry {
        Entry::Pair(name, value) => Some(Argument { name: Some(name), value }),
        _ => None,
    }
}

/// `{key: value}`, or `{value, value}`.
fn literal(node: Node, source: &str, depth: usize) -> Expr {
    let elements = children(node);
    if !elements.iter().any(|element| element.kind() == "keyed_element") {
        return Expr::List(all(node, source, depth));
    }
    let pair = |element: &Node| match &children(*element)[..] {
        [key, value, ..] => {
            let name = text(*key, source).trim_matches(['"', '`']).to_owned();
            Some(Entry::Pair(name, expression(*value, source, depth)))
        }
        _ => None,
    };
    Expr::Map(elements.iter().filter_map(pair).collect())
}
