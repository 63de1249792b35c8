//! What is in a preview's database, asked as its own user.

use mongodb::Client;
use mongodb::bson::doc;

use super::admin::{command_on, documents, number};
use crate::databases::{Access, DatabaseError, Inventory, Table};

pub async fn look(client: &Client, access: &Access) -> Result<Inventory, DatabaseError> {
    const DOING: &str = "looking into the database";
    let Access::Server { database, .. } = access else { return Err(DatabaseError::Unknown) };
    let batch = i64::try_from(Inventory::MAX_TABLES + 1).unwrap_or(i64::MAX);
    let list = doc! {
        "listCollections": 1, "nameOnly": true, "authorizedCollections": true,
        "filter": { "type": "collection" }, "cursor": { "batchSize": batch },
    };
    let listed = command_on(client, DOING, database, list).await?;
    let cursor = listed.get_document("cursor").cloned().unwrap_or_default();
    let mut names: Vec<String> = documents(&cursor, "firstBatch")
        .filter_map(|collection| collection.get_str("name").ok())
        .filter(|name| !name.starts_with("system."))
        .map(str::to_owned)
        .collect();
    names.sort();
    let truncated = names.len() > Inventory::MAX_TABLES;
    names.truncate(Inventory::MAX_TABLES);
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        // What the server keeps count of anyhow; a strange one is no reason to say nothing.
        let stats = command_on(client, DOING, database, doc! { "collStats": &name }).await.ok();
        let field = |field: &str| stats.as_ref().map(|stats| number(stats.get(field)));
        tables.push(Table { schema: None, rows: field("count"), bytes: field("totalSize"), name });
    }
    let stats = command_on(client, DOING, database, doc! { "dbStats": 1 }).await?;
    client.clone().shutdown().immediate(true).await;
    Ok(Inventory { tables, truncated, bytes: number(stats.get("totalSize")) })
}
