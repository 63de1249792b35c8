//! Expressions to values.

use std::rc::Rc;

use crate::generation::endpoints::routes::Site;
use crate::generation::endpoints::syntax::{Call, Entry, Expr};

use super::Interpreter;
use super::value::{ClassId, ImportPath, Invocation, ModuleId, ObjectId, ScopeId, Value};

/// Bases of a class that are followed.
const MAX_BASES: usize = 10;

impl Interpreter<'_> {
    pub(super) fn evaluate(&mut self, expr: &Expr, scope: ScopeId) -> Value {
        self.deeper(|this| this.evaluate_here(expr, scope)).unwrap_or(Value::Unknown)
    }

    fn evaluate_here(&mut self, expr: &Expr, scope: ScopeId) -> Value {
        match expr {
            Expr::Unknown => Value::Unknown,
            Expr::Text(text) => Value::text(text),
            Expr::Name(name) => self.name(name, scope),
            Expr::Member(object, name) => {
                let object = self.evaluate(object, scope);
                self.member(&object, name)
            }
            Expr::Index(object, index) => {
                let object = self.evaluate(object, scope);
                let index = self.evaluate(index, scope);
                self.index(&object, &index)
            }
            Expr::Call(call) => self.evaluate_call(call, scope),
            Expr::List(items) => {
                let values = self.evaluate_all(items, scope);
                self.heap.new_list(values)
            }
            Expr::Map(entries) => Value::Object(self.evaluate_map(entries, scope)),
            Expr::Spread(inner) => self.evaluate(inner, scope),
            Expr::Join(parts) => self.join(parts, scope),
            Expr::Either(options) => self.either(options, scope),
            Expr::Function(function) => Value::Function(self.heap.new_function(Rc::clone(function), scope)),
            Expr::Class(class) => self.define_class(class, scope),
            Expr::Require(from, line) => self.import(scope, from, *line),
            Expr::Assign(pair) => {
                let value = self.evaluate(&pair.1, scope);
                self.assign(&pair.0, value.clone(), scope, false);
                value
            }
        }
    }

    fn name(&mut self, name: &str, scope: ScopeId) -> Value {
        if let Some(found) = self.heap.binding_scope(scope, name) {
            return self.heap.scope_at(found).names.get(name).cloned().unwrap_or(Value::Unknown);
        }
        let mut at = Some(scope);
        while let Some(id) = at {
            for module in self.heap.scope_at(id).everything_of.clone() {
                let value = self.member(&Value::Import(module), name);
                let value = self.look_up(&value);
                // Of another package one only knows what it has that matters here.
                let matters = matches!(&value, Value::External(path) if self.wants_arguments(path));
                if value.is_known() || matters {
                    return value;
                }
            }
            at = self.heap.scope_at(id).parent;
        }
        match name {
            "Object" | "Promise" => Value::External(name.into()),
            _ => Value::Unknown,
        }
    }

    /// A list's elements, spread ones in place.
    fn evaluate_all(&mut self, items: &[Expr], scope: ScopeId) -> Vec<Value> {
        let mut values = Vec::new();
        for item in items {
            let value = self.evaluate(item, scope);
            match item {
                Expr::Spread(_) => match self.look_up(&value) {
                    // `[*router.urls]`
                    router @ Value::Router(_) => values.push(router),
                    list => values.extend(self.elements(&list)),
                },
                _ => values.push(value),
            }
        }
        values
    }

    fn evaluate_map(&mut self, entries: &[Entry], scope: ScopeId) -> ObjectId {
        let object = self.heap.new_object(None);
        for (at, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Pair(name, value) => {
                    let value = self.evaluate(value, scope);
                    self.heap.set_field(object, name, value);
                }
                Entry::Computed(key, value) => {
                    let key = self.evaluate(key, scope);
                    // A key that is not known still keeps its value apart from the others'.
                    let name = self.text(&key).unwrap_or_else(|| format!("#{at}"));
                    let value = self.evaluate(value, scope);
                    self.heap.set_field(object, &name, value);
                }
                Entry::Spread(value) => {
                    let value = self.evaluate(value, scope);
                    for (name, value) in self.fields(&value) {
                        self.heap.set_field(object, &name, value);
                    }
                }
            }
        }
        object
    }

    /// Parts that are not known are left out of a text, unless none is.
    fn join(&mut self, parts: &[Expr], scope: ScopeId) -> Value {
        let mut joined = String::new();
        let mut known = false;
        let mut lists = Vec::new();
        for part in parts {
            let value = self.evaluate(part, scope);
            let value = self.look_up(&value);
            match value {
                Value::Text(text) => {
                    known = true;
                    joined.push_str(&text);
                }
                Value::List(id) => lists.extend_from_slice(self.heap.list(id)),
                // `urlpatterns += router.urls`
                Value::Router(_) => lists.push(value),
                _ => {}
            }
        }
        match known {
            true => Value::text(joined),
            false if !lists.is_empty() => self.heap.new_list(lists),
            false => Value::Unknown,
        }
    }

    fn either(&mut self, options: &[Expr], scope: ScopeId) -> Value {
        let mut last = Value::Unknown;
        for option in options {
            let value = self.evaluate(option, scope);
            last = self.look_up(&value);
            if last.is_known() {
                return last;
            }
        }
        last
    }

    fn evaluate_call(&mut self, call: &Call, scope: ScopeId) -> Value {
        let callee = self.evaluate(&call.callee, scope);
        let callee = self.look_up(&callee);
        let foreign = matches!(&callee, Value::External(path) if !self.wants_arguments(path));
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            // What is handed to other packages is of no use here, and looking it up costs.
            let wanted = !foreign || !matches!(argument.value, Expr::Name(_) | Expr::Member(..));
            let value = if wanted { self.evaluate(&argument.value, scope) } else { Value::Unknown };
            match (&argument.name, &argument.value) {
                (None, Expr::Spread(_)) => {
                    arguments.extend(self.elements(&value).into_iter().map(|value| (None, value)));
                }
                (Some(name), _) if name == "**" => {
                    arguments
                        .extend(self.fields(&value).into_iter().map(|(name, value)| (Some(name), value)));
                }
                (name, _) => arguments.push((name.clone(), value)),
            }
        }
        let site = Site { file: self.file(scope), line: call.line };
        let outer = std::mem::replace(&mut self.site, site.clone());
        let value = self.call(&callee, &Invocation { arguments, site, doc: self.doc.clone() });
        self.site = outer;
        value
    }

    /// What a value is, imports looked up.
    pub fn look_up(&mut self, value: &Value) -> Value {
        match value {
            Value::Import(path) => self.deeper(|this| this.follow(path)).unwrap_or(Value::Unknown),
            _ => value.clone(),
        }
    }

    fn follow(&mut self, path: &ImportPath) -> Value {
        let mut value = self.imported_module(path.importer, &path.from);
        if matches!(&value, Value::External(name) if name.starts_with('.')) {
            self.note_missing(path);
        }
        for name in &path.names {
            value = self.member(&value, name);
            value = self.look_up(&value);
        }
        value
    }

    /// The default export of a module that has none is the module, as `require` gives it.
    pub(super) fn member(&mut self, object: &Value, name: &str) -> Value {
        match object {
            Value::Unknown => Value::Unknown,
            Value::External(path) if path.len() > 500 => Value::Unknown,
            Value::Import(path) => member_of_import(path, name),
            Value::Object(id) if name == "default" => {
                self.heap.object(*id).fields.get(name).unwrap_or(object).clone()
            }
            _ if name == "default" => object.clone(),
            Value::External(path) => Value::External(format!("{path}.{name}").into()),
            Value::Module(id) => self.module_member(*id, name),
            Value::Object(id) => self.object_member(*id, name),
            Value::Class(id) => self.class_member(*id, name).unwrap_or_else(|| method(object, name)),
            Value::Router(_) if matches!(name, "router" | "urls" | "registry") => object.clone(),
            _ => method(object, name),
        }
    }

    fn object_member(&mut self, id: ObjectId, name: &str) -> Value {
        if let Some(value) = self.heap.object(id).fields.get(name) {
            return value.clone();
        }
        let of_class = self.heap.object(id).class.and_then(|class| self.class_member(class, name));
        match of_class {
            Some(Value::Function(function)) => Value::Bound(function, id),
            Some(value) => value,
            None => method(&Value::Object(id), name),
        }
    }

    /// A class variable or function, the bases' included.
    pub fn class_member(&mut self, id: ClassId, name: &str) -> Option<Value> {
        for class in self.lineage(id) {
            if let Value::Class(class) = class {
                let scope = self.heap.class(class).scope;
                if let Some(value) = self.heap.scope_at(scope).names.get(name) {
                    return Some(value.clone());
                }
            }
        }
        None
    }

    /// The class and what it derives from, nearest first: classes, and names of other packages.
    pub fn lineage(&mut self, id: ClassId) -> Vec<Value> {
        let mut all = vec![Value::Class(id)];
        let mut at = 0;
        while let Some(value) = all.get(at).cloned() {
            at += 1;
            let Value::Class(id) = value else { continue };
            let class = self.heap.class(id).clone();
            for base in class.class.bases.iter().take(MAX_BASES) {
                let base = self.evaluate(base, class.scope);
                let base = self.look_up(&base);
                if all.len() < MAX_BASES && !matches!(base, Value::Unknown) {
                    all.push(base);
                }
            }
        }
        all
    }

    /// An entry by a key that is not known is taken to be the first: tables of settings by
    /// environment agree on what matters here.
    fn index(&mut self, object: &Value, index: &Value) -> Value {
        let object = self.look_up(object);
        match (&object, self.text(index)) {
            (Value::External(_), Some(name)) => self.member(&object, &name),
            (Value::Object(_), name) => {
                let fields = self.fields(&object);
                let named = fields.iter().find(|(field, _)| Some(field) == name.as_ref());
                named.or(fields.first()).map_or(Value::Unknown, |(_, value)| value.clone())
            }
            (Value::List(_), None) => self.elements(&object).into_iter().next().unwrap_or(Value::Unknown),
            _ => Value::Unknown,
        }
    }

    /// The text a value is, if it is one.
    pub fn text(&mut self, value: &Value) -> Option<String> {
        match self.look_up(value) {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// The elements of a list; of an object its values; else nothing.
    pub fn elements(&mut self, value: &Value) -> Vec<Value> {
        match self.look_up(value) {
            Value::List(id) => self.heap.list(id).to_vec(),
            _ => Vec::new(),
        }
    }

    /// A text, or the texts of a list.
    pub fn texts(&mut self, value: &Value) -> Vec<String> {
        match self.text(value) {
            Some(text) => vec![text],
            None => self.elements(value).iter().filter_map(|item| self.text(item)).collect(),
        }
    }

    /// The fields of an object.
    pub fn fields(&mut self, value: &Value) -> Vec<(String, Value)> {
        match self.look_up(value) {
            Value::Object(id) => self
                .heap
                .object(id)
                .fields
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// One field of an object.
    pub fn field(&mut self, value: &Value, name: &str) -> Option<Value> {
        match self.look_up(value) {
            Value::Object(id) => self.heap.object(id).fields.get(name).cloned(),
            _ => None,
        }
    }

    pub(super) fn import(&mut self, scope: ScopeId, from: &str, line: u32) -> Value {
        let importer = self.module_of(scope);
        Value::Import(Rc::new(ImportPath { importer, from: from.to_owned(), names: Vec::new(), line }))
    }

    pub(super) fn module_of(&self, scope: ScopeId) -> ModuleId {
        self.heap.scope_at(scope).module
    }
}

/// One step further, without looking anything up yet.
fn member_of_import(path: &ImportPath, name: &str) -> Value {
    let mut longer = ImportPath::clone(path);
    longer.names.push(name.to_owned());
    Value::Import(Rc::new(longer))
}

fn method(object: &Value, name: &str) -> Value {
    Value::Method(Box::new(object.clone()), name.into())
}
