//! Where the store is, and how many connections it may use.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::db::Address;

#[derive(Clone)]
pub struct Config {
    /// `DATABASE_URL`: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Default:
    /// a file in the data directory. May hold a password, so `Debug` shows neither it nor the URL.
    pub database_url: String,
    /// `PREVIEW_POSTGRESQL_POOL_TIMEOUT`, seconds, default 30: how long a call waits for a
    /// connection, or for a lock that another process holds, before it fails as busy.
    pub acquire_timeout: Duration,
    /// `PREVIEW_POSTGRESQL_POOL_SIZE`, default 10: connections at once. SQLite writes through one
    /// more of its own.
    pub pool_size: u32,
}

impl Config {
    pub const DEFAULT_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
    pub const DEFAULT_POOL_SIZE: u32 = 10;

    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            acquire_timeout: Self::DEFAULT_ACQUIRE_TIMEOUT,
            pool_size: Self::DEFAULT_POOL_SIZE,
        }
    }

    /// The SQLite file at `path`.
    pub fn sqlite(path: &Path) -> Self {
        Self::new(format!("sqlite://{}", path.display()))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Address::parse(&self.database_url).map(|address| address.place());
        f.debug_struct("Config")
            .field("database_url", &place.as_deref().unwrap_or("<not understood>"))
            .field("acquire_timeout", &self.acquire_timeout)
            .field("pool_size", &self.pool_size)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password_however_it_was_given() {
        for url in [
            "postgres://ann:hunter2@db:5433/previews",
            "postgres://db:5433/previews?user=ann&password=hunter2",
            "postgres://ann:hunter2@not a url",
            "mysql://ann:hunter2@db/previews",
        ] {
            let shown = format!("{:?}", Config::new(url));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let shown = format!("{:?}", Config::new("postgres://ann:hunter2@db:5433/previews"));
        assert!(shown.contains("postgres://ann@db:5433/previews"), "{shown}");
    }
}
