//! The little language every source is lowered to: what routing can be read from, and no more.
//!
//! Python, JavaScript and TypeScript say the same things in different words: bind a name, call a
//! function, define a class, import a module. Lowering keeps those and turns the rest to
//! [`Expr::Unknown`], so that one interpreter reads all three. Depth is bounded by the lowering,
//! so trees can be walked and dropped recursively.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree};

/// Levels of nesting that are lowered; what lies deeper is [`Expr::Unknown`] or left out.
pub const MAX_DEPTH: usize = 120;
/// Longest type that is shown.
const MAX_TYPE: usize = 300;

/// A file, lowered.
#[derive(Debug, Default)]
pub struct Lowered {
    pub statements: Vec<Statement>,
    /// The line of the first syntax error.
    pub broken: Option<u32>,
}

#[derive(Debug, Clone, Default)]
pub enum Expr {
    /// Anything that says nothing about routes.
    #[default]
    Unknown,
    Text(String),
    Name(String),
    Member(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Call>),
    List(Vec<Expr>),
    /// A dictionary or object literal, or a pattern that takes one apart.
    Map(Vec<Entry>),
    /// `*x`, `...x`.
    Spread(Box<Expr>),
    /// Text put together: concatenation, f-string, template.
    Join(Vec<Expr>),
    /// One of these, whichever is there: `a or b`, `a ?? b`, `c ? a : b`.
    Either(Vec<Expr>),
    Function(Rc<Function>),
    Class(Rc<Class>),
    /// `require("x")`, `import("x")`, and the line it is on.
    Require(String, u32),
    /// An assignment whose value is used: `module.exports = app = express()`.
    Assign(Box<(Expr, Expr)>),
}

#[derive(Debug, Clone)]
pub struct Call {
    pub callee: Expr,
    pub arguments: Vec<Argument>,
    /// Line of the callee's last name, from 1.
    pub line: u32,
}

#[derive(Debug, Clone)]
pub struct Argument {
    pub name: Option<String>,
    pub value: Expr,
}

#[derive(Debug, Clone)]
pub enum Entry {
    Pair(String, Expr),
    /// The key is an expression too.
    Computed(Expr, Expr),
    /// `**x`, `...x`.
    Spread(Expr),
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    /// From 1.
    pub line: u32,
    pub parameters: Vec<Parameter>,
    /// The type it says to return, as written.
    pub returns: Option<String>,
    pub body: Vec<Statement>,
    pub decorators: Vec<Expr>,
    pub doc: Option<String>,
    /// Its text holds a word that registers routes, so it is run even when nothing calls it.
    pub registers: bool,
    /// Methods of HTTP that its text compares a request's with.
    pub verbs: Vec<String>,
    /// The type its text says a request's body is read into.
    pub reads: Option<String>,
}

#[derive(Debug, Default)]
pub struct Parameter {
    /// A name, or a pattern.
    pub target: Expr,
    pub default: Option<Expr>,
    pub rest: bool,
    /// Its type, as written.
    pub annotation: Option<String>,
    pub decorators: Vec<Expr>,
}

#[derive(Debug)]
pub struct Class {
    pub name: String,
    pub bases: Vec<Expr>,
    /// Class variables and methods.
    pub body: Vec<Statement>,
    /// Run on the instance, before the constructor.
    pub fields: Vec<(String, Option<Expr>)>,
    pub decorators: Vec<Expr>,
    pub doc: Option<String>,
    pub registers: bool,
}

#[derive(Debug)]
pub enum Statement {
    Expression {
        value: Expr,
        /// The comment right above.
        doc: Option<String>,
    },
    Assign {
        target: Expr,
        value: Expr,
        /// Binds in the innermost scope; else where the name is already bound.
        declares: bool,
    },
    Import(Import),
    /// `export { local as name }`, `export default value`.
    Export {
        name: String,
        value: Expr,
    },
    /// `export * from`.
    ExportAll(String),
    Function(Rc<Function>),
    Class(Rc<Class>),
    Return(Expr),
    Loop {
        target: Expr,
        over: Expr,
        body: Vec<Statement>,
    },
    /// `if`, `try`, `with`, `switch`: every branch is taken, in order.
    Branches(Vec<Vec<Statement>>),
}

#[derive(Debug)]
pub struct Import {
    /// From 1.
    pub line: u32,
    /// As written: `.routers.items`, `./routes/items`.
    pub from: String,
    pub names: Vec<Imported>,
}

#[derive(Debug)]
pub enum Imported {
    /// The module itself under a name.
    Module {
        alias: String,
    },
    Name {
        name: String,
        alias: String,
    },
    Everything,
}

impl Expr {
    pub fn member(object: Expr, name: impl Into<String>) -> Self {
        Self::Member(Box::new(object), name.into())
    }
}

/// The tree of `text`; `None` when the parser would take far longer than text of this length can
/// need. The limit counts steps, not time, so that the answer is the same everywhere.
pub fn parse(parser: &mut Parser, language: &Language, text: &str) -> Option<Tree> {
    parser.set_language(language).ok()?;
    let mut left = 1_000 + text.len() / 10;
    let mut count = |_: &tree_sitter::ParseState| match left.checked_sub(1) {
        Some(rest) => {
            left = rest;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(ParseOptions::new().progress_callback(&mut count)),
    );
    if tree.is_none() {
        parser.reset();
    }
    tree
}

/// The line of the first thing in a tree that is not as the language has it.
pub fn first_error(tree: &Tree) -> Option<u32> {
    let mut node = tree.root_node();
    if !node.has_error() {
        return None;
    }
    for _ in 0..10_000 {
        let mut cursor = node.walk();
        let inner = node.children(&mut cursor).find(|child| child.has_error() || child.is_missing());
        match inner {
            _ if node.is_error() || node.is_missing() => break,
            Some(inner) => node = inner,
            None => break,
        }
    }
    Some(line(node))
}

/// A type as written, on one line; `None` when there is none, or too much of it.
pub fn type_text(node: Option<Node>, source: &str) -> Option<String> {
    let written = text(node?, source).trim_start_matches(':');
    let words: Vec<&str> = written.split_whitespace().collect();
    let joined = words.join(" ");
    (!joined.is_empty() && joined.len() <= MAX_TYPE).then_some(joined)
}

/// The text of a node.
pub fn text<'s>(node: Node, source: &'s str) -> &'s str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// The line a node starts on, from 1.
pub fn line(node: Node) -> u32 {
    u32::try_from(node.start_position().row).unwrap_or(u32::MAX - 1) + 1
}

/// The named children of a node, comments left out.
pub fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !is_trivia(*child)).collect()
}

/// Comments and line continuations. (Not `is_extra`: that also holds for what was skipped to get
/// over a syntax error.)
pub fn is_trivia(node: Node) -> bool {
    matches!(node.kind(), "comment" | "line_continuation" | "html_comment")
}

/// Whether a text holds one of the words.
pub fn holds_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// Every folder that holds one of `paths`, the root (`""`) included.
pub fn folders<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::from([""]);
    for path in paths {
        all.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    all
}

/// Text between quotes with the escapes that occur in paths and prose taken out.
pub fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\n') | None => {}
            Some(quoted @ ('\\' | '\'' | '"' | '`' | '/' | '$')) => out.push(quoted),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}
