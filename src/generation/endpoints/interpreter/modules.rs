//! Modules of the project: found, read once, run once.

use crate::generation::endpoints::sources::Language;
use crate::generation::endpoints::{node, python};

use super::value::{ImportPath, ModuleId, ObjectId, ScopeId, Value};
use super::{Interpreter, MAX_PARSED_BYTES};

#[derive(Debug)]
pub(super) struct Module {
    /// Of the file, or of the folder when it is a package without a file of its own.
    path: String,
    python: bool,
    scope: ScopeId,
    /// JavaScript's `module`, whose field `exports` is what others see.
    object: Option<ObjectId>,
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
        let id = self.new_module(path, language == Language::Python);
        self.parsed_bytes += text.len();
        if self.parsed_bytes > MAX_PARSED_BYTES {
            return Some(id);
        }
        let statements = match language {
            Language::Python => python::lower(&mut self.parser, &text),
            _ => node::lower(&mut self.parser, language, &text),
        };
        let scope = self.modules.get(id.0)?.scope;
        let outer = self.doc.take();
        self.deeper(|this| this.execute(&statements, scope));
        self.doc = outer;
        Some(id)
    }

    fn new_module(&mut self, path: &'a str, python: bool) -> ModuleId {
        let id = ModuleId(self.modules.len());
        let scope = self.heap.scope(None, id);
        let object = (!python).then(|| {
            let exports = Value::Object(self.heap.new_object(None));
            let module = self.heap.new_object(None);
            self.heap.set_field(module, "exports", exports.clone());
            self.heap.bind(scope, "module", Value::Object(module));
            self.heap.bind(scope, "exports", exports);
            module
        });
        self.modules.push(Module { path: path.to_owned(), python, scope, object });
        self.module_at.insert(path, id);
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
            Resolved::Folder(path) => self.package_value(&path),
        }
    }

    /// The file an import names, not what it takes from there.
    pub(super) fn file_of_import(&mut self, path: &ImportPath) -> Option<String> {
        match self.resolve(path.importer, &path.from) {
            Resolved::File(file) => Some(file),
            _ => None,
        }
    }

    fn package_value(&mut self, path: &str) -> Value {
        let Some(path) = self.sources.folder(path) else { return Value::Unknown };
        let known = self.module_at.get(path).copied();
        Value::Module(known.unwrap_or_else(|| self.new_module(path, true)))
    }

    fn resolve(&mut self, importer: ModuleId, from: &str) -> Resolved {
        let key = (importer, from.to_owned());
        if let Some(known) = self.resolved.get(&key) {
            return known.clone();
        }
        let resolved = match self.modules.get(importer.0) {
            Some(module) if module.python => python::resolve(self.sources, &module.path, from),
            Some(module) => node::resolve(self.sources, &module.path, from),
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
        let (scope, path) = (module.scope, module.path.clone());
        match self.heap.scope_at(scope).names.get(name).cloned() {
            Some(Value::Import(path)) if self.names_own_submodule(id, &path, name) => {}
            Some(value) => return value,
            None => {}
        }
        match python::submodule(self.sources, &path, name) {
            Some(Resolved::File(path)) => self.module_value(&path),
            Some(Resolved::Folder(path)) => self.package_value(&path),
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

    /// Puts a name among those a JavaScript module exports.
    pub(super) fn export(&mut self, scope: ScopeId, name: &str, value: Value) {
        let module = self.modules.get(self.module_of(scope).0).and_then(|module| module.object);
        let Some(module) = module else { return };
        if let Some(Value::Object(exports)) = self.heap.object(module).fields.get("exports").cloned() {
            self.heap.set_field(exports, name, value);
        }
    }
}
