//! The lines all our Dockerfiles have in common.

use std::collections::BTreeMap;

use super::Dialect;
use crate::generation::plan::Plan;
use crate::generation::quoting::{env_value, exec_form, run_word};

/// What every step that fetches or installs begins with. It is also how such steps are told from
/// others' in the engine's build cache.
pub const BUILD_MARK: &str = "/run/previewd/env";

/// The user every preview runs as.
pub const USER: &str = "10001:10001";

/// Set in full, because the base's own may be missing or be lost with a copied root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The usual `PATH` with folders in front.
pub fn path_behind(first: &str) -> String {
    format!("{first}:{PATH}")
}

/// A Dockerfile as it grows.
pub struct Writer {
    text: String,
    dialect: Dialect,
}

impl Writer {
    pub fn new(dialect: Dialect) -> Self {
        Self { text: "# Written by previewd\n".to_owned(), dialect }
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line and a new stage; `name` is empty for the last.
    pub fn stage(&mut self, from: &str, name: &str) {
        self.text.push('\n');
        match name {
            "" => self.line(&format!("FROM {from}")),
            name => self.line(&format!("FROM {from} AS {name}")),
        }
    }

    /// A stage whose steps need root, whoever the base image starts as.
    pub fn root_stage(&mut self, from: &str, name: &str) {
        self.stage(from, name);
        self.line("USER root");
    }

    /// A step that needs nothing from outside.
    pub fn run(&mut self, commands: &[String]) {
        self.line(&format!("RUN {}", commands.join(" \\\n && ")));
    }

    /// A step that reaches out: it sees this host's settings, and the caches given.
    pub fn run_outside(&mut self, caches: &[&str], commands: &[String]) {
        let mut mounts = Vec::new();
        if self.dialect == Dialect::BuildKit {
            mounts.push("--mount=type=bind,source=previewd,target=/run/previewd \\\n    ".to_owned());
            mounts.extend(caches.iter().map(|cache| format!("--mount=type=cache,{cache} \\\n    ")));
        }
        let (mounts, commands) = (mounts.concat(), commands.join(" \\\n && "));
        self.line(&format!("RUN {mounts}. {BUILD_MARK} \\\n && {commands}"));
    }

    /// What `run_outside` reads, in dialects that cannot mount it. Only for stages that are
    /// thrown away.
    pub fn settings(&mut self) {
        if self.dialect == Dialect::Classic {
            self.line("COPY previewd/ /run/previewd/");
        }
    }

    /// A stage with the plan's system packages; the name of what other stages start from.
    pub fn base(&mut self, plan: &Plan) -> String {
        self.base_on(&plan.base_image, &plan.system_packages)
    }

    /// A stage of an image with distribution packages.
    pub fn base_on(&mut self, image: &str, packages: &[String]) -> String {
        if packages.is_empty() {
            return image.to_owned();
        }
        let packages: Vec<String> = packages.iter().map(|package| run_word(package)).collect();
        let update = "apt-get -q update".to_owned();
        let install = format!(
            "DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends -- {}",
            packages.join(" ")
        );
        match self.dialect {
            Dialect::BuildKit => {
                self.root_stage(image, "base");
                let caches = ["target=/var/cache/apt,sharing=locked", "target=/var/lib/apt,sharing=locked"];
                self.run_outside(&caches, &[update, install]);
            }
            Dialect::Classic => {
                self.root_stage(image, "packages");
                self.settings();
                let clean =
                    "rm -rf /run/previewd /var/lib/apt/lists/* /var/cache/apt/archives/*.deb".to_owned();
                self.run_outside(&[], &[update, install, clean]);
                // The layers of that stage hold the settings; a copy of its root does not.
                self.stage("scratch", "base");
                self.line("COPY --from=packages / /");
                self.line(&format!("ENV PATH={PATH}"));
            }
        }
        "base".to_owned()
    }

    /// `ENV` for all of them, and for PATH with `first` in front when that is not empty.
    pub fn env(&mut self, variables: &BTreeMap<String, String>, first: &str) {
        let mut lines = Vec::new();
        if !first.is_empty() {
            lines.push(format!("PATH={}", path_behind(first)));
        }
        lines.extend(variables.iter().map(|(name, value)| format!("{name}={}", env_value(value))));
        if !lines.is_empty() {
            self.line(&format!("ENV {}", lines.join(" \\\n    ")));
        }
    }

    /// A folder of the app's own for its source to come, so that it is the same folder whether
    /// the source is copied there or put there in a container.
    pub fn place_for_source(&mut self) {
        self.line(&format!("COPY --chown={USER} empty/ /app/"));
    }

    pub fn text(self) -> String {
        self.text
    }

    /// Commands that need the source and what is installed, such as collecting static files.
    pub fn prepare(&mut self, plan: &Plan, commands: &[Vec<String>]) {
        if commands.is_empty() {
            return;
        }
        self.line(&format!("WORKDIR {}", plan.working_dir));
        self.line(&format!("USER {USER}"));
        let commands: Vec<String> = commands
            .iter()
            .map(|command| {
                let words: Vec<String> = command.iter().map(|word| run_word(word)).collect();
                // What fails here, for want of a database or a key, may still run.
                format!("{{ {} || true; }}", words.join(" "))
            })
            .collect();
        self.run(&commands);
    }

    /// The end of every image: where, as whom, on which port, by which command.
    pub fn finish(mut self, plan: &Plan) -> String {
        self.line(&format!("WORKDIR {}", plan.working_dir));
        self.end(plan)
    }

    /// The same without the folder.
    pub fn end(mut self, plan: &Plan) -> String {
        self.line(&format!("USER {USER}"));
        self.line(&format!("EXPOSE {}", plan.port));
        if let Some(start) = &plan.start {
            self.line(&format!("CMD {}", exec_form(start)));
        }
        self.text
    }
}
