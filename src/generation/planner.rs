//! From metadata and files to a plan: which framework, and everything all frameworks share.

use std::collections::BTreeMap;

use super::assemble::assemble;
use super::bases::BaseImages;
use super::entry_point::EntryPoint;
use super::error::PlanError;
use super::frameworks::{
    ALL, Finding, Framework, Outline, PortInCode, Strength, both, pages_server, port_in_code, server_beside,
    static_site,
};
use super::node::Package;
use super::own_dockerfile::{self, NamedPort};
use super::plan::{Language, Notes, Place, Plan, Source};
use super::project::{Project, name_of};
use super::python::{self, Interface};
use super::recipe::{OwnDockerfile, Recipe};
use crate::domain::{FileSet, Metadata};

/// Decides how the generation is built and started. What the metadata gives wins over what the
/// files suggest; each decision is recorded with its reason.
pub fn plan(metadata: &Metadata, files: &FileSet, bases: &BaseImages) -> Result<Plan, PlanError> {
    let mut notes = Notes::default();
    let entry = metadata.entry_point.as_deref().map(EntryPoint::parse).transpose()?;
    let project = Project::new(metadata, files, bases, entry, &mut notes);
    let own = own_text(metadata, files, &mut notes).filter(|own| !gives_way(&project, own, &mut notes));
    let (language, outline) = match own {
        Some((text, field, file)) => {
            (Language::Docker, own_outline(&project, text, field, file, &mut notes)?)
        }
        None => {
            let Choice { framework, behind } = choose(&project, &mut notes)?;
            match behind.as_ref().and_then(|server| in_front(&project, files, framework, server, &notes)) {
                Some((language, outline, with_both)) => {
                    notes = with_both;
                    (language, outline)
                }
                None => {
                    warn_of_other(framework, behind.as_ref(), &mut notes);
                    let outline = framework.outline(&project, &mut notes)?;
                    (framework.language(), both::combine(&project, files, outline, &mut notes))
                }
            }
        }
    };
    Ok(assemble(&project, files, language, outline, notes))
}

/// What is started, and what else might be.
struct Choice {
    framework: &'static dyn Framework,
    /// A server behind pages that have a server of their own.
    behind: Option<Behind>,
}

/// A server of another language, or in a package of its own.
struct Behind {
    framework: &'static dyn Framework,
    package: Option<Package>,
}

/// Pages with a server of their own in front of another server.
fn in_front(
    project: &Project<'_>,
    files: &FileSet,
    pages: &'static dyn Framework,
    server: &Behind,
    notes: &Notes,
) -> Option<(Language, Outline, Notes)> {
    let mut notes = notes.clone();
    let seen = server.package.as_ref().map(|package| project.of_package(package));
    let outline = server.framework.outline(seen.as_ref().unwrap_or(project), &mut notes).ok()?;
    let outline = pages_server::combine(project, files, outline, pages.name(), &mut notes)?;
    Some((server.framework.language(), outline, notes))
}

fn warn_of_other(framework: &dyn Framework, behind: Option<&Behind>, notes: &mut Notes) {
    let Some(server) = behind else { return };
    let (name, pages) = (server.framework.name(), framework.name());
    let seen = format!("the pages of {pages} are what a visitor sees");
    match &server.package {
        None => notes.warn(format!("{name} is not started: {seen}; metadata.framework decides"), None),
        Some(package) => {
            let message = format!("the {name} server of this package is not started: {seen}");
            notes.warn(message, Place::file(&package.path));
        }
    }
}

/// A Dockerfile's text, the field errors name, and its path.
type OwnText<'a> = (&'a str, &'static str, Option<&'static str>);

/// It could not be built here, nobody insists on it, and the files say what the app is: then they
/// are planned as if it were not there.
fn gives_way(project: &Project<'_>, own: &OwnText<'_>, notes: &mut Notes) -> bool {
    let (text, _, Some(file)) = own else { return false };
    let is_there = |path: &str| path.is_empty() || project.contains(path) || project.has_folder(path);
    let apk = || {
        let line = own_dockerfile::installs_with_apk(text, project.bases)?;
        Some((line, "it installs packages with apk, and our images are Debian's".to_owned()))
    };
    let missing = || {
        let (line, path) = own_dockerfile::copies_what_is_missing(text, is_there)?;
        Some((line, format!("it copies {path}, which is not among the files")))
    };
    let unlocked = || {
        let has_named = |name: &str| project.paths().any(|path| name_of(path) == name);
        let (line, command) = own_dockerfile::installs_without_lock(text, has_named)?;
        Some((line, format!("{command} needs a lockfile, which is not among the files")))
    };
    let Some((line, why)) = apk().or_else(missing).or_else(unlocked) else { return false };
    let is_certain = |framework: &&dyn Framework| {
        framework.detect(project).is_some_and(|finding| finding.strength == Strength::Certain)
    };
    let is_given_up = project.metadata.framework.is_none() && ALL.iter().any(is_certain);
    if is_given_up {
        let message = format!(
            "not used: {why}; the app is planned from its files, unless metadata.framework is dockerfile"
        );
        notes.decisions.retain(|decision| decision.what != "framework");
        notes.warn(message, Place::line(file, line));
    }
    is_given_up
}

/// The generation's own Dockerfile.
fn own_text<'a>(metadata: &'a Metadata, files: &'a FileSet, notes: &mut Notes) -> Option<OwnText<'a>> {
    if let Some(text) = &metadata.generated_dockerfile {
        notes.decide(
            "framework",
            "dockerfile",
            Source::Metadata,
            "generatedDockerfile is used as it is",
            None,
        );
        return Some((text, "metadata.generatedDockerfile", None));
    }
    let text = files.text("Dockerfile")?;
    let place = Place::file("Dockerfile");
    match metadata.framework.as_deref() {
        None | Some("docker" | "dockerfile") => {
            notes.decide(
                "framework",
                "dockerfile",
                Source::Detected,
                "a Dockerfile is among the files",
                place,
            );
            Some((text, "files[\"Dockerfile\"]", Some("Dockerfile")))
        }
        Some(framework) => {
            notes.warn(format!("not used: the metadata says the framework is {framework}"), place);
            None
        }
    }
}

fn own_outline(
    project: &Project<'_>,
    text: &str,
    field: &'static str,
    file: Option<&'static str>,
    notes: &mut Notes,
) -> Result<Outline, PlanError> {
    let checked = own_dockerfile::check(text, field, file, project.bases, notes)?;
    let port = match (project.metadata.port, own_dockerfile::port(&checked.text)) {
        (Some(port), _) => {
            notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
            port
        }
        (None, Some(NamedPort { port, line, by })) => {
            let place = Place::line(file.unwrap_or(field), line);
            notes.decide("port", port.to_string(), Source::Detected, format!("{by} names it"), place);
            port
        }
        (None, None) => match port_in_code(project, &checked.base) {
            Some(PortInCode { port, reason, place }) => {
                notes.decide("port", port.to_string(), Source::Detected, reason, place);
                port
            }
            None => {
                notes.decide("port", "8000", Source::Default, "nothing names another", None);
                8000
            }
        },
    };
    if project.entry.is_some() {
        notes.warn("entryPoint is not used: the Dockerfile's own CMD or ENTRYPOINT starts the app", None);
    }
    if !project.metadata.system_packages.is_empty() {
        notes.warn("systemPackages are not installed: the Dockerfile says what is", None);
    }
    Ok(Outline {
        framework: "dockerfile".to_owned(),
        base_image: checked.base,
        runtime_version: None,
        folder: String::new(),
        start: None,
        port,
        bind: "whatever the app listens on; it has to be 0.0.0.0".to_owned(),
        environment: BTreeMap::new(),
        health: None,
        recipe: Recipe::Dockerfile(OwnDockerfile { text: checked.text, bases: checked.bases }),
    })
}

/// The framework: by the entry point, by the metadata's name for it, or by what is found.
fn choose(project: &Project<'_>, notes: &mut Notes) -> Result<Choice, PlanError> {
    let language = project.metadata.language.as_deref().and_then(language_named);
    let mut findings: Vec<(&'static dyn Framework, Finding)> = ALL
        .iter()
        .filter(|framework| language.is_none_or(|language| framework.language() == language))
        .filter_map(|framework| Some((*framework, framework.detect(project)?)))
        .collect();
    // Stable, so that the order of the list decides between equals.
    findings.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.strength));
    if let Some(framework) = by_entry(project, &findings) {
        let reason = "entryPoint starts it";
        notes.decide("framework", framework.name(), Source::Metadata, reason, None);
        return Ok(Choice { framework, behind: None });
    }
    if let Some(name) = &project.metadata.framework {
        match named(name) {
            Some(framework) => {
                notes.decide(
                    "framework",
                    framework.name(),
                    Source::Metadata,
                    format!("framework is {name}"),
                    None,
                );
                return Ok(Choice { framework, behind: None });
            }
            None => {
                notes.warn(format!("the metadata's framework {name} is not known, so the files decide"), None)
            }
        }
    }
    let shown = |(framework, _): &(&'static dyn Framework, Finding)| framework.shows_pages_itself(project);
    if let Some(at) = findings.iter().position(shown) {
        // What a visitor is to see comes before what only answers it.
        let pages = findings.remove(at);
        findings.insert(0, pages);
    }
    let mut findings = findings.into_iter();
    let Some((framework, finding)) = findings.next() else {
        return Err(PlanError::NothingToStart { looked_for: looked_for(language) });
    };
    let name = finding.name.unwrap_or(framework.name());
    notes.decide("framework", name, Source::Detected, finding.reason, finding.place);
    let shows_pages = framework.shows_pages_itself(project);
    let mut behind = None;
    let others = findings.filter(|(other, finding)| {
        finding.strength >= Strength::Pages
            && other.language() != framework.language()
            && !(other.language() == Language::Static && static_site::is_of_a_builder(project, finding))
    });
    for (other, finding) in others {
        if shows_pages && behind.is_none() && finding.strength == Strength::Certain {
            behind = Some(Behind { framework: other, package: None });
            continue;
        }
        let message = match shows_pages {
            true => format!(
                "{} is not started: the pages are what a visitor sees; metadata.framework decides",
                other.name()
            ),
            false => {
                format!("also looks like {} ({}); metadata.framework decides", other.name(), finding.reason)
            }
        };
        notes.warn(message, finding.place);
    }
    if shows_pages {
        for (package, other) in server_beside::find(project) {
            let server = Behind { framework: other, package: Some(package) };
            match behind {
                None => behind = Some(server),
                Some(_) => warn_of_other(framework, Some(&server), notes),
            }
        }
    }
    Ok(Choice { framework, behind })
}

/// The framework whose outline understands the metadata's entry point.
fn by_entry(
    project: &Project<'_>,
    findings: &[(&'static dyn Framework, Finding)],
) -> Option<&'static dyn Framework> {
    let found = |language| findings.iter().find(|(f, _)| f.language() == language).map(|(f, _)| *f);
    if let Some((django, _)) = findings.iter().find(|(framework, _)| framework.name() == "django")
        && project.entry.as_ref()?.is_python()
    {
        return Some(*django);
    }
    match project.entry.as_ref()? {
        EntryPoint::PythonServer { server, target, .. } => {
            let location = target.as_ref().and_then(|target| python::locate_module(project, &target.module));
            let app = python::apps_of(project.python()).into_iter().find(|(file, app)| {
                Some(&file.path) == location.as_ref().map(|location| &location.path)
                    && Some(&app.name) == target.as_ref().map(|target| &target.attribute)
            });
            let asgi = match app {
                Some((_, app)) => app.interface == Interface::Asgi,
                None => server.is_none_or(|server| server.asgi),
            };
            named(if asgi { "fastapi" } else { "flask" })
        }
        entry if entry.is_python() => named("python"),
        entry if entry.is_node() => found(Language::Node).or_else(|| named("node")),
        _ => {
            let node = found(Language::Node).filter(|_| found(Language::Python).is_none());
            Some(node.unwrap_or(named("python")?))
        }
    }
}

fn named(name: &str) -> Option<&'static dyn Framework> {
    let lower = name.to_ascii_lowercase();
    let name = lower.trim_end_matches(".js");
    ALL.iter().copied().find(|framework| framework.name() == name || framework.also_called().contains(&name))
}

fn language_named(name: &str) -> Option<Language> {
    match name.to_ascii_lowercase().as_str() {
        "python" | "py" | "python3" => Some(Language::Python),
        "javascript" | "typescript" | "node" | "nodejs" | "node.js" | "js" | "ts" => Some(Language::Node),
        "go" | "golang" => Some(Language::Go),
        "rust" | "rs" => Some(Language::Rust),
        "php" => Some(Language::Php),
        "ruby" | "rb" => Some(Language::Ruby),
        "html" | "static" => Some(Language::Static),
        _ => None,
    }
}

fn looked_for(language: Option<Language>) -> String {
    let fitting =
        ALL.iter().filter(|framework| language.is_none_or(|language| framework.language() == language));
    let mut looked: Vec<&str> = vec!["a Dockerfile at the top"];
    looked.extend(fitting.map(|framework| framework.looks_for()));
    looked.join("; ")
}
