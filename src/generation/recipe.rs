//! How an image is made, as data: a framework chooses it, `dockerfile` writes it down and
//! `context` packs what it needs.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Recipe {
    Python(PythonRecipe),
    Node(NodeRecipe),
    Static(StaticRecipe),
    Dockerfile(OwnDockerfile),
}

/// Dependencies into `/opt/venv` by uv, then the source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PythonRecipe {
    /// What the dependency layer depends on: file name under `deps/` → where its content is.
    pub dependency_files: BTreeMap<String, DependencyFile>,
    /// Requirement files given to the installer, as named under `deps/`.
    pub requirements: Vec<String>,
    /// The folder under `deps/` that holds a uv.lock to be exported first.
    pub locked: bool,
    /// Packages installed besides: mapped from imports, or a server the app needs.
    pub packages: Vec<String>,
    /// The source is compiled to bytecode in the image (it is large enough to pay).
    pub compile_source: bool,
}

/// `node_modules` in a stage of its own, a build when there is one, then the source.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecipe {
    pub dependency_files: BTreeMap<String, DependencyFile>,
    pub manager: PackageManager,
    /// There is something to install at all.
    pub install: bool,
    /// Packages installed besides those of package.json.
    pub packages: Vec<String>,
    /// Development dependencies are installed for the build or the start.
    pub dev_dependencies: bool,
    /// Some package has an install script of its own to be run.
    pub install_scripts: bool,
    /// Development dependencies are taken out again after the build.
    pub prune: bool,
    /// Installed beside the source, because packages lie among it (workspaces); else in a layer
    /// of its own that the source cannot spoil.
    pub in_place: bool,
    /// The script of package.json that builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_script: Option<String>,
}

/// nginx from the static base serves one folder.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticRecipe {
    /// The folder of the tree that is served; empty for the top.
    pub folder: String,
    /// The site has a 404.html of its own.
    pub not_found_page: bool,
}

/// A Dockerfile that came with the generation.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnDockerfile {
    /// The text built: as it came, base images resolved.
    #[serde(skip)]
    pub text: String,
    /// Base images it builds on, resolved.
    pub bases: Vec<String>,
}

/// Where the content of a file of the dependency layer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DependencyFile {
    /// A file of the tree.
    Copied(String),
    /// Written by the plan.
    Written(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", tag = "name", content = "version")]
pub enum PackageManager {
    /// `npm ci`: a lockfile is there.
    NpmLocked,
    Npm,
    /// The version to run.
    Pnpm(String),
    /// The version to run; below 2 the classic one.
    Yarn(String),
}

impl Recipe {
    /// Files of the dependency layer; none for recipes without one.
    pub fn dependency_files(&self) -> impl Iterator<Item = (&String, &DependencyFile)> {
        let files = match self {
            Self::Python(recipe) => Some(&recipe.dependency_files),
            Self::Node(recipe) => Some(&recipe.dependency_files),
            Self::Static(_) | Self::Dockerfile(_) => None,
        };
        files.into_iter().flatten()
    }
}

impl PythonRecipe {
    /// There is something to install at all.
    pub fn installs(&self) -> bool {
        self.locked || !self.requirements.is_empty() || !self.packages.is_empty()
    }
}
