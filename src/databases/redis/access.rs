//! How an app finds its cache: the address, and the variables it may be read from.

use std::collections::BTreeMap;
use std::fmt;

use crate::databases::Part;

/// An address with its password, which `Debug` does not show.
pub struct CacheAccess {
    host: String,
    port: u16,
    password: String,
}

/// Those every app may expect.
const ALWAYS: [&str; 4] = ["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"];

impl CacheAccess {
    pub fn new(host: &str, port: u16, password: String) -> Self {
        Self { host: host.to_owned(), port, password }
    }

    /// The variables of a container: those every app may expect, and of the others those that
    /// the code asks for. What a variable is for is `told`, else made out from its name.
    pub fn environment<'a>(
        &self,
        asked_for: impl IntoIterator<Item = &'a str>,
        told: &[(&str, Part)],
    ) -> BTreeMap<String, String> {
        let named = ALWAYS.into_iter().chain(asked_for).filter_map(|name| Some((name, part_of(name)?)));
        let parts = told.iter().copied().filter(|(name, _)| !is_of_another(name)).chain(named);
        parts.map(|(name, part)| (name.to_owned(), self.part(part))).collect()
    }

    /// No user: every client knows the form, and it means the default one.
    fn url(&self) -> String {
        format!("redis://:{}@{}:{}/0", self.password, self.host, self.port)
    }

    fn part(&self, part: Part) -> String {
        match part {
            Part::Url | Part::AsyncUrl => self.url(),
            Part::Host => self.host.clone(),
            Part::Port => self.port.to_string(),
            Part::User => "default".to_owned(),
            Part::Password => self.password.clone(),
            Part::Database => "0".to_owned(),
        }
    }
}

fn part_of(name: &str) -> Option<Part> {
    Some(match name {
        "CELERY_BROKER_URL"
        | "CELERY_RESULT_BACKEND"
        | "CELERY_BACKEND"
        | "CACHE_URL"
        | "CACHE_REDIS_URL"
        | "BROKER_URL"
        | "RESULT_BACKEND"
        | "RQ_REDIS_URL"
        | "QUEUE_REDIS_URL"
        | "KV_URL" => Part::Url,
        _ => match name.strip_prefix("REDIS_").or_else(|| name.strip_prefix("CACHE_REDIS_"))? {
            "URL" | "URI" | "DSN" | "CONNECTION_STRING" => Part::Url,
            "HOST" | "HOSTNAME" => Part::Host,
            "PORT" => Part::Port,
            "USER" | "USERNAME" => Part::User,
            "PASSWORD" | "PASS" => Part::Password,
            "DB" | "DATABASE" => Part::Database,
            _ => return None,
        },
    })
}

/// It holds the address of what this is not.
fn is_of_another(name: &str) -> bool {
    ["MEMCACHE", "RABBITMQ", "AMQP"].iter().any(|word| name.contains(word))
}

impl fmt::Debug for CacheAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheAccess({}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_variables_and_those_the_code_asks_for() {
        let access = CacheAccess::new("redis", 6379, "secret".to_owned());
        let read = ["CELERY_BROKER_URL", "CELERY_TASK_ALWAYS_EAGER", "REDIS_DB", "DATABASE_URL"];
        let told = [("JOBS", Part::Url), ("RABBITMQ_URL", Part::Url), ("MEMCACHED_HOST", Part::Host)];
        let all = access.environment(read, &told);
        assert_eq!(
            all.keys().map(String::as_str).collect::<Vec<_>>(),
            [
                "CELERY_BROKER_URL",
                "JOBS",
                "REDIS_DB",
                "REDIS_HOST",
                "REDIS_PASSWORD",
                "REDIS_PORT",
                "REDIS_URL"
            ]
        );
        assert_eq!(all["JOBS"], "redis://:secret@redis:6379/0");
        assert_eq!((all["REDIS_DB"].as_str(), all["REDIS_PORT"].as_str()), ("0", "6379"));
        assert!(!format!("{access:?}").contains("secret"));
    }
}
