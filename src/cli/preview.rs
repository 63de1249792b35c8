//! One preview as the commands name it, and the parts of its status several of them need.

use chrono::{DateTime, Utc};
use clap::Args;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::client::{Client, ClientError};
use crate::domain::{GenerationId, Status};

#[derive(Debug, Args)]
pub struct Target {
    /// The generation whose preview is meant
    #[arg(value_name = "GID")]
    pub generation: GenerationId,
}

#[derive(Debug, Args)]
pub struct Targets {
    /// The generations whose previews are meant
    #[arg(value_name = "GID", required = true)]
    pub generations: Vec<GenerationId>,
}

/// What `ps`, waits and `logs -f` read of a status; `status` itself prints all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Glance {
    #[serde(default)]
    pub generation_id: Option<String>,
    pub preview_instance_id: String,
    pub status: String,
    #[serde(default)]
    pub base_url: Option<String>,
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

impl Glance {
    /// A status this version does not know is taken for a live one.
    pub fn is_live(&self) -> bool {
        serde_json::from_value(serde_json::Value::from(self.status.as_str())).map_or(true, Status::is_live)
    }

    pub async fn of(client: &Client, generation: &GenerationId) -> Result<Self, ClientError> {
        client.call(Method::GET, path(generation, "/status")).json().await
    }
}

/// `/api/v2/generations/{gid}/preview` and what follows it.
pub fn path(generation: &GenerationId, tail: &str) -> String {
    // An id holds no character that would need escaping in a path.
    format!("/api/v2/generations/{generation}/preview{tail}")
}
