//! What the comment above a route says: prose, `@tags`, or OpenAPI in YAML behind `@swagger`.

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Described {
    pub summary: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<String>,
}

/// A comment without its markers: `/** … */`, or the lines of `//` comments when they hold a tag
/// such as `@desc`. Other comments are not documentation.
pub fn clean(comment: &str) -> Option<String> {
    let lines: Vec<&str> = match comment.trim_start().strip_prefix("/**") {
        Some(inside) => {
            inside.trim_end_matches('/').trim_end_matches('*').lines().map(without_star).collect()
        }
        None if ["@desc", "@summary", "@route"].iter().any(|tag| comment.contains(tag)) => {
            comment.lines().map(|line| line.trim().trim_start_matches('/')).collect()
        }
        None => return None,
    };
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn without_star(line: &str) -> &str {
    let trimmed = line.trim_start();
    trimmed.strip_prefix('*').unwrap_or(line)
}

/// What a cleaned comment says of one method.
pub fn read(doc: &str, method: &str) -> Described {
    match doc.contains("@swagger") || doc.contains("@openapi") {
        true => read_openapi(doc, method),
        false => read_tags(doc),
    }
}

fn read_tags(doc: &str) -> Described {
    let mut described = Described::default();
    let mut prose = Vec::new();
    let mut in_prose = true;
    for line in doc.lines().map(str::trim) {
        let Some(tagged) = line.strip_prefix('@') else {
            if in_prose {
                prose.push(line);
            }
            continue;
        };
        in_prose = false;
        let (tag, rest) = tagged.split_once(char::is_whitespace).unwrap_or((tagged, ""));
        let rest = rest.trim();
        match tag.trim_end_matches(':').to_ascii_lowercase().as_str() {
            "summary" => described.summary = Some(rest.to_owned()),
            "desc" | "description" => described.description = Some(rest.to_owned()),
            "tag" | "tags" => described.tags.extend(rest.split(',').map(tag_name)),
            _ => {}
        }
    }
    let prose = prose.join("\n").trim().to_owned();
    described.description = described.description.or(Some(prose)).filter(|text| !text.is_empty());
    described
}

/// `Items - all about items` names the tag before the dash.
fn tag_name(text: &str) -> String {
    text.split(" - ").next().unwrap_or(text).trim().to_owned()
}

/// The few lines of YAML that matter; of a block for several methods, those below ours.
fn read_openapi(doc: &str, method: &str) -> Described {
    let ours = format!("{}:", method.to_lowercase());
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    let from = lines.iter().position(|line| *line == ours).map_or(0, |at| at + 1);
    let is_other = |line: &&str| matches!(*line, "get:" | "post:" | "put:" | "patch:" | "delete:");
    let lines: Vec<&str> = lines.into_iter().skip(from).take_while(|line| !is_other(line)).collect();
    let value = |key: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(key))?;
        let text = found.trim().trim_matches(['"', '\'']);
        (!text.is_empty() && !text.starts_with(['|', '>'])).then(|| text.to_owned())
    };
    // Those of parameters and answers come later.
    let own = lines.iter().position(|line| matches!(*line, "parameters:" | "responses:" | "requestBody:"));
    let is_own = |key: &str| {
        let at = lines.iter().position(|line| line.starts_with(key));
        at.zip(own).is_none_or(|(at, own)| at < own)
    };
    Described {
        summary: value("summary:"),
        description: value("description:").filter(|_| is_own("description:")),
        tags: yaml_list(&lines, "tags:"),
    }
}

/// `tags: [a, b]`, or items on the lines below.
fn yaml_list(lines: &[&str], key: &str) -> Vec<String> {
    let Some(at) = lines.iter().position(|line| line.starts_with(key)) else { return Vec::new() };
    let clean = |item: &str| item.trim().trim_matches(['"', '\'']).to_owned();
    let inline = lines[at][key.len()..].trim();
    match inline.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')) {
        Some(inside) => inside.split(',').map(clean).filter(|item| !item.is_empty()).collect(),
        None => lines[at + 1..].iter().map_while(|line| line.strip_prefix("- ")).map(clean).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_tags() {
        let doc = clean(
            "/**\n * All items.\n * Newest first.\n * @tags Items - all of them, Shop\n * @param x\n */",
        )
        .expect("a comment");
        let described = read(&doc, "GET");
        assert_eq!(described.description.as_deref(), Some("All items.\nNewest first."));
        assert_eq!(described.tags, ["Items", "Shop"]);
        let doc = clean("// @desc    Get one\n// @route   GET /api/items/:id").expect("a comment");
        assert_eq!(read(&doc, "GET").description.as_deref(), Some("Get one"));
        assert_eq!(clean("// ---- routes ----"), None);
    }

    #[test]
    fn openapi_for_the_method_asked_for() {
        let doc = "@swagger\n/items:\n  get:\n    summary: All\n    tags: [Items]\n    responses:\n      200:\n        description: ok\n  post:\n    summary: 'New'\n    tags:\n      - Items\n      - Shop\n";
        assert_eq!(read(doc, "GET").summary.as_deref(), Some("All"));
        assert_eq!(read(doc, "GET").description, None);
        assert_eq!(read(doc, "POST").summary.as_deref(), Some("New"));
        assert_eq!(read(doc, "POST").tags, ["Items", "Shop"]);
    }
}
