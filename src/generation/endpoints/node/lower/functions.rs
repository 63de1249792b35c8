//! Functions and classes of JavaScript and TypeScript.

use std::rc::Rc;

use tree_sitter::Node;

use super::super::super::syntax::{
    Class, Expr, Function, Parameter, Statement, children, line, text, type_text,
};
use super::super::super::verbs;
use super::super::may_register;
use super::expressions::{expression, pattern};
use super::{block, bodies, documented};

pub fn is_function(node: Node) -> bool {
    matches!(node.kind(), "arrow_function" | "function_expression" | "generator_function")
}

pub fn function(node: Node, doc: Option<String>, source: &str, depth: usize) -> Function {
    let body = node.child_by_field_name("body").map(|body| match body.kind() {
        "statement_block" => block(body, source, depth),
        _ => vec![Statement::Return(expression(body, source, depth))],
    });
    Function {
        name: field_text(node, "name", source),
        line: line(node),
        returns: type_text(node.child_by_field_name("return_type"), source),
        parameters: parameters(node, source, depth),
        body: [properties(node, source, depth), body.unwrap_or_default()].into_iter().flatten().collect(),
        decorators: Vec::new(),
        doc,
        registers: may_register(text(node, source)),
        verbs: verbs::compared(text(node, source)),
        reads: bodies::read_as(text(node, source)),
    }
}

fn parameters(node: Node, source: &str, depth: usize) -> Vec<Parameter> {
    // An arrow function with one parameter has no list.
    if let Some(only) = node.child_by_field_name("parameter") {
        return vec![parameter(only, source, depth)];
    }
    let list = node.child_by_field_name("parameters");
    list.map(|list| children(list).into_iter().map(|child| parameter(child, source, depth)).collect())
        .unwrap_or_default()
}

fn parameter(node: Node, source: &str, depth: usize) -> Parameter {
    let typed = matches!(node.kind(), "required_parameter" | "optional_parameter");
    let inner = node.child_by_field_name("pattern").filter(|_| typed).unwrap_or(node);
    let (target, default) = match inner.kind() {
        "assignment_pattern" => (inner.child_by_field_name("left"), inner.child_by_field_name("right")),
        _ => (Some(inner), node.child_by_field_name("value").filter(|_| typed)),
    };
    // `name?: type` may be left out.
    let optional = (node.kind() == "optional_parameter").then_some(Expr::Unknown);
    Parameter {
        target: target.map_or(Expr::Unknown, |target| pattern(target, source, depth)),
        default: default.map(|value| expression(value, source, depth)).or(optional),
        rest: inner.kind() == "rest_pattern",
        annotation: type_text(node.child_by_field_name("type"), source),
        decorators: decorators(node, source, depth),
    }
}

/// The decorators among the children of a node.
fn decorators(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    children(node).into_iter().filter_map(|child| decorator(child, source, depth)).collect()
}

fn decorator(node: Node, source: &str, depth: usize) -> Option<Expr> {
    let value = node.named_child(0).filter(|_| node.kind() == "decorator")?;
    Some(expression(value, source, depth))
}

/// A class's own decorators, those before its `export` included.
fn class_decorators(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    let around = node.parent().filter(|parent| parent.kind() == "export_statement");
    let mut all = around.map(|parent| decorators(parent, source, depth)).unwrap_or_default();
    all.extend(decorators(node, source, depth));
    all
}

/// `constructor(private app: Application)` sets the instance's field of that name.
fn properties(node: Node, source: &str, depth: usize) -> Vec<Statement> {
    let Some(list) = node.child_by_field_name("parameters") else { return Vec::new() };
    let is_property = |child: &Node| {
        let mut cursor = child.walk();
        child.children(&mut cursor).any(|part| matches!(part.kind(), "accessibility_modifier" | "readonly"))
    };
    let names = children(list)
        .into_iter()
        .filter(is_property)
        .filter_map(|child| child.child_by_field_name("pattern"));
    let set = |name: Node| Statement::Assign {
        target: Expr::member(Expr::Name("this".to_owned()), text(name, source)),
        value: expression(name, source, depth),
        declares: false,
    };
    names.map(set).collect()
}

pub fn class(node: Node, doc: Option<String>, source: &str, depth: usize) -> Class {
    let mut class = Class {
        name: field_text(node, "name", source),
        bases: bases(node, source, depth),
        body: Vec::new(),
        fields: Vec::new(),
        decorators: class_decorators(node, source, depth),
        doc,
        registers: may_register(text(node, source)),
    };
    let body = node.child_by_field_name("body").map(|body| documented(body, source)).unwrap_or_default();
    // Decorators stand before their member, and its comment before them.
    let mut above: (Vec<Expr>, Option<String>) = Default::default();
    for (member, doc) in body {
        match member.kind() {
            "decorator" => {
                above.0.extend(decorator(member, source, depth));
                above.1 = above.1.or(doc);
                continue;
            }
            "method_definition" => {
                let mut method = function(member, doc.or(above.1.take()), source, depth);
                method.decorators = std::mem::take(&mut above.0);
                class.body.push(Statement::Function(Rc::new(method)));
            }
            "field_definition" | "public_field_definition" => add_field(&mut class, member, source, depth),
            _ => {}
        }
        above = Default::default();
    }
    class
}

/// A static field is a variable of the class, others are each instance's own.
fn add_field(class: &mut Class, node: Node, source: &str, depth: usize) {
    let Some(name) = node.child_by_field_name("property").or_else(|| node.child_by_field_name("name")) else {
        return;
    };
    let name = text(name, source).trim_start_matches('#').to_owned();
    let value = node.child_by_field_name("value").map(|value| expression(value, source, depth));
    let mut cursor = node.walk();
    let is_static = node.children(&mut cursor).any(|part| part.kind() == "static");
    match (is_static, value) {
        (true, Some(value)) => {
            class.body.push(Statement::Assign { target: Expr::Name(name), value, declares: true });
        }
        (_, value) => class.fields.push((name, value)),
    }
}

fn bases(node: Node, source: &str, depth: usize) -> Vec<Expr> {
    let heritage = children(node).into_iter().find(|child| child.kind() == "class_heritage");
    let parts = heritage.map(children).unwrap_or_default();
    let of = |part: Node| match part.kind() {
        "extends_clause" => part.child_by_field_name("value").map(|base| expression(base, source, depth)),
        "implements_clause" => None,
        _ => Some(expression(part, source, depth)),
    };
    parts.into_iter().filter_map(of).collect()
}

fn field_text(node: Node, field: &str, source: &str) -> String {
    node.child_by_field_name(field)
        .map(|name| text(name, source).trim_start_matches('#').to_owned())
        .unwrap_or_default()
}
