//! Schemas that were migrated once, kept as databases to copy.
//!
//! What a migration makes belongs to the role that ran it. In a template it belongs to
//! [`OWNER`], whom nobody can log in as, and each copy is handed over to its own role; so a role
//! can be dropped without asking what was copied from its database.

use chrono::Utc;
use sqlx::AssertSqlSafe;

use super::admin::Postgres;
use super::within;
use crate::databases::DatabaseError;

pub(super) const OWNER: &str = "previewd_template";

impl Postgres {
    pub(super) async fn prepare_templates(&self) -> Result<(), DatabaseError> {
        let role = format!(
            "DO $$ BEGIN
                 IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{OWNER}') THEN
                     CREATE ROLE {OWNER} NOLOGIN;
                 END IF;
             END $$"
        );
        self.all("preparing the server", &[role]).await?;
        if self.is_external {
            self.all("preparing the server", &[format!("GRANT {OWNER} TO CURRENT_USER")]).await?;
        }
        Ok(())
    }

    /// Keeps the present state of a database, which nobody is connected to, under a name. One
    /// that is there already stays: it is the same. False for one with rights for other previews' roles, which those
    /// would never be rid of.
    pub async fn keep_template(&self, name: &str, template: &str) -> Result<bool, DatabaseError> {
        const DOING: &str = "keeping the migrated schema";
        let _turn = self.templates.lock().await;
        if self.exists(template).await? {
            return self.touch(template).await.map(|()| true);
        }
        // Under another name until it is whole: a copy of half a hand-over would be nobody's.
        let draft = format!("{template}_draft");
        self.all(
            DOING,
            &[
                format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"),
                format!("CREATE DATABASE {draft} TEMPLATE {name}"),
                format!("REVOKE ALL ON DATABASE {draft} FROM PUBLIC"),
            ],
        )
        .await?;
        // The preview's own database is a thing of its role that every database knows of, and
        // changes hands with the rest; it is given back in the same transaction.
        self.inside_do(
            &draft,
            format!(
                "BEGIN;
                 REASSIGN OWNED BY {name} TO {OWNER};
                 DROP OWNED BY {name};
                 ALTER DATABASE {name} OWNER TO {name};
                 REVOKE ALL ON DATABASE {name} FROM PUBLIC;
                 GRANT ALL ON DATABASE {name} TO {name};
                 COMMIT"
            ),
        )
        .await?;
        if self.speaks_of_previews(&draft).await? {
            tracing::warn!(
                database = name,
                "a schema has rights for other roles and is not kept as a template"
            );
            self.all(DOING, &[format!("DROP DATABASE {draft} WITH (FORCE)")]).await?;
            return Ok(false);
        }
        self.all(DOING, &[format!("ALTER DATABASE {draft} RENAME TO {template}")]).await?;
        self.touch(template).await.map(|()| true)
    }

    /// A new database of the role `name` from a template; false when there is no such template.
    pub(super) async fn copy(&self, name: &str, template: &str) -> Result<bool, DatabaseError> {
        const DOING: &str = "copying the migrated schema";
        if !self.exists(template).await? {
            return Ok(false);
        }
        self.all(DOING, &[format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {name}")]).await?;
        self.inside_do(name, format!("REASSIGN OWNED BY {OWNER} TO {name}")).await?;
        self.touch(template).await?;
        Ok(true)
    }

    /// Drops those that were not used for longest, until there are at most so many of so many MiB.
    pub async fn prune_templates(
        &self,
        prefix: &str,
        (count, megabytes): (usize, u64),
    ) -> Result<(), DatabaseError> {
        let _turn = self.templates.lock().await;
        let mut kept: Vec<_> = self.commented(prefix).await?.into_iter().collect();
        // Digits of one length: the order of the text is that of time. Drafts have no comment
        // and go first.
        kept.sort_by(|(_, (_, a)), (_, (_, b))| b.cmp(a));
        let mut bytes = 0;
        for (at, (name, (size, _))) in kept.into_iter().enumerate() {
            bytes += size;
            if at >= count || bytes > megabytes * 1024 * 1024 {
                tracing::info!(template = name, "dropping a template that was not used for long");
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                self.all("dropping a template", &[drop]).await?;
            }
        }
        Ok(())
    }

    /// When it was last used is said on the template itself.
    pub(super) async fn touch(&self, template: &str) -> Result<(), DatabaseError> {
        let now = Utc::now().timestamp_millis();
        self.all("noting the use of a template", &[format!("COMMENT ON DATABASE {template} IS '{now:016}'")])
            .await
    }

    pub(super) async fn inside_do(&self, database: &str, sql: String) -> Result<(), DatabaseError> {
        const DOING: &str = "handing over the migrated schema";
        let mut connection = self.inside(database).connect().await?;
        within(DOING, sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection)).await?;
        within(DOING, sqlx::Connection::close(connection)).await
    }
}
