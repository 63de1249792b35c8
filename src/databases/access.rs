//! How an app finds its database: the address, and the variables it may be read from.

use std::collections::BTreeMap;
use std::fmt;

/// The name a server of ours has on every preview's own network.
pub const HOST: &str = "database";

/// An address with its password, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    Server {
        /// As URLs begin without saying which driver: `postgresql`.
        scheme: String,
        host: String,
        port: u16,
        /// Letters, digits and `_`, as are the next two.
        user: String,
        password: String,
        database: String,
    },
    File {
        path: String,
    },
}

/// One part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Url,
    AsyncUrl,
    Host,
    Port,
    User,
    Password,
    Database,
}

impl Access {
    pub(super) fn file(path: String) -> Self {
        Self::File { path }
    }

    /// Of an address that [`Access::url`] wrote.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        if scheme == "sqlite" {
            return Some(Self::File { path: rest.strip_prefix('/')?.to_owned() });
        }
        let (login, place) = rest.split_once('@')?;
        let (user, password) = login.split_once(':')?;
        let (host, database) = place.split_once('/')?;
        let (host, port) = host.rsplit_once(':')?;
        Some(Self::Server {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.parse().ok()?,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
        })
    }

    /// With the prefix a driver wants, `postgresql+asyncpg`, else the plain one.
    pub fn url(&self, prefix: Option<&str>) -> String {
        match self {
            Self::Server { scheme, host, port, user, password, database } => {
                let scheme = prefix.unwrap_or(scheme);
                format!("{scheme}://{user}:{password}@{host}:{port}/{database}")
            }
            // Prisma's way.
            Self::File { path } if prefix == Some("file") => format!("file:{path}"),
            // Three slashes, and then the path with its own.
            Self::File { path } => format!("{}:///{path}", prefix.unwrap_or("sqlite")),
        }
    }

    /// What must not be seen in a log; empty where there is no secret.
    pub fn password(&self) -> &str {
        match self {
            Self::Server { password, .. } => password,
            Self::File { .. } => "",
        }
    }

    /// The variables of a container: those every app may expect, and of the others those that
    /// the code asks for. What a variable is for is `told`, else made out from its name.
    pub fn environment<'a>(
        &self,
        prefix: Option<&str>,
        asked_for: impl IntoIterator<Item = &'a str>,
        told: &[(&str, Part)],
    ) -> BTreeMap<String, String> {
        let always: &[&str] = match self {
            Self::Server { scheme, .. } if scheme == "mysql" => &[
                "DATABASE_URL",
                "MYSQL_HOST",
                "MYSQL_PORT",
                "MYSQL_USER",
                "MYSQL_PASSWORD",
                "MYSQL_DATABASE",
            ],
            Self::Server { scheme, .. } if scheme == "mongodb" => {
                &["DATABASE_URL", "MONGODB_URI", "MONGO_URL"]
            }
            Self::Server { .. } => {
                &["DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"]
            }
            Self::File { .. } => &["DATABASE_URL"],
        };
        let named = always.iter().copied().chain(asked_for).filter_map(|name| Some((name, part_of(name)?)));
        let parts = named.chain(told.iter().copied());
        parts.filter_map(|(name, part)| Some((name.to_owned(), self.part(part, prefix)?))).collect()
    }

    fn part(&self, part: Part, prefix: Option<&str>) -> Option<String> {
        match (part, self) {
            (Part::Url, _) => Some(self.url(prefix)),
            (Part::AsyncUrl, Self::Server { scheme, .. }) if scheme == "postgresql" => {
                Some(self.url(Some("postgresql+asyncpg")))
            }
            (Part::AsyncUrl, _) => Some(self.url(prefix)),
            (Part::Database, Self::File { path }) => Some(path.clone()),
            (_, Self::File { .. }) => None,
            (Part::Host, Self::Server { host, .. }) => Some(host.clone()),
            (Part::Port, Self::Server { port, .. }) => Some(port.to_string()),
            (Part::User, Self::Server { user, .. }) => Some(user.clone()),
            (Part::Password, Self::Server { password, .. }) => Some(password.clone()),
            (Part::Database, Self::Server { database, .. }) => Some(database.clone()),
        }
    }
}

/// What a variable of this name is for: a word for a database, and one for a part of its
/// address. `None` for every other name.
fn part_of(name: &str) -> Option<Part> {
    const WORDS: [&str; 17] = [
        "DATABASE",
        "DB",
        "POSTGRES",
        "POSTGRESQL",
        "PG",
        "SQL",
        "SQLALCHEMY_DATABASE",
        "DJANGO_DB",
        "RDS",
        "TYPEORM",
        "SQLITE",
        "PSQL",
        "MYSQL",
        "MARIADB",
        "MONGODB",
        "MONGO",
        "APP_DB",
    ];
    let name = name.to_ascii_uppercase();
    if let Some(rest) = name.strip_prefix("ASYNC_") {
        return (part_of(rest)? == Part::Url).then_some(Part::AsyncUrl);
    }
    if name == "DIRECT_URL" {
        return Some(Part::Url);
    }
    WORDS.iter().find_map(|word| {
        let rest = name.strip_prefix(word)?;
        // libpq's own names have no line between the words.
        let rest = rest.strip_prefix('_').or((*word == "PG").then_some(rest))?;
        Some(match rest {
            "URL" | "URI" | "DSN" | "CONNECTION_STRING" | "PRISMA_URL" | "URL_NON_POOLING" => Part::Url,
            "ASYNC_URL" | "URL_ASYNC" => Part::AsyncUrl,
            "HOST" | "HOSTNAME" | "SERVER" => Part::Host,
            "PORT" => Part::Port,
            "USER" | "USERNAME" => Part::User,
            "PASSWORD" | "PASS" | "PWD" => Part::Password,
            "DATABASE" | "NAME" | "DB" | "DBNAME" | "DB_NAME" | "PATH" | "FILE" => Part::Database,
            _ => return None,
        })
    })
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { host, port, database, .. } => write!(f, "Access({host}:{port}/{database})"),
            Self::File { path } => write!(f, "Access({path})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Access {
        Access::parse("postgresql://pv_1:secret@database:5432/pv_1").expect("an address")
    }

    #[test]
    fn what_is_written_is_read_again() {
        for access in [server(), Access::file("/data/db/app.sqlite3".to_owned())] {
            assert_eq!(Access::parse(&access.url(None)).as_ref(), Some(&access));
        }
        assert_eq!(Access::file("/data/a.db".into()).url(None), "sqlite:////data/a.db");
        assert!(!format!("{:?}", server()).contains("secret"));
    }

    #[test]
    fn every_app_gets_the_common_variables_and_the_odd_ones_it_reads() {
        let read =
            ["SQLALCHEMY_DATABASE_URL", "DB_HOST", "DB_NAME", "POSTGRES_PASSWORD", "SECRET_KEY", "DB_ENGINE"];
        let all = server().environment(Some("postgresql+psycopg"), read, &[("MY_BASE", Part::Host)]);
        assert_eq!(all["MY_BASE"], "database");
        assert_eq!(all["DATABASE_URL"], "postgresql+psycopg://pv_1:secret@database:5432/pv_1");
        assert_eq!(all["SQLALCHEMY_DATABASE_URL"], all["DATABASE_URL"]);
        assert_eq!((all["DB_HOST"].as_str(), all["DB_NAME"].as_str()), ("database", "pv_1"));
        assert_eq!((all["PGPORT"].as_str(), all["POSTGRES_PASSWORD"].as_str()), ("5432", "secret"));
        assert!(
            !all.contains_key("SECRET_KEY") && !all.contains_key("DB_ENGINE") && !all.contains_key("DB_PORT")
        );
        let file = Access::file("/data/db/app.sqlite3".into()).environment(None, ["DB_HOST", "DB_PATH"], &[]);
        assert_eq!(file.keys().collect::<Vec<_>>(), ["DATABASE_URL", "DB_PATH"]);
    }

    #[test]
    fn an_app_on_mysql_gets_that_ones_variables() {
        let access = Access::parse("mysql://pv_1:secret@database:3306/pv_1").expect("an address");
        let all = access.environment(Some("mysql+pymysql"), ["DB_HOST"], &[]);
        assert_eq!(all["DATABASE_URL"], "mysql+pymysql://pv_1:secret@database:3306/pv_1");
        assert_eq!((all["MYSQL_USER"].as_str(), all["MYSQL_PORT"].as_str()), ("pv_1", "3306"));
        assert!(all.contains_key("DB_HOST") && !all.contains_key("PGHOST"));
    }

    #[test]
    fn a_name_is_read_as_people_write_them() {
        assert_eq!(part_of("PGHOST"), Some(Part::Host));
        assert_eq!(part_of("POSTGRES_DB"), Some(Part::Database));
        assert_eq!(part_of("ASYNC_DATABASE_URL"), Some(Part::AsyncUrl));
        assert_eq!(part_of("DATABASE_URI"), Some(Part::Url));
        for other in ["PGSSLMODE", "DB_POOL_SIZE", "URL", "HOST", "PORT", "ASYNC_HOST", "DATABASE"] {
            assert_eq!(part_of(other), None, "{other}");
        }
    }
}
