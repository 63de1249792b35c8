//! Rust: the binary of a Cargo package.

use std::collections::BTreeMap;

use toml::Table;

use super::{Finding, Framework, Outline, Strength};
use crate::generation::bases::Runtime;
use crate::generation::error::PlanError;
use crate::generation::plan::{Language, Notes, Place, Source};
use crate::generation::project::{Project, folder_of, join, name_of};
use crate::generation::quoting::is_plain_path;
use crate::generation::recipe::{Recipe, RustRecipe};

pub struct Rust;

const PROGRAM: &str = "/opt/rust/program";
const SERVERS: [&str; 8] = ["axum", "actix-web", "rocket", "warp", "poem", "salvo", "tide", "hyper"];

impl Framework for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn language(&self) -> Language {
        Language::Rust
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["axum", "actix", "actix-web", "rocket", "warp"]
    }

    fn looks_for(&self) -> &'static str {
        "a Cargo.toml with src/main.rs"
    }

    fn detect(&self, project: &Project<'_>) -> Option<Finding> {
        let package = package(project)?;
        let name = SERVERS.iter().find(|name| package.lists(name)).copied();
        let strength = if name.is_some() { Strength::Certain } else { Strength::Server };
        let reason = name.map_or("Cargo.toml and src/main.rs are there".to_owned(), |name| {
            format!("Cargo.toml lists {name}")
        });
        Some(Finding { strength, name, reason, place: Place::file(&package.path) })
    }

    fn outline(&self, project: &Project<'_>, notes: &mut Notes) -> Result<Outline, PlanError> {
        let package = package(project).ok_or_else(|| PlanError::Framework {
            framework: self.name().to_owned(),
            looked_for: self.looks_for().to_owned(),
        })?;
        let place = Place::file(&package.path);
        notes.decide("program", &package.binary, Source::Detected, "the package's binary", place);
        let port = port(project, &package, notes);
        let start = match &project.entry {
            Some(entry) => entry.argv().to_vec(),
            None => vec![PROGRAM.to_owned()],
        };
        let folder = folder_of(&package.path).to_owned();
        let locked = project.contains(&join(&folder, "Cargo.lock"));
        let framework = SERVERS.iter().find(|name| package.lists(name)).copied().unwrap_or("rust");
        let environment = [("ROCKET_ADDRESS", "0.0.0.0".to_owned()), ("ROCKET_PORT", port.to_string())];
        let environment = environment.into_iter().filter(|_| framework == "rocket");
        Ok(Outline {
            framework: framework.to_owned(),
            base_image: project.bases.image(&Runtime::Static),
            runtime_version: None,
            folder,
            start: Some(start),
            port,
            bind: "whatever the program listens on; it has to be 0.0.0.0".to_owned(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<BTreeMap<_, _>>(),
            health: None,
            recipe: Recipe::Rust(RustRecipe {
                builder: project.bases.image(&Runtime::Rust),
                binary: package.binary,
                locked,
            }),
        })
    }
}

struct Package {
    path: String,
    binary: String,
    table: Table,
}

impl Package {
    fn lists(&self, name: &str) -> bool {
        self.table.get("dependencies").is_some_and(|dependencies| dependencies.get(name).is_some())
    }
}

/// The package nearest to the top with a binary; those that serve first.
fn package(project: &Project<'_>) -> Option<Package> {
    let mut paths: Vec<&str> =
        project.paths().filter(|path| name_of(path) == "Cargo.toml").take(50).collect();
    paths.sort_by_key(|path| path.matches('/').count());
    let read = |path: &str| {
        let table: Table = project.text(path)?.parse().ok()?;
        let folder = folder_of(path);
        let named = table.get("bin").and_then(|bins| bins.as_array()?.first()?.get("name")?.as_str());
        let name = named.or_else(|| table.get("package")?.get("name")?.as_str())?.to_owned();
        let has_main = named.is_some() || project.contains(&join(folder, "src/main.rs"));
        let plain =
            is_plain_path(folder) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        (has_main && plain && !name.is_empty()).then(|| Package {
            path: path.to_owned(),
            binary: name,
            table,
        })
    };
    let mut found: Vec<Package> = paths.into_iter().filter_map(read).collect();
    found.sort_by_key(|package| !SERVERS.iter().any(|name| package.lists(name)));
    found.into_iter().next()
}

/// `"127.0.0.1:3000"`, `("127.0.0.1", 3000)`, `([127, 0, 0, 1], 3000)`: the port, and whether the address
/// is the loopback one.
fn address_in(line: &str) -> Option<(u16, bool)> {
    const EVERY: [&str; 5] = ["0.0.0.0:", "[::]:", "0.0.0.0\",", "[0,0,0,0],", "Ipv4Addr::UNSPECIFIED,"];
    const LOOPBACK: [&str; 6] =
        ["127.0.0.1:", "localhost:", "127.0.0.1\",", "localhost\",", "[127,0,0,1],", "Ipv4Addr::LOCALHOST,"];
    let squeezed: String = line.chars().filter(|c| !c.is_whitespace()).take(400).collect();
    let port_after = |host: &&str| {
        let (_, rest) = squeezed.split_once(*host)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        digits.parse::<u16>().ok()
    };
    let every = EVERY.iter().find_map(port_after).map(|port| (port, false));
    every.or_else(|| LOOPBACK.iter().find_map(port_after).map(|port| (port, true)))
}

/// A literal address such as `0.0.0.0:3000` in the source; else 8080.
fn port(project: &Project<'_>, package: &Package, notes: &mut Notes) -> u16 {
    if let Some(port) = project.metadata.port {
        notes.decide("port", port.to_string(), Source::Metadata, "port says so", None);
        return port;
    }
    let folder = folder_of(&package.path);
    let sources = project.paths().filter(|path| path.ends_with(".rs") && path.starts_with(folder)).take(500);
    for path in sources {
        for (index, line) in project.text(path).unwrap_or_default().lines().enumerate() {
            let Some((port, is_loopback)) = address_in(line) else { continue };
            if is_loopback {
                let message = "listens on the loopback address only, where nobody reaches it; use 0.0.0.0";
                notes.warn(message, Place::line(path, index + 1));
            }
            notes.decide(
                "port",
                port.to_string(),
                Source::Detected,
                "the code listens on it",
                Place::line(path, index + 1),
            );
            return port;
        }
    }
    let usual = if package.lists("rocket") { 8000 } else { 8080 };
    notes.decide(
        "port",
        usual.to_string(),
        Source::Default,
        "nothing names another; the app is told by PORT",
        None,
    );
    usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_each_way_of_writing_them() {
        for (line, found) in [
            ("serve(TcpListener::bind(\"0.0.0.0:3000\").await?, app)", Some((3000, false))),
            (".bind((\"127.0.0.1\", 8088))?", Some((8088, true))),
            ("let addr = SocketAddr::from(([0, 0, 0, 0], 3001));", Some((3001, false))),
            ("warp::serve(routes).run(([127, 0, 0, 1], 3030)).await;", Some((3030, true))),
            ("HttpServer::new(app).bind((Ipv4Addr::UNSPECIFIED, 8080))", Some((8080, false))),
            ("println!(\"see http://localhost/\");", None),
        ] {
            assert_eq!(address_in(line), found, "{line}");
        }
    }
}
