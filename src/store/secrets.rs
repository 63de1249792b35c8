//! Values of environments are encrypted on their way in and opened on their way out, here and
//! nowhere else. Names stay readable. A row of before is read as it is, until [`Store::reseal`]
//! has been over it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::db::{on_read, on_write};
use super::row::{RowName, to_json};
use super::{Fault, Store, StoreError};
use crate::domain::{GenerationId, Metadata, Preview, PreviewId};
use crate::seal::{Purpose, Seal};

type Environment = BTreeMap<String, String>;

/// What an encrypted value begins with.
const MARK: &str = "sealed:";

impl Store {
    /// The same store, which encrypts what it is given to keep secret.
    #[must_use]
    pub fn sealed_by(self, seal: Seal) -> Self {
        Self { seal: Some(seal), ..self }
    }

    pub(super) fn closed_preview(&self, preview: &Preview) -> Result<Preview, Fault> {
        let environment = self.closed(&preview_owner(preview.id), &preview.environment)?;
        Ok(Preview { environment, ..preview.clone() })
    }

    pub(super) fn opened_preview(&self, preview: Preview) -> Result<Preview, Fault> {
        let name = RowName { table: "preview_instances", id: preview.id.to_string() };
        let environment = self.opened(&preview_owner(preview.id), &preview.environment, &name)?;
        Ok(Preview { environment, ..preview })
    }

    pub(super) fn closed_metadata(&self, of: &GenerationId, metadata: &Metadata) -> Result<Metadata, Fault> {
        let environment = self.closed(&generation_owner(of), &metadata.environment)?;
        Ok(Metadata { environment, ..metadata.clone() })
    }

    pub(super) fn opened_metadata(&self, of: &GenerationId, metadata: Metadata) -> Result<Metadata, Fault> {
        let name = RowName { table: "generations", id: of.to_string() };
        let environment = self.opened(&generation_owner(of), &metadata.environment, &name)?;
        Ok(Metadata { environment, ..metadata })
    }

    fn closed(&self, owner: &str, values: &Environment) -> Result<Environment, Fault> {
        let Some(seal) = &self.seal else { return Ok(values.clone()) };
        let close = |(name, value): (&String, &String)| {
            let sealed = seal.close(Purpose::Environment, format!("{owner}\n{name}"), value);
            let sealed =
                sealed.map_err(|error| Fault::Encode { column: "environment", reason: error.to_string() })?;
            Ok((name.clone(), format!("{MARK}{sealed}")))
        };
        values.iter().map(close).collect()
    }

    fn opened(&self, owner: &str, values: &Environment, row: &RowName) -> Result<Environment, Fault> {
        let open = |(name, value): (&String, &String)| {
            let Some(sealed) = value.strip_prefix(MARK) else { return Ok((name.clone(), value.clone())) };
            let seal = self.seal.as_ref();
            let opened =
                seal.and_then(|seal| seal.open(Purpose::Environment, format!("{owner}\n{name}"), sealed));
            match opened {
                Some(value) => Ok((name.clone(), value)),
                None => {
                    Err(row.bad("environment", format!("{name} was encrypted with a key that is not here")))
                }
            }
        };
        values.iter().map(open).collect()
    }

    /// Encrypts all that is secret with the newest key, whatever it was encrypted with, or not.
    /// Answers how many rows that was. Nobody else may work on the store meanwhile.
    pub async fn reseal(&self) -> Result<u64, StoreError> {
        self.run(StoreError::Reseal, async {
            let done = self.reseal_generations().await?
                + self.reseal_previews().await?
                + self.reseal_addresses().await?
                + self.reseal_webhooks().await?;
            // Kept answers are good for a day, and not worth more than that.
            on_write!(self.db, |pool| sqlx::query("DELETE FROM idempotency_keys")
                .execute(pool)
                .await
                .map(drop))?;
            Ok(done)
        })
        .await
    }

    async fn reseal_generations(&self) -> Result<u64, Fault> {
        const ALL: &str = "SELECT id, metadata FROM generations";
        const PUT: &str = "UPDATE generations SET metadata = $2 WHERE id = $1";
        let mut done = 0;
        for (id, text) in self.texts(ALL).await? {
            let name = RowName { table: "generations", id: id.clone() };
            let of = name.parsed("id", GenerationId::parse(&id))?;
            let metadata = self.opened_metadata(&of, name.json("metadata", &text)?)?;
            let text = to_json("metadata", &self.closed_metadata(&of, &metadata)?)?;
            done += self.put_text(PUT, &id, &text).await?;
        }
        Ok(done)
    }

    async fn reseal_previews(&self) -> Result<u64, Fault> {
        const ALL: &str = "SELECT id, environment_vars FROM preview_instances";
        const PUT: &str = "UPDATE preview_instances SET environment_vars = $2 WHERE id = $1";
        let mut done = 0;
        for (id, text) in self.texts(ALL).await? {
            let name = RowName { table: "preview_instances", id: id.clone() };
            let owner = preview_owner(name.parsed("id", PreviewId::parse(&id))?);
            let values = self.opened(&owner, &name.json("environment_vars", &text)?, &name)?;
            let text = to_json("environment_vars", &self.closed(&owner, &values)?)?;
            done += self.put_text(PUT, &id, &text).await?;
        }
        Ok(done)
    }

    async fn reseal_addresses(&self) -> Result<u64, Fault> {
        const ALL: &str = "SELECT id, db_url FROM preview_instances WHERE db_url IS NOT NULL";
        const PUT: &str = "UPDATE preview_instances SET db_url = $2 WHERE id = $1";
        let Some(seal) = &self.seal else { return Ok(0) };
        let mut done = 0;
        for (id, text) in self.texts(ALL).await? {
            let name = RowName { table: "preview_instances", id: id.clone() };
            let address = seal.open(Purpose::DatabaseAddress, &id, &text);
            let address =
                address.ok_or_else(|| name.bad("db_url", "it was encrypted with a key that is not here"))?;
            let sealed = seal.close(Purpose::DatabaseAddress, &id, &address);
            let sealed =
                sealed.map_err(|error| Fault::Encode { column: "db_url", reason: error.to_string() })?;
            done += self.put_text(PUT, &id, &sealed).await?;
        }
        Ok(done)
    }

    /// One that no key here opens stays as it is: nothing is signed with it any more.
    async fn reseal_webhooks(&self) -> Result<u64, Fault> {
        match &self.seal {
            Some(seal) => {
                self.move_webhook_secrets(|of, text| seal.open(Purpose::WebhookSecret, of, text)).await
            }
            None => Ok(0),
        }
    }

    /// Takes secrets of webhooks over that were sealed by `former`, which nothing else is sealed by
    /// any more.
    pub async fn adopt_webhook_secrets(&self, former: &Seal) -> Result<u64, StoreError> {
        let Some(seal) = &self.seal else { return Ok(0) };
        let open = |of: &Uuid, text: &str| match seal.open(Purpose::WebhookSecret, of, text) {
            Some(_) => None,
            None => former.open(Purpose::WebhookSecret, of, text),
        };
        self.run(StoreError::Reseal, self.move_webhook_secrets(open)).await
    }

    /// Those that `open` opens, closed anew.
    async fn move_webhook_secrets(&self, open: impl Fn(&Uuid, &str) -> Option<String>) -> Result<u64, Fault> {
        const ALL: &str = "SELECT id, secret FROM webhooks";
        const PUT: &str = "UPDATE webhooks SET secret = $2 WHERE id = $1";
        let Some(seal) = &self.seal else { return Ok(0) };
        let mut done = 0;
        for (id, text) in self.texts(ALL).await? {
            let name = RowName { table: "webhooks", id: id.clone() };
            let of = name.parsed("id", Uuid::parse_str(&id))?;
            let Some(secret) = open(&of, &text) else { continue };
            let sealed = seal.close(Purpose::WebhookSecret, of, &secret);
            let sealed =
                sealed.map_err(|error| Fault::Encode { column: "secret", reason: error.to_string() })?;
            done += self.put_text(PUT, &id, &sealed).await?;
        }
        Ok(done)
    }

    async fn texts(&self, query: &'static str) -> Result<Vec<(String, String)>, Fault> {
        Ok(on_read!(self.db, |pool| sqlx::query_as(query).fetch_all(pool).await?))
    }

    async fn put_text(&self, query: &'static str, id: &str, text: &str) -> Result<u64, Fault> {
        Ok(on_write!(self.db, |pool| sqlx::query(query)
            .bind(id)
            .bind(text)
            .execute(pool)
            .await?
            .rows_affected()))
    }
}

fn preview_owner(preview: PreviewId) -> String {
    format!("preview {preview}")
}

fn generation_owner(generation: &GenerationId) -> String {
    format!("generation {generation}")
}
