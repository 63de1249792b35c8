//! The settings of previews' databases.

use super::parse::{duration_s, flag, in_range, optional};
use super::reader::Reader;
use crate::databases::{Config, ServerImages};
use crate::domain::DatabaseMode;
use crate::generation::Runtime;
use crate::orchestrator::ImagesConfig;

pub(super) fn read(r: &mut Reader, images: Option<&ImagesConfig>) -> Option<Config> {
    let postgresql = r.take("PREVIEW_SUPPORT_POSTGRESQL", "true", "true or false", flag);
    let mysql = r.take("PREVIEW_SUPPORT_MYSQL", "true", "true or false", flag);
    let sqlite = r.take("PREVIEW_SUPPORT_SQLITE", "true", "true or false", flag);
    let mongodb = r.take("PREVIEW_SUPPORT_MONGODB", "true", "true or false", flag);
    let redis = r.take("PREVIEW_SUPPORT_REDIS", "true", "true or false", flag);
    let cache_memory = r.take("PREVIEW_CACHE_MEMORY_MB", "64", "8 to 65536 MiB", in_range(8..=65_536));
    let mode =
        r.take("PREVIEW_DATABASE_MODE", "managed", "managed, dedicated or external", |text| match text {
            "managed" => Some(DatabaseMode::Managed),
            "dedicated" => Some(DatabaseMode::Dedicated),
            "external" => Some(DatabaseMode::External),
            _ => None,
        });
    let postgresql_url = r.take_secret(
        "PREVIEW_DATABASE_POSTGRESQL_URL",
        "",
        "postgres://USER:PASSWORD@HOST/postgres",
        |text| url_of(text, &["postgres://", "postgresql://"]),
    );
    let mysql_url = r.take_secret("PREVIEW_DATABASE_MYSQL_URL", "", "mysql://USER:PASSWORD@HOST/", |text| {
        url_of(text, &["mysql://", "mariadb://"])
    });
    let mongodb_url =
        r.take_secret("PREVIEW_DATABASE_MONGODB_URL", "", "mongodb://USER:PASSWORD@HOST/", |text| {
            url_of(text, &["mongodb://"])
        });
    let server_images = r.take(
        "PREVIEW_DATABASE_IMAGES",
        "{}",
        "JSON with any of postgresql, postgresqlVersions, mysql, mysqlVersions, mongodb, mongodbVersions, redis",
        |text| {
            let images = serde_json::from_str::<ServerImages>(text).ok()?;
            let versions = [&images.postgresql_versions, &images.mysql_versions, &images.mongodb_versions];
            versions.iter().all(|versions| !versions.is_empty()).then_some(images)
        },
    );
    let initialization =
        r.take("PREVIEW_DATABASE_INITIALIZATION_TIMEOUT", "120", "1 to 3600 seconds", duration_s(1..=3600));
    let connections = r.take("PREVIEW_DATABASE_CONNECTIONS", "20", "1 to 390", in_range(1..=390));
    let statement =
        r.take("PREVIEW_DATABASE_STATEMENT_TIMEOUT", "60", "1 to 3600 seconds", duration_s(1..=3600));
    let memory =
        r.take("PREVIEW_DATABASE_SERVER_MEMORY_MB", "1024", "256 to 1048576 MiB", in_range(256..=1_048_576));
    let templates = r.take("PREVIEW_DATABASE_TEMPLATES", "50", "0 to 10000", in_range(0..=10_000));
    let templates_mb =
        r.take("PREVIEW_DATABASE_TEMPLATES_MB", "2048", "0 to 1048576 MiB", in_range(0..=1_048_576));
    let spares = r.take("PREVIEW_DATABASE_SPARES", "2", "0 to 100", in_range(0..=100));
    let extensions =
        r.take("PREVIEW_DATABASE_EXTENSIONS", Config::EXTENSIONS, "names with commas", extension_names);
    let (mode, postgresql_url, mysql_url, mongodb_url) = (mode?, postgresql_url?, mysql_url?, mongodb_url?);
    let any = postgresql_url.is_some() || mysql_url.is_some() || mongodb_url.is_some();
    if mode == DatabaseMode::External && !any {
        let why = "an external server needs an address".to_owned();
        r.contradiction("PREVIEW_DATABASE_MODE", "PREVIEW_DATABASE_POSTGRESQL_URL", why);
    }
    let bases = &images?.bases;
    Some(Config {
        mode,
        postgresql: postgresql?,
        mysql: mysql?,
        mongodb: mongodb?,
        sqlite: sqlite?,
        redis: redis?,
        cache_memory_mb: cache_memory?,
        images: server_images?,
        postgresql_url,
        mysql_url,
        mongodb_url,
        initialization: initialization?,
        connections: u32::try_from(connections?).ok()?,
        statement_timeout: statement?,
        server_memory_mb: memory?,
        templates: usize::try_from(templates?).ok()?,
        templates_mb: templates_mb?,
        spares: usize::try_from(spares?).ok()?,
        extensions: extensions?,
        python_image: bases.image(&Runtime::Python { version: bases.default_python().to_owned() }),
    })
}

fn url_of(text: &str, schemes: &[&str]) -> Option<Option<String>> {
    optional(|text| schemes.iter().any(|scheme| text.starts_with(scheme)).then(|| text.to_owned()))(text)
}

fn extension_names(text: &str) -> Option<Vec<String>> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let ok = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
            ok.then(|| name.to_owned())
        })
        .collect()
}
