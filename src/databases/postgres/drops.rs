//! Taking a database away, whatever its owner has made of it. A role may mark its database as a template, which is not dropped,
//! and give rights to roles of which it knows nothing but the name, which are not dropped either while there are such rights.

use super::admin::Postgres;
use super::within;
use crate::databases::DatabaseError;

const DOING: &str = "dropping the database";

/// A database, or something in one, speaks of the role.
const SPOKEN_OF: &str =
    "SELECT 1 FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
    WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND r.rolname = $1 LIMIT 1";

/// A database that speaks of a role of a preview.
const SPEAKS: &str = "SELECT 1 FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
    JOIN pg_catalog.pg_database d ON d.oid = s.dbid
    WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.datname = $1
      AND (pg_catalog.starts_with(r.rolname::text, 'pv_') OR pg_catalog.starts_with(r.rolname::text, 'ps_'))
    LIMIT 1";

impl Postgres {
    /// Whoever is connected is cut off. Absent is fine. A role that another's database speaks of is left without a way in: it
    /// counts among what outlived its preview, and goes after that database.
    pub async fn drop(&self, name: &str) -> Result<(), DatabaseError> {
        let plain = format!(
            "DO $$ BEGIN
                 IF EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = '{name}' AND datistemplate) THEN
                     ALTER DATABASE {name} IS_TEMPLATE false;
                 END IF;
             END $$"
        );
        self.all(DOING, &[plain, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await?;
        match self.all(DOING, &[format!("DROP ROLE IF EXISTS {name}")]).await {
            Err(error) if self.is_there(SPOKEN_OF, name).await? => {
                tracing::info!(%error, role = name, "a role is left until what speaks of it has gone");
                self.all(DOING, &[format!("ALTER ROLE {name} NOLOGIN")]).await
            }
            done => done,
        }
    }

    /// Whether something in a database has rights for roles of previews: they could not be dropped as long as it is there.
    pub(super) async fn speaks_of_previews(&self, database: &str) -> Result<bool, DatabaseError> {
        self.is_there(SPEAKS, database).await
    }

    async fn is_there(&self, sql: &'static str, name: &str) -> Result<bool, DatabaseError> {
        let found = sqlx::query(sql).bind(name).fetch_optional(&self.pool);
        Ok(within(DOING, found).await?.is_some())
    }
}
