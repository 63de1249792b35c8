//! Reads sources as far as routing goes: runs modules, calls their functions, follows imports,
//! and collects the routers that come of it.
//!
//! Nothing of a project is executed: this is a walk over [`syntax`](super::syntax), in which
//! every branch of an `if` is taken, every loop over a known list is unrolled, and whatever is
//! not about routes is unknown. Steps and depth are bounded, so any source ends soon.

mod calls;
mod evaluate;
mod execute;
mod modules;
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use tree_sitter::Parser;

use super::routes::Routers;
use super::sources::Sources;
use super::syntax::Function;
use modules::Module;
use value::{Heap, ModuleId};

pub use modules::Resolved;
pub use value::{ClassId, Invocation, PendingRoute, Value};

/// Expressions and statements evaluated in all.
const MAX_STEPS: u32 = 400_000;
/// Evaluations inside one another. A level takes up to some 2 KiB of stack in a debug build.
const MAX_DEPTH: usize = 300;
/// Routes of one router.
const MAX_ROUTES: usize = 5_000;
/// Source parsed in all.
const MAX_PARSED_BYTES: usize = 8 * 1024 * 1024;

pub struct Interpreter<'a> {
    pub routers: Routers,
    sources: &'a Sources<'a>,
    parser: Parser,
    heap: Heap,
    modules: Vec<Module>,
    module_at: HashMap<&'a str, ModuleId>,
    resolved: HashMap<(ModuleId, String), Resolved>,
    /// Functions under way: none is entered twice.
    running: Vec<Rc<Function>>,
    /// The comment above the statement under way.
    doc: Option<String>,
    steps: u32,
    depth: usize,
    parsed_bytes: usize,
}

/// The routers of a project.
pub fn routers(sources: &Sources) -> Routers {
    let mut interpreter = Interpreter::new(sources);
    for path in sources.seeds() {
        interpreter.load_file(path);
    }
    interpreter.run_uncalled();
    interpreter.routers
}

impl<'a> Interpreter<'a> {
    fn new(sources: &'a Sources<'a>) -> Self {
        Self {
            routers: Routers::default(),
            sources,
            parser: Parser::new(),
            heap: Heap::default(),
            modules: Vec::new(),
            module_at: HashMap::new(),
            resolved: HashMap::new(),
            running: Vec::new(),
            doc: None,
            steps: 0,
            depth: 0,
            parsed_bytes: 0,
        }
    }

    /// Runs one step inside the one under way; `None` when the limits are reached.
    fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.steps >= MAX_STEPS || self.depth >= MAX_DEPTH {
            return None;
        }
        self.steps += 1;
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        Some(result)
    }

    /// App factories that a server calls, and set-up functions whose caller could not be followed.
    fn run_uncalled(&mut self) {
        while let Some(value) = self.heap.next_uncalled() {
            match value {
                Value::Function(id) => self.call_unseen(id, None),
                Value::Class(id) => self.instantiate_unseen(id),
                _ => return,
            }
        }
    }
}
