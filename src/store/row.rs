//! From columns to values and back, with errors that name the row.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::Fault;

/// The row being read, for error texts.
#[derive(Debug, Clone)]
pub(super) struct RowName {
    pub table: &'static str,
    pub id: String,
}

impl RowName {
    pub(super) fn bad(&self, column: impl Into<String>, reason: impl ToString) -> Fault {
        Fault::Row {
            table: self.table,
            id: self.id.clone(),
            column: column.into(),
            reason: reason.to_string(),
        }
    }

    /// A column that one of our own parsers reads.
    pub(super) fn parsed<T, E: ToString>(
        &self,
        column: &'static str,
        parsed: Result<T, E>,
    ) -> Result<T, Fault> {
        parsed.map_err(|error| self.bad(column, error))
    }

    /// A count, port or number of seconds.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str, value: i64) -> Result<T, Fault> {
        T::try_from(value).map_err(|_| self.bad(column, format!("{value} is out of range")))
    }

    pub(super) fn time(&self, column: &'static str, ms: i64) -> Result<DateTime<Utc>, Fault> {
        DateTime::from_timestamp_millis(ms).ok_or_else(|| self.bad(column, format!("{ms} is no time")))
    }

    pub(super) fn time_or_none(
        &self,
        column: &'static str,
        ms: Option<i64>,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        ms.map(|ms| self.time(column, ms)).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, Fault> {
        self.parsed(column, serde_json::from_str(text))
    }

    /// One word of an enum.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, Fault> {
        let word: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        self.parsed(column, T::deserialize(word))
    }
}

/// Reads a row of `table`; `key` is the column that names it.
pub(super) fn read<'r, R, T>(table: &'static str, key: &'static str, row: &'r R) -> Result<T, Fault>
where
    R: Row,
    T: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    T::from_row(row).map_err(|error| match error {
        sqlx::Error::ColumnDecode { index, source } => {
            let id = row.try_get(key).unwrap_or_else(|_| "?".to_owned());
            RowName { table, id }.bad(index.trim_matches('"'), source)
        }
        other => other.into(),
    })
}

pub(super) fn to_json(column: &'static str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Encode { column, reason: error.to_string() })
}

/// The word of an enum without fields.
pub(super) fn to_word(column: &'static str, value: &impl Serialize) -> Result<String, Fault> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(Fault::Encode { column, reason: "expected a word".to_owned() }),
    }
}

/// A count for a BIGINT column; beyond its end the end.
pub(super) fn to_count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
