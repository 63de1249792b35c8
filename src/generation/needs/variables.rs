//! Which variables of the environment name a database or a cache, and which part of it.

use super::{ConnectionPart, DatabaseVariable};
use crate::generation::plan::EnvRead;

/// Beginnings of names that mean a database.
const DATABASES: [&str; 12] = [
    "DATABASE",
    "DB",
    "POSTGRES",
    "POSTGRESQL",
    "PG",
    "MYSQL",
    "MARIADB",
    "MONGO",
    "MONGODB",
    "SQLALCHEMY",
    "SQLITE",
    "NEON",
];

/// Beginnings of names that mean a cache or a broker.
const CACHES: [&str; 7] = ["REDIS", "CELERY", "CACHE", "BROKER", "MEMCACHED", "RABBITMQ", "AMQP"];

/// Every variable of a database, those of a whole URL first, each once.
pub fn of_database(reads: &[EnvRead]) -> Vec<DatabaseVariable> {
    chosen(reads, &DATABASES)
}

pub fn of_cache(reads: &[EnvRead]) -> Vec<DatabaseVariable> {
    chosen(reads, &CACHES)
}

/// It says where a database or a cache is.
pub fn is_of_a_service(name: &str) -> bool {
    part_of(name, &DATABASES).is_some() || part_of(name, &CACHES).is_some()
}

fn chosen(reads: &[EnvRead], families: &[&str]) -> Vec<DatabaseVariable> {
    let mut found: Vec<DatabaseVariable> = Vec::new();
    for read in reads {
        let Some(holds) = part_of(&read.name, families) else { continue };
        match found.iter_mut().find(|known| known.name == read.name) {
            // One place without a default is enough to need the variable, unless another has one.
            Some(known) => known.has_default |= read.has_default,
            None => found.push(DatabaseVariable {
                name: read.name.clone(),
                holds,
                file: read.file.clone(),
                line: read.line,
                has_default: read.has_default,
            }),
        }
    }
    found.sort_by_key(|variable| (variable.holds, variable.name != "DATABASE_URL"));
    found
}

/// `POSTGRES_PASSWORD` holds a password of the family; `DEBUG` holds nothing of it.
fn part_of(name: &str, families: &[&str]) -> Option<ConnectionPart> {
    let mut words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    // libpq's own names have no underscore: PGHOST.
    let joined = name.strip_prefix("PG").filter(|rest| !rest.starts_with('_') && words.len() == 1);
    let last = match joined {
        Some(rest) if families.contains(&"PG") => rest,
        _ => {
            let last = words.pop()?;
            let whole = words.is_empty();
            if whole && families.contains(&"DATABASE") && last == "MONGODBURI" {
                return Some(ConnectionPart::Url);
            }
            let of_family = words.iter().any(|word| families.contains(word));
            if !of_family || words.len() > 3 {
                return None;
            }
            last
        }
    };
    Some(match last {
        "URL" | "URI" | "DSN" | "CONNECTION" | "CONN" => ConnectionPart::Url,
        "HOST" | "HOSTNAME" | "SERVER" | "ADDR" => ConnectionPart::Host,
        "PORT" => ConnectionPart::Port,
        "USER" | "USERNAME" => ConnectionPart::User,
        "PASSWORD" | "PASS" | "PASSWD" => ConnectionPart::Password,
        "DB" | "NAME" | "DATABASE" | "DBNAME" | "PATH" | "FILE" => ConnectionPart::Name,
        "STRING" if words.ends_with(&["CONNECTION"]) => ConnectionPart::Url,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_part_of_a_connection_they_hold() {
        for (name, holds) in [
            ("DATABASE_URL", Some(ConnectionPart::Url)),
            ("SQLALCHEMY_DATABASE_URI", Some(ConnectionPart::Url)),
            ("MONGO_URI", Some(ConnectionPart::Url)),
            ("DB_CONNECTION_STRING", Some(ConnectionPart::Url)),
            ("POSTGRES_PASSWORD", Some(ConnectionPart::Password)),
            ("DB_NAME", Some(ConnectionPart::Name)),
            ("PGHOST", Some(ConnectionPart::Host)),
            ("PGDATABASE", Some(ConnectionPart::Name)),
            ("REDIS_URL", None),
            ("DEBUG", None),
            ("API_URL", None),
            ("PGP_KEY", None),
        ] {
            assert_eq!(part_of(name, &DATABASES), holds, "{name}");
        }
        assert_eq!(part_of("CELERY_BROKER_URL", &CACHES), Some(ConnectionPart::Url));
    }
}
