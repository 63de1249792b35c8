//! What a function's own signature says of its endpoint, read as FastAPI reads it: parameters of
//! the path and the query, the body, and the answer.

use super::super::interpreter::{FunctionId, Interpreter, Value};
use super::super::routes::{Parameter, Place};
use super::super::syntax::{self, Expr, Function};

/// Types that are given in the query rather than in the body.
const SCALARS: &[&str] = &[
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "UUID",
    "UUID4",
    "datetime",
    "date",
    "time",
    "timedelta",
    "Decimal",
    "Enum",
    "Literal",
    "EmailStr",
    "HttpUrl",
    "AnyUrl",
    "AnyHttpUrl",
    "PositiveInt",
    "NonNegativeInt",
    "PositiveFloat",
    "ObjectId",
    "PydanticObjectId",
    "Path",
    "conint",
    "constr",
    "confloat",
];
/// Types the framework gives, and the visitor does not.
const GIVEN: &[&str] = &[
    "Request",
    "Response",
    "WebSocket",
    "BackgroundTasks",
    "HTTPConnection",
    "SecurityScopes",
    "HttpRequest",
    "StreamingResponse",
    "Session",
    "AsyncSession",
];
/// Words around a type that say how many or whether, not which.
const WRAPPERS: &[&str] = &[
    "Optional",
    "Union",
    "List",
    "list",
    "Set",
    "set",
    "Tuple",
    "tuple",
    "Sequence",
    "None",
    "Annotated",
    "typing",
    "t",
];

#[derive(Debug, Default)]
pub struct Signature {
    pub parameters: Vec<Parameter>,
    pub body: Option<String>,
    pub response: Option<String>,
}

/// Where a parameter comes from, as its default or its annotation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Place(Place),
    Body,
    /// `Depends(…)`: nothing of the request's own.
    Given,
}

/// Reads a function's signature; `path` says which parameters are the path's.
pub fn of(interpreter: &mut Interpreter, id: FunctionId, path: &str) -> Signature {
    let function = interpreter.written(id);
    let mut signature = Signature { response: response(&function), ..Signature::default() };
    let mut bodies: Vec<(String, String)> = Vec::new();
    for parameter in &function.parameters {
        let Expr::Name(name) = &parameter.target else { continue };
        if parameter.rest || matches!(name.as_str(), "self" | "cls" | "request" | "req") {
            continue;
        }
        let (mut marker, mut required) = default_of(parameter);
        let mut kind = parameter.annotation.clone();
        if let Some(annotated) = kind.as_deref().and_then(|kind| annotation(interpreter, id, kind)) {
            kind = Some(annotated.0);
            marker = marker.or(annotated.1);
            required &= !annotated.2;
        }
        let in_path = path.contains(&format!("{{{name}}}"));
        let marker = match marker {
            _ if in_path => Marker::Place(Place::Path),
            Some(marker) => marker,
            None => guessed(interpreter, id, kind.as_deref()),
        };
        match marker {
            Marker::Given => {}
            Marker::Body => bodies.push((name.clone(), kind.unwrap_or_else(|| "unknown".to_owned()))),
            Marker::Place(place) => signature.parameters.push(Parameter {
                name: if place == Place::Header { name.replace('_', "-") } else { name.clone() },
                place,
                kind,
                required: required || place == Place::Path,
            }),
        }
    }
    signature.body = body(bodies);
    signature
}

/// One body is its type, several are an object of them.
fn body(mut bodies: Vec<(String, String)>) -> Option<String> {
    match bodies.len() {
        0 => None,
        1 => Some(bodies.swap_remove(0).1),
        _ => {
            let fields: Vec<String> = bodies.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
            Some(format!("{{{}}}", fields.join(", ")))
        }
    }
}

fn response(function: &Function) -> Option<String> {
    let written = function.returns.as_deref()?.trim_matches(['"', '\'']);
    (!matches!(written, "None" | "Any")).then(|| written.to_owned())
}

/// What a default says: `= Query(None)`, `= Depends()`, `= 3`; and whether it must be given.
fn default_of(parameter: &syntax::Parameter) -> (Option<Marker>, bool) {
    let Some(default) = &parameter.default else { return (None, true) };
    let Expr::Call(call) = default else { return (None, false) };
    let name = match &call.callee {
        Expr::Name(name) | Expr::Member(_, name) => name,
        _ => return (None, false),
    };
    let marker = marker(name);
    // `OAuth2PasswordRequestForm = Depends()` is a form.
    let is_form = parameter.annotation.as_deref().is_some_and(|kind| kind.ends_with("RequestForm"));
    let first = call.arguments.iter().find(|argument| argument.name.is_none());
    let by_name = call
        .arguments
        .iter()
        .any(|argument| matches!(argument.name.as_deref(), Some("default" | "default_factory")));
    let is_open = match first {
        Some(argument) => matches!(&argument.value, Expr::Text(text) if text == "..."),
        None => !by_name,
    };
    (if is_form { Some(Marker::Body) } else { marker }, marker.is_some() && is_open)
}

fn marker(name: &str) -> Option<Marker> {
    Some(match name {
        "Query" => Marker::Place(Place::Query),
        "Path" => Marker::Place(Place::Path),
        "Header" => Marker::Place(Place::Header),
        "Cookie" => Marker::Place(Place::Cookie),
        "Body" | "Form" | "File" => Marker::Body,
        "Depends" | "Security" => Marker::Given,
        _ => return None,
    })
}

/// `Annotated[int, Query(ge=1)]`, also under a name of its own: the type, what marks it, and
/// whether it may be left out.
fn annotation(
    interpreter: &mut Interpreter,
    id: FunctionId,
    kind: &str,
) -> Option<(String, Option<Marker>, bool)> {
    if let Some(inside) = kind.strip_prefix("Annotated[").and_then(|rest| rest.strip_suffix(']')) {
        return Some(split_annotated(inside, kind));
    }
    let is_name = kind.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_name || SCALARS.contains(&kind) || GIVEN.contains(&kind) {
        return None;
    }
    let Value::Text(text) = interpreter.meaning(id, kind, &["Annotated["]) else { return None };
    let inside = text.strip_prefix("Annotated[").and_then(|rest| rest.strip_suffix(']'))?;
    Some(split_annotated(inside, kind))
}

fn split_annotated(inside: &str, whole: &str) -> (String, Option<Marker>, bool) {
    let inside = inside.trim();
    let mut depth = 0_usize;
    let cut = inside.char_indices().find(|(_, c)| {
        depth += usize::from(matches!(c, '[' | '(' | '{'));
        depth = depth.saturating_sub(usize::from(matches!(c, ']' | ')' | '}')));
        *c == ',' && depth == 0
    });
    let Some((at, _)) = cut else { return (inside.to_owned(), None, false) };
    let (kind, rest) = (inside[..at].trim(), &inside[at + 1..]);
    let words = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut found = words.filter(|word| !word.is_empty()).find_map(marker);
    if kind.ends_with("RequestForm") && whole.contains("Depends") {
        found = Some(Marker::Body);
    }
    (kind.split_whitespace().collect::<Vec<_>>().join(" "), found, rest.contains("default"))
}

/// A parameter that is marked as nothing: classes are bodies, plain values are the query's.
fn guessed(interpreter: &mut Interpreter, id: FunctionId, kind: Option<&str>) -> Marker {
    let query = Marker::Place(Place::Query);
    let Some(kind) = kind else { return query };
    let words = kind.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: Vec<&str> = words.filter(|word| !word.is_empty() && !WRAPPERS.contains(word)).collect();
    if words.iter().any(|word| GIVEN.contains(word)) {
        return Marker::Given;
    }
    let is_body = |word: &&&str| {
        !SCALARS.contains(*word) && word.starts_with(|c: char| c.is_uppercase()) || **word == "dict"
    };
    let Some(class) = words.iter().find(is_body).copied() else { return query };
    if words.first().is_some_and(|first| *first == "Literal") || is_enum(interpreter, id, class) {
        return query;
    }
    Marker::Body
}

fn is_enum(interpreter: &mut Interpreter, id: FunctionId, name: &str) -> bool {
    let Value::Class(class) = interpreter.meaning(id, name, &["Enum"]) else { return false };
    let lineage = interpreter.lineage(class);
    lineage.iter().any(|base| matches!(base, Value::External(path) if path.ends_with("Enum")))
}
