//! Go's structs that are data: those with a tag that says what a field is called elsewhere. Read by
//! their lines, which is enough for them.

use super::{Field, Model, ModelKind, add_field, one_line};

/// Tags of libraries that read or write the field.
const TAGS: [&str; 8] = ["json", "gorm", "db", "bson", "form", "xml", "yaml", "uri"];

pub fn read(path: &str, text: &str) -> Vec<Model> {
    let mut all = Vec::new();
    let mut open: Option<(Model, bool)> = None;
    let mut doc: Vec<&str> = Vec::new();
    // Structs within structs, whose fields are not those of the whole.
    let mut depth = 0_usize;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some((model, tagged)) = &mut open else {
            match line.strip_prefix("//") {
                Some(comment) => doc.push(comment.trim()),
                None => {
                    open = opened(path, at, line, &doc).map(|model| (model, false));
                    doc.clear();
                }
            }
            continue;
        };
        if line.ends_with('{') {
            depth += 1;
        } else if line.starts_with('}') && depth > 0 {
            depth -= 1;
        } else if line.starts_with('}') {
            if *tagged {
                all.push(model.clone());
            }
            open = None;
        } else if depth == 0 {
            *tagged |= member(model, line);
        }
    }
    all
}

/// `type User struct {`, also within `type (…)`.
fn opened(path: &str, at: usize, line: &str, doc: &[&str]) -> Option<Model> {
    let rest = line.strip_suffix('{')?.trim_end().strip_suffix("struct")?.trim_end();
    let name = rest.strip_prefix("type ").unwrap_or(rest).trim();
    let name = name.split('[').next().unwrap_or(name);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let description = doc.join("\n");
    plain.then(|| Model {
        name: name.to_owned(),
        kind: ModelKind::Struct,
        extends: Vec::new(),
        fields: Vec::new(),
        description: (!description.is_empty()).then_some(description),
        file: path.to_owned(),
        line: u32::try_from(at + 1).unwrap_or(u32::MAX),
    })
}

/// `Name string `json:"name,omitempty"``, or an embedded struct; whether it has a tag.
fn member(model: &mut Model, line: &str) -> bool {
    let (declared, tag) = match line.split_once('`') {
        Some((declared, rest)) => (declared, rest.split('`').next().unwrap_or_default()),
        None => (line.split("//").next().unwrap_or(line), ""),
    };
    let tagged = TAGS.iter().any(|name| tag.contains(&format!("{name}:\"")));
    let (name, kind) = match declared.trim().split_once(char::is_whitespace) {
        Some((name, kind)) => (name, kind.trim()),
        None => {
            let embedded = declared.trim().trim_start_matches('*');
            if embedded.starts_with(|c: char| c.is_alphabetic()) {
                model.extends.push(one_line(embedded));
            }
            return tagged || embedded == "gorm.Model";
        }
    };
    if !name.starts_with(|c: char| c.is_uppercase()) || kind.is_empty() {
        return tagged;
    }
    let called = value(tag, "json").or_else(|| value(tag, "form")).unwrap_or_default();
    let (called, options) = called.split_once(',').unwrap_or((called, ""));
    if called != "-" {
        let optional = options.contains("omitempty") || kind.starts_with('*');
        let name = if called.is_empty() { name } else { called };
        add_field(
            &mut model.fields,
            Field { name: name.to_owned(), kind: one_line(kind), required: !optional },
        );
    }
    tagged
}

/// What a tag says under a name.
fn value<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!("{name}:\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_with_tags_are_models() {
        let text = "package main\n\n// A user of the app.\ntype User struct {\n\tgorm.Model\n\tID    int `json:\"id\"`\n\tEmail *string `json:\"email\" binding:\"required\"` // unique\n\tNotes []Note `json:\"notes,omitempty\"`\n\tHash string `json:\"-\"`\n\tmu sync.Mutex\n\tInner struct {\n\t\tX int `json:\"x\"`\n\t} `json:\"inner\"`\n}\n\ntype Server struct {\n\tdb *sql.DB\n}\n";
        let found = read("main.go", text);
        assert_eq!(found.len(), 1, "{found:?}");
        let user = &found[0];
        assert_eq!(
            (user.name.as_str(), user.line, user.extends.as_slice()),
            ("User", 4, ["gorm.Model".to_owned()].as_slice())
        );
        assert_eq!(user.description.as_deref(), Some("A user of the app."));
        let fields: Vec<(&str, &str, bool)> = user
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.kind.as_str(), field.required))
            .collect();
        assert_eq!(fields, [("id", "int", true), ("email", "*string", false), ("notes", "[]Note", false)]);
    }
}
