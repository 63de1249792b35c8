//! SQLite: a volume of the preview's, with one file in it.
//!
//! The file is written by the preview's code, and a file made to break whoever reads it is only
//! a matter of will. So the daemon never opens one: a look is a script in a container of its
//! own, locked down as a preview's is, without a network, that prints its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::registry::Known;
use super::task::{Task, TaskEnd, run};
use super::{DatabaseError, Inner, Inventory, QueryRows, SqlClient, Table, passwords};
use crate::domain::{PreviewId, ResourceLimits};
use crate::engine::{
    ContainerSpec, Engine, EngineError, Kind, LogStream, Ownership, VolumeMount, VolumeSpec,
};

/// Where containers have the volume.
pub const FOLDER: &str = "/data";
/// The folder in it that belongs to the preview's user, and the file in that.
const OWN: &str = "db";
const FILE: &str = "app.db";

/// Printed beyond this is not read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// From the start of the container; the script itself stops after five seconds.
const PATIENCE: Duration = Duration::from_secs(20);

const SCRIPT: &str = include_str!("sqlite_look.py");
const RUN: &str = include_str!("sqlite_run.py");

/// What the script prints: one line of JSON.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Printed<T> {
    Ok(T),
    Refused(String),
}

#[derive(Deserialize)]
struct PrintedTables {
    tables: Vec<(String, Option<u64>)>,
    truncated: bool,
    bytes: u64,
}

/// What runs a file of SQL on the preview's own, which is mounted in the container.
pub fn client(image: &str, file: &str) -> SqlClient {
    let argv = ["python3", "-I", "-c", RUN, &path(), file].map(str::to_owned).to_vec();
    SqlClient { image: image.to_owned(), argv, environment: BTreeMap::new() }
}

pub fn path() -> String {
    format!("{FOLDER}/{OWN}/{FILE}")
}

pub async fn make_volume(engine: &Engine, preview: PreviewId, name: &str) -> Result<(), DatabaseError> {
    let ownership =
        Ownership { preview: Some(preview), ..Ownership::of(engine.instance().clone(), Kind::Volume) };
    Ok(engine.create_volume(&VolumeSpec { name: name.to_owned(), ownership }).await?)
}

/// A new volume is root's; the preview's user gets a folder in it, by way of a container that
/// mounts it. One that is there stays as it is.
pub async fn make_folder(engine: &Engine, container: &str) -> Result<(), EngineError> {
    let unpacked =
        |error: std::io::Error| EngineError::Protocol { call: "upload files", reason: error.to_string() };
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    header.set_uid(u64::from(ContainerSpec::UID));
    header.set_gid(u64::from(ContainerSpec::UID));
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, format!("{OWN}/"), std::io::empty()).map_err(unpacked)?;
    let archive = archive.into_inner().map_err(unpacked)?;
    engine.upload(container, Bytes::from(archive), FOLDER).await
}

pub async fn look(inner: &Inner, preview: PreviewId, known: &Known) -> Result<Inventory, DatabaseError> {
    let found: PrintedTables = ask(inner, preview, known, &["look"]).await?;
    let tables = found.tables.into_iter().take(Inventory::MAX_TABLES);
    let tables = tables.map(|(name, rows)| Table { schema: None, name, rows, bytes: None }).collect();
    Ok(Inventory { tables, truncated: found.truncated, bytes: found.bytes })
}

pub async fn query(
    inner: &Inner,
    preview: PreviewId,
    known: &Known,
    sql: &str,
) -> Result<QueryRows, DatabaseError> {
    let mut answer: QueryRows = ask(inner, preview, known, &["query", sql]).await?;
    answer.rows.truncate(QueryRows::MAX_ROWS);
    Ok(answer)
}

async fn ask<T: DeserializeOwned>(
    inner: &Inner,
    preview: PreviewId,
    known: &Known,
    arguments: &[&str],
) -> Result<T, DatabaseError> {
    let spec = spec(inner, preview, known, arguments);
    let (mut printed, mut said) = (String::new(), String::new());
    let task = Task { spec: &spec, within: PATIENCE };
    let end = run(
        &inner.engine,
        task,
        async |_| Ok(()),
        |line| {
            let to = if line.stream == LogStream::Stdout { &mut printed } else { &mut said };
            if to.len() + line.message.len() <= MAX_ANSWER {
                to.push_str(&line.message);
            }
        },
    );
    match end.await? {
        TaskEnd::Done => {}
        TaskEnd::TimedOut => {
            return Err(DatabaseError::Deadline { doing: "looking into the file", after: PATIENCE });
        }
        TaskEnd::Exited { .. } => return Err(DatabaseError::File(last_line(&said))),
    }
    match serde_json::from_str(&printed) {
        Ok(Printed::Ok(answer)) => Ok(answer),
        Ok(Printed::Refused(reason)) => Err(DatabaseError::Query(reason)),
        Err(error) => Err(DatabaseError::File(error.to_string())),
    }
}

fn spec(inner: &Inner, preview: PreviewId, known: &Known, arguments: &[&str]) -> ContainerSpec {
    let limits = serde_json::json!({
        "rows": QueryRows::MAX_ROWS, "value": QueryRows::MAX_VALUE, "bytes": QueryRows::MAX_BYTES,
        "columns": QueryRows::MAX_COLUMNS, "tables": Inventory::MAX_TABLES, "seconds": 5,
    });
    let path = path();
    let limits = limits.to_string();
    let command =
        ["python3", "-I", "-c", SCRIPT, &path, &limits].into_iter().chain(arguments.iter().copied());
    ContainerSpec {
        name: format!("previewd-{}-{preview}-look-{}", inner.instance, &passwords::random_password()[..8]),
        image: inner.config.python_image.clone(),
        command: Some(command.map(str::to_owned).collect()),
        arguments: None,
        environment: BTreeMap::new(),
        network: "none".to_owned(),
        names: Vec::new(),
        limits: ResourceLimits::new(128, 1.0, 64),
        ownership: Ownership { preview: Some(preview), ..Ownership::of(inner.instance.clone(), Kind::Task) },
        publish: None,
        runtime: None,
        working_dir: Some("/".to_owned()),
        writable: Vec::new(),
        scratch: Vec::new(),
        volumes: vec![VolumeMount { volume: known.record.name.clone(), folder: FOLDER.to_owned() }],
    }
}

fn last_line(text: &str) -> String {
    text.chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect()
}
