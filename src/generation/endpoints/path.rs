//! One notation for paths, whatever the framework's: `/items/{id}`.

/// FastAPI and Starlette: `{id}`, `{file:path}`.
pub fn from_starlette(path: &str) -> String {
    replace_delimited(path, '{', '}', |inside| inside.split(':').next().unwrap_or(inside))
}

/// Flask: `<id>`, `<int:id>`, `<any(a, b):id>`.
pub fn from_flask(path: &str) -> String {
    replace_delimited(path, '<', '>', |inside| inside.rsplit(':').next().unwrap_or(inside))
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
