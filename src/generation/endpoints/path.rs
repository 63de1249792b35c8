//! One notation for paths, whatever the framework's: `/items/{id}`.

use super::{Parameter, Place};

/// FastAPI and Starlette: `{id}`, `{file:path}`.
pub fn from_starlette(path: &str) -> String {
    replace_delimited(path, '{', '}', |inside| inside.split(':').next().unwrap_or(inside))
}

/// Flask: `<id>`, `<int:id>`, `<any(a, b):id>`; Sanic has it the other way round: `<id:int>`.
pub fn from_flask(path: &str) -> String {
    replace_delimited(path, '<', '>', |inside| match inside.rsplit_once(':') {
        Some((name, kind)) if is_sanic(name, kind) => name,
        Some((_, name)) => name,
        None => inside,
    })
}

fn is_sanic(name: &str, kind: &str) -> bool {
    const KINDS: [&str; 7] = ["str", "strorempty", "int", "float", "alpha", "ymd", "uuid"];
    KINDS.contains(&kind) && !KINDS.contains(&name) && name != "string" && !name.contains('(')
}

/// Express and its kin: `:id`, `:id?`, `:id(\\d+)`, `*rest`, and optional parts `{/:id}`.
pub fn from_express(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '{' | '}' => {}
            '\\' => {}
            ':' | '*' => match split_name(rest) {
                ("", _) if c == ':' => out.push(c),
                ("", after) => {
                    out.push('*');
                    rest = after;
                }
                (name, after) => {
                    out.extend(["{", name, "}"]);
                    rest = after_modifiers(after);
                }
            },
            _ => out.push(c),
        }
    }
    out
}

/// Django's `re_path`: `^items/(?P<id>\\d+)/$`. Groups without a name are a `*`.
pub fn from_regex(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.trim_start_matches('^').trim_end_matches('$');
    while let Some(c) = rest.chars().next() {
        if c == '(' {
            let Some(end) = matching(rest, '(', ')') else { break };
            let group = &rest[1..end.saturating_sub(1).max(1)];
            let named = group.strip_prefix("?P<").and_then(|named| named.split_once('>'));
            match named {
                Some((name, _)) => out.extend(["{", name, "}"]),
                // Part of the text: `(?:json|xml)`, or what may be left out.
                None if group.starts_with('?') => {}
                None => out.push('*'),
            }
            rest = rest[end..].trim_start_matches(['?', '+', '*']);
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '^' | '$' | '?' | '+' => {}
            // Any characters.
            '.' if rest.starts_with(['*', '+']) => {
                rest = &rest[1..];
                out.push('*');
            }
            // Any of some characters.
            '[' => {
                rest = rest.split_once(']').map_or("", |(_, after)| after);
                out.push('*');
            }
            '\\' => {
                let escaped = rest.chars().next();
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                out.extend(escaped.map(|c| if c.is_alphabetic() { '*' } else { c }));
            }
            _ => out.push(c),
        }
    }
    out
}

/// The types that converters give: `<int:id>`, `{id:int}`.
pub fn converters(path: &str) -> Vec<Parameter> {
    let mut all = Vec::new();
    for (open, close, name_first) in [('<', '>', false), ('{', '}', true)] {
        for part in path.split(open).skip(1) {
            let Some((inside, _)) = part.split_once(close) else { continue };
            let pair = match name_first {
                true => inside.split_once(':'),
                false => inside.rsplit_once(':').map(|(kind, name)| match is_sanic(kind, name) {
                    true => (kind, name),
                    false => (name, kind),
                }),
            };
            if let Some((name, kind)) = pair {
                let (name, kind) = (name.trim().to_owned(), Some(kind.trim().to_owned()));
                all.push(Parameter { name, place: Place::Path, kind, required: true });
            }
        }
    }
    all
}

/// The names of a path's parameters, in the common notation.
pub fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}

/// `/api` and `items/` to `/api/items/`: one slash between the parts, and one in front.
pub fn join(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    let path = path.trim_start_matches('/');
    let joined = match path {
        "" => prefix.to_owned(),
        _ => format!("{prefix}/{path}"),
    };
    rooted(joined)
}

/// With a slash in front.
pub fn rooted(path: String) -> String {
    if path.starts_with('/') { path } else { format!("/{path}") }
}

/// What two spellings of one route share: parameters without their names, no slash at the end.
pub fn shape(path: &str) -> String {
    let nameless = replace_delimited(path, '{', '}', |_| "");
    let trimmed = nameless.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

fn replace_delimited(path: &str, open: char, close: char, name: impl Fn(&str) -> &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once(open) {
        out.push_str(before);
        let Some((inside, after)) = after.split_once(close) else {
            out.push(open);
            rest = after;
            continue;
        };
        out.push('{');
        out.push_str(name(inside).trim());
        out.push('}');
        rest = after;
    }
    out.push_str(rest);
    out
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(text.len());
    text.split_at(end)
}

/// Past `(\\d+)`, Hono's `{[0-9]+}` and one of `? + *`.
fn after_modifiers(text: &str) -> &str {
    let mut rest = text;
    for (open, close) in [('(', ')'), ('{', '}')] {
        if rest.starts_with(open)
            && !rest.starts_with("{/")
            && !rest.starts_with("{.")
            && let Some(end) = matching(rest, open, close)
        {
            rest = &rest[end..];
        }
    }
    rest.strip_prefix(['?', '+', '*']).unwrap_or(rest)
}

/// The byte after the bracket that closes the one `text` starts with.
fn matching(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        depth += usize::from(c == open);
        depth -= usize::from(c == close && depth > 0);
        if depth == 0 {
            return Some(at + c.len_utf8());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_becomes_one() {
        assert_eq!(from_starlette("/files/{name:path}"), "/files/{name}");
        assert_eq!(from_starlette("/items:batch/{id}"), "/items:batch/{id}");
        assert_eq!(from_starlette("/broken/{id"), "/broken/{id");
        assert_eq!(from_flask("/a/<int:id>/<name>"), "/a/{id}/{name}");
        assert_eq!(from_flask("/<any(a, b):kind>"), "/{kind}");
        assert_eq!(from_express("/u/:id/b/:bookId"), "/u/{id}/b/{bookId}");
        assert_eq!(from_express(r"/u/:id(\d+)/:opt?"), "/u/{id}/{opt}");
        assert_eq!(from_express("/flights/:from-:to"), "/flights/{from}-{to}");
        assert_eq!(from_express("/files/*path"), "/files/{path}");
        assert_eq!(from_express("/files/*"), "/files/*");
        assert_eq!(from_express("/u{/:id}"), "/u/{id}");
        assert_eq!(from_express("/post/:date{[0-9]+}"), "/post/{date}");
    }

    #[test]
    fn regular_expressions_and_converters() {
        assert_eq!(from_regex(r"^items/(?P<id>[0-9]{2,}(a|b))/$"), "items/{id}/");
        assert_eq!(from_regex(r"^x\.(json)$"), "x.*");
        assert_eq!(from_regex(r"^a/.*$"), "a/*");
        assert_eq!(from_regex(r"^api/(?:v1/)?users(?P<broken"), "api/users");
        let kinds: Vec<_> =
            converters("/a/<int:id>/<name>/{file:path}").into_iter().map(|p| (p.name, p.kind)).collect();
        assert_eq!(
            kinds,
            [("id".to_owned(), Some("int".to_owned())), ("file".to_owned(), Some("path".to_owned()))]
        );
        assert_eq!(names("/a/{x}/{y}/{").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn parts_are_joined_by_one_slash() {
        assert_eq!(join("/api/", "/items"), "/api/items");
        assert_eq!(join("", "items/"), "/items/");
        assert_eq!(join("/api", "/"), "/api");
        assert_eq!(join("", ""), "/");
    }

    #[test]
    fn the_shape_forgets_names_and_the_last_slash() {
        assert_eq!(shape("/a/{id}/"), shape("/a/{item_id}"));
        assert_ne!(shape("/a/{id}"), shape("/a/b"));
        assert_eq!(shape("/"), "/");
    }
}
