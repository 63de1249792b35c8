//! The superuser's side: users and databases made, locked and dropped. Names and passwords are
//! our own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ClientOptions;

use super::look;
use crate::databases::kind::{Admin, Found, NewDatabase, ServerKind};
use crate::databases::{Access, DatabaseError, Inventory, QueryRows};

/// A server, and the right to do everything on it.
pub struct Mongo {
    client: Client,
    options: ClientOptions,
}

const SUPERUSER: &str = "previewd";

/// Waiting for a server, and one command of ours.
const DEADLINE: Duration = Duration::from_secs(30);

impl Mongo {
    /// A server of ours. Fails while it is starting.
    pub async fn connect(address: SocketAddr, password: &str) -> Result<Self, DatabaseError> {
        let url = format!("mongodb://{SUPERUSER}:{password}@{address}/admin?directConnection=true");
        Self::open(&url).await
    }

    /// The operator's server.
    pub async fn external(url: &str) -> Result<Self, DatabaseError> {
        Self::open(url).await
    }

    async fn open(url: &str) -> Result<Self, DatabaseError> {
        const DOING: &str = "connecting to the database server";
        let setting = ServerKind::Mongodb.setting();
        let mut options = ClientOptions::parse(url)
            .await
            .map_err(|error| DatabaseError::External { setting, reason: error.to_string() })?;
        options.app_name = Some("previewd".to_owned());
        options.max_pool_size = Some(4);
        options.connect_timeout = Some(Duration::from_secs(5));
        options.server_selection_timeout = Some(Duration::from_secs(5));
        let client = Client::with_options(options.clone())
            .map_err(|error| DatabaseError::External { setting, reason: error.to_string() })?;
        let mongo = Self { client, options };
        mongo.run(DOING, "admin", doc! { "ping": 1 }).await?;
        Ok(mongo)
    }

    /// As a preview's own user: who is made in a database logs in through it.
    fn login(&self, access: &Access) -> Result<Client, DatabaseError> {
        let Access::Server { user, password, database, .. } = access else {
            return Err(DatabaseError::Unknown);
        };
        let mut options = self.options.clone();
        let mut credential = mongodb::options::Credential::default();
        credential.username = Some(user.clone());
        credential.password = Some(password.clone());
        credential.source = Some(database.clone());
        options.credential = Some(credential);
        options.max_pool_size = Some(1);
        Client::with_options(options).map_err(|error| DatabaseError::Sql {
            doing: "connecting to the database",
            reason: error.to_string(),
        })
    }

    async fn run(
        &self,
        doing: &'static str,
        database: &str,
        command: Document,
    ) -> Result<Document, DatabaseError> {
        command_on(&self.client, doing, database, command).await
    }

    async fn create(&self, new: NewDatabase<'_>) -> Result<(), DatabaseError> {
        let NewDatabase { name, password, .. } = new;
        self.drop(name).await?;
        let roles = vec![doc! { "role": "dbOwner", "db": name }];
        let user = doc! { "createUser": name, "pwd": password, "roles": roles };
        self.run("making the database", name, user).await.map(drop)
    }

    async fn drop(&self, name: &str) -> Result<(), DatabaseError> {
        const DOING: &str = "dropping the database";
        self.run(DOING, name, doc! { "dropAllUsersFromDatabase": 1 }).await?;
        self.cut_off(name).await?;
        self.run(DOING, name, doc! { "dropDatabase": 1 }).await.map(drop)
    }

    /// An end to everything a user has running.
    async fn cut_off(&self, name: &str) -> Result<(), DatabaseError> {
        let sessions = doc! { "killAllSessions": [{ "user": name, "db": name }] };
        self.run("ending the sessions of a database", "admin", sessions).await.map(drop)
    }

    /// A database is there from its first document on, its user from the beginning.
    async fn exists(&self, name: &str) -> Result<bool, DatabaseError> {
        let asked = doc! { "usersInfo": { "user": name, "db": name } };
        let answer = self.run("looking for a database", "admin", asked).await?;
        Ok(answer.get_array("users").is_ok_and(|users| !users.is_empty()))
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<Found>, DatabaseError> {
        const DOING: &str = "listing databases";
        let asked = doc! { "usersInfo": { "forAllDBs": true } };
        let users = self.run(DOING, "admin", asked).await?;
        let mut all: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for user in documents(&users, "users") {
            let Ok(name) = user.get_str("user") else { continue };
            if name.starts_with(prefix) {
                let owns = documents(user, "roles").any(|role| role.get_str("role") == Ok("dbOwner"));
                all.entry(name.to_owned()).or_default().1 = owns;
            }
        }
        let listed = self.run(DOING, "admin", doc! { "listDatabases": 1 }).await?;
        for database in documents(&listed, "databases") {
            let Ok(name) = database.get_str("name") else { continue };
            if name.starts_with(prefix) {
                all.entry(name.to_owned()).or_default().0 = number(database.get("sizeOnDisk"));
            }
        }
        let found = all.into_iter().map(|(name, (bytes, can_login))| Found { name, bytes, can_login });
        Ok(found.collect())
    }

    /// There is no lock for a user; one that may only read makes nothing larger.
    async fn lock_out(&self, name: &str) -> Result<(), DatabaseError> {
        const DOING: &str = "locking a database that is too large";
        let roles = vec![doc! { "role": "read", "db": name }];
        self.run(DOING, name, doc! { "updateUser": name, "roles": roles }).await?;
        self.cut_off(name).await
    }
}

/// One command, within its time.
pub(super) async fn command_on(
    client: &Client,
    doing: &'static str,
    database: &str,
    command: Document,
) -> Result<Document, DatabaseError> {
    let database = client.database(database);
    match tokio::time::timeout(DEADLINE, async { database.run_command(command).await }).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(DatabaseError::Sql { doing, reason: error.to_string() }),
        Err(_) => Err(DatabaseError::Deadline { doing, after: DEADLINE }),
    }
}

/// The documents of a list in an answer.
pub(super) fn documents<'a>(
    answer: &'a Document,
    list: &str,
) -> impl Iterator<Item = &'a Document> + use<'a> {
    answer.get_array(list).into_iter().flatten().filter_map(Bson::as_document)
}

/// Servers send counts in whatever type they fit.
pub(super) fn number(value: Option<&Bson>) -> u64 {
    match value {
        Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Bson::Double(number)) => *number as u64,
        _ => 0,
    }
}

impl Admin for Mongo {
    fn answers(&self) -> BoxFuture<'_, bool> {
        async {
            let ping = self.run("asking the server", "admin", doc! { "ping": 1 });
            matches!(tokio::time::timeout(Duration::from_secs(3), ping).await, Ok(Ok(_)))
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.client.clone().shutdown().immediate(true).into_future().boxed()
    }

    fn exists<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        self.exists(name).boxed()
    }

    fn create<'a>(&'a self, new: NewDatabase<'a>) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        async move { self.create(new).await.map(|()| false) }.boxed()
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

    fn look<'a>(&'a self, access: &'a Access) -> BoxFuture<'a, Result<Inventory, DatabaseError>> {
        async move { look::look(&self.login(access)?, access).await }.boxed()
    }

    fn query<'a>(
        &'a self,
        _access: &'a Access,
        _sql: &'a str,
    ) -> BoxFuture<'a, Result<QueryRows, DatabaseError>> {
        let why = "MongoDB answers no SQL; its collections and their counts are in GET …/preview/database";
        async move { Err(DatabaseError::Query(why.to_owned())) }.boxed()
    }
}
