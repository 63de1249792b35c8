//! Interfaces, and types that are objects.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::{children, text};
use super::super::{Field, ModelKind, add_field, one_line};
use super::File;

/// What a component is given is no data of the app's.
const PROPS: &str = "Props";

/// `interface A extends B { c: string }`
pub fn interface(file: &mut File, node: Node) {
    let Some(name) = node.child_by_field_name("name").map(|name| text(name, file.source)) else { return };
    let Some(body) = node.child_by_field_name("body") else { return };
    let clause = children(node).into_iter().find(|child| child.kind() == "extends_type_clause");
    let bases = clause.map(children).unwrap_or_default();
    let extends: Vec<String> = bases.iter().filter_map(|base| named(*base, file)).collect();
    let fields = members(body, file.source);
    if !name.ends_with(PROPS) && (!fields.is_empty() || !extends.is_empty()) {
        file.add(node, name, ModelKind::Interface, extends, fields);
    }
}

/// `type A = { b: string }`, `type A = B & { c: string }`
pub fn alias(file: &mut File, node: Node) {
    let Some(name) = node.child_by_field_name("name").map(|name| text(name, file.source)) else { return };
    let Some(value) = node.child_by_field_name("value") else { return };
    let parts = match value.kind() {
        "intersection_type" => children(value),
        _ => vec![value],
    };
    let mut fields = Vec::new();
    let mut extends = Vec::new();
    for part in parts {
        match part.kind() {
            "object_type" => {
                members(part, file.source).into_iter().for_each(|field| add_field(&mut fields, field))
            }
            "type_identifier" | "generic_type" => extends.extend(named(part, file)),
            _ => {}
        }
    }
    if !name.ends_with(PROPS) && !fields.is_empty() {
        file.add(node, name, ModelKind::Type, extends, fields);
    }
}

/// The model a base names: of `Omit<User, "id">`, `User`.
fn named(node: Node, file: &File) -> Option<String> {
    const CHANGES: &[&str] = &["Omit", "Pick", "Partial", "Required", "Readonly"];
    let words = text(node, file.source).split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    let mut names = words.filter(|word| word.starts_with(char::is_uppercase) && !CHANGES.contains(word));
    names.next().map(one_line)
}

/// The properties of an object's type; its functions are not data.
fn members(body: Node, source: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    for member in children(body).into_iter().filter(|member| member.kind() == "property_signature") {
        let Some(name) = member.child_by_field_name("name") else { continue };
        let annotation = member.child_by_field_name("type").map(|kind| text(kind, source));
        let kind = one_line(annotation.unwrap_or("unknown").trim_start_matches(':'));
        let mut cursor = member.walk();
        let optional = member.children(&mut cursor).any(|part| part.kind() == "?");
        let nullable = kind.split('|').any(|option| matches!(option.trim(), "null" | "undefined"));
        let name = text(name, source).trim_matches(['"', '\'']).to_owned();
        add_field(&mut fields, Field { name, kind, required: !optional && !nullable });
    }
    fields
}
