//! Classes whose decorators say what they are: entities of TypeORM, documents of Mongoose under
//! NestJS, tables of Sequelize, and the bodies that NestJS checks.

use tree_sitter::Node;

use super::super::super::endpoints::syntax::{children, text};
use super::super::{Field, ModelKind, add_field, one_line};
use super::File;

/// What TypeORM puts above a field.
const COLUMNS: &[&str] = &[
    "Column",
    "PrimaryColumn",
    "PrimaryGeneratedColumn",
    "CreateDateColumn",
    "UpdateDateColumn",
    "DeleteDateColumn",
    "VersionColumn",
    "ManyToOne",
    "OneToMany",
    "OneToOne",
    "ManyToMany",
    "ObjectIdColumn",
];
/// Filled in by the database.
const GENERATED: &[&str] =
    &["PrimaryGeneratedColumn", "CreateDateColumn", "UpdateDateColumn", "DeleteDateColumn", "VersionColumn"];

struct Member {
    field: Field,
    decorators: Vec<String>,
}

pub fn class(file: &mut File, node: Node) {
    let Some(name) = node.child_by_field_name("name").map(|name| text(name, file.source)) else { return };
    let Some(body) = node.child_by_field_name("body") else { return };
    let members: Vec<Member> =
        children(body).into_iter().filter_map(|child| member(child, file.source)).collect();
    let mut own = decorators(node, file.source);
    if let Some(around) = node.parent().filter(|parent| parent.kind() == "export_statement") {
        own.extend(decorators(around, file.source));
    }
    let Some(kind) = kind(name, &own, &members) else { return };
    let extends = bases(node, file.source);
    let mut fields = Vec::new();
    for member in members {
        if kind == ModelKind::Dto || !member.decorators.is_empty() {
            add_field(&mut fields, member.field);
        }
    }
    if !fields.is_empty() || !extends.is_empty() {
        file.add(node, name, kind, extends, fields);
    }
}

fn kind(name: &str, own: &[String], members: &[Member]) -> Option<ModelKind> {
    let has = |names: &[&str]| own.iter().any(|one| names.contains(&one.as_str()));
    let field_has = |wanted: &dyn Fn(&str) -> bool| {
        members.iter().any(|member| member.decorators.iter().any(|decorator| wanted(decorator)))
    };
    if has(&["Entity", "ViewEntity", "ChildEntity"]) {
        return Some(ModelKind::TypeOrm);
    }
    if has(&["Table"]) {
        return Some(ModelKind::Sequelize);
    }
    if has(&["Schema"]) && field_has(&|decorator| decorator == "Prop") {
        return Some(ModelKind::Mongoose);
    }
    if field_has(&|decorator| COLUMNS.contains(&decorator)) {
        return Some(ModelKind::TypeOrm);
    }
    let is_checked = |decorator: &str| {
        decorator.starts_with("ApiProperty")
            || decorator == "Field"
            || (decorator.starts_with("Is") && decorator.len() > 2)
    };
    let named = name.ends_with("Dto") || name.ends_with("DTO");
    (named || has(&["InputType", "ObjectType"]) || field_has(&is_checked)).then_some(ModelKind::Dto)
}

fn member(node: Node, source: &str) -> Option<Member> {
    if !matches!(node.kind(), "public_field_definition" | "field_definition") {
        return None;
    }
    let name = node.child_by_field_name("name").or_else(|| node.child_by_field_name("property"))?;
    let mut cursor = node.walk();
    let marks: Vec<&str> = node.children(&mut cursor).map(|part| part.kind()).collect();
    let is_own = |part: &Node| part.kind() == "accessibility_modifier" && text(*part, source) != "public";
    if marks.contains(&"static") || children(node).iter().any(is_own) {
        return None;
    }
    let decorators = decorators(node, source);
    let written = text(node, source);
    let kind = node.child_by_field_name("type").map(|kind| text(kind, source).trim_start_matches(':'));
    let kind = one_line(kind.unwrap_or("unknown"));
    let absent = marks.contains(&"?")
        || kind.split('|').any(|option| matches!(option.trim(), "null" | "undefined"))
        || node.child_by_field_name("value").is_some()
        || ["nullable: true", "required: false"].iter().any(|word| written.contains(word))
        || decorators.iter().any(|one| GENERATED.contains(&one.as_str()) || one.contains("Optional"));
    let name = text(name, source).trim_matches(['"', '\'', '#']).to_owned();
    Some(Member { field: Field { name, kind, required: !absent }, decorators })
}

/// The last names of the decorators among a node's children.
fn decorators(node: Node, source: &str) -> Vec<String> {
    let all = children(node).into_iter().filter(|child| child.kind() == "decorator");
    let name = |decorator: Node| {
        let written = text(decorator, source).trim_start_matches('@');
        let name = written.split(['(', '<']).next().unwrap_or(written);
        name.rsplit('.').next().unwrap_or(name).trim().to_owned()
    };
    all.map(name).collect()
}

/// `extends Base`, and of `extends PartialType(Base)` what is in the brackets.
fn bases(node: Node, source: &str) -> Vec<String> {
    let Some(heritage) = children(node).into_iter().find(|child| child.kind() == "class_heritage") else {
        return Vec::new();
    };
    let clause = children(heritage).into_iter().find(|part| part.kind() != "implements_clause");
    let written = clause.map_or("", |clause| text(clause, source)).trim_start_matches("extends").trim();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = written.split(|c| !is_word(c)).filter(|word| word.starts_with(|c: char| c.is_uppercase()));
    const MAKERS: &[&str] =
        &["PartialType", "PickType", "OmitType", "IntersectionType", "BaseEntity", "Document", "Model"];
    words.filter(|word| !MAKERS.contains(word)).map(str::to_owned).collect()
}
