//! Which cache or broker the app expects: by its library.

use super::variables::of_cache;
use super::{CacheKind, CacheNeed};
use crate::generation::plan::EnvRead;
use crate::generation::project::Project;

const LIBRARIES: [(&str, CacheKind); 22] = [
    ("redis", CacheKind::Redis),
    ("ioredis", CacheKind::Redis),
    ("bullmq", CacheKind::Redis),
    ("bull", CacheKind::Redis),
    ("connect-redis", CacheKind::Redis),
    ("@upstash/redis", CacheKind::Redis),
    ("aioredis", CacheKind::Redis),
    ("redis-om", CacheKind::Redis),
    ("django-redis", CacheKind::Redis),
    ("flask-redis", CacheKind::Redis),
    ("rq", CacheKind::Redis),
    ("arq", CacheKind::Redis),
    ("channels-redis", CacheKind::Redis),
    ("github.com/redis/go-redis", CacheKind::Redis),
    ("pymemcache", CacheKind::Memcached),
    ("python-memcached", CacheKind::Memcached),
    ("memcached", CacheKind::Memcached),
    ("memjs", CacheKind::Memcached),
    ("pika", CacheKind::Rabbitmq),
    ("aio-pika", CacheKind::Rabbitmq),
    ("amqplib", CacheKind::Rabbitmq),
    ("celery", CacheKind::Redis),
];

pub fn find(project: &Project<'_>, reads: &[EnvRead]) -> Option<CacheNeed> {
    let (library, kind, place) = LIBRARIES.iter().find_map(|(library, kind)| {
        let place = project.python_packages().get(*library).or_else(|| project.node_packages().get(*library));
        let place = place.cloned().or_else(|| super::commands::go_requires(project, library))?;
        Some((*library, *kind, place))
    })?;
    let url_form = match kind {
        CacheKind::Redis => "redis://",
        CacheKind::Memcached => "memcached://",
        CacheKind::Rabbitmq => "amqp://",
    };
    Some(CacheNeed {
        kind,
        driver: library.to_owned(),
        url_form: url_form.to_owned(),
        variables: of_cache(reads),
        reason: format!("{library} is what speaks to it"),
        file: Some(place.file),
        line: place.line,
    })
}
