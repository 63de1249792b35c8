//! The API's errors (RFC 9457), and how a failed command is told to people and machines.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::ClientError;
use super::timespan;

/// `application/problem+json` as sent, every member optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Problem {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The input at fault: `metadata.systemPackages[1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why a preview failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
    /// The `Retry-After` header: seconds or a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How the origin of a token begins when there is none to send.
const NO_TOKEN: &str = "no token";

impl Problem {
    /// One sentence or a few lines, for people. `token` names the token that was sent.
    pub fn sentence(&self, token: &str) -> String {
        let what = self.what();
        match self.status {
            401 => {
                let why = match token.starts_with(NO_TOKEN) {
                    true => token.to_owned(),
                    false => format!("the daemon did not accept {token} ({what})"),
                };
                format!(
                    "{why}\n\
                     mint one with `previewd token --user NAME` where the daemon runs, and put it into PREVIEW_TOKEN"
                )
            }
            429 | 503 => format!("{what}{}", self.when_again()),
            500.. => match (&self.trace_id, &self.stage) {
                (Some(trace), None) => format!("{what} (trace {trace})"),
                _ => what,
            },
            _ => what,
        }
    }

    fn what(&self) -> String {
        let said = self.detail.as_deref().or(self.reason.as_deref()).or(self.title.as_deref());
        let said = match said {
            Some(said) => said.trim_end_matches('.').to_owned(),
            None => format!("the daemon answered {}", self.status),
        };
        match &self.field {
            Some(field) if !said.starts_with(field.as_str()) => format!("{field}: {said}"),
            _ => said,
        }
    }

    fn when_again(&self) -> String {
        match self.retry_after.as_deref().map(|text| (text, text.parse::<u64>())) {
            Some((_, Ok(0))) => "; try again".to_owned(),
            Some((_, Ok(seconds))) => format!("; try again in {}", timespan::long(seconds)),
            Some((date, Err(_))) => format!("; try again after {date}"),
            None => "; try again in a moment".to_owned(),
        }
    }
}

/// The whole chain of a failure, for people.
pub fn as_text(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

/// The same as one JSON object: `{"error": problem}`, with the API's own members where it was
/// the API that refused.
pub fn as_json(error: &anyhow::Error) -> Value {
    let problem = error.chain().find_map(|cause| match cause.downcast_ref::<ClientError>() {
        Some(ClientError::Problem { problem, .. }) => serde_json::to_value(problem).ok(),
        _ => None,
    });
    json!({ "error": problem.unwrap_or_else(|| json!({ "detail": as_text(error) })) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(value: Value) -> Problem {
        serde_json::from_value(value).expect("a problem")
    }

    #[test]
    fn the_field_is_named_once() {
        let named = problem(json!({"status": 422, "detail": "expected a version", "field": "pythonVersion"}));
        assert_eq!(named.sentence(""), "pythonVersion: expected a version");
        let already = problem(json!({"status": 422, "detail": "port: expected 1 to 65535", "field": "port"}));
        assert_eq!(already.sentence(""), "port: expected 1 to 65535");
    }

    #[test]
    fn a_refused_token_is_named_and_replaced() {
        let text =
            problem(json!({"status": 401, "detail": "the token has expired"})).sentence("the token in X");
        assert!(text.contains("the token in X (the token has expired)"), "{text}");
        assert!(text.contains("previewd token --user"), "{text}");
        let missing =
            problem(json!({"status": 401, "detail": "send a token"})).sentence("no token: none is set");
        assert!(missing.starts_with("no token: none is set\n"), "{missing}");
    }

    #[test]
    fn a_full_daemon_says_when_to_come_back() {
        let mut full = problem(json!({"status": 503, "detail": "no free port"}));
        assert_eq!(full.sentence(""), "no free port; try again in a moment");
        full.retry_after = Some("90".into());
        assert_eq!(full.sentence(""), "no free port; try again in 1m 30s");
        full.status = 429;
        full.retry_after = Some("Wed, 21 Oct 2026 07:28:00 GMT".into());
        assert_eq!(full.sentence(""), "no free port; try again after Wed, 21 Oct 2026 07:28:00 GMT");
    }

    #[test]
    fn members_we_do_not_know_are_kept_for_machines() {
        let sent = json!({"status": 409, "detail": "x", "state": "paused"});
        assert_eq!(serde_json::to_value(problem(sent.clone())).expect("json"), sent);
    }
}
