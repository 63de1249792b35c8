//! What a handler says the body of its request is: `c.req.json<NewItem>()`,
//! `const item: NewItem = await request.json()`, `(await req.json()) as NewItem`,
//! `readBody<NewItem>(event)`.

const READS: [&str; 3] = ["req.json", "request.json", "readBody"];
/// Longest type that is shown.
const LONGEST: usize = 300;

/// The type, from a function's text.
pub fn read_as(text: &str) -> Option<String> {
    let mut reads = READS.iter().flat_map(|read| text.match_indices(read));
    reads.find_map(|(at, read)| said(&text[..at], &text[at + read.len()..]))
}

/// By what stands around the call.
fn said(before: &str, after: &str) -> Option<String> {
    if let Some(inside) = after.strip_prefix('<') {
        return kept(before_closing(inside)?);
    }
    let behind = after.strip_prefix('(')?.split_once(')')?.1.trim_start_matches(')').trim_start();
    if let Some(kind) = behind.strip_prefix("as ") {
        return kept(kind.split([';', '\n', ')', ',']).next()?);
    }
    let words = before.trim_end().trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let declared = words.trim_end().strip_suffix("await").unwrap_or(words);
    let (name, kind) = declared.trim_end().strip_suffix('=')?.rsplit_once('\n').map_or_else(
        || declared.trim_end().strip_suffix('=').and_then(|line| line.split_once(':')),
        |(_, line)| line.split_once(':'),
    )?;
    let is_declared = ["const ", "let ", "var "].iter().any(|word| name.trim_start().contains(word));
    is_declared.then(|| kept(kind)).flatten()
}

/// Up to the `>` that closes what is open.
fn before_closing(text: &str) -> Option<&str> {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices().take(LONGEST) {
        match c {
            '<' => depth += 1,
            '>' => {
                depth -= 1;
                if depth == 0 {
                    return text.get(..at);
                }
            }
            _ => {}
        }
    }
    None
}

fn kept(kind: &str) -> Option<String> {
    let kind = kind.split_whitespace().collect::<Vec<_>>().join(" ");
    let tells = !matches!(kind.as_str(), "" | "any" | "unknown" | "object" | "{}" | "const");
    (tells && kind.len() <= LONGEST).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_say_it() {
        for (text, kind) in [
            ("async (c) => c.json(await c.req.json<NewItem>())", Some("NewItem")),
            ("{ const b = await c.req.json<{ a: Map<string, A> }>(); }", Some("{ a: Map<string, A> }")),
            ("{\n  const item: NewItem = await request.json();\n}", Some("NewItem")),
            ("{ let item: NewItem = await req.json() }", Some("NewItem")),
            ("{ const item = (await req.json()) as NewItem;\n}", Some("NewItem")),
            ("{ const { a } = await request.json() as NewItem\n}", Some("NewItem")),
            ("{ const b = await readBody<NewItem>(event) }", Some("NewItem")),
            ("{ const body = await req.json(); const x: A = 1 }", None),
            ("{ return res.json<A>(x) }", None),
            ("{ const body: any = await req.json() }", None),
            ("req.json<", None),
            ("= await req.json()", None),
        ] {
            assert_eq!(read_as(text).as_deref(), kind, "{text}");
        }
    }
}
