//! Modules of the project: found, read once, run once.

use crate::generation::endpoints::routes::Site;
use crate::generation::endpoints::sources::Language;
use crate::generation::endpoints::{go, node, python};

use super::value::{ImportPath, ModuleId, ObjectId, ScopeId, Value};
use super::{Interpreter, MAX_PARSED_BYTES};

#[derive(Debug)]
pub(super) struct Module {
    /// Of the file, or of the folder when it is a package without a file of its own.
    pub path: String,
    pub family: Family,
    pub scope: ScopeId,
    /// JavaScript's `module`, whose field `exports` is what others see.
    object: Option<ObjectId>,
}

/// Whose rules modules follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Python,
    Node,
    Go,
}

/// What the name of a module leads to.
#[derive(Debug, Clone)]
pub enum Resolved {
    File(String),
    /// A Python package without `__init__.py`.
    Folder(String),
    /// Not in the project.
    External(String),
}

impl<'a> Interpreter<'a> {
    /// Runs a file, once. While it runs, others that import from it see what is there already.
    pub(super) fn load_file(&mut self, path: &'a str) -> Option<ModuleId> {
        if let Some(id) = self.module_at.get(path) {
            return Some(*id);
        }
        let (language, text) = self.sources.get(path)?;
        let family = match language {
            Language::Python => Family::Python,
            Language::Go => return self.load_package(path),
            Language::JavaScript | Language::TypeScript | Language::Tsx => Family::Node,
        };
        let id = self.new_module(path, family, None);
        self.module_at.insert(path, id);
        self.parsed_bytes += text.len();
        if self.parsed_bytes > MAX_PARSED_BYTES {
            return Some(id);
        }
        let lowered = match family {
            Family::Python => python::lower(&mut self.parser, &text),
            _ => node::lower(&mut self.parser, language, &text),
        };
        self.note_broken(path, lowered.broken);
        let scope = self.modules.get(id.0)?.scope;
        let outer = self.doc.take();
        self.deeper(|this| this.execute(&lowered.statements, scope));
        self.doc = outer;
        Some(id)
    }

    pub(super) fn note_broken(&mut self, path: &str, line: Option<u32>) {
        if let Some(line) = line {
            let site = Site { file: path.to_owned(), line };
            self.warn("a syntax error: what is written around here may be missing", &site);
        }
    }

    /// An import of a file of the project that the project does not have.
    pub(super) fn note_missing(&mut self, path: &ImportPath) {
        let Some(module) = self.modules.get(path.importer.0) else { return };
        let (file, family) = (module.path.clone(), module.family);
        let meant = match family {
            Family::Python => python::meant(&file, &path.from),
            _ => node::meant(&file, &path.from),
        };
        if meant.is_none_or(|meant| !self.sources.anything_at(&meant)) {
            let message = format!("it imports from {}, which is not among the files", path.from);
            self.warn(message, &Site { file, line: path.line });
        }
    }

    pub(super) fn new_module(&mut self, path: &str, family: Family, around: Option<ScopeId>) -> ModuleId {
        let id = ModuleId(self.modules.len());
        let scope = self.heap.scope(around, id);
        let object = (family == Family::Node).then(|| {
            let exports = Value::Object(self.heap.new_object(None));
            let module = self.heap.new_object(None);
            self.heap.set_field(module, "exports", exports.clone());
            self.heap.bind(scope, "module", Value::Object(module));
            self.heap.bind(scope, "exports", exports);
            module
        });
        self.modules.push(Module { path: path.to_owned(), family, scope, object });
        id
    }

    /// The path of the file a scope is in.
    pub(super) fn file(&self, scope: ScopeId) -> String {
        self.modules.get(self.module_of(scope).0).map(|module| module.path.clone()).unwrap_or_default()
    }

    /// What `import from` gives in the file `importer`.
    pub(super) fn imported_module(&mut self, importer: ModuleId, from: &str) -> Value {
        match self.resolve(importer, from) {
            Resolved::External(name) => Value::External(name.into()),
            Resolved::File(path) => self.module_value(&path),
            Resolved::Folder(path) => self.package_value(importer, &path),
        }
    }

    /// The file an import names, not what it takes from there.
    pub(super) fn file_of_import(&mut self, path: &ImportPath) -> Option<String> {
        match self.resolve(path.importer, &path.from) {
            Resolved::File(file) => Some(file),
            _ => None,
        }
    }

    fn package_value(&mut self, importer: ModuleId, path: &str) -> Value {
        let Some(path) = self.sources.folder(path) else { return Value::Unknown };
        if self.modules.get(importer.0).is_some_and(|module| module.family == Family::Go) {
            return self.load_folder(path).map_or(Value::Unknown, Value::Module);
        }
        if let Some(known) = self.module_at.get(path) {
            return Value::Module(*known);
        }
        let id = self.new_module(path, Family::Python, None);
        self.module_at.insert(path, id);
        Value::Module(id)
    }

    fn resolve(&mut self, importer: ModuleId, from: &str) -> Resolved {
        let key = (importer, from.to_owned());
        if let Some(known) = self.resolved.get(&key) {
            return known.clone();
        }
        let resolved = match self.modules.get(importer.0) {
            Some(module) => match module.family {
                Family::Python => python::resolve(self.sources, &module.path, from),
                Family::Node => node::resolve(self.sources, &module.path, from),
                Family::Go => go::resolve(self.sources, from),
            },
            None => Resolved::External(from.to_owned()),
        };
        self.resolved.insert(key, resolved.clone());
        resolved
    }

    fn module_value(&mut self, path: &str) -> Value {
        let Some(path) = self.sources.path(path) else { return Value::Unknown };
        let Some(id) = self.load_file(path) else { return Value::Unknown };
        match self.modules.get(id.0).and_then(|module| module.object) {
            Some(object) => self.heap.object(object).fields.get("exports").cloned().unwrap_or(Value::Unknown),
            None => Value::Module(id),
        }
    }

    /// A name of a Python module: a variable, else a module inside the package.
    pub(super) fn module_member(&mut self, id: ModuleId, name: &str) -> Value {
        let Some(module) = self.modules.get(id.0) else { return Value::Unknown };
        let (scope, path, family) = (module.scope, module.path.clone(), module.family);
        match self.heap.scope_at(scope).names.get(name).cloned() {
            Some(Value::Import(path)) if self.names_own_submodule(id, &path, name) => {}
            Some(value) => return value,
            None => {}
        }
        match python::submodule(self.sources, &path, name).filter(|_| family == Family::Python) {
            Some(Resolved::File(path)) => self.module_value(&path),
            Some(Resolved::Folder(path)) => self.package_value(id, &path),
            _ => self.everything_member(scope, name),
        }
    }

    /// `from . import items` in a package binds no variable of it, but the module inside.
    fn names_own_submodule(&mut self, id: ModuleId, path: &ImportPath, name: &str) -> bool {
        path.names == [name]
            && matches!(self.imported_module(path.importer, &path.from), Value::Module(module) if module == id)
    }

    /// A name that `from x import *` brought into a module.
    fn everything_member(&mut self, scope: ScopeId, name: &str) -> Value {
        for module in self.heap.scope_at(scope).everything_of.clone() {
            let value = self.member(&Value::Import(module), name);
            let value = self.look_up(&value);
            if value.is_known() {
                return value;
            }
        }
        Value::Unknown
    }

    /// What a JavaScript module exports; of a Python module nothing.
    pub fn exports(&mut self, path: &str) -> Vec<(String, Value)> {
        let Some(path) = self.sources.path(path) else { return Vec::new() };
        let Some(id) = self.load_file(path) else { return Vec::new() };
        let object = self.modules.get(id.0).and_then(|module| module.object);
        let exports = object.and_then(|object| self.heap.object(object).fields.get("exports").cloned());
        exports.map(|exports| self.fields(&exports)).unwrap_or_default()
    }

    /// Puts a name among those a JavaScript module exports.
    pub(super) fn export(&mut self, scope: ScopeId, name: &str, value: Value) {
        let module = self.modules.get(self.module_of(scope).0).and_then(|module| module.object);
        let Some(module) = module else { return };
        if let Some(Value::Object(exports)) = self.heap.object(module).fields.get("exports").cloned() {
            self.heap.set_field(exports, name, value);
        }
    }
}
