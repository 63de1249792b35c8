//! The methods of HTTP, and which of them a handler's own code asks for.

/// In the order in which they are listed.
pub const VERBS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];

/// How far behind `.method` a method's name may stand: the cases of a `switch` are many lines.
const REACH: usize = 4_000;

/// A method of HTTP, in capitals.
pub fn known(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    VERBS.contains(&upper.as_str()).then_some(upper)
}

/// The methods a function compares a request's with: `request.method == 'POST'`,
/// `switch (req.method) { case 'GET': … }`, `r.Method != http.MethodPut`. A function that answers
/// what it does not ask for, too, is taken to answer GET with it. Empty when nothing is compared.
pub fn compared(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut refuses = ["405", "NotAllowed", "not allowed"].iter().any(|word| text.contains(word));
    for at in text.match_indices(".method").chain(text.match_indices(".Method")).map(|(at, _)| at) {
        let after = &text[at + ".method".len()..];
        // `http.MethodGet`, `.methods`
        if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let compares = after.trim_start().starts_with(['=', '!', 'i', 'n', ')', '{', ':', ' ', ']']);
        if compares {
            refuses |= after.trim_start().starts_with("!=");
            collect(clipped(after), &mut found);
        }
    }
    if found.is_empty() {
        return found;
    }
    if !refuses && !found.iter().any(|verb| verb == "GET") {
        found.push("GET".to_owned());
    }
    found.sort_by_key(|verb| VERBS.iter().position(|known| known == verb));
    found
}

/// Quoted names of methods, and Go's constants for them.
fn collect(text: &str, found: &mut Vec<String>) {
    for verb in VERBS.iter().filter(|verb| !matches!(**verb, "HEAD" | "OPTIONS" | "TRACE")) {
        let lower = verb[1..].to_ascii_lowercase();
        let spellings = [format!("\"{verb}\""), format!("'{verb}'"), format!("Method{}{lower}", &verb[..1])];
        if spellings.iter().any(|spelling| text.contains(spelling)) && !found.iter().any(|one| one == verb) {
            found.push((*verb).to_owned());
        }
    }
}

fn clipped(text: &str) -> &str {
    let mut end = text.len().min(REACH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn what_a_handler_compares_its_method_with() {
        assert_eq!(compared("if request.method == 'POST': save()\nreturn render()"), ["GET", "POST"]);
        assert_eq!(compared("if (req.method !== 'POST') return res.status(405).end()"), ["POST"]);
        assert_eq!(
            compared(
                "switch (req.method) { case 'GET': a(); case \"DELETE\": b(); default: res.status(405) }"
            ),
            ["GET", "DELETE"]
        );
        assert_eq!(compared("if r.Method != http.MethodPut {"), ["PUT"]);
        assert_eq!(compared("return request.methods, obj.method()"), Vec::<String>::new());
        assert_eq!(compared("if request.method in ('GET', 'POST'): é"), ["GET", "POST"]);
    }
}
