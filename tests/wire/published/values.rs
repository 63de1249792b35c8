//! Values at the edges of a published schema: such as it allows, and such as it does not.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// What a schema says yes and no to.
#[derive(Debug, Default)]
pub struct Edges {
    /// The first is the plainest.
    pub good: Vec<Value>,
    pub bad: Vec<Value>,
}

/// Longer texts and lists say nothing that shorter ones do not, and take their time.
const LONGEST: u64 = 70_000;
const MOST: u64 = 1000;

pub fn edges(schema: &Value, document: &Value) -> Edges {
    if let Some(place) = schema["$ref"].as_str() {
        let pointer = place.strip_prefix('#').expect("a local reference");
        return edges(document.pointer(pointer).expect("it leads somewhere"), document);
    }
    if let Some(choice) = schema["oneOf"].as_array() {
        // What one of them refuses another may take.
        let good = choice.iter().flat_map(|one| edges(one, document).good).collect();
        return Edges { good, bad: Vec::new() };
    }
    if let Some(values) = schema["enum"].as_array() {
        return Edges { good: values.clone(), bad: vec![json!("none of them"), json!(7)] };
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().expect("a type")).collect(),
        _ => return Edges { good: vec![json!("x"), json!(null), json!({ "a": [1] })], bad: Vec::new() },
    };
    let mut all = Edges::default();
    for kind in &kinds {
        let one = match *kind {
            "string" => text(schema),
            "integer" | "number" => number(schema),
            "boolean" => Edges { good: vec![json!(true), json!(false)], bad: vec![json!("yes"), json!(1)] },
            "null" => Edges { good: vec![json!(null)], bad: Vec::new() },
            "array" => list(schema, document),
            "object" => object(schema, document),
            other => panic!("no such type: {other}"),
        };
        all.good.extend(one.good);
        all.bad.extend(one.bad);
    }
    all
}

fn text(schema: &Value) -> Edges {
    match schema["format"].as_str() {
        Some("date-time") => {
            return Edges {
                good: vec![json!("2026-01-01T00:00:00Z"), json!("1999-12-31T23:59:59.999+01:00")],
                bad: vec![json!("yesterday"), json!("2026-13-01T00:00:00Z")],
            };
        }
        Some("uuid") => {
            let id = "01890a5d-ac96-774b-bcce-b302099a8057";
            return Edges { good: vec![json!(id)], bad: vec![json!("no-uuid")] };
        }
        _ => {}
    }
    let (least, most) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64());
    let pattern = schema["pattern"].as_str();
    let matcher = pattern.map(|pattern| regex::Regex::new(pattern).expect("an expression"));
    let fits = |text: &str| {
        let length = text.chars().count() as u64;
        length >= least
            && most.is_none_or(|most| length <= most)
            && matcher.as_ref().is_none_or(|pattern| pattern.is_match(text))
    };
    let mut good: Vec<String> =
        pattern.map(such_as).unwrap_or_else(|| vec!["text".to_owned(), "é".to_owned()]);
    good.extend(["a".repeat(least as usize), "é".repeat(least as usize), "a".to_owned()]);
    let mut bad = Vec::new();
    if let Some(most) = most.filter(|most| *most <= LONGEST) {
        for begin in ["", "/", "1", "http://h/"] {
            let long = |length: u64| {
                format!("{begin}{}", "a".repeat(length as usize - begin.len().min(length as usize)))
            };
            good.push(long(most));
            good.push(format!("{}aa", "a/".repeat(most as usize / 2 - 1)));
            bad.push(long(most + 1));
        }
    }
    if least > 0 {
        bad.push("a".repeat(least as usize - 1));
    }
    if pattern.is_some() {
        bad.extend(["\0".to_owned(), "a\0b".to_owned(), "$(id)\n;".to_owned()]);
    }
    good.retain(|text| fits(text) && !is_too_long(pattern.unwrap_or_default(), text));
    bad.retain(|text| !fits(text));
    good.sort_by_key(|text| (text.len() != 1, text.clone()));
    good.dedup();
    assert!(!good.is_empty(), "nothing fits {schema}");
    Edges {
        good: good.into_iter().map(Value::from).collect(),
        bad: bad.into_iter().map(Value::from).collect(),
    }
}

/// What no expression says: a host name has at most 253 characters, a part of a path 255.
fn is_too_long(pattern: &str, text: &str) -> bool {
    match pattern {
        _ if pattern.contains("open|none") => text.split(',').any(|name| name.len() > 253),
        _ if pattern.starts_with(r"^(?:\./)?") => text.split('/').any(|part| part.len() > 255),
        _ => false,
    }
}

/// A few texts that an expression matches, the same in each run.
fn such_as(pattern: &str) -> Vec<String> {
    let inner = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).expect("of the whole text");
    let strategy = proptest::string::string_regex(inner).expect("an expression");
    let mut runner = TestRunner::deterministic();
    (0..12).map(|_| strategy.new_tree(&mut runner).expect("a text").current()).collect()
}

fn number(schema: &Value) -> Edges {
    let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
    let mut all =
        Edges { good: vec![json!(least.unwrap_or(0)), json!(most.unwrap_or(1000))], ..Edges::default() };
    all.bad.extend(least.map(|least| json!(least - 1)));
    all.bad.extend(most.map(|most| json!(most + 1)));
    all.bad.extend([json!(1.5), json!("many")]);
    all
}

fn list(schema: &Value, document: &Value) -> Edges {
    let items = edges(&schema["items"], document);
    let (least, most) = (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64());
    let repeated = |count: u64| Value::from(vec![items.good[0].clone(); count as usize]);
    let mut all = Edges::default();
    all.good.extend(items.good.iter().map(|item| json!([item])));
    match least {
        0 => all.good.push(json!([])),
        _ => all.bad.push(json!([])),
    }
    if let Some(most) = most.filter(|most| *most <= MOST) {
        all.good.push(repeated(most));
        all.bad.push(repeated(most + 1));
    }
    all.bad.extend(items.bad.iter().map(|item| json!([item])));
    all
}

fn object(schema: &Value, document: &Value) -> Edges {
    let mut all = match &schema["additionalProperties"] {
        Value::Object(value) => map(schema, &Value::Object(value.clone()), document),
        _ => Edges::default(),
    };
    let Some(properties) = schema["properties"].as_object() else {
        if all.good.is_empty() {
            all.good.push(json!({}));
        }
        return all;
    };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let known: Vec<(&String, Edges)> =
        properties.iter().map(|(name, schema)| (name, edges(schema, document))).collect();
    let plain: Map<String, Value> = known
        .iter()
        .filter(|(name, _)| required.contains(&name.as_str()))
        .map(|(name, edges)| ((*name).clone(), edges.good[0].clone()))
        .collect();
    let with = |name: &str, value: &Value| {
        let mut object = plain.clone();
        object.insert(name.to_owned(), value.clone());
        Value::Object(object)
    };
    all.good.push(Value::Object(plain.clone()));
    for (name, edges) in &known {
        all.good.extend(edges.good.iter().map(|value| with(name, value)));
        all.bad.extend(edges.bad.iter().map(|value| with(name, value)));
    }
    for name in required {
        let mut object = plain.clone();
        object.remove(name);
        all.bad.push(Value::Object(object));
    }
    if schema["additionalProperties"] == json!(false) {
        all.bad.push(with("colour", &json!(1)));
    }
    all
}

/// Names and values that are not listed.
fn map(schema: &Value, value: &Value, document: &Value) -> Edges {
    let values = edges(value, document);
    let names = match &schema["propertyNames"] {
        Value::Null => Edges { good: vec![json!("name")], bad: Vec::new() },
        names => edges(names, document),
    };
    let entry = |name: &Value, value: &Value| json!({ name.as_str().expect("a name"): value });
    let mut all = Edges::default();
    all.good.extend(names.good.iter().map(|name| entry(name, &values.good[0])));
    all.good.extend(values.good.iter().map(|value| entry(&names.good[0], value)));
    all.bad.extend(names.bad.iter().map(|name| entry(name, &values.good[0])));
    all.bad.extend(values.bad.iter().map(|value| entry(&names.good[0], value)));
    match schema["minProperties"].as_u64().unwrap_or(0) {
        0 => all.good.push(json!({})),
        _ => all.bad.push(json!({})),
    }
    if let Some(most) = schema["maxProperties"].as_u64().filter(|most| *most <= MOST) {
        let many = |count: u64| (0..count).map(|n| (format!("A{n}"), values.good[0].clone())).collect();
        all.good.push(Value::Object(many(most)));
        all.bad.push(Value::Object(many(most + 1)));
    }
    all
}
