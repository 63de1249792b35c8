//! What a platform may tell us about a generation. All of it is optional: what is missing is
//! detected from the files, and what is given wins over detection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::text::{self, Text};
use super::{Egress, GenerationId, Invalid, bounded};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::ProjectId>, inline)]
    pub project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_generation_id: Option<GenerationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Line>, inline)]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Have a preview of it built, started and frozen for its owner as soon as it is stored, so that
    /// the launch finds it ready.
    pub prewarm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Word>, inline)]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Word>, inline)]
    pub framework: Option<String>,
    /// The start command, run without a shell: `uvicorn app.main:app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Command>, inline)]
    pub entry_point: Option<String>,
    /// The port the app listens on inside its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Version>, inline)]
    pub python_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Version>, inline)]
    pub node_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_type: Option<DatabaseType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Version>, inline)]
    pub db_version: Option<String>,
    /// Absent means: what the code takes from its environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheType>,
    /// Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_migrations: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Command>, inline)]
    pub migration_command: Option<String>,
    pub seed_data_included: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Command>, inline)]
    pub seed_command: Option<String>,
    /// Absent means `/health` is tried and any HTTP answer will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::UrlPath>, inline)]
    pub health_check_endpoint: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600)]
    pub health_check_interval: Option<u32>,
    /// Used verbatim as the Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::Dockerfile>, inline)]
    pub generated_dockerfile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<text::ImageName>, inline)]
    pub docker_image_name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "bounded::map")]
    #[schema(schema_with = environment_schema)]
    pub environment: BTreeMap<String, String>,
    /// Where the app may connect to, at most what the installation allows: `open`, `none`, or a
    /// list of public addresses, blocks and host names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// Names of environment variables whose values are secret.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded::list")]
    #[schema(value_type = Vec<text::EnvName>, inline, max_items = 1000)]
    pub secrets: Vec<String>,
    /// Distribution packages the app needs at run time.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded::list")]
    #[schema(value_type = Vec<text::Package>, inline, max_items = 200)]
    pub system_packages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Built, production server.
    #[default]
    Run,
    /// The framework's own hot-reloading server.
    Dev,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseType {
    #[default]
    None,
    Sqlite,
    Postgresql,
    /// MySQL's protocol; a server of ours is MariaDB.
    #[serde(alias = "mariadb")]
    Mysql,
    Mongodb,
}

/// What a preview has beside its database to keep things for a while, or to pass jobs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    None,
    Redis,
}

impl Metadata {
    /// Refuses every value that could be read as anything but data in a Dockerfile, an argv, a
    /// label or a host name. Called where metadata enters; all later code relies on it.
    pub fn validate(&self) -> Result<(), Invalid> {
        let texts: [(&str, &Option<String>, &Text); 12] = [
            ("projectId", &self.project_id, text::ProjectId::rule()),
            ("name", &self.name, text::Line::rule()),
            ("language", &self.language, text::Word::rule()),
            ("framework", &self.framework, text::Word::rule()),
            ("pythonVersion", &self.python_version, text::Version::rule()),
            ("nodeVersion", &self.node_version, text::Version::rule()),
            ("dbVersion", &self.db_version, text::Version::rule()),
            ("entryPoint", &self.entry_point, text::Command::rule()),
            ("migrationCommand", &self.migration_command, text::Command::rule()),
            ("seedCommand", &self.seed_command, text::Command::rule()),
            ("healthCheckEndpoint", &self.health_check_endpoint, text::UrlPath::rule()),
            ("dockerImageName", &self.docker_image_name, text::ImageName::rule()),
        ];
        for (field, value, rule) in texts {
            if let Some(value) = value {
                rule.check(field, value)?;
            }
        }
        if self.port == Some(0) {
            return Err(Invalid::new("port", "expected 1 to 65535"));
        }
        if let Some(seconds) = self.health_check_interval
            && !(1..=3600).contains(&seconds)
        {
            return Err(Invalid::new("healthCheckInterval", "expected 1 to 3600 seconds"));
        }
        if let Some(text) = &self.generated_dockerfile {
            check_dockerfile("generatedDockerfile", text)?;
        }
        check_environment("environment", &self.environment)?;
        for (i, name) in self.secrets.iter().enumerate() {
            text::EnvName::rule().check(&format!("secrets[{i}]"), name)?;
        }
        if self.system_packages.len() > 200 {
            return Err(Invalid::new("systemPackages", "expected at most 200 packages"));
        }
        for (i, name) in self.system_packages.iter().enumerate() {
            text::Package::rule().check(&format!("systemPackages[{i}]"), name)?;
        }
        Ok(())
    }
}

const MOST_VARIABLES: usize = 500;
const MOST_VALUE_BYTES: usize = 32 * 1024;

/// Environment a caller gives, in metadata or with a launch.
pub(super) fn check_environment(field: &str, environment: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if environment.len() > MOST_VARIABLES {
        return Err(Invalid::new(field, format!("expected at most {MOST_VARIABLES} variables")));
    }
    for (name, value) in environment {
        let place = format!("{field}[{name:?}]");
        text::EnvName::rule().check(&place, name)?;
        text::EnvValue::rule().check(&place, value)?;
        if value.len() > MOST_VALUE_BYTES {
            return Err(Invalid::new(place, "expected a value of at most 32 KiB without NUL"));
        }
    }
    Ok(())
}

/// What the API's description says of an environment.
pub fn environment_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(text::EnvName::rule().schema()))
        .additional_properties(Some(text::EnvValue::rule().schema()))
        .max_properties(Some(MOST_VARIABLES))
        .build()
}

impl Metadata {
    /// The same rule for the `environment` of a launch.
    pub fn validate_environment(environment: &BTreeMap<String, String>) -> Result<(), Invalid> {
        check_environment("environment", environment)
    }
}

fn check_dockerfile(field: &str, text: &str) -> Result<(), Invalid> {
    text::Dockerfile::rule().check(field, text)?;
    match names_a_syntax(text) || text.len() > 256 * 1024 {
        true => Err(Invalid::new(
            field,
            "expected at most 256 KiB of Dockerfile without NUL and without a \"# syntax=\" line",
        )),
        false => Ok(()),
    }
}

/// A `# syntax=` line makes BuildKit fetch and run a frontend of the author's choice.
fn names_a_syntax(dockerfile: &str) -> bool {
    dockerfile.trim_start_matches('\u{feff}').lines().any(|line| {
        line.trim_start()
            .trim_start_matches(['#', '/'])
            .trim_start()
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case("syntax"))
            && line.contains('=')
            && line.trim_start().starts_with(['#', '/'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Metadata)) -> String {
        let mut metadata = Metadata::default();
        change(&mut metadata);
        metadata.validate().expect_err("accepted").field
    }

    #[test]
    fn syntax_of_shell_or_dockerfile_is_refused_by_field() {
        assert_eq!(refused(|m| m.python_version = Some("3.11\nRUN id".into())), "pythonVersion");
        assert_eq!(refused(|m| m.system_packages = vec!["curl".into(), "x;id".into()]), "systemPackages[1]");
        assert_eq!(refused(|m| m.entry_point = Some("python a.py; id".into())), "entryPoint");
        assert_eq!(refused(|m| m.migration_command = Some("a $(id)".into())), "migrationCommand");
        assert_eq!(refused(|m| m.health_check_endpoint = Some("//evil/x".into())), "healthCheckEndpoint");
        assert_eq!(refused(|m| m.docker_image_name = Some("Not An Image".into())), "dockerImageName");
        assert_eq!(
            refused(|m| m.generated_dockerfile = Some("#  SYNTAX = x/y\nFROM a".into())),
            "generatedDockerfile"
        );
        assert_eq!(
            refused(|m| {
                m.environment.insert("A B".into(), "x".into());
            }),
            "environment[\"A B\"]"
        );
    }

    proptest::proptest! {
        /// What passes can be nothing but data where it is used: no line break, no shell syntax in what
        /// becomes an argv, no NUL anywhere.
        #[test]
        fn what_passes_is_only_data(
            field in proptest::sample::select(vec![
                "projectId", "name", "language", "framework", "entryPoint", "pythonVersion", "nodeVersion", "dbVersion",
                "migrationCommand", "seedCommand", "healthCheckEndpoint", "generatedDockerfile", "dockerImageName", "egress",
            ]),
            text in "(a|/|\\.\\./|\n|\r|\u{0}|;|\\$\\(id\\)|`|RUN id|# syntax=x|\"|'| |é|3|-|:|\u{2028}){0,12}",
        ) {
            let value = serde_json::json!({ field: text });
            let Ok(metadata) = serde_json::from_value::<Metadata>(value) else { return Ok(()) };
            if metadata.validate().is_ok() {
                proptest::prop_assert!(!text.contains('\0'), "{field}");
                let is_lines = field == "generatedDockerfile";
                proptest::prop_assert!(is_lines || !text.contains(['\n', '\r']), "{field}: {text:?}");
                let is_argv = ["entryPoint", "migrationCommand", "seedCommand"].contains(&field);
                proptest::prop_assert!(!is_argv || !text.contains([';', '`', '$']), "{field}: {text:?}");
            }
        }
    }
}
