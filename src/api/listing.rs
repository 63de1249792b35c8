//! Pages of lists: newest first, an opaque cursor to the next one.

use serde::Deserialize;

use super::problem::ApiError;
use crate::domain::Invalid;
use crate::store::Page;

/// `?cursor&limit`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// What an earlier page gave as `nextCursor`.
    pub cursor: Option<String>,
    /// 1 to 200, default 50.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl PageQuery {
    pub fn page(self) -> Result<Page, ApiError> {
        let limit = self.limit.unwrap_or(50);
        match (1..=200).contains(&limit) {
            true => Ok(Page { cursor: self.cursor, limit }),
            false => Err(ApiError::Invalid(Invalid::new("limit", "expected 1 to 200"))),
        }
    }
}
