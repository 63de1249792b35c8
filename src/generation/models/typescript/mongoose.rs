//! Mongoose: schemas, and the models that are made of them.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::{children, text};
use super::super::{Field, Model, ModelKind, add_field, one_line};
use super::{File, objects};

const MAX_DEPTH: usize = 20;

/// The fields of a schema's object.
pub fn fields(object: Node, source: &str, depth: usize) -> Vec<Field> {
    let mut all = Vec::new();
    for (name, value) in objects::entries(object, source) {
        let options = objects::object(value);
        let option = |name| options.and_then(|options| objects::entry(options, name, source));
        let must = option("required")
            .is_some_and(|must| text(must, source).trim_start_matches('[').starts_with("true"));
        let required = must && option("default").is_none();
        let kind = one_line(&type_of(value, source, depth));
        add_field(&mut all, Field { name: name.to_owned(), kind, required });
    }
    all
}

/// `String`, `[String]`, `{ type: String }`, `{ type: Schema.Types.ObjectId, ref: "User" }`; an
/// object that says no type is one itself.
fn type_of(value: Node, source: &str, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "object".to_owned();
    }
    match value.kind() {
        "array" => {
            let inner = children(value).first().map(|inner| type_of(*inner, source, depth + 1));
            format!("{}[]", inner.unwrap_or_else(|| "unknown".to_owned()))
        }
        "object" => match objects::entry(value, "type", source) {
            Some(kind) => {
                let kind = type_of(kind, source, depth + 1);
                let points =
                    objects::entry(value, "ref", source).and_then(|name| objects::string(name, source));
                points.map_or_else(|| kind.clone(), |name| format!("{kind}({name})"))
            }
            None => "object".to_owned(),
        },
        "member_expression" => {
            value.child_by_field_name("property").map_or("unknown", |name| text(name, source)).to_owned()
        }
        _ => text(value, source).to_owned(),
    }
}

/// `mongoose.model("User", userSchema)`, and with the schema made right here.
pub fn model(file: &mut File, arguments: &[Node], declared_by: Node) {
    let source = file.source;
    let [name, schema, ..] = arguments else { return };
    let Some(name) = objects::string(*name, source) else { return };
    match schema.kind() {
        "identifier" => file.named.push((text(*schema, source).to_owned(), name.to_owned())),
        "new_expression" | "call_expression" => {
            let object = objects::arguments(*schema).first().and_then(|one| objects::object(*one));
            if let Some(object) = object {
                let fields = fields(object, source, 0);
                file.add(declared_by, name, ModelKind::Mongoose, Vec::new(), fields);
            }
        }
        _ => {}
    }
}

/// Gives schemas the names of the models that are made of them; one without a model is named
/// after its variable: `userSchema` is `User`.
pub fn named(mut models: Vec<Model>, names: &[(String, String)]) -> Vec<Model> {
    for model in models.iter_mut().filter(|model| model.kind == ModelKind::Mongoose) {
        let given = names.iter().find(|(variable, _)| *variable == model.name);
        model.name = match given {
            Some((_, name)) => name.clone(),
            None => capitalised(model.name.strip_suffix("Schema").unwrap_or(&model.name)),
        };
    }
    models
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
