//! Statements, and the functions and classes they define and call.

use std::rc::Rc;

use crate::generation::endpoints::routes::{Framework, Role, Router};
use crate::generation::endpoints::syntax::{
    Class, Entry, Expr, Function, Import, Imported, Parameter, Statement,
};
use crate::generation::endpoints::{go, node};

use super::Interpreter;
use super::value::{ClassId, FunctionId, ImportPath, Invocation, ObjectId, ScopeId, Value};

/// Parameters by whose name one can tell that an app or router is handed in.
const APP_NAMES: &[&str] =
    &["app", "application", "router", "server", "api", "blueprint", "bp", "fastify", "instance"];

impl Interpreter<'_> {
    /// Runs statements; the value of the first `return` that says something.
    pub(super) fn execute(&mut self, statements: &[Statement], scope: ScopeId) -> Option<Value> {
        for statement in statements {
            if let Statement::Function(function) = statement
                && function.decorators.is_empty()
            {
                self.define_function(function, scope);
            }
        }
        let mut returned: Option<Value> = None;
        for statement in statements {
            let value = self.deeper(|this| this.execute_one(statement, scope)).flatten();
            if returned.as_ref().is_none_or(|value| !value.is_known()) && value.is_some() {
                returned = value;
            }
            if matches!(statement, Statement::Return(_)) {
                break;
            }
        }
        returned
    }

    fn execute_one(&mut self, statement: &Statement, scope: ScopeId) -> Option<Value> {
        match statement {
            Statement::Expression { value, doc } => {
                let outer = std::mem::replace(&mut self.doc, doc.clone());
                self.evaluate(value, scope);
                self.doc = outer;
            }
            Statement::Assign { target, value, declares } => {
                let value = self.evaluate(value, scope);
                self.assign(target, value, scope, *declares);
            }
            Statement::Import(import) => self.execute_import(import, scope),
            Statement::Export { name, value } => {
                let value = self.evaluate(value, scope);
                self.export(scope, name, value);
            }
            Statement::ExportAll(from) => {
                let module = self.import(scope, from, 0);
                for (name, value) in self.fields(&module) {
                    self.export(scope, &name, value);
                }
            }
            Statement::Function(function) if function.decorators.is_empty() => {}
            Statement::Function(function) => self.define_decorated(function, scope),
            Statement::Class(class) => {
                let value = self.define_class(class, scope);
                self.heap.bind(scope, &class.name, value);
            }
            Statement::Return(value) => return Some(self.evaluate(value, scope)),
            Statement::Loop { target, over, body } => return self.execute_loop(target, over, body, scope),
            Statement::Branches(branches) => {
                let mut values =
                    branches.iter().filter_map(|branch| self.execute(branch, scope)).collect::<Vec<_>>();
                let known = values.iter().position(Value::is_known).unwrap_or(0);
                return (!values.is_empty()).then(|| values.swap_remove(known));
            }
        }
        None
    }

    fn execute_loop(
        &mut self,
        target: &Expr,
        over: &Expr,
        body: &[Statement],
        scope: ScopeId,
    ) -> Option<Value> {
        let over = self.evaluate(over, scope);
        let over = self.look_up(&over);
        let items = match over {
            Value::List(_) => self.elements(&over),
            // An object gives its keys.
            Value::Object(_) => self.fields(&over).into_iter().map(|(name, _)| Value::text(name)).collect(),
            _ => vec![Value::Unknown],
        };
        let mut returned = None;
        for item in items {
            self.assign(target, item, scope, true);
            returned = returned.or(self.execute(body, scope));
        }
        returned
    }

    fn execute_import(&mut self, import: &Import, scope: ScopeId) {
        let importer = self.module_of(scope);
        let path =
            |names| Rc::new(ImportPath { importer, from: import.from.clone(), names, line: import.line });
        for imported in &import.names {
            match imported {
                Imported::Module { alias } => {
                    self.heap.bind(scope, alias, Value::Import(path(Vec::new())));
                }
                Imported::Name { name, alias } => {
                    self.heap.bind(scope, alias, Value::Import(path(vec![name.clone()])));
                }
                Imported::Everything => self.heap.scope_mut(scope).everything_of.push(path(Vec::new())),
            }
        }
    }

    /// Binds a name, sets a field, or takes a value apart.
    pub(super) fn assign(&mut self, target: &Expr, value: Value, scope: ScopeId, declares: bool) {
        match target {
            Expr::Name(name) => {
                let bound = (!declares).then(|| self.heap.binding_scope(scope, name)).flatten();
                self.heap.bind(bound.unwrap_or(scope), name, value);
            }
            Expr::Member(object, name) => {
                let object = self.evaluate(object, scope);
                if let Value::Object(id) = self.look_up(&object) {
                    self.heap.set_field(id, name, value);
                }
            }
            Expr::Map(entries) => self.take_apart(entries, &value, scope, declares),
            Expr::List(targets) => {
                let values = self.elements(&value);
                for (at, target) in targets.iter().enumerate() {
                    let value = values.get(at).cloned().unwrap_or(Value::Unknown);
                    self.assign(target, value, scope, declares);
                }
            }
            // A pattern with a default.
            Expr::Either(options) => {
                if let [target, default] = &options[..] {
                    let value = if value.is_known() { value } else { self.evaluate(default, scope) };
                    self.assign(target, value, scope, declares);
                }
            }
            _ => {}
        }
    }

    fn take_apart(&mut self, entries: &[Entry], value: &Value, scope: ScopeId, declares: bool) {
        for entry in entries {
            match entry {
                Entry::Pair(name, target) => {
                    let value = self.member(value, name);
                    self.assign(target, value, scope, declares);
                }
                Entry::Computed(_, target) | Entry::Spread(target) => {
                    self.assign(target, Value::Unknown, scope, declares);
                }
            }
        }
    }

    fn define_function(&mut self, function: &Rc<Function>, scope: ScopeId) -> Value {
        let id = self.heap.new_function(Rc::clone(function), scope);
        self.heap.bind(scope, &function.name, Value::Function(id));
        Value::Function(id)
    }

    fn define_decorated(&mut self, function: &Rc<Function>, scope: ScopeId) {
        let value = self.define_function(function, scope);
        for decorator in function.decorators.iter().rev() {
            let decorator = self.evaluate(decorator, scope);
            if let Value::Pending(pending) = decorator {
                self.complete(&pending, &value);
            }
        }
    }

    pub(super) fn define_class(&mut self, class: &Rc<Class>, scope: ScopeId) -> Value {
        let module = self.module_of(scope);
        let inner = self.heap.scope(Some(scope), module);
        self.heap.scope_mut(inner).of_class = true;
        let id = self.heap.new_class(Rc::clone(class), inner);
        self.execute(&class.body, inner);
        for decorator in class.decorators.iter().rev() {
            let decorator = self.evaluate(decorator, scope);
            match decorator {
                Value::Pending(pending) => {
                    self.complete(&pending, &Value::Class(id));
                }
                Value::Router(router) => node::nest::complete(self, router, id),
                _ => {}
            }
        }
        Value::Class(id)
    }

    /// Calls a function with arguments, and with what `this` or `self` is.
    pub(super) fn invoke(&mut self, id: FunctionId, this: Option<ObjectId>, call: &Invocation) -> Value {
        let closure = self.heap.call(id);
        let function = closure.function;
        if self.running.iter().any(|running| Rc::ptr_eq(running, &function)) {
            return Value::Unknown;
        }
        let scope = self.heap.scope(Some(closure.scope), self.module_of(closure.scope));
        if let Some(object) = this {
            self.heap.bind(scope, "this", Value::Object(object));
        }
        self.running.push(Rc::clone(&function));
        let outer = self.doc.take();
        self.bind_parameters(&function, this, call, scope);
        let value = self.deeper(|interpreter| interpreter.execute(&function.body, scope)).flatten();
        self.doc = outer;
        self.running.pop();
        value.unwrap_or(Value::Unknown)
    }

    fn bind_parameters(
        &mut self,
        function: &Function,
        this: Option<ObjectId>,
        call: &Invocation,
        scope: ScopeId,
    ) {
        let mut parameters = &function.parameters[..];
        if let (Some(object), Some((first, rest))) = (this, parameters.split_first())
            && matches!(&first.target, Expr::Name(name) if name == "self")
        {
            self.assign(&first.target, Value::Object(object), scope, true);
            parameters = rest;
        }
        for (at, parameter) in parameters.iter().enumerate() {
            let value = match parameter.rest {
                true => {
                    let values = call.positional().into_iter().skip(at).collect();
                    self.heap.new_list(values)
                }
                false => self.argument(parameter, at, call, scope),
            };
            self.assign(&parameter.target, value, scope, true);
        }
    }

    fn argument(&mut self, parameter: &Parameter, at: usize, call: &Invocation, scope: ScopeId) -> Value {
        let given = match &parameter.target {
            Expr::Name(name) => call.get(at, name),
            _ => call.at(at),
        };
        match (given, &parameter.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => self.evaluate(default, scope),
            (None, None) => Value::Unknown,
        }
    }

    /// An instance: fields, then the constructor.
    pub(super) fn instantiate(&mut self, id: ClassId, call: &Invocation) -> Value {
        self.heap.mark_called(id);
        let object = self.heap.new_object(Some(id));
        let constructor = self.constructor(id);
        for class in self.lineage(id).into_iter().rev() {
            if let Value::Class(class) = class {
                self.set_fields(class, object);
            }
        }
        match constructor {
            Some(constructor) => {
                self.invoke(constructor, Some(object), call);
            }
            // A struct, or a class of data: what is named is a field.
            None => {
                for (name, value) in &call.arguments {
                    if let Some(name) = name {
                        self.heap.set_field(object, name, value.clone());
                    }
                }
            }
        }
        Value::Object(object)
    }

    fn constructor(&mut self, id: ClassId) -> Option<FunctionId> {
        match ["constructor", "__init__"].iter().find_map(|name| self.class_member(id, name)) {
            Some(Value::Function(constructor)) => Some(constructor),
            _ => None,
        }
    }

    fn set_fields(&mut self, class: ClassId, object: ObjectId) {
        let class = self.heap.class(class).clone();
        if class.class.fields.is_empty() {
            return;
        }
        let scope = self.heap.scope(Some(class.scope), self.module_of(class.scope));
        self.heap.bind(scope, "this", Value::Object(object));
        for (name, value) in &class.class.fields {
            let value = value.as_ref().map_or(Value::Unknown, |value| self.evaluate(value, scope));
            self.heap.set_field(object, name, value);
        }
    }

    /// Calls a function whose caller is not known: parameters that are apps by their name stand
    /// for one.
    pub(super) fn call_unseen(&mut self, id: FunctionId, this: Option<ObjectId>) {
        let call = self.guess_arguments(id);
        self.invoke(id, this, &call);
    }

    fn guess_arguments(&mut self, id: FunctionId) -> Invocation {
        let closure = self.heap.function(id).clone();
        let framework = self.usual_framework(closure.scope);
        let mut arguments = Vec::new();
        for parameter in &closure.function.parameters {
            let name = match &parameter.target {
                Expr::Name(name) => name.as_str(),
                _ => "",
            };
            let is_app = match (&parameter.annotation, framework) {
                (Some(annotation), Framework::Go | Framework::Gin) => go::is_router_type(annotation),
                _ => APP_NAMES.contains(&name),
            };
            arguments.push(match &parameter.default {
                _ if closure.method && name == "self" => continue,
                _ if is_app => Value::Router(self.routers.add(Router::new(framework, Role::Guess))),
                Some(default) => self.evaluate(default, closure.scope),
                None => Value::Unknown,
            });
        }
        Invocation::default().with(arguments)
    }

    /// Makes an instance nothing was seen to make, and calls those of its methods that register
    /// routes and that its constructor leaves to others.
    pub(super) fn instantiate_unseen(&mut self, id: ClassId) {
        let call = match self.constructor(id) {
            Some(constructor) => self.guess_arguments(constructor),
            None => Invocation::default(),
        };
        let Value::Object(object) = self.instantiate(id, &call) else { return };
        let scope = self.heap.class(id).scope;
        let members: Vec<Value> = self.heap.scope_at(scope).names.values().cloned().collect();
        for member in members {
            if let Value::Function(method) = member {
                let closure = self.heap.function(method);
                if !closure.called && closure.function.registers {
                    self.call_unseen(method, Some(object));
                }
            }
        }
    }

    /// The framework a file speaks of.
    fn usual_framework(&self, scope: ScopeId) -> Framework {
        let file = self.file(scope);
        let speaks_of = |word: &str| self.sources.holds(&file, &[word]);
        if file.ends_with(".go") {
            return if go::STRICT.iter().any(|word| speaks_of(word)) {
                Framework::Gin
            } else {
                Framework::Go
            };
        }
        match file.ends_with(".py") {
            true if speaks_of("flask") || speaks_of("register_blueprint") => Framework::Flask,
            true => Framework::FastApi,
            false if speaks_of("fastify") => Framework::Fastify,
            false => Framework::Express,
        }
    }
}
