//! Calls: of the project's own functions, of frameworks, and of what lists and texts can do.

use crate::generation::endpoints::routes::{Framework, Mount, Route, RouterId};
use crate::generation::endpoints::{go, node, python};

use super::Interpreter;
use super::value::{Invocation, ListId, ObjectId, PendingRoute, Value};

/// Functions of other packages that answer with a default, and where it is given.
const WITH_DEFAULT: &[(&str, usize)] =
    &[("getenv", 1), ("environ.get", 1), ("Field", 0), ("config", 1), ("env", 1), ("env.str", 1)];

const IMPORT: &str = "importlib.import_module";

impl Interpreter<'_> {
    /// Calls a value: a function of the project, of a framework, or of nobody we know.
    pub fn call(&mut self, callee: &Value, call: &Invocation) -> Value {
        self.deeper(|this| this.call_here(callee, call)).unwrap_or(Value::Unknown)
    }

    fn call_here(&mut self, callee: &Value, call: &Invocation) -> Value {
        match self.look_up(callee) {
            Value::Function(id) => self.invoke(id, None, call),
            Value::Bound(id, object) => self.invoke(id, Some(object), call),
            Value::Class(id) => self.call_class(id, call),
            Value::Method(receiver, name) => self.call_method(&receiver, &name, call),
            Value::External(path) => self.call_external(&path, call),
            Value::Pending(pending) => match call.at(0) {
                Some(function) => self.complete(&pending, function),
                None => Value::Unknown,
            },
            _ => {
                self.call_back(call);
                Value::Unknown
            }
        }
    }

    /// A class of the project: of the framework's kind if it derives from one of those.
    fn call_class(&mut self, id: super::ClassId, call: &Invocation) -> Value {
        for base in self.lineage(id) {
            if let Value::External(path) = base
                && let Some(value) = self.construct(&path, call)
            {
                return value;
            }
        }
        self.instantiate(id, call)
    }

    /// Whether what a function of another package is given can matter here.
    pub(super) fn wants_arguments(&self, path: &str) -> bool {
        let answers = path.starts_with("Object.") || path == IMPORT || with_default(path).is_some();
        answers || python::knows(path) || node::knows(path) || go::knows(path)
    }

    fn construct(&mut self, path: &str, call: &Invocation) -> Option<Value> {
        match call.site.file.rsplit('.').next() {
            Some("py") => python::construct(self, path, call),
            Some("go") => go::construct(self, path, call),
            _ => node::construct(self, path, call),
        }
    }

    fn call_external(&mut self, path: &str, call: &Invocation) -> Value {
        if let Some(value) = self.construct(path, call) {
            return value;
        }
        match path {
            "Object.values" | "Object.keys" | "Object.entries" => return self.object_parts(path, call),
            IMPORT => return self.import_by_name(call),
            _ => {}
        }
        if let Some(at) = with_default(path)
            && let Some(text) = call.get(at, "default").and_then(|default| self.text(default))
        {
            return Value::text(text);
        }
        self.call_back(call);
        Value::External(format!("{path}()").into())
    }

    fn import_by_name(&mut self, call: &Invocation) -> Value {
        let Some(name) = call.at(0).and_then(|name| self.text(name)) else { return Value::Unknown };
        match self.sources.path(&call.site.file).and_then(|file| self.module_at.get(file).copied()) {
            Some(importer) => self.imported_module(importer, &name),
            None => Value::Unknown,
        }
    }

    /// `Object.values(routes)` and its like.
    fn object_parts(&mut self, path: &str, call: &Invocation) -> Value {
        let fields = call.at(0).cloned().map(|object| self.fields(&object)).unwrap_or_default();
        self.parts(fields, path)
    }

    fn parts(&mut self, fields: Vec<(String, Value)>, which: &str) -> Value {
        let mut values = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            values.push(match which.rsplit('.').next() {
                Some("values") => value,
                Some("keys") => Value::text(name),
                _ => self.heap.new_list(vec![Value::text(name), value]),
            });
        }
        self.heap.new_list(values)
    }

    /// Runs the functions that are handed to code we do not see: `connect().then(() => …)`.
    fn call_back(&mut self, call: &Invocation) {
        for argument in call.positional() {
            if let Value::Function(id) = argument
                && self.heap.function(id).function.registers
            {
                self.call_unseen(id, None);
            }
        }
    }

    fn call_method(&mut self, receiver: &Value, name: &str, call: &Invocation) -> Value {
        match self.look_up(receiver) {
            Value::Router(id) => self.call_router(id, name, call),
            Value::RouteAt(id, path) => match self.routers.get(id).map(|router| router.framework) {
                Some(Framework::Go | Framework::Gin) => go::method_of_route(self, id, &path, name, call),
                _ => node::express::method_of_route(self, id, &path, name, call),
            },
            Value::List(id) => self.call_list(id, name, call),
            Value::Object(id) => self.call_object(id, name, call),
            Value::Text(text) => call_text(&text, name, call),
            Value::Class(id) if name == "as_view" => Value::View(id, actions(call)),
            function @ (Value::Function(_) | Value::Bound(..)) if name == "bind" => function,
            _ => {
                self.call_back(call);
                Value::Unknown
            }
        }
    }

    fn call_router(&mut self, id: RouterId, name: &str, call: &Invocation) -> Value {
        let Some(framework) = self.routers.get(id).map(|router| router.framework) else {
            return Value::Unknown;
        };
        match framework {
            Framework::FastApi | Framework::Starlette => python::fastapi::method(self, id, name, call),
            Framework::Ninja => python::fastapi::method(self, id, name, call),
            Framework::Aiohttp => python::aiohttp::method(self, id, name, call),
            Framework::Flask => python::flask::method(self, id, name, call),
            Framework::Django => python::django::method(self, id, name, call),
            Framework::Express => node::express::method(self, id, name, call),
            Framework::Koa => node::koa::method(self, id, name, call),
            Framework::Fastify => node::fastify::method(self, id, name, call),
            Framework::Hono => node::hono::method(self, id, name, call),
            Framework::Go | Framework::Gin => go::method(self, id, name, call),
            Framework::Nest | Framework::Files => Value::Unknown,
        }
    }

    fn call_list(&mut self, id: ListId, name: &str, call: &Invocation) -> Value {
        match name {
            "append" | "push" | "add" => {
                for value in call.positional() {
                    self.heap.push(id, value);
                }
                Value::List(id)
            }
            "extend" => {
                let more = call.at(0).cloned().map(|list| self.elements(&list)).unwrap_or_default();
                for value in more {
                    self.heap.push(id, value);
                }
                Value::Unknown
            }
            "concat" => {
                let mut values = self.heap.list(id).to_vec();
                for argument in call.positional() {
                    match self.elements(&argument) {
                        more if more.is_empty() => values.push(argument),
                        more => values.extend(more),
                    }
                }
                self.heap.new_list(values)
            }
            "forEach" | "map" | "flatMap" => self.for_each(id, call),
            "filter" | "flat" | "sort" | "slice" | "reverse" | "copy" => Value::List(id),
            _ => Value::Unknown,
        }
    }

    fn for_each(&mut self, id: ListId, call: &Invocation) -> Value {
        let Some(function) = call.at(0).cloned() else { return Value::Unknown };
        let mut results = Vec::new();
        for item in self.heap.list(id).to_vec() {
            results.push(self.call(&function, &call.with(vec![item])));
        }
        self.heap.new_list(results)
    }

    fn call_object(&mut self, id: ObjectId, name: &str, call: &Invocation) -> Value {
        match name {
            "get" => {
                let key = call.at(0).and_then(|key| self.text(key)).unwrap_or_default();
                let found = self.heap.object(id).fields.get(&key).cloned();
                found.or_else(|| call.at(1).cloned()).unwrap_or(Value::Unknown)
            }
            "items" | "values" | "keys" => {
                let fields = self.fields(&Value::Object(id));
                self.parts(fields, name)
            }
            _ => {
                self.call_back(call);
                Value::Unknown
            }
        }
    }

    /// Gives a decorator's route its function. The value is the function, as decorators return it.
    pub(super) fn complete(&mut self, pending: &PendingRoute, function: &Value) -> Value {
        let framework = self.routers.get(pending.router).map(|router| router.framework);
        match framework {
            Some(Framework::Aiohttp) => python::aiohttp::complete(self, pending, function),
            Some(Framework::Flask) => python::flask::complete(self, pending, function),
            Some(_) => python::fastapi::complete(self, pending, function),
            None => {}
        }
        function.clone()
    }

    /// Mounts a router on another one.
    pub fn add_mount(&mut self, id: RouterId, mount: Mount) {
        if mount.target.is_none() {
            let site = self.site.clone();
            self.warn("what is mounted here could not be followed; its endpoints may be missing", &site);
        }
        if let Some(router) = self.routers.get_mut(id)
            && router.mounts.len() < super::MAX_ROUTES
        {
            router.mounts.push(mount);
        }
    }

    /// Hangs a route on a router.
    pub fn add_route(&mut self, id: RouterId, route: Route) {
        if let Some(router) = self.routers.get_mut(id)
            && router.routes.len() < super::MAX_ROUTES
        {
            router.routes.push(route);
        }
    }
}

/// `as_view({'get': 'list'})`
fn actions(call: &Invocation) -> Option<ObjectId> {
    match call.get(0, "actions") {
        Some(Value::Object(id)) => Some(*id),
        _ => None,
    }
}

/// Where a function of another package is given the default it answers with.
fn with_default(path: &str) -> Option<usize> {
    WITH_DEFAULT.iter().find(|(name, _)| path.ends_with(name)).map(|(_, at)| *at)
}

fn call_text(text: &str, name: &str, call: &Invocation) -> Value {
    let cut = match call.at(0) {
        Some(Value::Text(cut)) => cut.to_string(),
        _ => " ".to_owned(),
    };
    let is_cut = |c: char| cut.contains(c);
    match name {
        "strip" => Value::text(text.trim_matches(is_cut)),
        "rstrip" => Value::text(text.trim_end_matches(is_cut)),
        "lstrip" => Value::text(text.trim_start_matches(is_cut)),
        "lower" | "toLowerCase" => Value::text(text.to_lowercase()),
        "concat" => Value::text(format!("{text}{cut}")),
        "toString" | "trim" => Value::text(text.trim()),
        _ => Value::Unknown,
    }
}
