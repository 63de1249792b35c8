//! One file of Go.

use crate::generation::plan::EnvRead;
use crate::generation::quoting::is_env_name;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoFile {
    pub path: String,
    /// It has the `main` function of a program.
    pub is_main: bool,
    /// Ports it opens, with the line; `None` when it is not a literal.
    pub listens: Vec<(Option<u16>, usize)>,
    /// The line on which it listens on the loopback address alone.
    pub loopback: Option<usize>,
    pub env: Vec<EnvRead>,
}

const LISTENS: [&str; 6] = ["ListenAndServe", ".Run(", ".Listen(", ".Start(", "net.Listen(", "Addr:"];

pub fn scan(path: &str, text: &str) -> GoFile {
    let mut file = GoFile { path: path.to_owned(), ..GoFile::default() };
    let is_program = text.lines().any(|line| line.trim_end() == "package main");
    let mut default = None;
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") || line.len() > 1000 {
            continue;
        }
        file.is_main |= is_program && code.starts_with("func main()");
        file.add_variables(line, index + 1);
        // `port := "8080"`, `port = "3000"`: what it is when PORT says nothing.
        if code.to_ascii_lowercase().contains("port") && code.contains('=') {
            default = literal_port(code).or(default);
        }
        if LISTENS.iter().any(|call| code.contains(call)) && file.listens.len() < 50 {
            let listens = literal_port(code);
            let is_server = listens.is_some()
                || code.contains("ListenAndServe")
                || code.to_ascii_lowercase().contains("port");
            if is_server {
                file.listens.push((listens, index + 1));
            }
            if code.contains("\"localhost:") || code.contains("\"127.0.0.1:") {
                file.loopback = Some(index + 1);
            }
        }
    }
    for listen in &mut file.listens {
        listen.0 = listen.0.or(default);
    }
    file
}

impl GoFile {
    fn add_variables(&mut self, line: &str, number: usize) {
        for call in ["os.Getenv(\"", "os.LookupEnv(\"", "getEnv(\"", "GetEnv(\"", "getenv(\"", "envOr(\""] {
            for (at, _) in line.match_indices(call) {
                let rest = &line[at + call.len()..];
                let Some((name, after)) = rest.split_once('"') else { continue };
                if !is_env_name(name)
                    || self.env.len() >= 500
                    || self.env.iter().any(|read| read.name == name)
                {
                    continue;
                }
                // A helper with a second argument, or a look whether it is set, has a default.
                let has_default =
                    call != "os.Getenv(\"" && (call == "os.LookupEnv(\"" || after.starts_with(','));
                let (name, file) = (name.to_owned(), self.path.clone());
                self.env.push(EnvRead { name, file, line: number, has_default });
            }
        }
    }
}

/// `":8080"`, `"0.0.0.0:8080"`, `"8080"`.
fn literal_port(code: &str) -> Option<u16> {
    code.split('"').skip(1).step_by(2).find_map(|literal| {
        let port = literal.rsplit(':').next().unwrap_or(literal);
        let digits = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
        port.parse::<u16>().ok().filter(|port| digits && *port > 79)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_ports_and_variables_are_read() {
        let file = scan(
            "main.go",
            "package main\n\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"8081\"\n\t}\n\tkey := os.Getenv(\"API_KEY\")\n\thttp.ListenAndServe(\":\"+port, nil)\n}\n",
        );
        assert!(file.is_main);
        assert_eq!(file.listens, [(Some(8081), 9)]);
        let names: Vec<_> = file.env.iter().map(|read| (read.name.as_str(), read.line)).collect();
        assert_eq!(names, [("PORT", 4), ("API_KEY", 8)]);
        assert_eq!(scan("a.go", "package main\nfunc main() { r.Run(\"localhost:9000\") }").loopback, Some(2));
        assert!(!scan("a.go", "package x\nfunc main() {}").is_main);
        scan("a.go", "os.Getenv(\"");
    }
}
