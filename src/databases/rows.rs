//! First data given as rows: files of CSV and JSON, a table each, as statements of SQL. Pure.
//!
//! `seeds/people.csv` has a line of names, then a line a row, and what is empty in it is null.
//! `seeds/people.json` is a list of objects; `seed.json` may also be an object of such lists, a
//! table each. A number in front of a name, `01_people.csv`, only orders.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::DatabaseType;

/// The rows of one table.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    table: String,
    rows: Vec<Row>,
}

/// Names and values, in the order of the file.
type Row = Vec<(String, Value)>;

/// Rows of one statement.
const BATCH: usize = 200;

/// Whether a file of this name holds rows.
pub fn is_rows(path: &str) -> bool {
    path.ends_with(".csv") || path.ends_with(".json")
}

/// Statements that put the rows of these files (path and content) into their tables, all or none,
/// a table after those it refers to. An error is a text for the owner.
pub fn insertion<'a>(
    kind: DatabaseType,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<String, String> {
    let mut tables = Vec::new();
    for (path, content) in files {
        tables.extend(read(path, content)?);
    }
    let mut sql = String::new();
    sql.push_str(match kind {
        DatabaseType::Mysql => "SET FOREIGN_KEY_CHECKS = 0;\nSTART TRANSACTION;\n",
        _ => "BEGIN;\n",
    });
    for table in in_order(tables) {
        insert(&mut sql, kind, &table);
    }
    sql.push_str("COMMIT;\n");
    Ok(sql)
}

fn read(path: &str, content: &[u8]) -> Result<Vec<Rows>, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, "csv")) => Ok(vec![Rows { table: table_of(path, stem)?, rows: of_csv(path, content)? }]),
        Some((stem, _)) => of_json(path, stem, content),
        None => Err(format!("{path}: expected a file of CSV or JSON")),
    }
}

/// `01_people` is `people`.
fn table_of(path: &str, stem: &str) -> Result<String, String> {
    let plain = stem.trim_start_matches(|c: char| c.is_ascii_digit());
    let table = if plain.len() < stem.len() { plain.trim_start_matches(['_', '-', '.']) } else { stem };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    match !table.is_empty() && table.len() <= 128 && table.chars().all(is_name) {
        true => Ok(table.to_owned()),
        false => Err(format!("{path}: {table:?} is no name of a table")),
    }
}

fn of_csv(path: &str, content: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(content);
    let said = |error: csv::Error| format!("{path}: {error}");
    let names: Vec<String> = reader.headers().map_err(said)?.iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| -> Row {
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        names.iter().cloned().zip(record.iter().map(value)).collect()
    };
    reader.records().map(|record| record.map(row).map_err(said)).collect()
}

fn of_json(path: &str, stem: &str, content: &[u8]) -> Result<Vec<Rows>, String> {
    let value: Value = serde_json::from_slice(content).map_err(|error| format!("{path}: {error}"))?;
    match value {
        Value::Array(list) => Ok(vec![Rows { table: table_of(path, stem)?, rows: objects(path, list)? }]),
        Value::Object(tables) => tables
            .into_iter()
            .map(|(table, list)| match list {
                Value::Array(list) => Ok(Rows { table: table_of(path, &table)?, rows: objects(path, list)? }),
                _ => Err(format!("{path}: {table}: expected a list of objects")),
            })
            .collect(),
        _ => Err(format!("{path}: expected a list of objects")),
    }
}

fn objects(path: &str, list: Vec<Value>) -> Result<Vec<Row>, String> {
    let rows = list.into_iter().map(|row| match row {
        Value::Object(row) => Ok(row.into_iter().collect()),
        other => Err(format!("{path}: expected an object for each row, found {other}")),
    });
    rows.collect()
}

/// A table with a column `person_id` comes after `person`, `persons` or `people`; else as given.
fn in_order(mut tables: Vec<Rows>) -> Vec<Rows> {
    let mut ordered: Vec<Rows> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |table: &Rows| {
            let columns: BTreeSet<&str> =
                table.rows.iter().flatten().map(|(name, _)| name.as_str()).collect();
            tables.iter().any(|other| {
                other.table != table.table && columns.iter().any(|column| refers(column, &other.table))
            })
        };
        // Of a circle the first goes first.
        let at = tables.iter().position(|table| !waits(table)).unwrap_or(0);
        ordered.push(tables.remove(at));
    }
    ordered
}

fn refers(column: &str, table: &str) -> bool {
    let Some(one) = column.strip_suffix("_id").or_else(|| column.strip_suffix("Id")) else { return false };
    let (one, table) = (one.to_ascii_lowercase(), table.to_ascii_lowercase());
    let table = table.rsplit('.').next().unwrap_or_default();
    let y = one.strip_suffix('y').is_some_and(|stem| table == format!("{stem}ies"));
    let irregular = one == "person" && table == "people" || one == "child" && table == "children";
    table == one || table == format!("{one}s") || table == format!("{one}es") || y || irregular
}

fn insert(sql: &mut String, kind: DatabaseType, table: &Rows) {
    let name: Vec<String> = table.table.split('.').map(|part| quoted(kind, part)).collect();
    let name = name.join(".");
    let columns_of = |row: &Row| row.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    // Rows of the same columns beside each other go together.
    for rows in table.rows.chunk_by(|a, b| columns_of(a) == columns_of(b)) {
        for rows in rows.chunks(BATCH) {
            let columns: Vec<String> = rows[0].iter().map(|(column, _)| quoted(kind, column)).collect();
            let values = rows.iter().map(|row| {
                let values: Vec<String> = row.iter().map(|(_, value)| literal(kind, value)).collect();
                format!("({})", values.join(", "))
            });
            let values: Vec<String> = values.collect();
            // Writing to a text does not fail.
            let _ =
                writeln!(sql, "INSERT INTO {name} ({}) VALUES\n{};", columns.join(", "), values.join(",\n"));
        }
    }
    let has_id = table.rows.iter().flatten().any(|(column, _)| column == "id");
    if kind == DatabaseType::Postgresql && has_id {
        // The next row of the app's own is not to get a number that is taken.
        let _ = writeln!(
            sql,
            "DO $rows$ DECLARE counter text := pg_catalog.pg_get_serial_sequence({}, 'id');\nBEGIN\n\
             IF counter IS NOT NULL THEN PERFORM pg_catalog.setval(counter, (SELECT max(id) FROM {name})); \
             END IF;\nEND $rows$;",
            text(kind, &name)
        );
    }
}

fn quoted(kind: DatabaseType, name: &str) -> String {
    match kind {
        DatabaseType::Mysql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn literal(kind: DatabaseType, value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) if kind == DatabaseType::Postgresql => value.to_string(),
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(value) => text(kind, value),
        Value::Array(_) | Value::Object(_) => text(kind, &value.to_string()),
    }
}

/// No server keeps a NUL.
fn text(kind: DatabaseType, value: &str) -> String {
    let value = value.replace('\0', "").replace('\'', "''");
    match kind {
        DatabaseType::Mysql => format!("'{}'", value.replace('\\', "\\\\")),
        _ => format!("'{value}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(kind: DatabaseType, files: &[(&str, &str)]) -> Result<String, String> {
        insertion(kind, files.iter().map(|(path, content)| (*path, content.as_bytes())))
    }

    #[test]
    fn a_file_is_a_table_and_what_is_empty_is_null() {
        let csv = "id,name,age\n1,\"O'Brien; \\\",\n2,Zoë,40\n";
        let postgresql = sql(DatabaseType::Postgresql, &[("seeds/01_people.csv", csv)]).expect("SQL");
        assert!(
            postgresql.contains(
                "INSERT INTO \"people\" (\"id\", \"name\", \"age\") VALUES\n\
                 ('1', 'O''Brien; \\', NULL),\n('2', 'Zoë', '40');"
            ),
            "{postgresql}"
        );
        assert!(postgresql.contains("pg_get_serial_sequence('\"people\"', 'id')"), "{postgresql}");
        let mysql = sql(DatabaseType::Mysql, &[("seeds/people.csv", csv)]).expect("SQL");
        assert!(mysql.contains("INSERT INTO `people`") && mysql.contains("'O''Brien; \\\\'"), "{mysql}");
    }

    #[test]
    fn json_keeps_its_types_and_rows_may_differ() {
        let json = r#"[{"id": 1, "done": true, "tags": ["a'b"]}, {"id": 2}]"#;
        let sqlite = sql(DatabaseType::Sqlite, &[("seed/todos.json", json)]).expect("SQL");
        assert!(sqlite.contains("(1, 1, '[\"a''b\"]');"), "{sqlite}");
        assert!(sqlite.contains("INSERT INTO \"todos\" (\"id\") VALUES\n(2);"), "{sqlite}");
        let both = r#"{"people": [{"id": 1}], "todos": [{"person_id": 1}]}"#;
        assert_eq!(
            sql(DatabaseType::Sqlite, &[("seed.json", both)]).expect("SQL").matches("INSERT").count(),
            2
        );
    }

    #[test]
    fn a_table_comes_after_those_it_refers_to() {
        let files = [
            ("seeds/books.csv", "id,author_id,category_id\n1,1,1\n"),
            ("seeds/authors.csv", "id\n1\n"),
            ("seeds/categories.csv", "id,parent_id\n1,\n"),
        ];
        let sql = sql(DatabaseType::Postgresql, &files).expect("SQL");
        let at = |table: &str| sql.find(&format!("INSERT INTO \"{table}\"")).expect("inserted");
        assert!(at("authors") < at("books") && at("categories") < at("books"), "{sql}");
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_file() {
        for (path, content, expected) in [
            ("seeds/a.json", "[1]", "seeds/a.json: expected an object for each row, found 1"),
            ("seeds/a.json", "{\"t\": 1}", "seeds/a.json: t: expected a list of objects"),
            ("seeds/a.csv", "a,b\n1\n", "seeds/a.csv: "),
            ("seeds/a b.csv", "a\n1\n", "seeds/a b.csv: \"a b\" is no name of a table"),
        ] {
            let error = sql(DatabaseType::Sqlite, &[(path, content)]).expect_err("accepted");
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
