//! Where an endpoint's code and the running app's own document do not agree.
//!
//! A document often knows more than one function says: what dependencies and middleware ask for.
//! That is no disagreement. Told of are those of the code's facts that the document contradicts.

use std::collections::BTreeSet;

use super::{Endpoint, Parameter, Place};

/// In words, the code's side first.
pub fn between(code: &Endpoint, document: &Endpoint) -> Vec<String> {
    let mut all = Vec::new();
    if code.path != document.path {
        all.push(format!("the path is {} in the code and {} in the document", code.path, document.path));
    }
    for parameter in code.parameters.iter().filter(|parameter| parameter.place != Place::Path) {
        all.extend(of_parameter(parameter, &document.parameters));
    }
    all.extend(of_types("body", code.body.as_deref(), document.body.as_deref()));
    all.extend(of_types("answer", code.response.as_deref(), document.response.as_deref()));
    all
}

fn of_parameter(parameter: &Parameter, documented: &[Parameter]) -> Option<String> {
    let Parameter { name, place, .. } = parameter;
    let place = format!("{place:?}").to_lowercase();
    let same = |one: &&Parameter| {
        one.place == parameter.place
            && one.name.replace('_', "-").eq_ignore_ascii_case(&name.replace('_', "-"))
    };
    match documented.iter().find(same) {
        None => Some(format!("the {place} parameter {name} is in the code and not in the document")),
        Some(other) if other.required != parameter.required => {
            let word = |required: bool| if required { "required" } else { "optional" };
            let (ours, theirs) = (word(parameter.required), word(other.required));
            Some(format!("the {place} parameter {name} is {ours} in the code and {theirs} in the document"))
        }
        Some(_) => None,
    }
}

/// Types are written in different languages: only the classes they name can be compared.
fn of_types(what: &str, code: Option<&str>, document: Option<&str>) -> Option<String> {
    let (code, document) = (code?, document?);
    let (ours, theirs) = (classes(code), classes(document));
    let apart = !ours.is_empty() && !theirs.is_empty() && ours.is_disjoint(&theirs);
    apart.then(|| format!("the {what} is {code} in the code and {document} in the document"))
}

fn classes(kind: &str) -> BTreeSet<&str> {
    const GENERIC: &[&str] = &[
        "Optional",
        "Union",
        "List",
        "Dict",
        "Any",
        "None",
        "Sequence",
        "Annotated",
        "Promise",
        "Array",
        "Record",
        "Response",
        "JSONResponse",
        "Page",
    ];
    let words = kind.split(|c: char| !c.is_alphanumeric() && c != '_');
    // What frameworks name themselves: `Body_login_post`, `Item-Input`.
    let told = |word: &&str| {
        word.starts_with(|c: char| c.is_uppercase())
            && !GENERIC.contains(word)
            && !word.starts_with("Body_")
            && !word.ends_with('_')
            && !matches!(*word, "Input" | "Output")
    };
    words.filter(told).collect()
}
