//! Which methods Django's views answer: functions by their decorators or what they compare the
//! request's method with, classes by their functions and by what they derive from.

use std::rc::Rc;

use super::super::interpreter::{ClassId, FunctionId, Interpreter, Invocation, Value};
use super::super::syntax::Function;
use super::super::verbs;

/// One method that a view answers.
#[derive(Debug, Clone)]
pub struct Answer {
    pub method: String,
    pub summary: Option<String>,
    pub description: Option<String>,
    pub body: Option<String>,
    pub response: Option<String>,
}

/// What follows a viewset's prefix; the text ends with a slash, or is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    Collection(String),
    Item(String),
}

/// What classes of Django and of the REST framework answer by themselves.
const GENERIC: &[(&str, &[&str])] = &[
    ("CreateAPIView", &["POST"]),
    ("ListAPIView", &["GET"]),
    ("RetrieveAPIView", &["GET"]),
    ("DestroyAPIView", &["DELETE"]),
    ("UpdateAPIView", &["PUT", "PATCH"]),
    ("ListCreateAPIView", &["GET", "POST"]),
    ("RetrieveUpdateAPIView", &["GET", "PUT", "PATCH"]),
    ("RetrieveDestroyAPIView", &["GET", "DELETE"]),
    ("RetrieveUpdateDestroyAPIView", &["GET", "PUT", "PATCH", "DELETE"]),
    ("TemplateView", &["GET"]),
    ("ListView", &["GET"]),
    ("DetailView", &["GET"]),
    ("RedirectView", &["GET"]),
    ("FormView", &["GET", "POST"]),
    ("CreateView", &["GET", "POST"]),
    ("UpdateView", &["GET", "POST"]),
    ("DeleteView", &["GET", "POST"]),
    ("LoginView", &["GET", "POST"]),
    ("LogoutView", &["POST"]),
    ("PasswordChangeView", &["GET", "POST"]),
    ("PasswordResetView", &["GET", "POST"]),
    ("PasswordResetConfirmView", &["GET", "POST"]),
    ("ObtainAuthToken", &["POST"]),
    ("TokenObtainPairView", &["POST"]),
    ("TokenRefreshView", &["POST"]),
    ("TokenVerifyView", &["POST"]),
    ("TokenBlacklistView", &["POST"]),
    ("GraphQLView", &["GET", "POST"]),
];

/// The actions that classes of the REST framework have by themselves.
const MIXINS: &[(&str, &[&str])] = &[
    ("ModelViewSet", &["list", "create", "retrieve", "update", "partial_update", "destroy"]),
    ("ReadOnlyModelViewSet", &["list", "retrieve"]),
    ("CreateModelMixin", &["create"]),
    ("ListModelMixin", &["list"]),
    ("RetrieveModelMixin", &["retrieve"]),
    ("UpdateModelMixin", &["update", "partial_update"]),
    ("DestroyModelMixin", &["destroy"]),
];

/// A router's actions, their methods, and whether they are for one item.
const ACTIONS: &[(&str, &str, bool)] = &[
    ("list", "GET", false),
    ("create", "POST", false),
    ("retrieve", "GET", true),
    ("update", "PUT", true),
    ("partial_update", "PATCH", true),
    ("destroy", "DELETE", true),
];

/// What a view answers; a view that cannot be read is taken to answer GET.
pub fn of(interpreter: &mut Interpreter, view: &Value) -> Vec<Answer> {
    let answers = match view {
        Value::Function(id) | Value::Bound(id, _) => of_function(interpreter, *id),
        Value::View(class, Some(actions)) => of_actions(interpreter, *class, &Value::Object(*actions)),
        Value::View(class, None) | Value::Class(class) => of_class(interpreter, *class),
        Value::External(name) => of_external(name),
        _ => Vec::new(),
    };
    if answers.is_empty() && !matches!(view, Value::External(_)) {
        return vec![Answer::bare("GET")];
    }
    answers
}

/// `@api_view(["GET"])`, `@require_http_methods([…])`, `@require_POST`; else what the function
/// compares with.
fn of_function(interpreter: &mut Interpreter, id: FunctionId) -> Vec<Answer> {
    let function = interpreter.written(id);
    let mut methods = Vec::new();
    for (name, call) in interpreter.decorations(&Value::Function(id)) {
        methods.extend(named_by_decorator(interpreter, &name, &call));
    }
    if methods.is_empty() {
        methods.clone_from(&function.verbs);
    }
    if methods.is_empty() {
        methods.push("GET".to_owned());
    }
    methods.into_iter().map(|method| Answer::of(&method, &function)).collect()
}

fn named_by_decorator(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Vec<String> {
    match name.rsplit('.').next() {
        Some("api_view" | "require_http_methods") => {
            let listed = call.get(0, "http_method_names").map(|list| interpreter.texts(list));
            let listed: Vec<String> =
                listed.unwrap_or_default().iter().filter_map(|method| verbs::known(method)).collect();
            if listed.is_empty() { vec!["GET".to_owned()] } else { listed }
        }
        Some("require_GET" | "require_safe") => vec!["GET".to_owned()],
        Some("require_POST") => vec!["POST".to_owned()],
        _ => Vec::new(),
    }
}

/// The functions named as methods, and what generic classes bring along.
fn of_class(interpreter: &mut Interpreter, class: ClassId) -> Vec<Answer> {
    let functions = interpreter.functions(class);
    let bases = external_bases(interpreter, class);
    let by_base = |method: &&str| {
        bases.iter().any(|base| GENERIC.iter().any(|(name, own)| name == base && own.contains(method)))
    };
    let serializer = serializer(interpreter, class);
    let doc = interpreter.written_class(class).doc.clone();
    let allowed = allowed(interpreter, class);
    let mut answers = Vec::new();
    for method in verbs::VERBS.iter().filter(|method| allows(&allowed, method)) {
        let own = functions.get(&method.to_lowercase()).map(|id| interpreter.written(*id));
        if own.is_none() && (!by_base(method) || matches!(*method, "OPTIONS" | "HEAD")) {
            continue;
        }
        let mut answer = Answer::bare(method);
        answer.description = own.and_then(|function| function.doc.clone()).or_else(|| doc.clone());
        answer.serialize(serializer.as_deref());
        answers.push(answer);
    }
    answers
}

/// `as_view({"get": "list", "post": "create"})`.
fn of_actions(interpreter: &mut Interpreter, class: ClassId, actions: &Value) -> Vec<Answer> {
    let functions = interpreter.functions(class);
    let serializer = serializer(interpreter, class);
    let doc = interpreter.written_class(class).doc.clone();
    let mut answers = Vec::new();
    for (method, action) in interpreter.fields(actions) {
        let Some(method) = verbs::known(&method) else { continue };
        let action = interpreter.text(&action).unwrap_or_default();
        let own = functions.get(&action).map(|id| interpreter.written(*id));
        let mut answer = Answer::bare(&method);
        answer.description = own.and_then(|function| function.doc.clone()).or_else(|| doc.clone());
        answer.serialize(serializer.as_deref());
        answers.push(answer);
    }
    answers
}

/// `TemplateView.as_view(…)`, and views of packages. The admin's pages and the like are no
/// endpoints of the app's own.
fn of_external(name: &str) -> Vec<Answer> {
    let name = name.trim_end_matches("()");
    let Some(class) = name.strip_suffix(".as_view") else {
        return match name.contains("admin") || name.ends_with("urls") {
            true => Vec::new(),
            false => vec![Answer::bare("GET")],
        };
    };
    let class = class.rsplit('.').next().unwrap_or(class);
    let known = GENERIC.iter().find(|(known, _)| *known == class);
    known.map_or(&["GET"][..], |(_, methods)| methods).iter().map(|method| Answer::bare(method)).collect()
}

/// The routes a router makes of a viewset.
pub fn of_viewset(interpreter: &mut Interpreter, class: ClassId) -> Vec<(Answer, Tail)> {
    let functions = interpreter.functions(class);
    let bases = external_bases(interpreter, class);
    let brought = |action: &str| {
        bases.iter().any(|base| MIXINS.iter().any(|(name, own)| name == base && own.contains(&action)))
    };
    let serializer = serializer(interpreter, class);
    let allowed = allowed(interpreter, class);
    let doc = interpreter.written_class(class).doc.clone();
    let mut all = Vec::new();
    for (action, method, one) in ACTIONS.iter().filter(|(_, method, _)| allows(&allowed, method)) {
        let own = functions.get(*action).map(|id| interpreter.written(*id));
        if own.is_none() && !brought(action) {
            continue;
        }
        let mut answer = Answer::bare(method);
        answer.description = own.and_then(|function| function.doc.clone()).or_else(|| doc.clone());
        answer.serialize(serializer.as_deref());
        if *action == "list" {
            answer.response = answer.response.map(|of| format!("list[{of}]"));
        }
        all.push((answer, if *one { Tail::Item(String::new()) } else { Tail::Collection(String::new()) }));
    }
    for (name, id) in functions {
        all.extend(extra_action(interpreter, &name, id));
    }
    all
}

/// `@action(detail=True, methods=["post"], url_path="x")`.
fn extra_action(interpreter: &mut Interpreter, name: &str, id: FunctionId) -> Vec<(Answer, Tail)> {
    let mut all = Vec::new();
    let function = interpreter.written(id);
    for (decorator, call) in interpreter.decorations(&Value::Function(id)) {
        let one = match decorator.rsplit('.').next() {
            Some("action") => !matches!(call.get(1, "detail"), Some(Value::Text(text)) if &**text == "False"),
            Some("detail_route") => true,
            Some("list_route") => false,
            _ => continue,
        };
        let methods = call.get(0, "methods").map(|methods| interpreter.texts(methods)).unwrap_or_default();
        let mut methods: Vec<String> = methods.iter().filter_map(|method| verbs::known(method)).collect();
        if methods.is_empty() {
            methods.push("GET".to_owned());
        }
        let path = call.named("url_path").and_then(|path| interpreter.text(path));
        let path = path.map_or_else(|| name.to_owned(), |path| super::super::path::from_regex(&path));
        let rest = format!("{path}/");
        let tail = if one { Tail::Item(rest) } else { Tail::Collection(rest) };
        all.extend(methods.iter().map(|method| (Answer::of(method, &function), tail.clone())));
    }
    all
}

/// The last names of what a class derives from outside of the project.
fn external_bases(interpreter: &mut Interpreter, class: ClassId) -> Vec<String> {
    let lineage = interpreter.lineage(class);
    let name = |value: &Value| match value {
        Value::External(path) => path.rsplit('.').next().map(str::to_owned),
        _ => None,
    };
    lineage.iter().filter_map(name).collect()
}

/// The class that bodies and answers go through.
fn serializer(interpreter: &mut Interpreter, class: ClassId) -> Option<String> {
    let value = interpreter.class_member(class, "serializer_class")?;
    interpreter.name_of(&value)
}

fn allowed(interpreter: &mut Interpreter, class: ClassId) -> Vec<String> {
    let names = interpreter.class_member(class, "http_method_names");
    names.map(|names| interpreter.texts(&names)).unwrap_or_default()
}

fn allows(allowed: &[String], method: &str) -> bool {
    allowed.is_empty() || allowed.iter().any(|name| name.eq_ignore_ascii_case(method))
}

impl Answer {
    fn bare(method: &str) -> Self {
        let method = method.to_owned();
        Self { method, summary: None, description: None, body: None, response: None }
    }

    fn of(method: &str, function: &Rc<Function>) -> Self {
        Self { description: function.doc.clone(), ..Self::bare(method) }
    }

    fn serialize(&mut self, serializer: Option<&str>) {
        let serializer = serializer.map(str::to_owned);
        if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            self.body.clone_from(&serializer);
        }
        if self.method != "DELETE" {
            self.response = serializer;
        }
    }
}
