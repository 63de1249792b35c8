//! Expressions and patterns of JavaScript and TypeScript.

use std::rc::Rc;

use tree_sitter::Node;

use super::super::super::syntax::{Argument, Call, Entry, Expr, MAX_DEPTH, children, line, text, unescape};
use super::functions::{class, function};

pub fn expression(node: Node, source: &str, depth: usize) -> Expr {
    if depth >= MAX_DEPTH {
        return Expr::Unknown;
    }
    let depth = depth + 1;
    let field =
        |name| node.child_by_field_name(name).map_or(Expr::Unknown, |part| expression(part, source, depth));
    match node.kind() {
        "identifier" | "shorthand_property_identifier" => Expr::Name(text(node, source).to_owned()),
        "this" => Expr::Name("this".to_owned()),
        "string" => Expr::Text(string(node, source)),
        "template_string" => Expr::Join(template(node, source, depth)),
        "member_expression" => match node.child_by_field_name("property") {
            Some(name) => Expr::member(field("object"), text(name, source).trim_start_matches('#')),
            None => Expr::Unknown,
        },
        "subscript_expression" => Expr::Index(Box::new(field("object")), Box::new(field("index"))),
        "call_expression" => call(node, "function", source, depth),
        "new_expression" => call(node, "constructor", source, depth),
        "array" => Expr::List(all(node, source, depth)),
        "object" => {
            Expr::Map(children(node).into_iter().filter_map(|entry| pair(entry, source, depth)).collect())
        }
        "spread_element" => Expr::Spread(Box::new(first(node, source, depth))),
        "arrow_function" | "function_expression" | "generator_function" => {
            Expr::Function(Rc::new(function(node, None, source, depth)))
        }
        "class" => Expr::Class(Rc::new(class(node, None, source, depth))),
        "parenthesized_expression"
        | "await_expression"
        | "as_expression"
        | "satisfies_expression"
        | "non_null_expression"
        | "instantiation_expression" => first(node, source, depth),
        "type_assertion" | "sequence_expression" => {
            children(node).last().map_or(Expr::Unknown, |last| expression(*last, source, depth))
        }
        // A chance for `void main()` and `!function () {…}()`.
        "unary_expression" => Expr::Index(Box::new(field("argument")), Box::new(Expr::Unknown)),
        "binary_expression" => match node.child_by_field_name("operator").map_or("", |op| text(op, source)) {
            "+" => Expr::Join(vec![field("left"), field("right")]),
            "||" | "??" => Expr::Either(vec![field("left"), field("right")]),
            "&&" => Expr::Either(vec![field("right"), field("left")]),
            _ => Expr::Unknown,
        },
        "ternary_expression" => Expr::Either(vec![field("consequence"), field("alternative")]),
        "assignment_expression" => {
            let target =
                node.child_by_field_name("left").map_or(Expr::Unknown, |left| pattern(left, source, depth));
            Expr::Assign(Box::new((target, field("right"))))
        }
        _ => Expr::Unknown,
    }
}

/// What is bound or assigned to: a name, a member, or a pattern of those.
pub fn pattern(node: Node, source: &str, depth: usize) -> Expr {
    if depth >= MAX_DEPTH {
        return Expr::Unknown;
    }
    let depth = depth + 1;
    match node.kind() {
        "shorthand_property_identifier_pattern" => Expr::Name(text(node, source).to_owned()),
        "array_pattern" => {
            Expr::List(children(node).into_iter().map(|child| pattern(child, source, depth)).collect())
        }
        "object_pattern" => {
            Expr::Map(children(node).into_iter().filter_map(|entry| taken(entry, source, depth)).collect())
        }
        "assignment_pattern" | "object_assignment_pattern" => {
            let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
            let target = left.map_or(Expr::Unknown, |left| pattern(left, source, depth));
            Expr::Either(vec![target, right.map_or(Expr::Unknown, |right| expression(right, source, depth))])
        }
        "rest_pattern" => {
            children(node).first().map_or(Expr::Unknown, |inner| pattern(*inner, source, depth))
        }
        _ => expression(node, source, depth),
    }
}

/// One entry of a pattern that takes an object apart.
fn taken(node: Node, source: &str, depth: usize) -> Option<Entry> {
    match node.kind() {
        "shorthand_property_identifier_pattern" => {
            let name = text(node, source).to_owned();
            Some(Entry::Pair(name.clone(), Expr::Name(name)))
        }
        "object_assignment_pattern" => {
            let name = text(node.child_by_field_name("left")?, source).to_owned();
            Some(Entry::Pair(name, pattern(node, source, depth)))
        }
        "pair_pattern" => {
            let key = text(node.child_by_field_name("key")?, source).trim_matches(['"', '\'']).to_owned();
            Some(Entry::Pair(key, pattern(node.child_by_field_name("value")?, source, depth)))
        }
        "rest_pattern" => Some(Entry::Spread(pattern(node, source, depth))),
        _ => None,
    }
}

fn call(node: Node, callee: &str, source: &str, depth: usize) -> Expr {
    let Some(callee) = node.child_by_field_name(callee) else { return Expr::Unknown };
    let list = node.child_by_field_name("arguments").filter(|list| list.kind() == "arguments");
    let arguments: Vec<Expr> = list.map(|list| all(list, source, depth)).unwrap_or_default();
    if matches!(text(callee, source), "require" | "import")
        && let [Expr::Text(from)] = &arguments[..]
    {
        return Expr::Require(from.clone(), line(callee));
    }
    let named = callee.child_by_field_name("property").unwrap_or(callee);
    Expr::Call(Box::new(Call {
        callee: expression(callee, source, depth),
        arguments: arguments.into_iter().map(|value| Argument { name: None, value }).collect(),
        line: line(named),
    }))
}

fn all(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    children(node).into_iter().map(|child| expression(child, source, depth)).collect()
}

fn first(node: Node, source: &str, depth: usize) -> Expr {
    children(node).first().map_or(Expr::Unknown, |inner| expression(*inner, source, depth))
}

/// What stands between the quotes.
pub fn string(node: Node, source: &str) -> String {
    let quoted = text(node, source);
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    unescape(inside)
}

fn template(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    let parts = children(node).into_iter().map(|part| match part.kind() {
        "template_substitution" => first(part, source, depth),
        _ => Expr::Text(unescape(text(part, source))),
    });
    parts.collect()
}

fn pair(node: Node, source: &str, depth: usize) -> Option<Entry> {
    match node.kind() {
        "pair" => {
            let key = node.child_by_field_name("key")?;
            let value = expression(node.child_by_field_name("value")?, source, depth);
            Some(match key.kind() {
                "string" => Entry::Pair(string(key, source), value),
                "computed_property_name" => Entry::Computed(first(key, source, depth), value),
                _ => Entry::Pair(text(key, source).to_owned(), value),
            })
        }
        "shorthand_property_identifier" => {
            let name = text(node, source).to_owned();
            Some(Entry::Pair(name.clone(), Expr::Name(name)))
        }
        "spread_element" => Some(Entry::Spread(first(node, source, depth))),
        "method_definition" => {
            let name = text(node.child_by_field_name("name")?, source).to_owned();
            Some(Entry::Pair(name, Expr::Function(Rc::new(function(node, None, source, depth)))))
        }
        _ => None,
    }
}
