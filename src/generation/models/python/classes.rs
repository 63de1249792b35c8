//! The classes of a file: their names, bases, decorators, and the statements of their bodies.

use super::super::{Model, ModelKind, add_field};
use super::fields;
use super::kinds::FileFacts;
use super::lines::{Lines, Logical, split_outside, without_comments};

const MAX_LINES: usize = 600;
const MAX_DOC: usize = 2_000;

#[derive(Debug)]
pub struct Class<'s> {
    pub file: &'s str,
    pub name: &'s str,
    pub line: u32,
    /// As written, without what is in brackets behind them.
    pub bases: Vec<&'s str>,
    /// As written, without `@` and arguments.
    pub decorators: Vec<&'s str>,
    pub doc: Option<String>,
    /// The statements right in its body.
    pub lines: Vec<&'s str>,
    pub facts: FileFacts,
}

/// A class whose body may go on.
struct Open {
    indent: usize,
    /// That of its body, once it has begun.
    body: Option<usize>,
    at: usize,
}

/// Reads a file: its classes, and the tables that are made by a call.
pub fn read<'s>(
    file: &'s str,
    text: &'s str,
    facts: &FileFacts,
    classes: &mut Vec<Class<'s>>,
    models: &mut Vec<Model>,
) {
    let mut open: Vec<Open> = Vec::new();
    let mut decorators: Vec<&str> = Vec::new();
    for logical in Lines::of(text) {
        while open.last().is_some_and(|class| logical.indent <= class.indent) {
            open.pop();
        }
        if let Some(decorator) = logical.text.strip_prefix('@') {
            decorators.push(decorator.split('(').next().unwrap_or(decorator).trim());
            continue;
        }
        let above = std::mem::take(&mut decorators);
        in_body(&mut open, &logical, classes);
        if let Some((name, bases)) = header(logical.text) {
            open.push(Open { indent: logical.indent, body: None, at: classes.len() });
            let facts = *facts;
            let (line, lines) = (logical.line, Vec::new());
            classes.push(Class { file, name, line, bases, decorators: above, doc: None, lines, facts });
        } else if logical.indent == 0 && logical.text.contains("Table(") {
            models.extend(table(file, &logical));
        }
    }
}

/// Gives a statement to the class it is right in.
fn in_body<'s>(open: &mut [Open], logical: &Logical<'s>, classes: &mut [Class<'s>]) {
    let Some(inner) = open.last_mut() else { return };
    let first = inner.body.is_none();
    let body = *inner.body.get_or_insert(logical.indent);
    let Some(class) = classes.get_mut(inner.at) else { return };
    if first && let Some(doc) = docstring(logical.text) {
        class.doc = Some(doc).filter(|doc| !doc.is_empty());
    } else if logical.indent == body && class.lines.len() < MAX_LINES {
        class.lines.push(logical.text);
    }
}

/// `class Name(Base, metaclass=M):`
fn header(text: &str) -> Option<(&str, Vec<&str>)> {
    let rest = text.strip_prefix("class ")?.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    // `class Box[T](Base):`
    let rest = rest.trim_start();
    let rest =
        rest.strip_prefix('[').and_then(|inside| inside.split_once(']')).map_or(rest, |(_, rest)| rest);
    let inside = rest.trim_start().strip_prefix('(').and_then(|inside| Some(&inside[..inside.rfind(')')?]));
    let named = |base: &&str| !base.is_empty() && !base.starts_with('*');
    let bases: Vec<&str> = split_outside(inside.unwrap_or_default(), ',')
        .into_iter()
        .map(|base| base.split('#').next().unwrap_or(base).trim())
        .filter(named)
        // `table=True` says something of the class, too.
        .map(|base| if base.contains('=') { base } else { base.split('[').next().unwrap_or(base).trim() })
        .collect();
    (!name.is_empty()).then_some((name, bases))
}

/// The text between the quotes of a statement that is nothing but text.
fn docstring(text: &str) -> Option<String> {
    let text = text.trim_start_matches(['r', 'R', 'u']);
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| text.starts_with(quotes))?;
    let inside = text.strip_prefix(quotes)?;
    let inside = inside.strip_suffix(quotes).unwrap_or(inside);
    let lines: Vec<&str> = inside.trim().lines().map(str::trim).collect();
    Some(lines.join("\n").chars().take(MAX_DOC).collect())
}

/// SQLAlchemy's `users = Table("users", metadata, Column("id", Integer, primary_key=True))`.
fn table(file: &str, logical: &Logical) -> Option<Model> {
    let text = without_comments(logical.text);
    let (_, value) = text.split_once('=')?;
    let (maker, rest) = value.trim().split_once('(')?;
    if last_name(maker) != "Table" {
        return None;
    }
    let inside = rest.trim_end().strip_suffix(')').unwrap_or(rest);
    let mut parts = split_outside(inside, ',').into_iter();
    let name = parts.next()?.trim().trim_matches(['"', '\'']);
    let mut all = Vec::new();
    for column in parts {
        if let Some(field) = fields::column(column.trim()) {
            add_field(&mut all, field);
        }
    }
    let (kind, line) = (ModelKind::SqlAlchemy, logical.line);
    let (extends, description) = (Vec::new(), None);
    (!all.is_empty()).then(|| Model {
        name: name.to_owned(),
        kind,
        extends,
        fields: all,
        description,
        file: file.to_owned(),
        line,
    })
}

/// `models.Model` to `Model`.
pub fn last_name(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted).trim()
}
