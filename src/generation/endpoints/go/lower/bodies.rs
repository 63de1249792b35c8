//! What a handler reads a request's body into: `json.NewDecoder(r.Body).Decode(&item)`,
//! `c.ShouldBindJSON(&item)`, `c.BodyParser(item)`; the type is where the variable was declared.

use tree_sitter::Node;

use super::super::super::syntax::{children, text};

/// Methods that fill what they are given from the body.
const READERS: [&str; 9] = [
    "Decode",
    "BindJSON",
    "ShouldBindJSON",
    "ShouldBind",
    "ShouldBindBodyWith",
    "Bind",
    "BodyParser",
    "DecodeJSON",
    "MustBindWith",
];
/// Nodes of a function that are looked at: a handler of thousands reads its body early.
const MOST_NODES: usize = 4_000;
/// Longest type that is shown.
const LONGEST: usize = 300;

/// The type of the first variable of a function's own that is filled from the body.
pub fn read_into(function: Node, source: &str) -> Option<String> {
    let body = function.child_by_field_name("body")?;
    let mut declared: Vec<(&str, String)> = Vec::new();
    let mut stack = vec![body];
    for _ in 0..MOST_NODES {
        let node = stack.pop()?;
        match node.kind() {
            // Another function's own business.
            "func_literal" => continue,
            "var_spec" => declared.extend(variable(node, source)),
            "short_var_declaration" => declared.extend(short(node, source)),
            "call_expression" => {
                if let Some(found) = filled(node, source, &declared) {
                    return Some(found);
                }
            }
            _ => {}
        }
        // Taken from the end: the first child comes first.
        stack.extend(children(node).into_iter().rev());
    }
    None
}

/// `var item Item`.
fn variable<'s>(node: Node, source: &'s str) -> Option<(&'s str, String)> {
    let name = text(node.child_by_field_name("name")?, source);
    Some((name, shown(node.child_by_field_name("type")?, source)?))
}

/// `item := Item{}`, `item := &Item{}`, `item := new(Item)`.
fn short<'s>(node: Node, source: &'s str) -> Option<(&'s str, String)> {
    let only = |field: &str| {
        let list = children(node.child_by_field_name(field)?);
        (list.len() == 1).then(|| list[0])
    };
    let (name, mut value) = (only("left")?, only("right")?);
    if value.kind() == "unary_expression" {
        value = value.child_by_field_name("operand")?;
    }
    let kind = match value.kind() {
        "composite_literal" => value.child_by_field_name("type")?,
        "call_expression" if text(value.child_by_field_name("function")?, source) == "new" => {
            children(value.child_by_field_name("arguments")?).into_iter().next()?
        }
        _ => return None,
    };
    Some((text(name, source), shown(kind, source)?))
}

fn filled(call: Node, source: &str, declared: &[(&str, String)]) -> Option<String> {
    let function = call.child_by_field_name("function")?;
    let name = text(function.child_by_field_name("field")?, source);
    if !READERS.contains(&name) {
        return None;
    }
    let target = children(call.child_by_field_name("arguments")?).into_iter().next()?;
    let target = text(target, source).trim_start_matches('&');
    declared.iter().rev().find(|(name, _)| *name == target).map(|(_, kind)| kind.clone())
}

/// On one line; a structure without a name says its fields, if they are few.
fn shown(kind: Node, source: &str) -> Option<String> {
    let shown = text(kind, source).split_whitespace().collect::<Vec<_>>().join(" ");
    let tells = !shown.starts_with("map[") && !matches!(shown.as_str(), "any" | "interface{}" | "[]byte");
    (tells && shown.len() <= LONGEST).then_some(shown)
}
