//! The settings of the API itself.

use std::path::PathBuf;
use std::time::Duration;

use super::parse::{duration_s, flag, in_range, optional, origins, word};
use super::reader::Reader;
use crate::api::auth::jwks;
use crate::api::origins::Origins;
use crate::api::{Config, admission, rates, room, serve};

pub(super) fn read(r: &mut Reader) -> Option<Config> {
    let size = r.take("PREVIEW_MAX_GENERATION_MB", "50", "1 to 1024 MiB", in_range(1..=1024));
    let sources = r.take(
        "PREVIEW_USER_SOURCES_MAX_MB",
        "10240",
        "0 (no limit) to 1048576 MiB",
        in_range(0..=1_048_576),
    );
    let session = r.take("PREVIEW_SESSION_TIMEOUT_HOURS", "2", "1 to 720 hours", in_range(1..=720));
    let v1 = r.take("PREVIEW_MAX_UPTIME", "3600", "60 to 2592000 seconds", duration_s(60..=2_592_000));
    let idle = r.take("PREVIEW_SESSION_TIMEOUT", "1800", "60 to 2592000 seconds", duration_s(60..=2_592_000));
    let extension =
        r.take("PREVIEW_SESSION_EXTENSION_MINUTES", "30", "1 to 43200 minutes", in_range(1..=43_200));
    let warnings = r.take("ENABLE_DEPRECATION_WARNINGS", "false", "true or false", flag);
    let origins = r.take("CORS_ORIGINS", "", "origins such as https://app.example.org, with commas", origins);
    let idempotency = r.take("ENABLE_IDEMPOTENCY", "true", "true or false", flag);
    let audit = r.take("PREVIEW_AUDIT_RETENTION_DAYS", "90", "1 to 3650 days", in_range(1..=3650));
    let visits = r.take("PREVIEW_AUDIT_VISITS", "600", "0 (none) to 86400 seconds", duration_s(0..=86_400));
    let trace = r.take("ENABLE_TRACE_CONTEXT", "true", "true or false", flag);
    let body = r.take("PREVIEW_API_BODY_TIMEOUT", "60", "1 to 3600 seconds", duration_s(1..=3600));
    let whole = r.take("PREVIEW_API_BODY_DEADLINE", "300", "1 to 86400 seconds", duration_s(1..=86_400));
    let bodies = r.take("PREVIEW_API_BODIES_MB", "512", "16 to 65536 MiB", in_range(16..=65_536));
    let admission = read_admission(r);
    let serve = read_serve(r);
    let jwt = read_jwt(r);
    Some(Config {
        max_generation_bytes: size? * 1024 * 1024,
        user_sources_bytes: Some(sources? * 1024 * 1024).filter(|bytes| *bytes > 0),
        session: Duration::from_secs(session? * 3600),
        v1_session: v1?,
        v1_idle: idle?,
        extension: Duration::from_secs(extension? * 60),
        deprecation_warnings: warnings?,
        origins: Origins::new(origins?),
        idempotency: idempotency?,
        audit_days: u32::try_from(audit?).ok()?,
        audit_visits: visits?,
        trace_context: trace?,
        body_timeout: body?,
        body_deadline: whole?,
        room: room::Config { bytes: usize::try_from(bodies? * 1024 * 1024).ok()?, ..room::Config::default() },
        admission: admission?,
        jwt: jwt?,
        serve: serve?,
    })
}

fn read_admission(r: &mut Reader) -> Option<admission::Config> {
    let mut rate = |name, default| {
        let rate = r.take(name, default, "0 (no limit) to 1000000 requests", in_range(0..=1_000_000));
        u32::try_from(rate?).ok()
    };
    let user = rate("PREVIEW_USER_RATE_PER_MINUTE", "1200");
    let token = rate("PREVIEW_TOKEN_RATE_PER_MINUTE", "600");
    let anonymous = rate("PREVIEW_ANONYMOUS_RATE_PER_MINUTE", "600");
    let at_once = r.take("PREVIEW_API_CONCURRENCY", "512", "1 to 100000 requests", in_range(1..=100_000));
    let of_user = r.take("PREVIEW_USER_CONCURRENCY", "128", "1 to 100000 requests", in_range(1..=100_000));
    Some(admission::Config {
        rates: rates::Config { user: user?, token: token?, anonymous: anonymous? },
        at_once: usize::try_from(at_once?).ok()?,
        at_once_of_user: usize::try_from(of_user?).ok()?,
    })
}

fn read_serve(r: &mut Reader) -> Option<serve::Config> {
    let connections = r.take("PREVIEW_API_CONNECTIONS", "4096", "1 to 1000000", in_range(1..=1_000_000));
    let header = r.take("PREVIEW_API_HEADER_TIMEOUT", "30", "1 to 3600 seconds", duration_s(1..=3600));
    let send = r.take("PREVIEW_API_SEND_TIMEOUT", "60", "1 to 3600 seconds", duration_s(1..=3600));
    let kb = r.take("PREVIEW_API_HEADER_KB", "64", "8 to 1024 KiB", in_range(8..=1024));
    let path = |text: &str| Some(PathBuf::from(text));
    let certificate = r.take("PREVIEW_TLS_CERT", "", "a file of certificates in PEM", optional(path))?;
    let key = r.take("PREVIEW_TLS_KEY", "", "a file with a private key in PEM", optional(path))?;
    if certificate.is_some() != key.is_some() {
        r.contradiction("PREVIEW_TLS_CERT", "PREVIEW_TLS_KEY", "set both or none");
    }
    Some(serve::Config {
        tls: certificate.zip(key).map(|(certificate, key)| serve::tls::Files { certificate, key }),
        connections: usize::try_from(connections?).ok()?,
        header_timeout: header?,
        send_timeout: send?,
        header_bytes: usize::try_from(kb? * 1024).ok()?,
    })
}

/// `None` when something is wrong, `Some(None)` when nobody else's tokens are taken.
fn read_jwt(r: &mut Reader) -> Option<Option<jwks::Config>> {
    let expected = "a file, an https address, or an http one on this host";
    let source = r.take("PREVIEW_JWT_JWKS", "", expected, optional(word));
    let issuer = r.take("PREVIEW_JWT_ISSUER", "", "what iss has to say", |text| Some(text.to_owned()));
    let audience = r.take("PREVIEW_JWT_AUDIENCE", "previewd", "what aud has to name", |text| {
        (!text.is_empty()).then(|| text.to_owned())
    });
    let pause = r.take("PREVIEW_JWT_REFRESH_PAUSE", "10", "1 to 3600 seconds", duration_s(1..=3600));
    let (source, issuer) = (source?, issuer?);
    if source.is_some() == issuer.is_empty() {
        let why = "keys are trusted for one issuer's tokens: set both or none";
        r.contradiction("PREVIEW_JWT_JWKS", "PREVIEW_JWT_ISSUER", why);
    }
    let (audience, pause) = (audience?, pause?);
    Some(source.map(|source| jwks::Config { source, issuer, audience, pause }))
}
