//! Which images previews may be built on, and what they are called here.

use serde::{Deserialize, Serialize};

/// What an image has to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// `3.11`.
    Python {
        version: String,
    },
    /// `20`.
    Node {
        version: String,
    },
    /// Compiles Go.
    Go,
    /// Compiles Rust.
    Rust,
    /// PHP, its FastCGI server and Composer.
    Php,
    Ruby,
    /// A static file server; also what compiled programs run on.
    Static,
}

/// The setting that names base images. `{version}` in a name stands for the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseImages {
    /// Default `previewd/python:{version}`.
    pub python: String,
    /// Default `previewd/node:{version}`.
    pub node: String,
    /// Default `previewd/static:1`.
    pub static_site: String,
    /// Default `previewd/go:1`.
    pub go: String,
    /// Default `previewd/rust:1`.
    pub rust: String,
    /// Default `previewd/php:8`.
    pub php: String,
    /// Default `previewd/ruby:3`.
    pub ruby: String,
    /// Versions of Python there are images for, the default first; empty for any, with 3.11 as
    /// the default. Default `3.11`.
    pub python_versions: Vec<String>,
    /// The same for Node. Default `20`.
    pub node_versions: Vec<String>,
    /// `FROM python:3.11-slim` in an own Dockerfile means our image of the same runtime.
    /// Default true.
    pub aliases: bool,
    /// Images an own Dockerfile may name; `*` stands for anything. Default `previewd/*`.
    pub allowed: Vec<String>,
}

/// What became of an image an own Dockerfile names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// On the list of allowed images, or `scratch`.
    Allowed,
    /// Ours, in place of a well-known name. `other_version` is said when ours is not the
    /// version asked for.
    Alias {
        image: String,
        other_version: Option<String>,
    },
    Refused,
}

impl Default for BaseImages {
    fn default() -> Self {
        Self {
            python: "previewd/python:{version}".into(),
            node: "previewd/node:{version}".into(),
            static_site: "previewd/static:1".into(),
            go: "previewd/go:1".into(),
            rust: "previewd/rust:1".into(),
            php: "previewd/php:8".into(),
            ruby: "previewd/ruby:3".into(),
            python_versions: vec!["3.11".into()],
            node_versions: vec!["20".into()],
            aliases: true,
            allowed: vec!["previewd/*".into()],
        }
    }
}

impl BaseImages {
    /// The name of the image for a runtime.
    pub fn image(&self, runtime: &Runtime) -> String {
        match runtime {
            Runtime::Python { version } => self.python.replace("{version}", version),
            Runtime::Node { version } => self.node.replace("{version}", version),
            Runtime::Go => self.go.clone(),
            Runtime::Rust => self.rust.clone(),
            Runtime::Php => self.php.clone(),
            Runtime::Ruby => self.ruby.clone(),
            Runtime::Static => self.static_site.clone(),
        }
    }

    /// The images a host should have: that of each runtime in its default version.
    pub fn defaults(&self) -> [String; 3] {
        let python = Runtime::Python { version: self.default_python().to_owned() };
        let node = Runtime::Node { version: self.default_node().to_owned() };
        [self.image(&python), self.image(&node), self.image(&Runtime::Static)]
    }

    pub fn default_python(&self) -> &str {
        self.python_versions.first().map_or("3.11", String::as_str)
    }

    pub fn default_node(&self) -> &str {
        self.node_versions.first().map_or("20", String::as_str)
    }

    /// The version of ours that answers to the one asked for: `3.11.4` is `3.11`, `3` the first
    /// that starts with it. `None` when there is no image for it.
    pub fn python_version(&self, asked: &str) -> Option<String> {
        pick(asked, 2, &self.python_versions)
    }

    /// The same for Node: `20.11.1` is `20`.
    pub fn node_version(&self, asked: &str) -> Option<String> {
        pick(asked, 1, &self.node_versions)
    }

    /// What `FROM image` (or `COPY --from=image`) in an own Dockerfile comes to.
    pub fn resolve(&self, image: &str) -> Resolved {
        if image == "scratch" || self.allowed.iter().any(|pattern| matches_pattern(pattern, image)) {
            return Resolved::Allowed;
        }
        match self.aliases.then(|| self.alias(image)).flatten() {
            Some((image, other_version)) => Resolved::Alias { image, other_version },
            None => Resolved::Refused,
        }
    }

    fn alias(&self, image: &str) -> Option<(String, Option<String>)> {
        if image.contains('@') {
            return None;
        }
        // `library/python` and `host/library/python` are the same as `python`.
        let short = image.rsplit_once("library/").map_or(image, |(_, rest)| rest);
        let short = short.strip_prefix("docker.io/").unwrap_or(short);
        let (name, tag) = short.split_once(':').unwrap_or((short, "latest"));
        let asked: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let other = |ours: &str| (!asked.is_empty()).then(|| ours.to_owned());
        match name {
            "python" => {
                let found = self.python_version(&asked);
                let version = found.clone().unwrap_or_else(|| self.default_python().to_owned());
                let other_version = if found.is_none() { other(&version) } else { None };
                Some((self.image(&Runtime::Python { version }), other_version))
            }
            "node" => {
                let found = self.node_version(&asked);
                let version = found.clone().unwrap_or_else(|| self.default_node().to_owned());
                let other_version = if found.is_none() { other(&version) } else { None };
                Some((self.image(&Runtime::Node { version }), other_version))
            }
            "golang" => Some((
                self.image(&Runtime::Go),
                other(self.go.rsplit(':').next()?).filter(|ours| !asked.starts_with(ours.as_str())),
            )),
            "nginx" | "nginxinc/nginx-unprivileged" => Some((self.image(&Runtime::Static), None)),
            _ => None,
        }
    }
}

/// The first `parts` numbers of `asked`, if that is one of `there` (or `there` is empty).
fn pick(asked: &str, parts: usize, there: &[String]) -> Option<String> {
    let numbers: Vec<&str> =
        asked.trim_start_matches('v').split('.').take_while(|n| is_number(n)).take(parts).collect();
    if numbers.is_empty() {
        return None;
    }
    let wanted = numbers.join(".");
    if there.is_empty() {
        return (numbers.len() == parts).then_some(wanted);
    }
    let under = format!("{wanted}.");
    there.iter().find(|version| **version == wanted || version.starts_with(&under)).cloned()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4 && text.chars().all(|c| c.is_ascii_digit())
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_become_ours() {
        let bases = BaseImages::default();
        let alias = |image| match bases.resolve(image) {
            Resolved::Alias { image, other_version } => (image, other_version),
            other => panic!("{image}: {other:?}"),
        };
        for python in [
            "python",
            "python:3.11-slim",
            "python:3",
            "library/python:3.11.4-bookworm",
            "x.y/library/python",
            "docker.io/python:3.11",
        ] {
            assert_eq!(alias(python), ("previewd/python:3.11".to_owned(), None), "{python}");
        }
        assert_eq!(alias("python:3.12").1.as_deref(), Some("3.11"));
        assert_eq!(alias("node:20-alpine"), ("previewd/node:20".to_owned(), None));
        assert_eq!(alias("node:lts"), ("previewd/node:20".to_owned(), None));
        assert_eq!(alias("nginx:alpine"), ("previewd/static:1".to_owned(), None));
    }

    #[test]
    fn other_images_are_refused_unless_listed() {
        let mut bases = BaseImages::default();
        for image in ["evil", "evil/python", "python@sha256:00", "previewdx/python", "ubuntu:22.04"] {
            assert_eq!(bases.resolve(image), Resolved::Refused, "{image}");
        }
        assert_eq!(bases.resolve("previewd/python:3.11"), Resolved::Allowed);
        assert_eq!(bases.resolve("scratch"), Resolved::Allowed);
        bases.allowed.push("ubuntu:*.04".into());
        assert_eq!(bases.resolve("ubuntu:22.04"), Resolved::Allowed);
        bases.aliases = false;
        assert_eq!(bases.resolve("python:3.11"), Resolved::Refused);
    }

    #[test]
    fn versions_are_cut_to_what_images_are_named_by() {
        let bases = BaseImages::default();
        assert_eq!(bases.python_version("3.11.9").as_deref(), Some("3.11"));
        assert_eq!(bases.python_version("3").as_deref(), Some("3.11"));
        assert_eq!(bases.python_version("3.1"), None);
        assert_eq!(bases.node_version("v20.1").as_deref(), Some("20"));
        let any = BaseImages { python_versions: vec![], ..BaseImages::default() };
        assert_eq!(any.python_version("3.13.1").as_deref(), Some("3.13"));
        assert_eq!(any.python_version("pypy"), None);
    }
}
