//! Calls that make schemas: which library's they are.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::text;
use super::super::{Field, ModelKind, add_field, one_line};
use super::{File, mongoose, objects, zod};

/// How far down a chain of calls one looks for what it begins with.
const MAX_CHAIN: usize = 30;

/// A value that a variable is given, or that stands alone.
pub fn value(file: &mut File, variable: Option<&str>, node: Node, declared_by: Node) {
    let source = file.source;
    if !matches!(node.kind(), "call_expression" | "new_expression") {
        return;
    }
    let Some((name, object)) = objects::callee(node, source) else { return };
    let arguments = objects::arguments(node);
    match name {
        "Schema" => {
            if let (Some(variable), Some(fields)) =
                (variable, arguments.first().and_then(|one| objects::object(*one)))
            {
                let fields = mongoose::fields(fields, source, 0);
                file.add(declared_by, variable, ModelKind::Mongoose, Vec::new(), fields);
            }
        }
        "model" => mongoose::model(file, &arguments, declared_by),
        "pgTable" | "mysqlTable" | "sqliteTable" => {
            if let [table, columns, ..] = &arguments[..] {
                let named = variable.or_else(|| objects::string(*table, source)).unwrap_or_default();
                if let Some(columns) = objects::object(*columns) {
                    file.add(declared_by, named, ModelKind::Drizzle, Vec::new(), columns_of(columns, source));
                }
            }
        }
        "define" => {
            if let [model, columns, ..] = &arguments[..]
                && let (Some(model), Some(columns)) =
                    (objects::string(*model, source), objects::object(*columns))
            {
                file.add(declared_by, model, ModelKind::Sequelize, Vec::new(), attributes(columns, source));
            }
        }
        // `User.init({ … }, { sequelize })`
        "init" if arguments.len() == 2 => {
            let model =
                object.filter(|object| object.kind() == "identifier").map(|object| text(object, source));
            if let (Some(model), Some(columns)) = (model, objects::object(arguments[0])) {
                file.add(declared_by, model, ModelKind::Sequelize, Vec::new(), attributes(columns, source));
            }
        }
        _ => {
            if let (Some(variable), Some(schema)) = (variable, zod::object(node, source)) {
                file.add(declared_by, variable, ModelKind::Zod, schema.extends, schema.fields);
            }
        }
    }
}

/// Drizzle: `id: serial("id").primaryKey()`.
fn columns_of(columns: Node, source: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, value) in objects::entries(columns, source) {
        let mut names = Vec::new();
        let mut at = Some(value);
        while let Some(call) = at.filter(|_| names.len() < MAX_CHAIN) {
            let Some((called, object)) = objects::callee(call, source) else { break };
            names.push(called);
            at = object;
        }
        let kind = names.last().copied().unwrap_or("unknown");
        let says = |wanted: &[&str]| names.iter().any(|name| wanted.contains(name));
        let filled = says(&[
            "default",
            "defaultNow",
            "$default",
            "$defaultFn",
            "primaryKey",
            "generatedAlwaysAsIdentity",
        ]);
        let required = says(&["notNull"]) && !filled;
        add_field(&mut fields, Field { name: name.to_owned(), kind: one_line(kind), required });
    }
    fields
}

/// Sequelize: `name: DataTypes.STRING`, `name: { type: DataTypes.STRING, allowNull: false }`.
fn attributes(columns: Node, source: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, value) in objects::entries(columns, source) {
        let options = objects::object(value);
        let option = |name| options.and_then(|options| objects::entry(options, name, source));
        let kind = if options.is_some() { option("type") } else { Some(value) };
        let kind = kind.map_or("unknown", |kind| text(kind, source));
        let kind = kind.trim_start_matches("DataTypes.").trim_start_matches("Sequelize.");
        let must = option("allowNull").is_some_and(|allowed| text(allowed, source) == "false");
        let required = must && option("defaultValue").is_none() && option("autoIncrement").is_none();
        add_field(&mut fields, Field { name: name.to_owned(), kind: one_line(kind), required });
    }
    fields
}
