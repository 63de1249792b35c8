//! What a database server says of a preview's database, in that preview's log: the statement
//! that failed, and why.

use std::collections::HashMap;

use chrono::Utc;
use futures_util::StreamExt;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::databases::Databases;
use crate::domain::{LogLevel, LogSource};
use crate::engine::{Engine, EngineLogLine, LogsFrom};
use crate::streams::LogHub;

/// The readers of servers, by container.
#[derive(Default)]
pub(super) struct ServerLogs(HashMap<String, AbortHandle>);

struct Reader {
    engine: Engine,
    databases: Databases,
    logs: LogHub,
    shutdown: CancellationToken,
}

impl ServerLogs {
    /// Reads every server that is up and not read yet, from now on.
    pub(super) fn follow(&mut self, parts: &Parts) {
        self.0.retain(|_, reader| !reader.is_finished());
        for server in parts.databases.server_containers() {
            if self.0.contains_key(&server) {
                continue;
            }
            let reader = Reader {
                engine: parts.engine.clone(),
                databases: parts.databases.clone(),
                logs: parts.logs.clone(),
                shutdown: parts.shutdown.clone(),
            };
            let name = server.clone();
            let task = parts.tasks.spawn(async move { reader.read(&name).await });
            self.0.insert(server, task.abort_handle());
        }
    }
}

impl Reader {
    async fn read(&self, server: &str) {
        let mut lines = std::pin::pin!(self.engine.logs(server, LogsFrom::Since(Utc::now()), true));
        while let Some(Some(Ok(line))) = self.shutdown.run_until_cancelled(lines.next()).await {
            self.pass_on(&line);
        }
    }

    fn pass_on(&self, line: &EngineLogLine) {
        let Some((database, message)) = line.message.split_once('|') else { return };
        if let Some(preview) = self.databases.preview_on(database) {
            self.logs.append(preview, line.timestamp, level_of(message), LogSource::Database, message);
        }
    }
}

/// A server's lines begin with a word that says what they are.
fn level_of(message: &str) -> LogLevel {
    match message.split(':').next().unwrap_or_default() {
        "ERROR" | "FATAL" | "PANIC" => LogLevel::Error,
        "WARNING" => LogLevel::Warning,
        _ => LogLevel::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_level() {
        assert_eq!(level_of("ERROR:  relation \"x\" does not exist at character 15"), LogLevel::Error);
        assert_eq!(level_of("STATEMENT:  SELECT 1"), LogLevel::Info);
        assert_eq!(level_of("WARNING:  nothing"), LogLevel::Warning);
    }
}
