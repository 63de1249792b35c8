//! What is in a preview's database, asked as its own user.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::within;
use crate::databases::{Access, DatabaseError, Inventory, Table};

const TABLES: &str = "SELECT CONVERT(TABLE_NAME USING utf8mb4),
        CAST(COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) AS SIGNED), CAST(TABLE_ROWS AS SIGNED)
    FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'
    ORDER BY TABLE_NAME
    LIMIT ?";

/// Beyond this counting a table takes too long to do it for a look.
const COUNTED_BYTES: i64 = 64 * 1024 * 1024;

pub async fn look(mut connection: MySqlConnection, access: &Access) -> Result<Inventory, DatabaseError> {
    const DOING: &str = "looking into the database";
    let Access::Server { database, .. } = access else { return Err(DatabaseError::Unknown) };
    let limit = i64::try_from(Inventory::MAX_TABLES + 1).unwrap_or(i64::MAX);
    let found = sqlx::query_as::<_, (String, i64, Option<i64>)>(TABLES)
        .bind(database)
        .bind(limit)
        .fetch_all(&mut connection);
    let mut found = within(DOING, found).await?;
    let truncated = found.len() > Inventory::MAX_TABLES;
    found.truncate(Inventory::MAX_TABLES);

    let small = found.iter().enumerate().filter(|(_, (_, bytes, _))| *bytes <= COUNTED_BYTES);
    let counts: Vec<String> =
        small.map(|(at, (name, ..))| format!("SELECT {at}, COUNT(*) FROM {}", quoted(name))).collect();
    let mut rows: HashMap<i64, i64> = HashMap::new();
    if !counts.is_empty() {
        // Locked or strange tables are no reason to say nothing of the others.
        let sql = counts.join(" UNION ALL ");
        let counted = sqlx::query_as::<_, (i64, i64)>(AssertSqlSafe(sql)).fetch_all(&mut connection);
        rows = within(DOING, counted).await.unwrap_or_default().into_iter().collect();
    }
    let _ = connection.close().await;
    let bytes = found.iter().map(|(_, bytes, _)| u64::try_from(*bytes).unwrap_or(0)).sum();
    let tables = found.into_iter().enumerate().map(|(at, (name, bytes, estimate))| {
        let counted = i64::try_from(at).ok().and_then(|at| rows.get(&at).copied());
        Table {
            schema: None,
            name,
            rows: counted.or(estimate).and_then(|rows| u64::try_from(rows).ok()),
            bytes: u64::try_from(bytes).ok(),
        }
    });
    Ok(Inventory { tables: tables.collect(), truncated, bytes })
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
