//! Addresses of the server on a developer's machine, written into pages: a visitor's browser would
//! look for them on the visitor's own machine.

use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, is_under, name_of};
use crate::generation::recipe::NodeRecipe;

const HOSTS: [&str; 6] = [
    "http://localhost:",
    "http://127.0.0.1:",
    "https://localhost:",
    "ws://localhost:",
    "ws://127.0.0.1:",
    "http://0.0.0.0:",
];

/// Each once, as it is taken out of what is built.
pub fn find(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let telling = |path: &str| {
        let name = name_of(path);
        let source = [".js", ".jsx", ".ts", ".tsx", ".mjs", ".vue", ".svelte", ".html"]
            .iter()
            .any(|end| name.ends_with(end));
        (source && !name.contains(".config.")) || name.starts_with(".env")
    };
    for path in project.paths().filter(|path| is_under(path, folder) && telling(path)).take(1000) {
        let Some(text) =
            project.text(path).filter(|text| text.contains("localhost") || text.contains("0.0."))
        else {
            continue;
        };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| line.len() < 2000) {
            for address in HOSTS.iter().filter_map(|host| address_in(line, host)) {
                if found.len() < 20 && !found.contains(&address) {
                    let reason = "in a visitor's browser this is the visitor's own machine; it is taken out of the built pages, so that they ask the preview";
                    notes.decide(
                        "address in the pages",
                        &address,
                        Source::Detected,
                        reason,
                        Place::line(path, index + 1),
                    );
                    found.push(address);
                }
            }
        }
    }
    found
}

fn address_in(line: &str, host: &str) -> Option<String> {
    let (_, rest) = line.split_once(host)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(5).collect();
    (!digits.is_empty()).then(|| format!("{host}{digits}"))
}

/// Variables such as `VITE_API_URL` that nobody has set get this address; nothing makes their calls
/// relative.
pub fn give_bases(
    project: &Project<'_>,
    folder: &str,
    address: &str,
    node: &mut NodeRecipe,
    notes: &mut Notes,
) {
    let reads = project.node().iter().filter(|file| is_under(&file.path, folder)).flat_map(|file| &file.env);
    for read in reads {
        let name = read.name.as_str();
        let public = ["VITE_", "REACT_APP_", "NEXT_PUBLIC_", "PUBLIC_", "VUE_APP_", "NG_APP_"]
            .iter()
            .any(|start| name.starts_with(start));
        let of_server = ["API", "BACKEND", "SERVER"].iter().any(|word| name.contains(word));
        let is_address = ["URL", "BASE", "HOST", "ENDPOINT", "ORIGIN"].iter().any(|word| name.contains(word));
        if public && of_server && is_address && !node.build_environment.contains_key(name) {
            let reason = "nothing sets it, and the server is where the pages are";
            notes.decide(
                "variable of the build",
                format!("{name}={address}"),
                Source::Default,
                reason,
                Place::line(&read.file, read.line),
            );
            node.build_environment.insert(name.to_owned(), address.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn addresses_of_a_developers_machine_are_found_with_their_place() {
        let files = tree(&[
            (
                "web/src/api.ts",
                "const a = 'x';\nfetch('http://localhost:8000/api/x');\nnew WebSocket(`ws://127.0.0.1:8000/ws`)\n",
            ),
            ("web/vite.config.ts", "proxy: { '/api': 'http://localhost:9999' }"),
            ("server/main.py", "http://localhost:1"),
        ]);
        let mut notes = Notes::default();
        let found = project_of(&files, |project| find(project, "web", &mut notes));
        assert_eq!(found, ["http://localhost:8000", "ws://127.0.0.1:8000"]);
        assert_eq!(notes.decisions[0].line, Some(2));
    }
}
