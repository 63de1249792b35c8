//! A caller's question to a preview's database.
//!
//! It runs as the preview's role, in a read-only transaction, under a time limit; and since a
//! single value may be a gigabyte, the server cuts values before they are sent. For that the
//! question becomes the inner part of one of ours. It cannot break out of it: the server has
//! first parsed it alone as exactly one statement, so its brackets and quotes are balanced.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Executor as _, PgConnection, SqlSafeStr as _, Statement as _,
};

use super::{Login, within};
use crate::databases::error::reason;
use crate::databases::{DatabaseError, QueryRows};

const TIME_LIMIT: Duration = Duration::from_secs(5);

pub async fn query(login: &Login, sql: &str) -> Result<QueryRows, DatabaseError> {
    let mut connection = login.again().read_only(TIME_LIMIT).connect().await?;
    let answer = tokio::time::timeout(TIME_LIMIT + Duration::from_secs(2), ask(&mut connection, sql)).await;
    // Dropped unread when the answer was cut: what is still coming is not waited for.
    let _ = tokio::time::timeout(Duration::from_millis(500), connection.close()).await;
    answer.unwrap_or(Err(DatabaseError::Deadline { doing: "asking the database", after: TIME_LIMIT }))
}

async fn ask(connection: &mut PgConnection, sql: &str) -> Result<QueryRows, DatabaseError> {
    let sql = sql.trim().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let alone = connection.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
    let alone = alone.map_err(refused)?;
    let columns: Vec<String> = alone.columns().iter().map(|column| column.name().to_owned()).collect();
    if columns.is_empty() {
        return Err(DatabaseError::Query("expected one SELECT: this statement gives no rows".to_owned()));
    }
    if columns.len() > QueryRows::MAX_COLUMNS {
        return Err(DatabaseError::Query(format!("expected at most {} columns", QueryRows::MAX_COLUMNS)));
    }
    drop(alone);
    within("asking the database", sqlx::raw_sql("BEGIN READ ONLY").execute(&mut *connection)).await?;
    let wrapped = wrapped(sql, columns.len());
    let mut found = sqlx::raw_sql(AssertSqlSafe(wrapped)).fetch(&mut *connection);
    let mut answer = QueryRows { columns, rows: Vec::new(), truncated: false };
    let mut bytes = 0;
    while let Some(row) = found.try_next().await.map_err(refused)? {
        let text: Option<String> = sqlx::Row::try_get(&row, 0).map_err(refused)?;
        bytes += text.as_ref().map_or(0, String::len);
        let Some(text) =
            text.filter(|_| answer.rows.len() < QueryRows::MAX_ROWS && bytes <= QueryRows::MAX_BYTES)
        else {
            answer.truncated = true;
            break;
        };
        let values: Vec<Value> =
            serde_json::from_str(&text).map_err(|error| DatabaseError::Query(error.to_string()))?;
        answer.rows.push(values);
    }
    Ok(answer)
}

/// One text a row: a JSON array of values, the long ones cut; null for a row that is too long all
/// the same. Functions are named with their schema: those of the preview may have the same names.
fn wrapped(sql: &str, columns: usize) -> String {
    let names: Vec<String> = (1..=columns).map(|at| format!("c{at}")).collect();
    let longest = QueryRows::MAX_VALUE;
    let value = |name: &String| {
        format!(
            "CASE WHEN pg_catalog.length({name}::text) > {longest} \
             THEN pg_catalog.to_json(pg_catalog.concat(pg_catalog.left({name}::text, {longest}), '…')) \
             ELSE pg_catalog.to_json({name}) END"
        )
    };
    let values: Vec<String> = names.iter().map(value).collect();
    format!(
        "SELECT CASE WHEN pg_catalog.octet_length(row.text) <= {} THEN row.text END FROM (\
         SELECT pg_catalog.json_build_array({})::text AS text FROM (\n{sql}\n) AS answer ({})) AS row LIMIT {}",
        QueryRows::MAX_BYTES,
        values.join(", "),
        names.join(", "),
        QueryRows::MAX_ROWS + 1
    )
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
    fn a_question_ends_before_our_bracket_whatever_it_ends_with() {
        let sql = wrapped("SELECT 1 -- one", 2);
        assert!(sql.contains("FROM (\nSELECT 1 -- one\n) AS answer (c1, c2)) AS row LIMIT 501"), "{sql}");
    }
}
