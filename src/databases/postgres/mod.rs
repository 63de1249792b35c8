//! PostgreSQL: what previewd says to a server as its superuser, and what it asks a preview's
//! database as that preview's own role.
//!
//! Roles see the names of other roles and databases in the catalogue. Taking that away breaks
//! tools which look there for their own (Prisma, pg_dump), and no right follows from a name; so
//! names tell nothing of a preview, and that is all there is to see.

mod admin;
mod drops;
mod look;
mod query;
mod spares;
mod templates;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

pub(super) use admin::{Postgres, address_of};

use super::kind::{Admin, Found, NewDatabase};
use super::sql::{DEADLINE, within};
use super::{Access, DatabaseError, Inventory, QueryRows};

pub(super) const PORT: u16 = 5432;

/// How to connect to one database as one role.
pub(super) struct Login(PgConnectOptions);

impl Login {
    fn again(&self) -> Self {
        Self(self.0.clone())
    }

    async fn connect(self) -> Result<PgConnection, DatabaseError> {
        const DOING: &str = "connecting to the database";
        within(DOING, self.0.connect()).await
    }

    /// For questions only.
    fn read_only(self, statement_timeout: Duration) -> Self {
        Self(self.0.options([
            ("default_transaction_read_only", "on".to_owned()),
            ("statement_timeout", statement_timeout.as_millis().to_string()),
            // Notices are a stranger's words of any length.
            ("client_min_messages", "error".to_owned()),
        ]))
    }
}

/// Addresses are of this host or of the operator's choice; names inside of a database are a
/// preview's, so that nothing is looked up there: neither pg_service files nor `PGOPTIONS`.
fn options(address: SocketAddr, user: &str, password: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(user)
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("previewd")
        .disable_statement_logging()
}

impl Admin for Postgres {
    fn answers(&self) -> BoxFuture<'_, bool> {
        self.answers().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.close().boxed()
    }

    fn exists<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.exists(name).boxed()
    }

    fn create<'a>(&'a self, new: NewDatabase<'a>) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.create(new).boxed()
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.drop(name).boxed()
    }

    fn databases<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Found>, DatabaseError>> {
        self.databases(prefix).boxed()
    }

    fn lock_out<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.lock_out(name).boxed()
    }

    fn end_hoarders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.end_hoarders(prefix).boxed()
    }

    fn keep_template<'a>(
        &'a self,
        name: &'a str,
        template: &'a str,
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.keep_template(name, template).boxed()
    }

    fn prune_templates<'a>(
        &'a self,
        prefix: &'a str,
        limits: (usize, u64),
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.prune_templates(prefix, limits).boxed()
    }

    fn keep_spares<'a>(
        &'a self,
        templates: &'a str,
        count: usize,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        self.keep_spares(templates, count).boxed()
    }

    fn look<'a>(&'a self, access: &'a Access) -> BoxFuture<'a, Result<Inventory, DatabaseError>> {
        async move { look::look(&self.login(access)?).await }.boxed()
    }

    fn query<'a>(
        &'a self,
        access: &'a Access,
        sql: &'a str,
    ) -> BoxFuture<'a, Result<QueryRows, DatabaseError>> {
        async move { query::query(&self.login(access)?, sql).await }.boxed()
    }
}
