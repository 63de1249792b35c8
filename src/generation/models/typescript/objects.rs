//! Object literals and chains of calls, as schemas are written.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::{children, text};

/// The entries of an object literal: name and value. Shorthand ones have no value of their own.
pub fn entries<'t, 's>(object: Node<'t>, source: &'s str) -> Vec<(&'s str, Node<'t>)> {
    let mut all = Vec::new();
    for entry in children(object) {
        match entry.kind() {
            "pair" => {
                let (key, value) = (entry.child_by_field_name("key"), entry.child_by_field_name("value"));
                if let (Some(key), Some(value)) = (key, value) {
                    all.push((text(key, source).trim_matches(['"', '\'']), value));
                }
            }
            "shorthand_property_identifier" => all.push((text(entry, source), entry)),
            _ => {}
        }
    }
    all
}

/// The value of one entry.
pub fn entry<'t>(object: Node<'t>, name: &str, source: &str) -> Option<Node<'t>> {
    entries(object, source).into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What is called: the last name, and what it is a name of.
pub fn callee<'t, 's>(call: Node<'t>, source: &'s str) -> Option<(&'s str, Option<Node<'t>>)> {
    let field = if call.kind() == "new_expression" { "constructor" } else { "function" };
    let callee = call.child_by_field_name(field)?;
    match callee.kind() {
        "identifier" => Some((text(callee, source), None)),
        "member_expression" => {
            let name = callee.child_by_field_name("property")?;
            Some((text(name, source), callee.child_by_field_name("object")))
        }
        _ => None,
    }
}

/// The arguments of a call.
pub fn arguments(call: Node) -> Vec<Node> {
    call.child_by_field_name("arguments").map(children).unwrap_or_default()
}

/// The text between the quotes of a string.
pub fn string<'s>(node: Node, source: &'s str) -> Option<&'s str> {
    (node.kind() == "string").then(|| text(node, source).trim_matches(['"', '\'']))
}

/// The first argument that is an object literal, where it may be wrapped in a function.
pub fn object(node: Node) -> Option<Node> {
    match node.kind() {
        "object" => Some(node),
        "parenthesized_expression" | "as_expression" | "satisfies_expression" => object(node.named_child(0)?),
        "arrow_function" => object(node.child_by_field_name("body")?),
        _ => None,
    }
}
