//! Django and its REST framework: `urlpatterns` with `path`, `re_path` and `include`, and routers
//! that register viewsets. What a view answers is told in [`django_views`](super::django_views).

use super::super::interpreter::{ClassId, Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Mount, Parameter, Role, Route, Router, RouterId};
use super::django_views::{self as views, Answer};

/// What puts a coat on a view and leaves its routes as they are.
const COATS: &[&str] = &[
    "csrf_exempt",
    "login_required",
    "permission_required",
    "user_passes_test",
    "staff_member_required",
    "never_cache",
    "xframe_options_exempt",
    "ensure_csrf_cookie",
    "format_suffix_patterns",
    "i18n_patterns",
];

/// Whether a name of Django's packages makes routes or routers.
pub fn knows(path: &str) -> bool {
    let makes = matches!(
        path.rsplit('.').next(),
        Some(
            "path"
                | "re_path"
                | "url"
                | "include"
                | "DefaultRouter"
                | "SimpleRouter"
                | "NestedSimpleRouter"
                | "NestedDefaultRouter"
        )
    );
    makes || hands_on(path)
}

/// Whether a call gives back the view it is handed: `csrf_exempt(view)`, `cache_page(60)(view)`.
pub fn hands_on(path: &str) -> bool {
    let root = path.split('.').next();
    let django = matches!(root, Some("django" | "rest_framework"));
    django
        && (path.ends_with("cache_page()")
            || path.rsplit('.').next().is_some_and(|last| COATS.contains(&last)))
}

/// What calling one of these names makes.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    if hands_on(name) {
        // `i18n_patterns(path(…), path(…))` is a list of them.
        return match &call.positional()[..] {
            [only] => Some(interpreter.look_up(only)),
            parts => {
                let id = part(interpreter);
                mount_parts(interpreter, id, None, parts);
                Some(Value::Router(id))
            }
        };
    }
    match name.rsplit('.').next()? {
        "path" => Some(pattern(interpreter, call, path::from_flask)),
        "re_path" | "url" => Some(pattern(interpreter, call, path::from_regex)),
        "include" => Some(include(interpreter, call)),
        "DefaultRouter" | "SimpleRouter" => Some(Value::Router(part(interpreter))),
        "NestedSimpleRouter" | "NestedDefaultRouter" => Some(nested_router(interpreter, call)),
        _ => None,
    }
}

/// A method of a router of the REST framework.
pub fn method(interpreter: &mut Interpreter, id: RouterId, name: &str, call: &Invocation) -> Value {
    match name {
        "register" => {
            let prefix = call.get(0, "prefix").and_then(|prefix| interpreter.text(prefix));
            let viewset = call.get(1, "viewset").cloned().unwrap_or(Value::Unknown);
            if let (Some(prefix), Value::Class(class)) = (prefix, interpreter.look_up(&viewset)) {
                register(interpreter, id, &path::from_regex(&prefix), class, call);
            }
        }
        // `router.registry.extend(other.registry)`
        "extend" => {
            if let Some(Value::Router(other)) = call.at(0).map(|other| interpreter.look_up(other)) {
                interpreter.add_mount(id, Mount { target: Some(other), ..Mount::default() });
            }
        }
        _ => {}
    }
    Value::Router(id)
}

/// Puts the parts together once all are read.
pub fn finish(interpreter: &mut Interpreter) {
    interpreter.finish_urlconfs();
}

fn part(interpreter: &mut Interpreter) -> RouterId {
    interpreter.routers.add(Router::new(Framework::Django, Role::Part))
}

/// `path(route, view)` or `path(prefix, include(…))`.
fn pattern(interpreter: &mut Interpreter, call: &Invocation, notation: fn(&str) -> String) -> Value {
    let id = part(interpreter);
    let route = call.get(0, "route").or_else(|| call.named("regex")).cloned();
    let route = route.and_then(|route| interpreter.text(&route));
    let (Some(route), Some(view)) = (route, call.get(1, "view").cloned()) else {
        return Value::Router(id);
    };
    let prefix = notation(&route);
    match interpreter.look_up(&view) {
        Value::Router(target) => {
            interpreter
                .add_mount(id, Mount { target: Some(target), prefix: Some(prefix), ..Mount::default() });
        }
        // `path("x/", ([…], "app"))`
        list @ Value::List(_) => {
            let parts = patterns_of(interpreter, &list);
            mount_parts(interpreter, id, Some(&prefix), &parts);
        }
        view => {
            let answers = views::of(interpreter, &view);
            add_answers(interpreter, id, &prefix, &path::converters(&route), answers, call);
        }
    }
    Value::Router(id)
}

fn add_answers(
    interpreter: &mut Interpreter,
    id: RouterId,
    path: &str,
    parameters: &[Parameter],
    answers: Vec<Answer>,
    call: &Invocation,
) {
    for answer in answers {
        let route = Route {
            methods: vec![answer.method],
            path: path.to_owned(),
            summary: answer.summary,
            description: answer.description,
            parameters: parameters.to_vec(),
            body: answer.body,
            response: answer.response,
            site: call.site.clone(),
            ..Route::default()
        };
        interpreter.add_route(id, route);
    }
}

/// `include("app.urls")`, `include(module)`, `include(router.urls)`, `include([…])`,
/// `include(([…], "name"))`.
fn include(interpreter: &mut Interpreter, call: &Invocation) -> Value {
    let Some(what) = call.get(0, "arg").cloned() else { return Value::Unknown };
    match interpreter.look_up(&what) {
        Value::Text(name) => match interpreter.urlconf_named(call, &name) {
            Some(id) => Value::Router(id),
            // A package's own.
            None => Value::Router(part(interpreter)),
        },
        Value::Module(module) => Value::Router(interpreter.urlconf(module)),
        list @ Value::List(_) => {
            let id = part(interpreter);
            let parts = patterns_of(interpreter, &list);
            mount_parts(interpreter, id, None, &parts);
            Value::Router(id)
        }
        other => other,
    }
}

/// A list of patterns, or the first of a pair that begins with one.
fn patterns_of(interpreter: &mut Interpreter, list: &Value) -> Vec<Value> {
    let parts = interpreter.elements(list);
    match parts.first().map(|first| interpreter.look_up(first)) {
        Some(inner @ Value::List(_)) => interpreter.elements(&inner),
        Some(module @ Value::Module(_)) => vec![module],
        _ => parts,
    }
}

fn mount_parts(interpreter: &mut Interpreter, id: RouterId, prefix: Option<&str>, parts: &[Value]) {
    for part in parts {
        let target = match interpreter.look_up(part) {
            Value::Router(target) => target,
            Value::Module(module) => interpreter.urlconf(module),
            _ => continue,
        };
        let prefix = prefix.map(str::to_owned);
        interpreter.add_mount(id, Mount { target: Some(target), prefix, ..Mount::default() });
    }
}

/// `NestedSimpleRouter(parent, "domains", lookup="domain")` stands below one of the parent's items.
fn nested_router(interpreter: &mut Interpreter, call: &Invocation) -> Value {
    let mut text = |index, name| call.get(index, name).and_then(|value| interpreter.text(value));
    let prefix = text(1, "parent_prefix").unwrap_or_default();
    let lookup = text(usize::MAX, "lookup").unwrap_or_else(|| "nested".to_owned());
    let above = match call.get(0, "parent_router").map(|parent| interpreter.look_up(parent)) {
        Some(Value::Router(parent)) => {
            interpreter.routers.get(parent).map(|router| router.prefix.clone()).unwrap_or_default()
        }
        _ => String::new(),
    };
    let mut router = Router::new(Framework::Django, Role::Part);
    router.prefix = format!("{above}{}/{{{lookup}_pk}}/", path::from_regex(&prefix));
    Value::Router(interpreter.routers.add(router))
}

/// The routes of a viewset: those of its actions, for the collection and for one of its items.
fn register(interpreter: &mut Interpreter, id: RouterId, prefix: &str, class: ClassId, call: &Invocation) {
    let mut text = |name| interpreter.class_member(class, name).and_then(|value| interpreter.text(&value));
    let lookup = text("lookup_url_kwarg").or_else(|| text("lookup_field")).unwrap_or_else(|| "pk".to_owned());
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    for (answer, tail) in views::of_viewset(interpreter, class) {
        let path = match tail {
            views::Tail::Collection(rest) => format!("{prefix}{rest}"),
            views::Tail::Item(rest) => format!("{prefix}{{{lookup}}}/{rest}"),
        };
        add_answers(interpreter, id, &path, &[], vec![answer], call);
    }
}
