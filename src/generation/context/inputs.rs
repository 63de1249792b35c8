//! How this host reaches package sources: given to every build step that reaches out, and in no
//! image.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::domain::Invalid;
use crate::generation::plan::Plan;
use crate::generation::quoting::{is_env_name, sh_word};
use crate::generation::recipe::Recipe;
use crate::generation::{OUR_CACHES, OWNERS};

/// Settings of the host, not of the generation: they are no part of an image's tag.
#[derive(Debug, Clone, Default)]
pub struct BuildInputs {
    /// Certificate authorities in PEM, trusted besides the base image's own.
    pub ca_bundle: Option<Bytes>,
    /// The index Python packages come from.
    pub pip_index_url: Option<String>,
    /// The registry Node packages come from.
    pub npm_registry: Option<String>,
    /// Where distribution packages come from, up to the folder that holds `dists`.
    pub apt_mirror: Option<String>,
    /// Other variables for build steps, such as `HTTPS_PROXY`.
    pub env: BTreeMap<String, String>,
    /// Whose the caches of build steps are, a word: what a stranger's package leaves in one is run
    /// by whoever uses it next. Shared by all where it is empty.
    pub caches_of: String,
}

const CA: &str = "/dev/shm/previewd-ca.crt";

impl BuildInputs {
    /// Refuses names that are no names of variables and values that cannot be ones.
    pub fn validate(&self) -> Result<(), Invalid> {
        for (name, value) in &self.env {
            if !is_env_name(name) || value.contains('\0') {
                return Err(Invalid::new(
                    format!("build.env[{name:?}]"),
                    "expected a variable's name, and a value without NUL",
                ));
            }
        }
        let urls = [
            ("build.pipIndexUrl", &self.pip_index_url),
            ("build.npmRegistry", &self.npm_registry),
            ("build.aptMirror", &self.apt_mirror),
        ];
        for (field, url) in urls {
            let ok = |url: &str| {
                (url.starts_with("http://") || url.starts_with("https://"))
                    && url.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if url.as_deref().is_some_and(|url| !ok(url)) {
                return Err(Invalid::new(field, "expected an http or https URL"));
            }
        }
        Ok(())
    }

    /// A Dockerfile whose caches are of one owner alone.
    pub(super) fn scope_caches(&self, dockerfile: &str) -> String {
        let ours = format!("id={OUR_CACHES}-");
        let theirs = dockerfile.replace(OWNERS, &format!("{}/", self.caches_of));
        match self.caches_of.is_empty() {
            true => theirs,
            false => theirs.replace(&ours, &format!("{ours}{}-", self.caches_of)),
        }
    }

    /// The script steps source before they reach out. It leaves its files in `/dev/shm`, which is
    /// in no layer.
    pub(super) fn env_script(&self) -> String {
        let mut script = String::from("# Settings of this host for build steps\n");
        for (name, value) in self.exports().iter().filter(|(name, _)| is_env_name(name)) {
            script.push_str(&format!("export {name}={}\n", sh_word(value)));
        }
        if self.ca_bundle.is_some() {
            script.push_str(&format!(
                "{{ cat /etc/ssl/certs/ca-certificates.crt; echo; cat /run/previewd/ca.crt; }} > {CA} 2>/dev/null || :\n"
            ));
        }
        if self.apt_mirror.is_some() || self.ca_bundle.is_some() {
            script.push_str(&self.apt_configuration());
        }
        script.push_str(":\n");
        script
    }

    fn apt_configuration(&self) -> String {
        let mut script = String::from(": > /dev/shm/previewd-apt.conf\n");
        if self.ca_bundle.is_some() {
            script.push_str(&format!(
                "echo 'Acquire::https::CAInfo \"{CA}\";' >> /dev/shm/previewd-apt.conf\n"
            ));
        }
        if let Some(mirror) = &self.apt_mirror {
            let mirror = sh_word(mirror);
            script.push_str("previewd_suite=$(. /etc/os-release && echo \"$VERSION_CODENAME\")\n");
            script.push_str(&format!(
                "printf 'deb %s %s main\\n' {mirror} \"$previewd_suite\" {mirror} \"$previewd_suite-updates\" > /dev/shm/previewd.list\n"
            ));
            script.push_str(
                "printf 'Dir::Etc::%s;\\n' 'sourcelist \"/dev/shm/previewd.list\"' 'sourceparts \"-\"' >> /dev/shm/previewd-apt.conf\n",
            );
        }
        script.push_str("export APT_CONFIG=/dev/shm/previewd-apt.conf\n");
        script
    }

    /// Variables by the names the tools read; the host's own win.
    fn exports(&self) -> BTreeMap<String, String> {
        let mut exports = BTreeMap::new();
        let mut set = |names: &[&str], value: &str| {
            exports.extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
        };
        if let Some(url) = &self.pip_index_url {
            set(&["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"], url);
        }
        if let Some(url) = &self.npm_registry {
            set(
                &["NPM_CONFIG_REGISTRY", "npm_config_registry", "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"],
                url,
            );
        }
        if self.ca_bundle.is_some() {
            let names = [
                "SSL_CERT_FILE",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "PIP_CERT",
                "NODE_EXTRA_CA_CERTS",
                "NPM_CONFIG_CAFILE",
                "YARN_HTTPS_CA_FILE_PATH",
                "GIT_SSL_CAINFO",
                "CARGO_HTTP_CAINFO",
            ];
            set(&names, CA);
        }
        exports.extend(self.env.clone());
        exports
    }
}

/// Build arguments for an own Dockerfile, which can have no mounts of ours. Arguments are seen in
/// an image's history, so addresses that carry a password are left out.
pub fn build_args(plan: &Plan, inputs: &BuildInputs) -> BTreeMap<String, String> {
    if !matches!(plan.recipe, Recipe::Dockerfile(_)) {
        return BTreeMap::new();
    }
    let mut args = inputs.exports();
    args.retain(|name, value| {
        let has_password = value
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'));
        is_env_name(name) && value != CA && !has_password
    });
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_of_a_build_are_of_its_owner() {
        let inputs = BuildInputs { caches_of: "f00d".into(), ..BuildInputs::default() };
        let text =
            "RUN --mount=type=cache,id=previewd-uv,target=/a --mount=type=cache,target=/b,id={owner}/b x";
        assert_eq!(
            inputs.scope_caches(text),
            "RUN --mount=type=cache,id=previewd-f00d-uv,target=/a --mount=type=cache,target=/b,id=f00d/b x"
        );
    }

    #[test]
    fn values_are_data_in_the_script() {
        let env = BTreeMap::from([
            ("A".to_owned(), "x'; id #\n$(id)".to_owned()),
            ("B C".to_owned(), "x".to_owned()),
        ]);
        let inputs =
            BuildInputs { env, pip_index_url: Some("http://a/$(id)".into()), ..BuildInputs::default() };
        let script = inputs.env_script();
        assert!(script.contains("export A='x'\\''; id #\n$(id)'\n"), "{script}");
        assert!(script.contains("export PIP_INDEX_URL='http://a/$(id)'\n"), "{script}");
        assert!(!script.contains("B C"), "{script}");
        assert!(inputs.validate().is_err());
    }
}
