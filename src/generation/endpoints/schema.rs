//! What an OpenAPI document says of one operation: parameters, body and answer, as short types.
//! The document comes from the app: nothing in it is relied on, and depth is bounded.

use serde_json::Value;

use super::{Parameter, Place};

const MAX_PARAMETERS: usize = 100;
const MAX_DEPTH: usize = 6;
const MAX_NAME: usize = 200;

/// Those of the path item and of the operation, which may replace them.
pub fn parameters(document: &Value, item: &Value, operation: &Value) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = Vec::new();
    for given in [operation, item] {
        let listed = given.get("parameters").and_then(Value::as_array);
        for parameter in listed.into_iter().flatten() {
            let Some(parameter) = parameter_of(resolved(document, parameter)) else { continue };
            let known = all.iter().any(|one| one.name == parameter.name && one.place == parameter.place);
            if !known && all.len() < MAX_PARAMETERS {
                all.push(parameter);
            }
        }
    }
    all.sort_by_key(|parameter| parameter.place);
    all
}

fn parameter_of(parameter: &Value) -> Option<Parameter> {
    let place = match parameter.get("in")?.as_str()? {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        "cookie" => Place::Cookie,
        _ => return None,
    };
    let name = parameter.get("name")?.as_str().filter(|name| name.len() <= MAX_NAME)?;
    // Version 2 has the type right here.
    let kind = type_of(parameter.get("schema").unwrap_or(parameter), 0);
    let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
    Some(Parameter { name: name.to_owned(), place, kind, required })
}

/// The type of the request's body.
pub fn body(document: &Value, operation: &Value) -> Option<String> {
    if let Some(body) = operation.get("requestBody") {
        return content(resolved(document, body));
    }
    let listed = operation.get("parameters").and_then(Value::as_array)?;
    let body = listed.iter().find(|one| one.get("in").and_then(Value::as_str) == Some("body"))?;
    type_of(body.get("schema")?, 0)
}

/// The type of the first answer that is a success.
pub fn response(document: &Value, operation: &Value) -> Option<String> {
    let answers = operation.get("responses")?.as_object()?;
    let (_, answer) = answers.iter().find(|(status, _)| status.starts_with('2'))?;
    let answer = resolved(document, answer);
    content(answer).or_else(|| type_of(answer.get("schema")?, 0))
}

fn content(holder: &Value) -> Option<String> {
    let kinds = holder.get("content")?.as_object()?;
    let (_, first) = kinds.iter().find(|(kind, _)| kind.contains("json")).or_else(|| kinds.iter().next())?;
    type_of(first.get("schema")?, 0)
}

/// `Item`, `Item[]`, `string | integer`; `None` when nothing is said.
fn type_of(schema: &Value, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().filter(|name| !name.is_empty() && name.len() <= MAX_NAME)?;
        return Some(name.to_owned());
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(options) = schema.get(choice).and_then(Value::as_array) {
            let mut kinds: Vec<String> =
                options.iter().take(10).filter_map(|option| type_of(option, depth + 1)).collect();
            kinds.retain(|kind| kind != "null");
            return (!kinds.is_empty()).then(|| kinds.join(" | "));
        }
    }
    let kind = match schema.get("type")? {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")?,
        _ => return None,
    };
    if kind == "array" {
        let items = schema.get("items").and_then(|items| type_of(items, depth + 1));
        return Some(items.map_or_else(|| "array".to_owned(), |items| format!("{items}[]")));
    }
    Some(kind.chars().take(MAX_NAME).collect())
}

/// What a reference within the document leads to.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn version_3_with_references() {
        let document = json!({"components": {"parameters": {"Page": {"name": "page", "in": "query", "schema": {"type": "integer"}}}}});
        let operation = json!({
            "parameters": [{"$ref": "#/components/parameters/Page"}, {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewItem"}}}},
            "responses": {"422": {}, "201": {"content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/x/Item"}}}}}}
        });
        let found = parameters(&document, &json!({}), &operation);
        let found: Vec<_> =
            found.iter().map(|p| (p.name.as_str(), p.place, p.kind.as_deref(), p.required)).collect();
        assert_eq!(
            found,
            [("id", Place::Path, Some("string"), true), ("page", Place::Query, Some("integer"), false)]
        );
        assert_eq!(body(&document, &operation).as_deref(), Some("NewItem"));
        assert_eq!(response(&document, &operation).as_deref(), Some("Item[]"));
    }

    #[test]
    fn version_2_and_what_may_be_null() {
        let operation = json!({
            "parameters": [{"in": "body", "name": "x", "schema": {"$ref": "#/definitions/Item"}}, {"in": "query", "name": "q", "type": "string"}],
            "responses": {"200": {"schema": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
        });
        assert_eq!(body(&operation, &operation).as_deref(), Some("Item"));
        assert_eq!(response(&operation, &operation).as_deref(), Some("string"));
        assert_eq!(parameters(&operation, &json!(null), &operation).len(), 1);
    }
}
