//! Zod: `z.object({ name: z.string().optional() })`, and what is built on such a schema.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::text;
use super::super::{Field, add_field, one_line};
use super::objects;

const MAX_DEPTH: usize = 30;

#[derive(Debug, Default)]
pub struct Schema {
    pub extends: Vec<String>,
    pub fields: Vec<Field>,
}

/// The schema of an object that a chain of calls makes; `None` when it makes something else.
pub fn object(node: Node, source: &str) -> Option<Schema> {
    let mut schema = Schema::default();
    chain(node, source, 0, &mut schema).then_some(schema)
}

fn chain(node: Node, source: &str, depth: usize, schema: &mut Schema) -> bool {
    let Some((name, Some(on))) = objects::callee(node, source).filter(|_| depth < MAX_DEPTH) else {
        return false;
    };
    let first = objects::arguments(node).first().and_then(|first| objects::object(*first));
    let is_root = matches!(text(on, source), "z" | "zod");
    match (name, first) {
        ("object" | "strictObject" | "looseObject", Some(fields)) if is_root => add(fields, source, schema),
        ("extend" | "safeExtend", Some(fields)) => {
            if on.kind() == "identifier" && !is_root {
                schema.extends.push(text(on, source).to_owned());
            } else if !chain(on, source, depth + 1, schema) {
                return false;
            }
            add(fields, source, schema);
        }
        _ if is_root || on.kind() == "identifier" => return false,
        _ => return chain(on, source, depth + 1, schema),
    }
    true
}

fn add(object: Node, source: &str, schema: &mut Schema) {
    for (name, value) in objects::entries(object, source) {
        let (kind, required) = type_of(value, source, 0);
        add_field(&mut schema.fields, Field { name: name.to_owned(), kind: one_line(&kind), required });
    }
}

/// The type a chain begins with, and whether nothing in it says that it may be absent.
fn type_of(value: Node, source: &str, depth: usize) -> (String, bool) {
    let mut required = true;
    let mut many = false;
    let mut at = value;
    for _ in 0..MAX_DEPTH {
        let Some((name, on)) = objects::callee(at, source).filter(|_| at.kind() == "call_expression") else {
            break;
        };
        let from_root = on.is_some_and(|on| {
            let on = text(on, source);
            matches!(on, "z" | "zod" | "z.coerce" | "zod.coerce")
        });
        if from_root {
            let inner = objects::arguments(at).first().copied();
            return root(name, inner, source, depth, required, many);
        }
        required &= !matches!(name, "optional" | "nullish" | "nullable" | "default" | "catch");
        many |= name == "array";
        let Some(on) = on else { break };
        at = on;
    }
    let named = if at.kind() == "identifier" { text(at, source) } else { "unknown" };
    (if many { format!("{named}[]") } else { named.to_owned() }, required)
}

fn root(
    name: &str,
    inner: Option<Node>,
    source: &str,
    depth: usize,
    required: bool,
    many: bool,
) -> (String, bool) {
    let inside = |inner: Option<Node>| {
        inner.filter(|_| depth < MAX_DEPTH).map(|inner| type_of(inner, source, depth + 1))
    };
    let (kind, required) = match name {
        "array" | "set" => {
            (format!("{}[]", inside(inner).map_or_else(|| "unknown".to_owned(), |(kind, _)| kind)), required)
        }
        "optional" | "nullable" => {
            (inside(inner).map_or_else(|| "unknown".to_owned(), |(kind, _)| kind), false)
        }
        "literal" => (inner.map_or("literal", |inner| text(inner, source)).to_owned(), required),
        _ => (name.to_owned(), required),
    };
    (if many { format!("{kind}[]") } else { kind }, required)
}
