//! Prisma's schema language: `model User { id Int @id }`.

use super::{Field, Model, ModelKind, add_field, one_line};

/// The models, types and views of a schema.
pub fn read(path: &str, text: &str) -> Vec<Model> {
    let mut all = Vec::new();
    let mut open: Option<Model> = None;
    let mut doc: Vec<&str> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix("///") {
            doc.push(comment.trim());
            continue;
        }
        match &mut open {
            None => open = opened(path, at, line, &doc),
            Some(_) if line.starts_with('}') => all.extend(open.take()),
            Some(model) => {
                if let Some(field) = field(line) {
                    add_field(&mut model.fields, field);
                }
            }
        }
        doc.clear();
    }
    // A block that nothing closes is still a block.
    all.extend(open);
    all
}

fn opened(path: &str, at: usize, line: &str, doc: &[&str]) -> Option<Model> {
    let (word, rest) = line.split_once(char::is_whitespace)?;
    if !matches!(word, "model" | "type" | "view") {
        return None;
    }
    let name = rest.trim().strip_suffix('{')?.trim();
    let description = doc.join("\n");
    Some(Model {
        name: name.to_owned(),
        kind: ModelKind::Prisma,
        extends: Vec::new(),
        fields: Vec::new(),
        description: (!description.is_empty()).then_some(description),
        file: path.to_owned(),
        line: u32::try_from(at + 1).unwrap_or(u32::MAX),
    })
}

/// `email String? @unique`; attributes of the whole block begin with `@@`.
fn field(line: &str) -> Option<Field> {
    let line = line.split("//").next().unwrap_or(line);
    let mut words = line.split_whitespace();
    let name = words.next().filter(|name| name.starts_with(|c: char| c.is_alphabetic()))?;
    let kind = words.next()?;
    let has_default = line.contains("@default(") || line.contains("@updatedAt");
    let required = !kind.ends_with('?') && !kind.ends_with("[]") && !has_default;
    Some(Field { name: name.to_owned(), kind: one_line(kind), required })
}
