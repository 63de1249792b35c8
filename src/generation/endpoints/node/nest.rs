//! NestJS, and routing-controllers, which works the same way: a class decorated as a controller,
//! its functions decorated with a method and a path.

use super::super::interpreter::{ClassId, FunctionId, Interpreter, Invocation, Value};
use super::super::path;
use super::super::routes::{Framework, Parameter, Place, Role, Route, Router, RouterId};
use super::super::syntax::{Expr, Function};
use super::super::verbs;
use super::{jsdoc, verbs as verbs_of};

/// Words of which a file of controllers, or one that sets them up, holds one.
pub const WORDS: &[&str] = &["@Controller(", "@JsonController(", "setGlobalPrefix("];
/// Where the decorators come from.
const PACKAGES: &[&str] = &["@nestjs/common.", "routing-controllers."];
/// The framework's own, which the visitor does not give.
const BY_URI: &str = "VersioningType.URI";

/// Whether a name of another package is of concern here.
pub fn knows(name: &str) -> bool {
    own(name).is_some_and(|name| matches!(name, "Controller" | "JsonController"))
        || name.ends_with(".setGlobalPrefix")
}

fn own(name: &str) -> Option<&str> {
    PACKAGES.iter().find_map(|package| name.strip_prefix(package))
}

/// `@Controller("cats")`, `@Controller({ path: "cats", version: "1" })`, `app.setGlobalPrefix("api")`.
pub fn construct(interpreter: &mut Interpreter, name: &str, call: &Invocation) -> Option<Value> {
    if name.ends_with(".setGlobalPrefix") {
        set_prefix(interpreter, call);
        return Some(Value::Unknown);
    }
    let mut router = Router::new(Framework::Nest, Role::App);
    let first = call.at(0).cloned().unwrap_or(Value::Unknown);
    let named = interpreter.field(&first, "path");
    let prefix = interpreter.texts(&named.unwrap_or_else(|| first.clone())).into_iter().next();
    router.prefix = prefix.map(|prefix| path::from_express(&prefix)).unwrap_or_default();
    if let Some(version) = interpreter.field(&first, "version").and_then(|version| interpreter.text(&version))
    {
        router.prefix = versioned(interpreter, &version, &router.prefix);
    }
    Some(Value::Router(interpreter.routers.add(router)))
}

/// Versions are part of the path where the app says so.
fn versioned(interpreter: &Interpreter, version: &str, path: &str) -> String {
    let by_uri = interpreter.sources().iter().any(|(path, _, text)| {
        path.ends_with(".ts") && memchr::memmem::find(text, BY_URI.as_bytes()).is_some()
    });
    if by_uri { path::join(&format!("/v{version}"), path) } else { path.to_owned() }
}

/// Remembers what stands before every controller's path.
pub fn set_prefix(interpreter: &mut Interpreter, call: &Invocation) {
    let prefix = call.at(0).and_then(|prefix| interpreter.text(prefix));
    interpreter.shared.global_prefix = prefix.or(interpreter.shared.global_prefix.take());
    let excluded = call.at(1).and_then(|options| interpreter.field(options, "exclude"));
    for one in excluded.map(|list| interpreter.elements(&list)).unwrap_or_default() {
        let named = interpreter.field(&one, "path");
        let Some(path) = interpreter.text(&named.unwrap_or_else(|| one.clone())) else { continue };
        let method = interpreter.field(&one, "method").and_then(|method| interpreter.name_of(&method));
        let method = method.filter(|method| method != "ALL");
        interpreter.shared.without_prefix.push((path, method));
    }
}

/// Hangs the routes of a decorated class on its router.
pub fn complete(interpreter: &mut Interpreter, id: RouterId, class: ClassId) {
    if interpreter.routers.get(id).is_none_or(|router| router.framework != Framework::Nest) {
        return;
    }
    let tags = tags(interpreter, &Value::Class(class));
    if let Some(router) = interpreter.routers.get_mut(id) {
        router.tags = tags;
    }
    let file = interpreter.file_of(class);
    for (_, function) in interpreter.functions(class) {
        for route in routes(interpreter, function, &file) {
            interpreter.add_route(id, route);
        }
    }
}

/// The prefix of the whole app goes before all of them.
pub fn finish(interpreter: &mut Interpreter) {
    let Some(prefix) = interpreter.shared.global_prefix.clone() else { return };
    let prefix = path::from_express(&prefix);
    let excluded = std::mem::take(&mut interpreter.shared.without_prefix);
    let mut apart = Vec::new();
    interpreter.routers.each(|router| {
        if router.framework != Framework::Nest {
            return;
        }
        let before = router.prefix.clone();
        let is_apart = |route: &Route| excluded.iter().any(|one| is_excluded(one, &before, route));
        let (outside, inside): (Vec<Route>, Vec<Route>) = router.routes.drain(..).partition(is_apart);
        router.routes = inside;
        if !outside.is_empty() {
            let mut other = Router::new(Framework::Nest, Role::App);
            (other.prefix, other.tags, other.routes) = (before.clone(), router.tags.clone(), outside);
            apart.push(other);
        }
        router.prefix = path::join(&prefix, &before);
    });
    for router in apart {
        interpreter.routers.add(router);
    }
}

/// `health`, `cats/:id`, or everything below `auth/*path`.
fn is_excluded((excluded, method): &(String, Option<String>), prefix: &str, route: &Route) -> bool {
    let path = path::rooted(path::join(prefix, &route.path));
    let fits = match excluded.split_once(['*', '(']) {
        Some((start, _)) => path.starts_with(&path::rooted(start.trim_end_matches('{').to_owned())),
        None => path::shape(&path) == path::shape(&path::rooted(path::from_express(excluded))),
    };
    fits && method.as_ref().is_none_or(|method| route.methods.contains(method))
}

/// The routes of one function: it may have several decorators, and those several paths.
fn routes(interpreter: &mut Interpreter, id: FunctionId, file: &str) -> Vec<Route> {
    let function = interpreter.written(id);
    let decorations = interpreter.decorations(&Value::Function(id));
    let mut said = Route {
        response: function.returns.as_deref().and_then(answer),
        tags: tags(interpreter, &Value::Function(id)),
        ..Route::default()
    };
    if let Some(doc) = &function.doc {
        let described = jsdoc::read(doc, "");
        (said.summary, said.description) = (described.summary, described.description);
    }
    document(interpreter, &decorations, &mut said);
    sign(interpreter, id, &function, &mut said);
    let mut all = Vec::new();
    for (name, call) in &decorations {
        let Some(methods) = own(name).and_then(methods) else { continue };
        let paths = call.at(0).map(|paths| interpreter.texts(paths)).unwrap_or_default();
        let paths = if paths.is_empty() { vec![String::new()] } else { paths };
        for path in paths {
            let mut site = call.site.clone();
            file.clone_into(&mut site.file);
            let path = path::from_express(&path);
            all.push(Route { methods: methods.clone(), path, site, ..said.clone() });
        }
    }
    all
}

/// `Get`, `Post`, …, `All`.
fn methods(name: &str) -> Option<Vec<String>> {
    let is_title =
        name.starts_with(|c: char| c.is_ascii_uppercase()) && name[1..].chars().all(char::is_lowercase);
    match name {
        "All" => verbs_of("all"),
        _ if is_title => verbs::known(name).map(|method| vec![method]),
        _ => None,
    }
}

/// What the decorators of `@nestjs/swagger` say.
fn document(
    interpreter: &mut Interpreter,
    decorations: &[(std::rc::Rc<str>, Invocation)],
    route: &mut Route,
) {
    for (name, call) in decorations {
        let Some(options) = call.at(0) else { continue };
        let mut text = |field| interpreter.field(options, field).and_then(|value| interpreter.text(&value));
        match &**name {
            "@nestjs/swagger.ApiOperation" => {
                route.summary = text("summary").or(route.summary.take());
                route.description = text("description").or(route.description.take());
            }
            "@nestjs/swagger.ApiOkResponse" | "@nestjs/swagger.ApiCreatedResponse" => {
                let kind = interpreter.field(options, "type").and_then(|kind| interpreter.name_of(&kind));
                route.response = route.response.take().or(kind);
            }
            _ => {}
        }
    }
}

fn tags(interpreter: &mut Interpreter, of: &Value) -> Vec<String> {
    let decorations = interpreter.decorations(of).into_iter();
    let tags = decorations.filter(|(name, _)| &**name == "@nestjs/swagger.ApiTags");
    let mut all = Vec::new();
    for (_, call) in tags {
        all.extend(call.positional().iter().flat_map(|tag| interpreter.texts(tag)));
    }
    all
}

/// Parameters by their decorators: `@Param("id") id: string`, `@Query() query: Paging`,
/// `@Body() item: NewItem`.
fn sign(interpreter: &mut Interpreter, id: FunctionId, function: &Function, route: &mut Route) {
    for (at, name, call) in interpreter.parameter_decorations(id) {
        let Some(parameter) = function.parameters.get(at) else { continue };
        let kind = parameter.annotation.clone();
        let required = parameter.default.is_none();
        let mut named = |place, fallback: &str| {
            let given = call.at(0).and_then(|name| interpreter.text(name));
            let variable = match &parameter.target {
                Expr::Name(name) => name.as_str(),
                _ => fallback,
            };
            let name = given.unwrap_or_else(|| variable.to_owned());
            route.parameters.push(Parameter { name, place, kind: kind.clone(), required });
        };
        match own(&name) {
            Some("Param") if call.at(0).is_some() => named(Place::Path, "id"),
            Some("Query" | "QueryParam" | "QueryParams") => named(Place::Query, "query"),
            Some("Headers" | "HeaderParam") if call.at(0).is_some() => named(Place::Header, "header"),
            Some("CookieParam") => named(Place::Cookie, "cookie"),
            Some("Body") if call.at(0).is_none_or(|first| !matches!(first, Value::Text(_))) => {
                route.body.clone_from(&kind);
            }
            Some("Body" | "BodyParam") => {
                let name = call.at(0).and_then(|name| interpreter.text(name)).unwrap_or_default();
                let kind = kind.as_deref().unwrap_or("unknown");
                route.body = Some(with_member(route.body.take(), &name, kind));
            }
            _ => {}
        }
    }
}

/// `@Body("name") name: string` takes one member of the body.
fn with_member(body: Option<String>, name: &str, kind: &str) -> String {
    let before = body.as_deref().and_then(|body| body.strip_prefix('{')?.strip_suffix('}'));
    before.map_or_else(|| format!("{{{name}: {kind}}}"), |before| format!("{{{before}, {name}: {kind}}}"))
}

/// `Promise<Cat[]>` is `Cat[]`; nothing is nothing.
fn answer(returns: &str) -> Option<String> {
    let inside = ["Promise<", "Observable<"]
        .iter()
        .find_map(|wrapper| returns.strip_prefix(wrapper)?.strip_suffix('>'))
        .unwrap_or(returns);
    (!matches!(inside, "void" | "any" | "unknown")).then(|| inside.to_owned())
}
