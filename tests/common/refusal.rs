//! What every refusal of the API looks like.

use serde_json::Value;

use crate::http::Answer;

/// Checks the shape of a problem and gives it back.
pub fn problem(answer: &Answer) -> Value {
    let kind = answer.headers.get("content-type").map(|value| value.to_str().expect("text"));
    assert_eq!(kind, Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status, "{problem}");
    for member in ["type", "title", "detail", "code"] {
        let text = problem[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member} of {problem}");
    }
    let trace = problem["traceId"].as_str().unwrap_or_default();
    assert_eq!(trace.len(), 32, "traceId of {problem}");
    assert_eq!(answer.headers["x-trace-id"], trace, "{problem}");
    problem
}

/// The same, of one status, and not ours to be blamed for.
pub fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    let problem = problem(answer);
    assert_eq!(problem["code"], code, "{problem}");
    problem
}

/// 422, and the field it names.
pub fn invalid(answer: &Answer) -> String {
    let problem = refused(answer, 422, "invalid");
    problem["field"].as_str().unwrap_or_else(|| panic!("no field: {problem}")).to_owned()
}
