//! Python's expressions.

use std::rc::Rc;

use tree_sitter::Node;

use super::super::super::syntax::{
    Argument, Call, Entry, Expr, Function, MAX_DEPTH, Statement, children, line, text, type_text, unescape,
};

pub fn expression(node: Node, source: &str, depth: usize) -> Expr {
    if depth >= MAX_DEPTH {
        return Expr::Unknown;
    }
    let depth = depth + 1;
    let field =
        |name| node.child_by_field_name(name).map_or(Expr::Unknown, |part| expression(part, source, depth));
    match node.kind() {
        "identifier" => Expr::Name(text(node, source).to_owned()),
        "false" => Expr::Text("False".to_owned()),
        "string" => string(node, source, depth),
        "concatenated_string" => Expr::Join(all(node, source, depth)),
        "attribute" => match node.child_by_field_name("attribute") {
            Some(name) => Expr::member(field("object"), text(name, source)),
            None => Expr::Unknown,
        },
        // What a name for it says of a parameter: `Annotated[Session, Depends(open)]`.
        "subscript" if text(node, source).starts_with("Annotated") => {
            Expr::Text(text(node, source).to_owned())
        }
        "ellipsis" => Expr::Text("...".to_owned()),
        "subscript" => Expr::Index(Box::new(field("value")), Box::new(field("subscript"))),
        "call" => call(node, source, depth),
        "list" | "tuple" | "set" | "pattern_list" | "expression_list" | "tuple_pattern" | "list_pattern" => {
            Expr::List(all(node, source, depth))
        }
        "dictionary" => {
            Expr::Map(children(node).into_iter().filter_map(|pair| entry(pair, source, depth)).collect())
        }
        "list_splat" => Expr::Spread(Box::new(first(node, source, depth))),
        "parenthesized_expression" | "await" => first(node, source, depth),
        "binary_operator" if operator(node, source) == "+" => Expr::Join(vec![field("left"), field("right")]),
        "boolean_operator" => Expr::Either(vec![field("left"), field("right")]),
        "conditional_expression" => {
            let parts = all(node, source, depth);
            Expr::Either(
                parts.into_iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| part).collect(),
            )
        }
        "named_expression" => Expr::Assign(Box::new((field("name"), field("value")))),
        "lambda" => Expr::Function(Rc::new(lambda(node, source, depth))),
        _ => Expr::Unknown,
    }
}

/// A string, f-strings with what they interpolate.
pub fn string(node: Node, source: &str, depth: usize) -> Expr {
    let raw = text(node, source).chars().take_while(|c| c.is_alphabetic()).any(|c| matches!(c, 'r' | 'R'));
    let mut parts = Vec::new();
    for child in children(node) {
        match child.kind() {
            "string_content" if raw => parts.push(Expr::Text(text(child, source).to_owned())),
            "string_content" => parts.push(Expr::Text(unescape(text(child, source)))),
            "interpolation" => {
                parts.push(
                    child
                        .child_by_field_name("expression")
                        .map_or(Expr::Unknown, |inner| expression(inner, source, depth + 1)),
                );
            }
            _ => {}
        }
    }
    match parts.pop() {
        None => Expr::Text(String::new()),
        Some(only) if parts.is_empty() && matches!(only, Expr::Text(_)) => only,
        Some(last) => {
            parts.push(last);
            Expr::Join(parts)
        }
    }
}

fn all(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    children(node).into_iter().map(|child| expression(child, source, depth)).collect()
}

fn first(node: Node, source: &str, depth: usize) -> Expr {
    children(node).first().map_or(Expr::Unknown, |inner| expression(*inner, source, depth))
}

fn operator<'s>(node: Node, source: &'s str) -> &'s str {
    node.child_by_field_name("operator").map_or("", |operator| text(operator, source))
}

fn entry(node: Node, source: &str, depth: usize) -> Option<Entry> {
    match node.kind() {
        "pair" => {
            let key = expression(node.child_by_field_name("key")?, source, depth);
            let value = expression(node.child_by_field_name("value")?, source, depth);
            Some(match key {
                Expr::Text(key) => Entry::Pair(key, value),
                key => Entry::Computed(key, value),
            })
        }
        "dictionary_splat" => Some(Entry::Spread(first(node, source, depth))),
        _ => None,
    }
}

fn call(node: Node, source: &str, depth: usize) -> Expr {
    let Some(function) = node.child_by_field_name("function") else { return Expr::Unknown };
    let named = function.child_by_field_name("attribute").unwrap_or(function);
    let list = node.child_by_field_name("arguments").filter(|list| list.kind() == "argument_list");
    let arguments = list.map(children).unwrap_or_default();
    Expr::Call(Box::new(Call {
        callee: expression(function, source, depth),
        arguments: arguments.into_iter().filter_map(|child| argument(child, source, depth)).collect(),
        line: line(named),
    }))
}

fn argument(node: Node, source: &str, depth: usize) -> Option<Argument> {
    Some(match node.kind() {
        "keyword_argument" => keyword(node, source, depth)?,
        "dictionary_splat" => Argument { name: Some("**".to_owned()), value: first(node, source, depth) },
        _ => Argument { name: None, value: expression(node, source, depth) },
    })
}

fn keyword(node: Node, source: &str, depth: usize) -> Option<Argument> {
    let name = text(node.child_by_field_name("name")?, source).to_owned();
    let value = node.child_by_field_name("value")?;
    // The type of an answer is of interest as it is written: `list[Item]`.
    let value = match name.as_str() {
        "response_model" | "response" if !matches!(value.kind(), "none" | "string") => {
            type_text(Some(value), source).map_or(Expr::Unknown, Expr::Text)
        }
        _ => expression(value, source, depth),
    };
    Some(Argument { name: Some(name), value })
}

fn lambda(node: Node, source: &str, depth: usize) -> Function {
    let body = node.child_by_field_name("body").map(|body| expression(body, source, depth));
    Function {
        name: "<lambda>".to_owned(),
        line: line(node),
        returns: None,
        parameters: Vec::new(),
        body: body.map(Statement::Return).into_iter().collect(),
        decorators: Vec::new(),
        doc: None,
        registers: false,
        verbs: Vec::new(),
        reads: None,
    }
}
