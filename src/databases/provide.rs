//! Making what a preview was promised, and taking it away.

use super::kind::NewDatabase;
use super::registry::Known;
use super::server::{self, ServerId};
use super::{Access, DatabaseError, Inner, Provided, sqlite};
use crate::domain::{DatabaseMode, DatabaseRecord, MigrationStatus, PreviewId};

impl Inner {
    /// A new volume. What an earlier try left in one is gone.
    pub(super) async fn promise_file(&self, preview: PreviewId, known: &Known) -> Result<(), DatabaseError> {
        self.engine.remove_volume(&known.record.name).await?;
        sqlite::make_volume(&self.engine, preview, &known.record.name).await?;
        self.save(preview, known.record.clone(), Some(Access::file(sqlite::path()))).await
    }

    /// A new password. A password that nobody knows would be a database for nobody, so it is
    /// written before the role is made.
    pub(super) async fn promise_on_server(
        &self,
        preview: PreviewId,
        known: &Known,
    ) -> Result<(), DatabaseError> {
        let record = DatabaseRecord { ready: false, ..known.record.clone() };
        let access = server::access(&record, &self.config)?;
        self.save(preview, record, Some(access)).await
    }

    pub(super) async fn provide_on_server(
        &self,
        preview: PreviewId,
        known: &Known,
        network: &str,
        template: Option<&str>,
    ) -> Result<Provided, DatabaseError> {
        let mut record = known.record.clone();
        let access = known.access.as_ref().ok_or(DatabaseError::NotReady)?;
        let server = self.server_of(preview, &record).await?;
        if record.ready && server.admin.exists(&record.name).await? {
            server.join(&self.engine, network).await?;
            return Ok(Provided::Kept);
        }
        if record.ready {
            // It went with a server that was lost.
            record.ready = false;
            self.save(preview, record.clone(), None).await?;
        }
        let template = template.map(|key| self.template_name(key));
        let make = server.admin.create(NewDatabase {
            name: &record.name,
            password: access.password(),
            template: template.as_deref(),
        });
        // Neither waits for the other: the network is the preview's, the database the server's.
        let (joined, copied) = tokio::join!(server.join(&self.engine, network), make);
        joined?;
        if !copied? {
            return Ok(Provided::Empty);
        }
        record.template = template;
        record.ready = true;
        record.migration = MigrationStatus::Completed;
        self.save(preview, record, None).await?;
        Ok(Provided::Copied)
    }

    pub(super) async fn drop_on_server(
        &self,
        preview: PreviewId,
        known: &Known,
        network: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let Some(id) = ServerId::of(preview, &known.record) else { return Ok(()) };
        if known.record.mode == DatabaseMode::Dedicated {
            return self.servers.remove(&id).await;
        }
        let dropped = async {
            match self.servers.existing(&id).await? {
                Some(server) => server.admin.remove(&known.record.name).await,
                // It took the database with it.
                None => Ok(()),
            }
        };
        let (left, dropped) = tokio::join!(self.servers.leave(&id, network), dropped);
        // A server that is not well keeps no preview from ending: what is left on it is dropped
        // when it is looked after.
        if let Err(error) = dropped {
            tracing::warn!(%error, database = known.record.name, "a database is dropped later");
        }
        left
    }
}
