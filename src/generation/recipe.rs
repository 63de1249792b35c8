//! How an image is made, as data: a framework chooses it, `dockerfile` writes it down and
//! `context` packs what it needs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::container;

#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Recipe {
    Python(PythonRecipe),
    Node(NodeRecipe),
    /// Pages that Node builds, served by nginx.
    Site(SiteRecipe),
    Go(GoRecipe),
    Rust(RustRecipe),
    Php(PhpRecipe),
    Ruby(RubyRecipe),
    /// Pages and a server behind one port.
    Both(BothRecipe),
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
    /// Commands run in the image once everything is there; one that fails is passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Vec<String>>,
    /// Modules of ours that the start command imports: name → text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub support: BTreeMap<String, String>,
}

/// `node_modules` in a stage of its own, a build when there is one, then the source.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecipe {
    pub dependency_files: BTreeMap<String, DependencyFile>,
    pub manager: PackageManager,
    /// The lockfile says what package.json says, so exactly what it names is installed.
    pub lock_is_current: bool,
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
    /// The folder of the tree with the package.json and the lockfile that are installed; empty
    /// for the top.
    pub install_folder: String,
    /// Commands that are run once packages are installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Vec<String>>,
    /// Modules of ours that these run: name → text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub support: BTreeMap<String, String>,
    /// Commands that build, in order; none when the source is run as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<Vec<String>>,
    /// Tried when the last of them fails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_otherwise: Vec<String>,
    /// Variables that builders write into pages, so that they have to be there already then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub build_environment: BTreeMap<String, String>,
}

/// A build by Node, and where it leaves its pages.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteRecipe {
    pub node: NodeRecipe,
    pub pages: BuiltPages,
    /// The image that builds.
    pub node_image: String,
}

/// Where a build leaves its pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuiltPages {
    /// Folders beside package.json; the first with an index.html is served.
    pub folders: Vec<String>,
    /// Unknown paths get index.html, whose script knows them.
    pub single_page: bool,
    /// The path they were built to lie under, such as `/notes`; empty for the top.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
}

/// One program, compiled in a stage of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoRecipe {
    pub dependency_files: BTreeMap<String, DependencyFile>,
    /// The image that compiles.
    pub builder: String,
    /// What is compiled: `.`, `./cmd/server`.
    pub package: String,
    /// Some dependency is written in C.
    pub cgo: bool,
    /// Modules are in the tree itself.
    pub vendored: bool,
}

/// One program, compiled in a stage of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RustRecipe {
    /// The image that compiles.
    pub builder: String,
    /// The binary's name.
    pub binary: String,
    pub locked: bool,
}

/// Composer's packages, the source, nginx in front of PHP's FastCGI server in one container.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhpRecipe {
    pub dependency_files: BTreeMap<String, DependencyFile>,
    /// Composer has something to install.
    pub installs: bool,
    /// Packages for development too.
    pub dev_packages: bool,
    /// The folder of the tree that visitors see; empty for the top.
    pub root: String,
    /// The page in it that answers every path that is no file.
    pub index: String,
    /// Commands run in the image once everything is there; one that fails is passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Vec<String>>,
    /// Changed files are seen at the next request; else within two seconds.
    pub fresh: bool,
    /// Styles and scripts that Node builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets: Option<PhpAssets>,
    /// The image nginx is taken from.
    pub static_image: String,
}

/// What Node builds into the folder that PHP serves.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhpAssets {
    pub node: NodeRecipe,
    /// Where the build leaves them, beside package.json: `public/build`.
    pub folder: String,
    /// The image that builds.
    pub node_image: String,
}

/// Gems into `/opt/bundle` by Bundler, then the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RubyRecipe {
    /// The Gemfile, without the Ruby it asks for and with what it lacks, and its lock.
    pub dependency_files: BTreeMap<String, DependencyFile>,
    /// There is something to install at all.
    pub installs: bool,
    /// Groups of the Gemfile that are left out, in Bundler's notation.
    pub without: String,
    /// Commands run in the image once everything is there; one that fails is passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<Vec<String>>,
}

/// A server under its prefixes and pages for everything else, behind one port: nginx of the
/// static base stands in front of the server in the same container.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BothRecipe {
    pub server: Box<Recipe>,
    /// Where the server listens, on the loopback address.
    pub server_port: u16,
    /// The server's start command.
    pub server_start: Vec<String>,
    /// Paths that begin with one of these are the server's.
    pub prefixes: Vec<String>,
    /// The folder of the tree the pages are made in; empty for the top.
    pub pages_folder: String,
    /// How they are made; absent when they lie in the tree already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeRecipe>,
    pub pages: BuiltPages,
    /// They are made on a server of their own, which nginx passes to what is not the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages_server: Option<PagesServer>,
    /// Addresses of the server on a developer's machine that are taken out of the built pages, so
    /// that these ask the preview itself.
    pub own_addresses: Vec<String>,
    /// The image that builds the pages.
    pub node_image: String,
    /// The image nginx is taken from.
    pub static_image: String,
}

impl BothRecipe {
    /// Where the pages are made, in the container.
    pub fn pages_dir(&self) -> String {
        container::dir(&self.pages_folder)
    }

    /// Both are packages of one workspace, installed once and built among the source.
    pub fn is_one_workspace(&self) -> bool {
        match (self.server.as_ref(), &self.node) {
            (Recipe::Node(server), Some(pages)) => server.is_in_one_workspace_with(pages),
            _ => false,
        }
    }

    /// Whether the pages are made in this folder, among packages of their own.
    pub fn makes_pages_in(&self, dir: &str) -> bool {
        self.node.as_ref().is_some_and(|pages| pages.install) && self.pages_dir() == dir
    }
}

/// How the pages' own server is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PagesServer {
    pub start: Vec<String>,
    /// Where it listens, on the loopback address.
    pub port: u16,
    pub environment: BTreeMap<String, String>,
}

/// nginx from the static base serves one folder.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticRecipe {
    /// The folder of the tree that is served; empty for the top.
    pub folder: String,
    /// The page that its folders show; empty for index.html.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub index: String,
    /// The site has a 404.html of its own.
    pub not_found_page: bool,
    /// Unknown paths get index.html, whose script knows them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub single_page: bool,
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
    /// The version to run.
    Bun(String),
}

impl Recipe {
    /// Files of the dependency layer; none for recipes without one.
    pub fn dependency_files(&self) -> impl Iterator<Item = (&String, &DependencyFile)> {
        let files = match self {
            Self::Python(recipe) => Some(&recipe.dependency_files),
            Self::Node(recipe) => Some(&recipe.dependency_files),
            Self::Site(recipe) => Some(&recipe.node.dependency_files),
            Self::Go(recipe) => Some(&recipe.dependency_files),
            Self::Php(recipe) => Some(&recipe.dependency_files),
            Self::Ruby(recipe) => Some(&recipe.dependency_files),
            Self::Both(recipe) => match recipe.server.as_ref() {
                Self::Python(server) => Some(&server.dependency_files),
                Self::Node(server) => Some(&server.dependency_files),
                Self::Go(server) => Some(&server.dependency_files),
                Self::Ruby(server) => Some(&server.dependency_files),
                _ => None,
            },
            Self::Static(_) | Self::Dockerfile(_) | Self::Rust(_) => None,
        };
        files.into_iter().flatten()
    }

    /// The Python that is run, alone or behind pages.
    pub fn python(&self) -> Option<&PythonRecipe> {
        match self {
            Self::Python(recipe) => Some(recipe),
            Self::Both(recipe) => recipe.server.python(),
            _ => None,
        }
    }

    /// The Node that is run, alone or behind pages.
    pub fn node_server(&self) -> Option<&NodeRecipe> {
        match self {
            Self::Node(recipe) => Some(recipe),
            Self::Both(recipe) => recipe.server.node_server(),
            _ => None,
        }
    }

    /// Node that builds beside a server: files of its dependency layer.
    pub fn beside(&self) -> Option<&NodeRecipe> {
        match self {
            Self::Both(recipe) => recipe.node.as_ref(),
            Self::Php(recipe) => recipe.assets.as_ref().map(|assets| &assets.node),
            _ => None,
        }
    }

    /// Every Node of the build, run or not.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeRecipe> {
        let site = match self {
            Self::Site(recipe) => Some(&recipe.node),
            _ => None,
        };
        self.node_server().into_iter().chain(self.beside()).chain(site)
    }

    /// Images the build starts from besides the one of the last stage.
    pub fn further_images(&self) -> Vec<String> {
        match self {
            Self::Site(recipe) => vec![recipe.node_image.clone()],
            Self::Go(recipe) => vec![recipe.builder.clone()],
            Self::Rust(recipe) => vec![recipe.builder.clone()],
            Self::Php(recipe) => {
                let mut images = vec![recipe.static_image.clone()];
                images.extend(recipe.assets.iter().map(|assets| assets.node_image.clone()));
                images
            }
            Self::Both(recipe) => {
                let mut images = recipe.server.further_images();
                images.push(recipe.static_image.clone());
                images.extend(recipe.node.is_some().then(|| recipe.node_image.clone()));
                images
            }
            _ => Vec::new(),
        }
    }
}

impl Recipe {
    /// A build by Node is given this variable.
    pub fn is_built_with(&self, variable: &str) -> bool {
        self.nodes().any(|node| node.build_environment.contains_key(variable))
    }
}

/// Where modules of ours lie in the image.
pub const SUPPORT: &str = "/opt/previewd/";

impl NodeRecipe {
    /// Something of the source is needed for what is done once packages are installed.
    pub fn prepares_source(&self) -> bool {
        let is_ours = |command: &Vec<String>| command.get(1).is_some_and(|word| word.starts_with(SUPPORT));
        !self.prepare.iter().all(is_ours)
    }

    pub fn builds(&self) -> bool {
        !self.build.is_empty()
    }

    /// What is started finds its packages by a link beside the source.
    pub fn links_packages(&self) -> bool {
        self.install && !self.in_place && !self.builds() && !self.writes_beside_packages()
    }

    /// What is started is a tool of development on packages in a layer of their own; a build
    /// leaves what such tools need in any case.
    pub fn writes_beside_packages(&self) -> bool {
        self.install && !self.in_place && !self.builds() && self.dev_dependencies
    }

    pub fn is_in_one_workspace_with(&self, other: &Self) -> bool {
        self.in_place && other.in_place && self.install_folder == other.install_folder
    }

    /// One installation for both, where both are of one workspace.
    pub fn join(&mut self, other: &Self) {
        if !self.is_in_one_workspace_with(other) {
            return;
        }
        self.install |= other.install;
        self.dev_dependencies |= other.dev_dependencies;
        self.install_scripts |= other.install_scripts;
        for package in &other.packages {
            if !self.packages.contains(package) {
                self.packages.push(package.clone());
            }
        }
        self.support.extend(other.support.clone());
        for command in &other.prepare {
            if !self.prepare.contains(command) {
                self.prepare.push(command.clone());
            }
        }
    }

    /// Where the installation's folder lies in the container.
    pub fn install_dir(&self) -> String {
        container::dir(&self.install_folder)
    }
}

impl PythonRecipe {
    /// There is something to install at all.
    pub fn installs(&self) -> bool {
        self.locked || !self.requirements.is_empty() || !self.packages.is_empty()
    }
}
