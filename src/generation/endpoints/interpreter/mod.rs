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
mod packages;
mod questions;
mod urlconfs;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use tree_sitter::Parser;

use super::routes::{RouterId, Routers, Site};
use super::sources::Sources;
use super::syntax::Function;
use super::{node, python};
use crate::generation::plan::Warning;
use modules::Module;
use value::{Heap, ModuleId};

pub use modules::Resolved;
pub use value::{ClassId, FunctionId, Invocation, PendingRoute, Value};

/// Expressions and statements evaluated in all.
const MAX_STEPS: u32 = 400_000;
/// Evaluations inside one another. A level takes up to some 2 KiB of stack in a debug build.
const MAX_DEPTH: usize = 300;
/// Routes of one router.
const MAX_ROUTES: usize = 5_000;
/// Warnings kept.
const MAX_WARNINGS: usize = 50;
/// Source parsed in all.
const MAX_PARSED_BYTES: usize = 8 * 1024 * 1024;

pub struct Interpreter<'a> {
    pub routers: Routers,
    sources: &'a Sources<'a>,
    parser: Parser,
    heap: Heap,
    modules: Vec<Module>,
    module_at: HashMap<&'a str, ModuleId>,
    /// Go's, by folder.
    packages: HashMap<&'a str, ModuleId>,
    /// Go's functions `main` and `init`.
    mains: Vec<FunctionId>,
    resolved: HashMap<(ModuleId, String), Resolved>,
    /// Functions under way: none is entered twice.
    running: Vec<Rc<Function>>,
    /// The comment above the statement under way.
    doc: Option<String>,
    /// The call under way.
    site: Site,
    /// What stands for the `urlpatterns` of Django's modules.
    urlconfs: BTreeMap<ModuleId, RouterId>,
    /// What a whole app is told in one place, and its parts elsewhere.
    pub shared: Shared,
    warnings: Vec<Warning>,
    steps: u32,
    depth: usize,
    parsed_bytes: usize,
}

/// Facts about a whole app.
#[derive(Debug, Default)]
pub struct Shared {
    /// NestJS: stands before the paths of all controllers.
    pub global_prefix: Option<String>,
    /// NestJS: paths it does not stand before, and the method where only one is meant.
    pub without_prefix: Vec<(String, Option<String>)>,
    /// Go: what `http.HandleFunc` registers on.
    pub default_mux: Option<RouterId>,
}

/// The routers of a project, and what stood in the way of reading it.
pub fn routers(sources: &Sources) -> (Routers, Vec<Warning>) {
    let mut interpreter = Interpreter::new(sources);
    for path in sources.seeds() {
        interpreter.load_file(path);
    }
    interpreter.run_mains();
    interpreter.run_uncalled();
    python::django::finish(&mut interpreter);
    node::nest::finish(&mut interpreter);
    node::files::finish(&mut interpreter);
    (interpreter.routers, interpreter.warnings)
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
            packages: HashMap::new(),
            mains: Vec::new(),
            resolved: HashMap::new(),
            running: Vec::new(),
            doc: None,
            site: Site::default(),
            urlconfs: BTreeMap::new(),
            shared: Shared::default(),
            warnings: Vec::new(),
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

    /// Tells the app's author of something, once for each place.
    pub fn warn(&mut self, message: impl Into<String>, site: &Site) {
        if site.line == 0 || self.warnings.len() >= MAX_WARNINGS {
            return;
        }
        let line = usize::try_from(site.line).ok();
        let warning = Warning { message: message.into(), file: Some(site.file.clone()), line };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Everything there is of the project's files.
    pub const fn sources(&self) -> &'a Sources<'a> {
        self.sources
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
