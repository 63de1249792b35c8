//! MySQL's protocol, as MariaDB and MySQL speak it: what previewd says to a server as its
//! superuser, and what it asks a preview's database as that preview's own user.
//!
//! There is no copying of a database here: every preview's is migrated anew.

mod admin;
mod look;
mod query;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::str::FromStr as _;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::mysql::MySqlConnectOptions;

pub(super) use admin::MySql;

use super::kind::{Admin, Found, NewDatabase, ServerKind};
use super::sql::{DEADLINE, within};
use super::{Access, DatabaseError, Inventory, QueryRows};

pub(super) const PORT: u16 = 3306;

/// Host and port of the operator's server.
pub(super) fn address_of(url: &str) -> Result<(String, u16), DatabaseError> {
    let options = parsed(url)?;
    Ok((options.get_host().to_owned(), options.get_port()))
}

fn parsed(url: &str) -> Result<MySqlConnectOptions, DatabaseError> {
    let setting = ServerKind::Mysql.setting();
    // It speaks the same protocol.
    let url = url.replacen("mariadb://", "mysql://", 1);
    MySqlConnectOptions::from_str(&url)
        .map_err(|error| DatabaseError::External { setting, reason: error.to_string() })
}

/// `10.0.0.0/28` as accounts have it: `10.0.0.0/255.255.255.240`.
pub(super) fn with_mask(net: &str) -> String {
    let parsed = net.split_once('/').and_then(|(base, bits)| Some((base, bits.parse::<u32>().ok()?)));
    match parsed {
        Some((base, bits @ 1..=32)) => format!("{base}/{}", Ipv4Addr::from(u32::MAX << (32 - bits))),
        _ => net.to_owned(),
    }
}

/// How the client runs a file. The password is in its environment, where it is no argument that
/// others could read.
pub(super) fn client(access: &Access, file: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let Access::Server { host, port, user, password, database, .. } = access else {
        return (Vec::new(), BTreeMap::new());
    };
    let argv = [
        "mariadb".to_owned(),
        "--no-defaults".to_owned(),
        format!("--host={host}"),
        format!("--port={port}"),
        format!("--user={user}"),
        "--default-character-set=utf8mb4".to_owned(),
        "--batch".to_owned(),
        format!("--execute=source {file}"),
        database.clone(),
    ];
    (argv.to_vec(), BTreeMap::from([("MYSQL_PWD".to_owned(), password.clone())]))
}

impl Admin for MySql {
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
        async move { look::look(self.login(access).await?, access).await }.boxed()
    }

    fn query<'a>(
        &'a self,
        access: &'a Access,
        sql: &'a str,
    ) -> BoxFuture<'a, Result<QueryRows, DatabaseError>> {
        async move { query::query(self.login(access).await?, sql).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_written_with_its_mask() {
        assert_eq!(with_mask("10.213.0.16/28"), "10.213.0.16/255.255.255.240");
        assert_eq!(with_mask("10.0.0.0/8"), "10.0.0.0/255.0.0.0");
        assert_eq!(with_mask("10.0.0.1/32"), "10.0.0.1/255.255.255.255");
    }

    #[test]
    fn the_operators_address_may_say_either_name() {
        for url in ["mysql://root:x@db.example:3307/", "mariadb://root:x@db.example:3307/"] {
            assert_eq!(address_of(url).expect("an address"), ("db.example".to_owned(), 3307));
        }
        let refused = address_of("mysql://root:x@db:port/").expect_err("no port");
        assert!(refused.to_string().starts_with("PREVIEW_DATABASE_MYSQL_URL: "), "{refused}");
    }

    #[test]
    fn the_password_is_no_argument_of_the_client() {
        let access = Access::parse("mysql://pv_1:secret@database:3306/pv_1").expect("an address");
        let (argv, environment) = client(&access, "/scripts/1.sql");
        assert!(!argv.concat().contains("secret") && argv.contains(&"--user=pv_1".to_owned()));
        assert_eq!(environment["MYSQL_PWD"], "secret");
    }
}
