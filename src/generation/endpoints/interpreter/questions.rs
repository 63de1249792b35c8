//! What frameworks ask of functions and classes: how they are written, described and decorated.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::generation::endpoints::routes::Site;
use crate::generation::endpoints::syntax::{Class, Expr, Function};

use super::Interpreter;
use super::value::{ClassId, FunctionId, Invocation, ScopeId, Value};

impl Interpreter<'_> {
    /// Name and documentation of the function or class a value is, when that is known without
    /// reading files for it.
    pub fn described(&self, value: &Value) -> Option<(String, Option<String>)> {
        match value {
            Value::Function(id) | Value::Bound(id, _) => {
                let function = &self.heap.function(*id).function;
                Some((function.name.clone(), function.doc.clone()))
            }
            Value::Class(id) | Value::View(id, _) => {
                let class = &self.heap.class(*id).class;
                Some((class.name.clone(), class.doc.clone()))
            }
            _ => None,
        }
    }

    /// What an imported value is, if its file holds one of `words`; else it is left alone.
    pub fn look_up_if(&mut self, value: &Value, words: &[&str]) -> Value {
        let Value::Import(path) = value else { return value.clone() };
        match self.file_of_import(path) {
            Some(file) if self.sources.holds(&file, words) => self.look_up(value),
            _ => value.clone(),
        }
    }

    /// The functions of a class and of its bases in the project, by name, with their documentation.
    pub fn methods(&mut self, class: ClassId) -> BTreeMap<String, Option<String>> {
        let functions = self.functions(class).into_iter();
        functions.map(|(name, id)| (name, self.heap.function(id).function.doc.clone())).collect()
    }

    /// The functions of a class and of its bases in the project, by name.
    pub fn functions(&mut self, class: ClassId) -> BTreeMap<String, FunctionId> {
        let mut all = BTreeMap::new();
        for class in self.lineage(class) {
            let Value::Class(class) = class else { continue };
            let scope = self.heap.class(class).scope;
            for (name, value) in &self.heap.scope_at(scope).names {
                if let Value::Function(id) = value {
                    all.entry(name.clone()).or_insert(*id);
                }
            }
        }
        all
    }

    /// A function as it is written.
    pub fn written(&self, id: FunctionId) -> Rc<Function> {
        Rc::clone(&self.heap.function(id).function)
    }

    /// The decorators of a function or class that are of other packages: name, and how it is called.
    pub fn decorations(&mut self, of: &Value) -> Vec<(Rc<str>, Invocation)> {
        let (decorators, scope) = match of {
            Value::Function(id) | Value::Bound(id, _) => {
                let closure = self.heap.function(*id);
                (closure.function.decorators.clone(), closure.scope)
            }
            Value::Class(id) | Value::View(id, _) => {
                let class = self.heap.class(*id);
                (class.class.decorators.clone(), class.scope)
            }
            _ => return Vec::new(),
        };
        decorators.iter().filter_map(|decorator| self.decoration(decorator, scope)).collect()
    }

    fn decoration(&mut self, decorator: &Expr, scope: ScopeId) -> Option<(Rc<str>, Invocation)> {
        let Expr::Call(call) = decorator else {
            let value = self.evaluate(decorator, scope);
            return match self.look_up(&value) {
                Value::External(name) => Some((name, Invocation::default())),
                _ => None,
            };
        };
        let callee = self.evaluate(&call.callee, scope);
        let Value::External(name) = self.look_up(&callee) else { return None };
        let arguments = call.arguments.iter();
        let arguments = arguments
            .map(|argument| (argument.name.clone(), self.evaluate(&argument.value, scope)))
            .collect();
        let site = Site { file: self.file(scope), line: call.line };
        Some((name, Invocation { arguments, site, doc: None }))
    }

    /// The decorators of a function's parameters: for each that has one, its place in the list.
    pub fn parameter_decorations(&mut self, id: FunctionId) -> Vec<(usize, Rc<str>, Invocation)> {
        let closure = self.heap.function(id);
        let (function, scope) = (Rc::clone(&closure.function), closure.scope);
        let mut all = Vec::new();
        for (at, parameter) in function.parameters.iter().enumerate() {
            for decorator in &parameter.decorators {
                if let Some((name, call)) = self.decoration(decorator, scope) {
                    all.push((at, name, call));
                }
            }
        }
        all
    }

    /// What a name means where a function is written, if its file holds one of `words`.
    pub fn meaning(&mut self, function: FunctionId, name: &str, words: &[&str]) -> Value {
        let scope = self.heap.function(function).scope;
        let value = self.evaluate(&Expr::Name(name.to_owned()), scope);
        self.look_up_if(&value, words)
    }

    /// The name of a class or function, without reading files for it.
    pub fn name_of(&self, value: &Value) -> Option<String> {
        match value {
            Value::Import(path) => path.names.last().cloned(),
            Value::External(path) => path.rsplit('.').next().map(str::to_owned),
            _ => self.described(value).map(|(name, _)| name),
        }
    }

    /// The file a class is written in.
    pub fn file_of(&self, class: ClassId) -> String {
        self.file(self.heap.class(class).scope)
    }

    /// A class as it is written.
    pub fn written_class(&self, id: ClassId) -> Rc<Class> {
        Rc::clone(&self.heap.class(id).class)
    }
}
