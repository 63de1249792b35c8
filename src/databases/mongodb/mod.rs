//! MongoDB: a user and a database for each preview, over the official driver.
//!
//! The driver is large, so it is in the program only where that was built with the feature
//! `mongodb`; without it nobody is given one, and is told so. There is no copying of a database
//! here, and no SQL.

#[cfg(feature = "mongodb")]
mod admin;
#[cfg(feature = "mongodb")]
mod look;

#[cfg(feature = "mongodb")]
pub(super) use admin::Mongo;

use super::DatabaseError;
use super::kind::ServerKind;

pub(super) const PORT: u16 = 27017;

/// Whether this program can speak to one.
pub(super) const IS_BUILT_IN: bool = cfg!(feature = "mongodb");

/// Host and port of the operator's server: the first where it names several.
pub(super) fn address_of(url: &str) -> Result<(String, u16), DatabaseError> {
    let setting = ServerKind::Mongodb.setting();
    let refused = |reason: &str| DatabaseError::External { setting, reason: reason.to_owned() };
    let rest = url.strip_prefix("mongodb://").ok_or_else(|| refused("expected mongodb://"))?;
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
    let first = hosts.split(',').next().filter(|host| !host.is_empty());
    let first = first.ok_or_else(|| refused("it names no host"))?;
    match first.rsplit_once(':') {
        None => Ok((first.to_owned(), PORT)),
        Some((host, port)) => {
            let port = port.parse().map_err(|_| refused("its port is no number"))?;
            Ok((host.to_owned(), port))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_address_may_name_several_hosts_and_options() {
        for (url, host, port) in [
            ("mongodb://root:p%40ss@db.example/admin?replicaSet=a", "db.example", 27017),
            ("mongodb://one:1,two:2/", "one", 1),
            ("mongodb://localhost", "localhost", 27017),
        ] {
            assert_eq!(address_of(url).expect("an address"), (host.to_owned(), port), "{url}");
        }
        for url in ["postgres://x", "mongodb://", "mongodb://a:b@/x", "mongodb://host:port/"] {
            let error = address_of(url).expect_err("refused").to_string();
            assert!(error.starts_with("PREVIEW_DATABASE_MONGODB_URL: "), "{error}");
            assert!(!error.contains("a:b"), "{error}");
        }
    }
}
