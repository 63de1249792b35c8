//! What a handler's own types say of bodies: `(req: Request<Params, Item, NewItem>, res: Response<Item>)`
//! of Express, `(request: FastifyRequest<{ Body: NewItem; Reply: Item }>)` of Fastify; else what
//! they read the body as.

use super::super::interpreter::{Interpreter, Value};
use super::super::syntax::Function;

/// Types that say nothing.
const NOTHING: [&str; 8] = ["", "{}", "any", "unknown", "object", "never", "void", "ParamsDictionary"];

/// Body and response of a handler that is at hand, where its parameters say so.
pub fn bodies(interpreter: &Interpreter, handler: &Value) -> (Option<String>, Option<String>) {
    match handler {
        Value::Function(id) | Value::Bound(id, _) => {
            let written = interpreter.written(*id);
            let (body, response) = said(&written);
            (body.or_else(|| written.reads.clone()), response)
        }
        _ => (None, None),
    }
}

fn said(function: &Function) -> (Option<String>, Option<String>) {
    let mut annotations = function.parameters.iter().filter_map(|parameter| parameter.annotation.as_deref());
    let Some(request) = annotations.next() else { return (None, None) };
    let arguments = arguments(request);
    if request.contains("FastifyRequest<") {
        let inside = arguments.first().and_then(|one| one.trim().strip_prefix('{')?.strip_suffix('}'));
        let inside = inside.unwrap_or_default();
        return (member(inside, "Body"), member(inside, "Reply"));
    }
    let name = request.split('<').next().unwrap_or_default().trim();
    if !matches!(name.rsplit('.').next(), Some("Request" | "TypedRequest")) {
        return (None, None);
    }
    let response = annotations.next().filter(|annotation| annotation.contains("Response<"));
    let response = response.and_then(|annotation| kept(self::arguments(annotation).first()?));
    (arguments.get(2).and_then(|body| kept(body)), response.or_else(|| kept(arguments.get(1)?)))
}

/// What stands between the outermost `<` and `>`, apart at its commas.
fn arguments(annotation: &str) -> Vec<&str> {
    let inside = annotation.split_once('<').and_then(|(_, rest)| Some(rest.rsplit_once('>')?.0));
    inside.map(|inside| apart(inside, ',')).unwrap_or_default()
}

/// The member of an object's type: `Body: NewItem; Reply: Item`.
fn member(inside: &str, name: &str) -> Option<String> {
    let members = apart(inside, ';').into_iter().flat_map(|part| apart(part, ','));
    members.into_iter().find_map(|part| kept(part.trim().strip_prefix(name)?.trim_start().strip_prefix(':')?))
}

/// Splits outside of all brackets.
fn apart(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (index, c) in text.char_indices() {
        match c {
            '<' | '{' | '(' | '[' => depth += 1,
            '>' | '}' | ')' | ']' => depth = depth.saturating_sub(1),
            c if c == at && depth == 0 => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn kept(kind: &str) -> Option<String> {
    let kind = kind.trim();
    (!NOTHING.contains(&kind) && kind.len() <= 300).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_apart() {
        assert_eq!(
            arguments("Request<{ id: string, x: A<B> }, Item[], NewItem>"),
            ["{ id: string, x: A<B> }", " Item[]", " NewItem"]
        );
        assert_eq!(arguments("Request"), Vec::<&str>::new());
        assert_eq!(
            member("Params: { id: string }; Body: { a: string; b: number }", "Body").as_deref(),
            Some("{ a: string; b: number }")
        );
        assert_eq!(member("Body: any", "Body"), None);
    }
}
