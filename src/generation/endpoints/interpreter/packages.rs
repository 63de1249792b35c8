//! Go's packages: all files of a folder are one module, with the imports of each its own.

use std::rc::Rc;

use crate::generation::endpoints::go::{self, GoFile};
use crate::generation::endpoints::syntax::{Function, Statement};

use super::modules::Family;
use super::value::{FunctionId, ModuleId, ScopeId, Value};
use super::{Interpreter, MAX_PARSED_BYTES};

impl<'a> Interpreter<'a> {
    /// The package a file is of.
    pub(super) fn load_package(&mut self, path: &'a str) -> Option<ModuleId> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.load_folder(folder)
    }

    /// Reads the files of a folder, once, and runs what they declare.
    pub(super) fn load_folder(&mut self, folder: &'a str) -> Option<ModuleId> {
        if let Some(known) = self.packages.get(folder) {
            return Some(*known);
        }
        let paths = self.sources.go_files(folder);
        if paths.is_empty() {
            return None;
        }
        let package = self.new_module(folder, Family::Go, None);
        self.packages.insert(folder, package);
        let inside = self.modules.get(package.0)?.scope;
        let mut files = Vec::new();
        for path in paths {
            if let Some(file) = self.parse_go(path) {
                let module = self.new_module(path, Family::Go, Some(inside));
                let scope = self.modules.get(module.0)?.scope;
                files.push((scope, file));
            }
        }
        self.declare(inside, &mut files);
        for (scope, file) in &files {
            self.deeper(|this| this.execute(&file.variables, *scope));
            self.move_names(*scope, inside);
        }
        Some(package)
    }

    fn parse_go(&mut self, path: &'a str) -> Option<GoFile> {
        let (_, text) = self.sources.get(path)?;
        self.parsed_bytes += text.len();
        if self.parsed_bytes > MAX_PARSED_BYTES {
            return None;
        }
        let file = go::lower(&mut self.parser, &text);
        self.note_broken(path, file.broken);
        Some(file)
    }

    /// Imports, types with their methods, and functions, of all files before any variable.
    fn declare(&mut self, inside: ScopeId, files: &mut [(ScopeId, GoFile)]) {
        let registering: Vec<String> = files
            .iter()
            .flat_map(|(_, file)| &file.methods)
            .filter(|(_, method)| method.registers)
            .map(|(of, _)| of.clone())
            .collect();
        for (scope, file) in files.iter_mut() {
            for import in std::mem::take(&mut file.imports) {
                self.deeper(|this| this.execute(&[Statement::Import(import)], *scope));
            }
            for mut class in std::mem::take(&mut file.types) {
                class.registers = registering.contains(&class.name);
                let name = class.name.clone();
                let class = self.define_class(&Rc::new(class), *scope);
                self.heap.bind(inside, &name, class);
            }
            for function in &file.functions {
                self.declare_function(function, &file.package, *scope, inside);
            }
        }
        for (scope, file) in files.iter() {
            for (of, method) in &file.methods {
                if let Some(Value::Class(class)) = self.heap.scope_at(inside).names.get(of) {
                    let class_scope = self.heap.class(*class).scope;
                    let id = self.heap.new_method(Rc::clone(method), *scope);
                    self.heap.bind(class_scope, &method.name, Value::Function(id));
                }
            }
        }
    }

    fn declare_function(&mut self, function: &Rc<Function>, package: &str, scope: ScopeId, inside: ScopeId) {
        let id = self.heap.new_function(Rc::clone(function), scope);
        match function.name.as_str() {
            "init" => self.mains.push(id),
            "main" if package == "main" => self.mains.push(id),
            name => self.heap.bind(inside, name, Value::Function(id)),
        }
    }

    /// What a file declares is the package's; what it imports stays its own.
    fn move_names(&mut self, from: ScopeId, to: ScopeId) {
        let names: Vec<(String, Value)> = {
            let names = &self.heap.scope_at(from).names;
            let mine = names.iter().filter(|(_, value)| !matches!(value, Value::Import(_)));
            mine.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        for (name, value) in names {
            self.heap.scope_mut(from).names.remove(&name);
            self.heap.bind(to, &name, value);
        }
    }

    /// The functions that programs and packages begin with.
    pub(super) fn run_mains(&mut self) {
        let mains: Vec<FunctionId> = std::mem::take(&mut self.mains);
        for id in mains {
            self.call_unseen(id, None);
        }
    }
}
