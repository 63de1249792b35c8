//! What is in a preview's database, asked as its own role: rows and functions there are a
//! stranger's.

use std::time::Duration;

use sqlx::Connection as _;

use super::{Login, within};
use crate::databases::{DatabaseError, Inventory, Table};

/// Ordinary tables, by name, with an estimate of their rows.
const TABLES: &str = "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_total_relation_size(c.oid),
        c.reltuples::float8
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'previewd')
      AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT c.relispartition
    ORDER BY n.nspname, c.relname
    LIMIT $1";

/// Counts all of the named tables with one statement: as many as the caller's role may read.
const COUNTS: &str = "SELECT t.at, (pg_catalog.xpath('/row/n/text()', pg_catalog.query_to_xml(
            pg_catalog.format('SELECT count(*) AS n FROM %I.%I', t.schema, t.name), false, true, '')))[1]
            ::text::bigint
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))
        WITH ORDINALITY AS t (schema, name, at)
    WHERE pg_catalog.has_table_privilege(pg_catalog.format('%I.%I', t.schema, t.name), 'SELECT')";

const SIZE: &str = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())";

/// Beyond this counting a table takes too long to do it for a look.
const COUNTED_BYTES: i64 = 64 * 1024 * 1024;

pub async fn look(login: &Login) -> Result<Inventory, DatabaseError> {
    const DOING: &str = "looking into the database";
    let mut connection = login.again().read_only(Duration::from_secs(5)).connect().await?;
    let limit = i64::try_from(Inventory::MAX_TABLES + 1).unwrap_or(i64::MAX);
    let found =
        sqlx::query_as::<_, (String, String, i64, f64)>(TABLES).bind(limit).fetch_all(&mut connection);
    let mut found = within(DOING, found).await?;
    let truncated = found.len() > Inventory::MAX_TABLES;
    found.truncate(Inventory::MAX_TABLES);
    let bytes: i64 = within(DOING, sqlx::query_scalar(SIZE).fetch_one(&mut connection)).await?;

    let small: Vec<usize> = (0..found.len()).filter(|at| found[*at].2 <= COUNTED_BYTES).collect();
    let schemas: Vec<&str> = small.iter().map(|at| found[*at].0.as_str()).collect();
    let names: Vec<&str> = small.iter().map(|at| found[*at].1.as_str()).collect();
    let counts =
        sqlx::query_as::<_, (i64, i64)>(COUNTS).bind(&schemas).bind(&names).fetch_all(&mut connection);
    // Locked or strange tables are no reason to say nothing of the others.
    let counts = within(DOING, counts).await.unwrap_or_default();
    let mut rows = vec![None; found.len()];
    for (place, count) in counts {
        let at = usize::try_from(place - 1).ok().and_then(|place| small.get(place));
        if let Some(at) = at {
            rows[*at] = u64::try_from(count).ok();
        }
    }
    let _ = connection.close().await;
    let tables = found.into_iter().zip(rows).map(|((schema, name, bytes, estimate), rows)| Table {
        schema: Some(schema),
        name,
        // The estimate is below zero where nothing was ever estimated.
        rows: rows.or((estimate > 0.0).then_some(estimate as u64)),
        bytes: u64::try_from(bytes).ok(),
    });
    Ok(Inventory { tables: tables.collect(), truncated, bytes: u64::try_from(bytes).unwrap_or(0) })
}
