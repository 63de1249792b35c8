//! Go's syntax tree to the little language of [`syntax`].
//!
//! A package is all files of a folder, so a file is given in parts: what it declares is put
//! together with what the others do before anything runs.

mod bodies;
mod expressions;
mod statements;

use std::rc::Rc;
use std::sync::LazyLock;

use tree_sitter::{Language, Node, Parser};

use super::super::syntax::{
    self, Class, Expr, Function, Import, Imported, Parameter, Statement, children, first_error, line, text,
    type_text,
};
use super::super::verbs;
use expressions::string;
use statements::{block, declarations};

static GO: LazyLock<Language> = LazyLock::new(|| tree_sitter_go::LANGUAGE.into());

/// One file of a package.
#[derive(Debug, Default)]
pub struct GoFile {
    pub package: String,
    pub imports: Vec<Import>,
    pub functions: Vec<Rc<Function>>,
    /// With the type each belongs to.
    pub methods: Vec<(String, Rc<Function>)>,
    pub types: Vec<Class>,
    /// Constants and variables.
    pub variables: Vec<Statement>,
    /// The line of the first syntax error.
    pub broken: Option<u32>,
}

/// The parts of a file; what does not parse is left out.
pub fn lower(parser: &mut Parser, source: &str) -> GoFile {
    let Some(tree) = syntax::parse(parser, &GO, source) else { return GoFile::default() };
    let mut file = GoFile { broken: first_error(&tree), ..GoFile::default() };
    let mut comment: Option<(String, usize)> = None;
    let mut cursor = tree.root_node().walk();
    for child in tree.root_node().named_children(&mut cursor) {
        let (first, last) = (child.start_position().row, child.end_position().row);
        let above = comment.take().filter(|(_, end)| first <= end + 1);
        if child.kind() == "comment" {
            comment = Some((joined(above, text(child, source)), last));
        } else {
            declare(child, above.map(|(text, _)| text), source, &mut file);
        }
    }
    file
}

/// The lines of a comment that stand right below one another.
fn joined(above: Option<(String, usize)>, words: &str) -> String {
    match above {
        Some((above, _)) if above.len() < 4_000 => format!("{above}\n{words}"),
        _ => words.to_owned(),
    }
}

fn declare(node: Node, doc: Option<String>, source: &str, file: &mut GoFile) {
    match node.kind() {
        "package_clause" => {
            file.package = node.named_child(0).map(|name| text(name, source).to_owned()).unwrap_or_default();
        }
        "import_declaration" => imports(node, source, 0, &mut file.imports),
        "function_declaration" => file.functions.push(Rc::new(function(node, doc, source, 0))),
        "method_declaration" => file.methods.extend(method(node, doc, source)),
        "type_declaration" => file.types.extend(types(node, source)),
        "const_declaration" | "var_declaration" => declarations(node, source, 0, &mut file.variables),
        _ => {}
    }
}

fn imports(node: Node, source: &str, depth: usize, out: &mut Vec<Import>) {
    for child in children(node) {
        match child.kind() {
            "import_spec" => out.extend(import(child, source)),
            "import_spec_list" if depth == 0 => imports(child, source, 1, out),
            _ => {}
        }
    }
}

/// `import chi "github.com/go-chi/chi/v5"`; without a name, the last part of the path that is no
/// version is taken for the package's.
fn import(node: Node, source: &str) -> Option<Import> {
    let from = string(node.child_by_field_name("path")?, source);
    let given = node.child_by_field_name("name").map(|name| text(name, source));
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let last = from.rsplit('/').find(|part| !is_version(part)).unwrap_or(&from);
    let usual = last.trim_start_matches("go-").split('.').next().unwrap_or(last);
    let names = match given {
        Some("_") => return None,
        Some(".") => vec![Imported::Everything],
        Some(alias) => vec![Imported::Module { alias: alias.to_owned() }],
        None => vec![Imported::Module { alias: usual.to_owned() }],
    };
    Some(Import { line: line(node), from, names })
}

/// The receiver's name stands for `this`.
fn method(node: Node, doc: Option<String>, source: &str) -> Option<(String, Rc<Function>)> {
    let receiver = children(node.child_by_field_name("receiver")?).into_iter().next()?;
    let of = text(receiver.child_by_field_name("type")?, source);
    let of = of.trim_start_matches('*').split('[').next().unwrap_or(of).trim().to_owned();
    let mut function = function(node, doc, source, 0);
    if let Some(name) = receiver.child_by_field_name("name") {
        let bind = Statement::Assign {
            target: Expr::Name(text(name, source).to_owned()),
            value: Expr::Name("this".to_owned()),
            declares: true,
        };
        function.body.insert(0, bind);
    }
    Some((of, Rc::new(function)))
}

fn types(node: Node, source: &str) -> Vec<Class> {
    let specs = children(node).into_iter().filter(|spec| spec.kind() == "type_spec");
    let class = |spec: Node| {
        let name = text(spec.child_by_field_name("name")?, source).to_owned();
        Some(Class {
            name,
            bases: Vec::new(),
            body: Vec::new(),
            fields: Vec::new(),
            decorators: Vec::new(),
            doc: None,
            registers: false,
        })
    };
    specs.filter_map(class).collect()
}

/// A function, a method, or a function literal.
pub fn function(node: Node, doc: Option<String>, source: &str, depth: usize) -> Function {
    let name = node.child_by_field_name("name").map(|name| text(name, source).to_owned());
    let own = text(node, source);
    Function {
        name: name.unwrap_or_default(),
        line: line(node),
        returns: type_text(node.child_by_field_name("result"), source),
        parameters: node
            .child_by_field_name("parameters")
            .map(|list| parameters(list, source))
            .unwrap_or_default(),
        body: node.child_by_field_name("body").map(|body| block(body, source, depth + 1)).unwrap_or_default(),
        decorators: Vec::new(),
        doc: doc.as_deref().and_then(clean_comment),
        registers: super::may_register(own),
        verbs: verbs::compared(own),
        reads: bodies::read_into(node, source),
    }
}

/// `a, b string` are two.
fn parameters(list: Node, source: &str) -> Vec<Parameter> {
    let mut all = Vec::new();
    for child in children(list) {
        let annotation = type_text(child.child_by_field_name("type"), source);
        let rest = child.kind() == "variadic_parameter_declaration";
        let mut cursor = child.walk();
        for name in child.children_by_field_name("name", &mut cursor) {
            all.push(Parameter {
                target: Expr::Name(text(name, source).to_owned()),
                rest,
                annotation: annotation.clone(),
                ..Parameter::default()
            });
        }
    }
    all
}

/// A comment without its markers.
fn clean_comment(comment: &str) -> Option<String> {
    let inside = comment.trim().trim_start_matches("/*").trim_end_matches("*/");
    let lines: Vec<&str> = inside
        .lines()
        .map(|line| line.trim().trim_start_matches("//").trim())
        // Directives to tools.
        .filter(|line| !line.starts_with("go:") && !line.starts_with("nolint"))
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}
