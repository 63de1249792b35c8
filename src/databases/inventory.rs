//! What is in a database, and what it answers, in plain types.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// `public`; absent where there are no schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub name: String,
    /// Null where counting them would take too long.
    pub rows: Option<u64>,
    /// Null where it is not known for one table.
    pub bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// At most 500, by name.
    pub tables: Vec<Table>,
    /// There are more.
    pub truncated: bool,
    pub bytes: u64,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryRows {
    pub columns: Vec<String>,
    /// At most 500; long values end in `…`.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub rows: Vec<Vec<Value>>,
    /// There were more rows, or they were too long together.
    pub truncated: bool,
}

impl Inventory {
    pub(super) const MAX_TABLES: usize = 500;

    /// How many tables, and rows in all of them.
    pub fn totals(&self) -> (u64, u64) {
        let rows = self.tables.iter().filter_map(|table| table.rows).sum();
        (self.tables.len() as u64, rows)
    }
}

impl QueryRows {
    pub(super) const MAX_ROWS: usize = 500;
    /// Characters of one value.
    pub(super) const MAX_VALUE: usize = 4096;
    /// Bytes of all rows.
    pub(super) const MAX_BYTES: usize = 1024 * 1024;
    pub(super) const MAX_COLUMNS: usize = 100;
}
