//! Reading source into a syntax tree, bounded, and walking it without recursion: whatever the
//! bytes are, it ends soon and never overflows the stack.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree};

/// How often the parser may report its progress before it is stopped: far more than real source
/// of the greatest size read needs, little for one made to take for ever.
const MAX_REPORTS_PER_KIB: usize = 2000;

/// `None` when the source cannot be parsed in bounded time.
pub fn parse(language: &Language, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(language).ok()?;
    let mut left = (text.len() / 1024 + 8).saturating_mul(MAX_REPORTS_PER_KIB);
    let mut progress = |_: &tree_sitter::ParseState| {
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = text.as_bytes();
    parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(ParseOptions::new().progress_callback(&mut progress)),
    )
}

/// Every named node, parents before children.
pub fn each_node<'t>(tree: &'t Tree, mut visit: impl FnMut(Node<'t>)) {
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_named() {
            visit(node);
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The line of the first thing that could not be read, from 1.
pub fn first_error(tree: &Tree) -> Option<usize> {
    let mut node = tree.root_node();
    if !node.has_error() {
        return None;
    }
    for _ in 0..10_000 {
        if node.is_error() || node.is_missing() {
            break;
        }
        let mut cursor = node.walk();
        let Some(inner) = node.children(&mut cursor).find(Node::has_error) else { break };
        node = inner;
    }
    Some(line_of(node))
}

/// The line a node starts on, from 1.
pub fn line_of(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

/// The source under a node.
pub fn text_of<'s>(node: Node<'_>, source: &'s str) -> &'s str {
    source.get(node.byte_range()).unwrap_or_default()
}

/// The named children that are no comments.
pub fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// The content of a plain string literal.
pub fn string_value(literal: &str) -> Option<String> {
    let quote = literal.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\', '\n'])).then(|| inner.to_owned())
}
