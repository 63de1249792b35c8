//! A caller's question to a preview's database.
//!
//! It runs as the preview's user, in a read-only transaction, under a time limit. The server has
//! first parsed it alone as exactly one statement; and since a procedure could end the
//! transaction and write, only statements that read are let through.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Number, Value};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _, ValueRef as _,
};

use super::within;
use crate::databases::error::reason;
use crate::databases::{DatabaseError, QueryRows};

const TIME_LIMIT: Duration = Duration::from_secs(5);

const READING: [&str; 7] = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "VALUES"];

pub async fn query(mut connection: MySqlConnection, sql: &str) -> Result<QueryRows, DatabaseError> {
    let answer = tokio::time::timeout(TIME_LIMIT + Duration::from_secs(2), ask(&mut connection, sql)).await;
    // Dropped unread when the answer was cut: what is still coming is not waited for.
    let _ = tokio::time::timeout(Duration::from_millis(500), connection.close()).await;
    answer.unwrap_or(Err(DatabaseError::Deadline { doing: "asking the database", after: TIME_LIMIT }))
}

async fn ask(connection: &mut MySqlConnection, sql: &str) -> Result<QueryRows, DatabaseError> {
    const DOING: &str = "asking the database";
    let sql = sql.trim().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    if !is_reading(sql) {
        let expected = format!("expected one statement that begins with {}", READING.join(", "));
        return Err(DatabaseError::Query(expected));
    }
    limit_time(connection).await?;
    let alone = connection.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.map_err(refused)?;
    let columns: Vec<String> = alone.columns().iter().map(|column| column.name().to_owned()).collect();
    drop(alone);
    if columns.len() > QueryRows::MAX_COLUMNS {
        return Err(DatabaseError::Query(format!("expected at most {} columns", QueryRows::MAX_COLUMNS)));
    }
    within(DOING, sqlx::raw_sql("START TRANSACTION READ ONLY").execute(&mut *connection)).await?;
    // As text: so every type of column can be read.
    let mut found = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch(&mut *connection);
    let mut answer = QueryRows { columns, rows: Vec::new(), truncated: false };
    let mut bytes = 0;
    while let Some(row) = found.try_next().await.map_err(refused)? {
        if answer.columns.is_empty() {
            answer.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        let values: Vec<Value> = (0..row.columns().len()).map(|at| value(&row, at)).collect();
        bytes += values.iter().map(|value| value.as_str().map_or(8, str::len)).sum::<usize>();
        if answer.rows.len() == QueryRows::MAX_ROWS || bytes > QueryRows::MAX_BYTES {
            answer.truncated = true;
            break;
        }
        answer.rows.push(values);
    }
    Ok(answer)
}

/// MariaDB counts seconds, MySQL milliseconds; each refuses the other's word.
async fn limit_time(connection: &mut MySqlConnection) -> Result<(), DatabaseError> {
    let seconds = format!("SET SESSION max_statement_time = {}", TIME_LIMIT.as_secs());
    if sqlx::raw_sql(AssertSqlSafe(seconds)).execute(&mut *connection).await.is_ok() {
        return Ok(());
    }
    let milliseconds = format!("SET SESSION max_execution_time = {}", TIME_LIMIT.as_millis());
    let set = sqlx::raw_sql(AssertSqlSafe(milliseconds)).execute(&mut *connection);
    within("asking the database", set).await.map(drop)
}

/// Comments are looked into by nobody but the server, which runs some of them.
fn is_reading(sql: &str) -> bool {
    let sql = sql.trim_start_matches(|c: char| c == '(' || c.is_whitespace());
    let end = sql.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(sql.len());
    READING.iter().any(|word| sql[..end].eq_ignore_ascii_case(word))
}

fn value(row: &MySqlRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else { return Value::Null };
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info().name().to_owned();
    let Ok(bytes) = row.try_get_unchecked::<&[u8], _>(at) else { return Value::Null };
    let Ok(text) = std::str::from_utf8(bytes).map(str::to_owned) else { return hex(bytes) };
    if kind.contains("BLOB") || kind.contains("BINARY") {
        return hex(bytes);
    }
    let is_number = ["INT", "DECIMAL", "FLOAT", "DOUBLE", "BOOLEAN", "YEAR"];
    if is_number.iter().any(|word| kind.contains(word)) {
        let number = text.parse::<i64>().map(Number::from).ok();
        let number = number.or_else(|| text.parse::<u64>().map(Number::from).ok());
        let number = number.or_else(|| Number::from_f64(text.parse().ok()?));
        return number.map_or(Value::String(text), Value::Number);
    }
    Value::String(cut(text))
}

fn hex(bytes: &[u8]) -> Value {
    let shown = &bytes[..bytes.len().min(QueryRows::MAX_VALUE / 2 + 1)];
    let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    Value::String(cut(format!("x'{digits}'")))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(QueryRows::MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn refused(error: sqlx::Error) -> DatabaseError {
    match &error {
        sqlx::Error::Database(_) => DatabaseError::Query(reason(&error)),
        _ => DatabaseError::sql("asking the database")(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_is_let_through() {
        for sql in ["SELECT 1", "  (select 1)", "with a as (select 1) select * from a", "SHOW TABLES"] {
            assert!(is_reading(sql), "{sql}");
        }
        for sql in ["CALL p()", "/*! CALL p() */", "SELECTED", "SET x = 1", "-- SELECT\nDROP TABLE t", ""] {
            assert!(!is_reading(sql), "{sql}");
        }
    }
}
