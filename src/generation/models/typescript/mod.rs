//! Models of TypeScript and JavaScript: interfaces and types, classes with decorators, and calls
//! that make schemas.

mod classes;
mod interfaces;
mod mongoose;
mod objects;
mod schemas;
mod zod;

use std::sync::LazyLock;

use tree_sitter::{Language as Grammar, Node, Parser};

use super::super::endpoints::sources::text_of;
use super::super::endpoints::syntax::{children, line, parse, text};
use super::{Field, Language, Model, ModelKind, Sources};
use crate::generation::tagged::readable;

static JAVASCRIPT: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_javascript::LANGUAGE.into());
static TYPESCRIPT: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into());
static TSX: LazyLock<Grammar> = LazyLock::new(|| tree_sitter_typescript::LANGUAGE_TSX.into());

/// A file that declares a model holds one of these.
const WORDS: &[&str] = &[
    "z.object(",
    "z.strictObject(",
    "Schema(",
    "Schema<",
    "@Entity",
    "@Table",
    "@Column",
    "Table(",
    ".define(",
    ".init(",
    ".extend(",
    "Dto",
    "DTO",
    "@InputType",
    "@ObjectType",
];
const TYPES: &[&str] = &["interface ", "type "];
const MAX_PARSED_BYTES: usize = 8 * 1024 * 1024;
const MAX_DEPTH: usize = 60;

/// A file under way.
pub struct File<'s> {
    pub path: &'s str,
    pub source: &'s str,
    pub models: Vec<Model>,
    /// Names that a call gives to a schema: variable, name.
    pub named: Vec<(String, String)>,
}

/// The models of all files of these languages.
pub fn read(sources: &Sources) -> Vec<Model> {
    let mut parser = Parser::new();
    let mut models = Vec::new();
    let mut parsed = 0;
    for (path, language, bytes) in sources.iter() {
        let grammar = match language {
            Language::JavaScript => &JAVASCRIPT,
            Language::TypeScript => &TYPESCRIPT,
            Language::Tsx => &TSX,
            Language::Python | Language::Go => continue,
        };
        parsed += bytes.len();
        if !declares(bytes, language) || parsed > MAX_PARSED_BYTES {
            continue;
        }
        let source = text_of(bytes);
        if let Some(tree) = parse(&mut parser, grammar, &readable(&source)) {
            let mut file = File { path, source: &source, models: Vec::new(), named: Vec::new() };
            file.statements(tree.root_node(), 0);
            models.extend(mongoose::named(file.models, &file.named));
        }
    }
    models
}

fn declares(bytes: &[u8], language: Language) -> bool {
    let holds = |word: &&str| memchr::memmem::find(bytes, word.as_bytes()).is_some();
    WORDS.iter().any(&holds) || (language != Language::JavaScript && TYPES.iter().any(holds))
}

impl File<'_> {
    fn statements(&mut self, node: Node, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for child in children(node) {
            match child.kind() {
                "export_statement"
                | "ambient_declaration"
                | "statement_block"
                | "internal_module"
                | "module"
                | "ERROR" => self.statements(child, depth + 1),
                "interface_declaration" => interfaces::interface(self, child),
                "type_alias_declaration" => interfaces::alias(self, child),
                "class_declaration" | "abstract_class_declaration" => classes::class(self, child),
                "lexical_declaration" | "variable_declaration" => self.variables(child),
                "expression_statement" => {
                    if let Some(value) = child.named_child(0) {
                        schemas::value(self, None, assigned(value), child);
                    }
                }
                // `export default mongoose.model("User", schema)`
                "call_expression" => schemas::value(self, None, child, child),
                _ => {}
            }
        }
    }

    fn variables(&mut self, node: Node) {
        for declarator in children(node) {
            let name = declarator.child_by_field_name("name").filter(|name| name.kind() == "identifier");
            if let (Some(name), Some(value)) = (name, declarator.child_by_field_name("value")) {
                schemas::value(self, Some(text(name, self.source)), value, declarator);
            }
        }
    }

    /// Adds a model that `node` declares.
    pub fn add(&mut self, node: Node, name: &str, kind: ModelKind, extends: Vec<String>, fields: Vec<Field>) {
        self.models.push(Model {
            name: name.to_owned(),
            kind,
            extends,
            fields,
            description: self.doc(node),
            file: self.path.to_owned(),
            line: line(node),
        });
    }

    /// The comment that ends right above a declaration, or above its `export`.
    fn doc(&self, node: Node) -> Option<String> {
        let mut at = node;
        while let Some(parent) = at.parent().filter(|parent| parent.start_byte() == at.start_byte()) {
            at = parent;
        }
        let outer = match at.parent() {
            Some(parent) if matches!(parent.kind(), "export_statement" | "lexical_declaration") => parent,
            _ => at,
        };
        let outer = outer.parent().filter(|parent| parent.kind() == "export_statement").unwrap_or(outer);
        let above = outer.prev_named_sibling().filter(|above| above.kind() == "comment")?;
        let near = above.end_position().row + 1 >= outer.start_position().row;
        let inside = text(above, self.source).strip_prefix("/**").filter(|_| near)?.trim_end_matches("*/");
        let lines: Vec<&str> =
            inside.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
        let words: String = lines.join("\n").trim().chars().take(2_000).collect();
        (!words.is_empty()).then_some(words)
    }
}

/// The value of an assignment: `module.exports = …`.
fn assigned(node: Node) -> Node {
    match node.kind() {
        "assignment_expression" => node.child_by_field_name("right").unwrap_or(node),
        _ => node,
    }
}
