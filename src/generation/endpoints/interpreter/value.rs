//! What names are bound to while sources are read, and where it is kept.
//!
//! Values are small and cloned freely. What can change or refer to itself lives in arenas of the
//! [`Heap`] and is named by index, so cycles in the project cost nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::generation::endpoints::routes::{Route, RouterId, Site};
use crate::generation::endpoints::syntax::{Class, Function};

/// Longest text and list kept: doubling in a loop must not eat the memory.
const MAX_TEXT: usize = 4_000;
const MAX_LIST: usize = 2_000;

#[derive(Debug, Clone)]
pub enum Value {
    Unknown,
    Text(Rc<str>),
    List(ListId),
    Object(ObjectId),
    Class(ClassId),
    Function(FunctionId),
    /// A function of a class, taken from an instance.
    Bound(FunctionId, ObjectId),
    /// A function that is the value's own: `router.get`, `list.append`.
    Method(Box<Value>, Rc<str>),
    Router(RouterId),
    Module(ModuleId),
    /// Something of a package that is not in the project: `fastapi.APIRouter`.
    External(Rc<str>),
    /// Something of another file, not looked up yet: most imports never matter.
    Import(Rc<ImportPath>),
    /// A route that waits for its function, as a decorator does.
    Pending(Rc<PendingRoute>),
    /// Express's `route('/x')`: a router and the path that its next methods are for.
    RouteAt(RouterId, Rc<str>),
    /// A class turned to a view function, and which of its functions answers which method, where
    /// that is said.
    View(ClassId, Option<ObjectId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(usize);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub usize);

/// `from`, as the file `importer` writes it, and the names that lead on from there.
#[derive(Debug, Clone)]
pub struct ImportPath {
    pub importer: ModuleId,
    pub from: String,
    pub names: Vec<String>,
    /// Where it is written; 0 when that is not known.
    pub line: u32,
}

#[derive(Debug)]
pub struct PendingRoute {
    pub router: RouterId,
    pub route: Route,
    /// The function's name, in words, is the summary where there is none.
    pub summarised_by_name: bool,
}

/// The arguments of one call, evaluated.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    pub arguments: Vec<(Option<String>, Value)>,
    pub site: Site,
    /// The comment above the statement.
    pub doc: Option<String>,
}

#[derive(Debug)]
pub struct Scope {
    pub names: BTreeMap<String, Value>,
    /// Modules all of whose names are bound here.
    pub everything_of: Vec<Rc<ImportPath>>,
    pub parent: Option<ScopeId>,
    pub module: ModuleId,
    /// Of a class body, which the functions in it do not see.
    pub of_class: bool,
}

#[derive(Debug, Clone)]
pub struct Closure {
    pub function: Rc<Function>,
    pub scope: ScopeId,
    /// Of a class: runs on an instance only.
    pub method: bool,
    pub called: bool,
}

#[derive(Debug, Clone)]
pub struct ClassValue {
    pub class: Rc<Class>,
    /// Holds class variables and methods; its parent is where the class stands.
    pub scope: ScopeId,
    pub called: bool,
}

#[derive(Debug, Default)]
pub struct Object {
    pub class: Option<ClassId>,
    pub fields: BTreeMap<String, Value>,
}

#[derive(Debug, Default)]
pub struct Heap {
    scopes: Vec<Scope>,
    lists: Vec<Vec<Value>>,
    objects: Vec<Object>,
    functions: Vec<Closure>,
    classes: Vec<ClassValue>,
    /// How many of them were looked at for ones that nothing calls.
    functions_seen: usize,
    classes_seen: usize,
}

impl Value {
    pub fn text(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        if text.len() <= MAX_TEXT { Self::Text(text.into()) } else { Self::Unknown }
    }

    /// Neither unknown nor of another package.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown | Self::External(_))
    }
}

impl Invocation {
    /// The nth argument given by place.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.arguments.iter().filter(|(name, _)| name.is_none()).map(|(_, value)| value).nth(index)
    }

    pub fn named(&self, wanted: &str) -> Option<&Value> {
        self.arguments.iter().find(|(name, _)| name.as_deref() == Some(wanted)).map(|(_, value)| value)
    }

    /// An argument that may be given by name or by place.
    pub fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.named(name).or_else(|| self.at(index))
    }

    /// The arguments given by place.
    pub fn positional(&self) -> Vec<Value> {
        self.arguments.iter().filter(|(name, _)| name.is_none()).map(|(_, value)| value.clone()).collect()
    }

    /// The same call site with other arguments.
    pub fn with(&self, arguments: Vec<Value>) -> Self {
        let arguments = arguments.into_iter().map(|value| (None, value)).collect();
        Self { arguments, site: self.site.clone(), doc: self.doc.clone() }
    }
}

impl Heap {
    pub fn scope(&mut self, parent: Option<ScopeId>, module: ModuleId) -> ScopeId {
        self.scopes.push(Scope {
            names: BTreeMap::new(),
            everything_of: Vec::new(),
            parent,
            module,
            of_class: false,
        });
        ScopeId(self.scopes.len() - 1)
    }

    /// Scopes are never dropped, so every id is good.
    pub fn scope_at(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0]
    }

    pub fn scope_mut(&mut self, id: ScopeId) -> &mut Scope {
        &mut self.scopes[id.0]
    }

    pub fn bind(&mut self, scope: ScopeId, name: &str, value: Value) {
        self.scopes[scope.0].names.insert(name.to_owned(), value);
    }

    /// The scope, from `scope` outwards, that binds `name`.
    pub fn binding_scope(&self, scope: ScopeId, name: &str) -> Option<ScopeId> {
        let mut at = Some(scope);
        while let Some(id) = at {
            let scope = self.scope_at(id);
            if scope.names.contains_key(name) {
                return Some(id);
            }
            at = scope.parent;
        }
        None
    }

    pub fn new_list(&mut self, mut values: Vec<Value>) -> Value {
        values.truncate(MAX_LIST);
        self.lists.push(values);
        Value::List(ListId(self.lists.len() - 1))
    }

    pub fn list(&self, id: ListId) -> &[Value] {
        &self.lists[id.0]
    }

    pub fn push(&mut self, id: ListId, value: Value) {
        if self.lists[id.0].len() < MAX_LIST {
            self.lists[id.0].push(value);
        }
    }

    pub fn new_object(&mut self, class: Option<ClassId>) -> ObjectId {
        self.objects.push(Object { class, fields: BTreeMap::new() });
        ObjectId(self.objects.len() - 1)
    }

    pub fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.0]
    }

    pub fn set_field(&mut self, id: ObjectId, name: &str, value: Value) {
        let fields = &mut self.objects[id.0].fields;
        if fields.len() < MAX_LIST || fields.contains_key(name) {
            fields.insert(name.to_owned(), value);
        }
    }

    pub fn new_function(&mut self, function: Rc<Function>, scope: ScopeId) -> FunctionId {
        let around = self.scope_at(scope);
        let (method, outer) = (around.of_class, around.parent.filter(|_| around.of_class));
        self.functions.push(Closure { function, scope: outer.unwrap_or(scope), method, called: false });
        FunctionId(self.functions.len() - 1)
    }

    /// A function of a type, written outside of it as Go does.
    pub fn new_method(&mut self, function: Rc<Function>, scope: ScopeId) -> FunctionId {
        self.functions.push(Closure { function, scope, method: true, called: false });
        FunctionId(self.functions.len() - 1)
    }

    /// Marks the function as called and gives it.
    pub fn call(&mut self, id: FunctionId) -> Closure {
        self.functions[id.0].called = true;
        self.functions[id.0].clone()
    }

    pub fn function(&self, id: FunctionId) -> &Closure {
        &self.functions[id.0]
    }

    pub fn new_class(&mut self, class: Rc<Class>, scope: ScopeId) -> ClassId {
        self.classes.push(ClassValue { class, scope, called: false });
        ClassId(self.classes.len() - 1)
    }

    pub fn class(&self, id: ClassId) -> &ClassValue {
        &self.classes[id.0]
    }

    pub fn mark_called(&mut self, id: ClassId) {
        self.classes[id.0].called = true;
    }

    /// The next function or class that registers routes and was never called.
    pub fn next_uncalled(&mut self) -> Option<Value> {
        while let Some(closure) = self.functions.get(self.functions_seen) {
            self.functions_seen += 1;
            if !closure.called && !closure.method && closure.function.registers {
                return Some(Value::Function(FunctionId(self.functions_seen - 1)));
            }
        }
        while let Some(class) = self.classes.get(self.classes_seen) {
            self.classes_seen += 1;
            if !class.called && class.class.registers {
                return Some(Value::Class(ClassId(self.classes_seen - 1)));
            }
        }
        None
    }
}
