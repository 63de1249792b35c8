//! The port that the app of a Dockerfile listens on: what it exposes, else what its command names.

use super::parse::{Instruction, parse};
use super::variables::Variables;
use crate::generation::quoting::split_words;

/// A port, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPort {
    pub port: u16,
    /// From 1.
    pub line: usize,
    /// The instruction.
    pub by: &'static str,
}

/// Options of servers behind which a port or an address stands.
const OPTIONS: [&str; 12] = [
    "--port",
    "-p",
    "--bind",
    "-b",
    "--listen",
    "-l",
    "--address",
    "--addr",
    "--server.port",
    "--http",
    "--http-socket",
    "--server_port",
];

/// Of the final stage. EXPOSE comes first, for it is there to say so; then the command that starts
/// the app; then the variable that most programs read.
pub fn port(text: &str) -> Option<NamedPort> {
    let mut variables = Variables::default();
    let (mut exposed, mut entry, mut command, mut variable) = (None, None, None, None);
    for instruction in parse(text).ok()? {
        let line = instruction.line;
        match instruction.keyword.as_str() {
            "FROM" => {
                variables.begin_stage();
                (exposed, entry, command, variable) = (None, None, None, None);
            }
            "ARG" => variables.remember(&instruction.rest),
            "ENV" => {
                variables.remember(&instruction.rest);
                let port = variables.get("PORT").and_then(number);
                variable = port.map(|port| NamedPort { port, line, by: "ENV PORT" }).or(variable);
            }
            "EXPOSE" if exposed.is_none() => {
                let first = instruction.rest.split_whitespace().next().unwrap_or_default();
                let port = variables.expand(first).unwrap_or_default();
                let port = port.split('/').next().and_then(number);
                exposed = port.map(|port| NamedPort { port, line, by: "EXPOSE" });
            }
            "ENTRYPOINT" => entry = in_command(&instruction, "ENTRYPOINT", &variables),
            "CMD" => command = in_command(&instruction, "CMD", &variables),
            _ => {}
        }
    }
    exposed.or(command).or(entry).or(variable)
}

fn in_command(instruction: &Instruction, by: &'static str, variables: &Variables) -> Option<NamedPort> {
    let rest = instruction.rest.as_str();
    let argv: Vec<String> = serde_json::from_str(rest).unwrap_or_else(|_| vec![rest.to_owned()]);
    // What a shell is given is a command line of its own.
    let words = argv.iter().flat_map(|word| match word.contains(' ') {
        true => split_words(word).unwrap_or_else(|| word.split_whitespace().map(str::to_owned).collect()),
        false => vec![word.clone()],
    });
    let words: Vec<String> = words.map(|word| variables.expand(&word).unwrap_or(word)).collect();
    in_words(&words).map(|port| NamedPort { port, line: instruction.line, by })
}

fn in_words(words: &[String]) -> Option<u16> {
    let named = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some((option, value)) if OPTIONS.contains(&option) => of_address(value),
        // A variable of this command alone.
        Some(("PORT", value)) => number(value),
        None if OPTIONS.contains(&word.as_str()) => of_address(words.get(at + 1)?),
        _ => None,
    });
    // As Django's runserver and PHP's own server have it: an address, without an option.
    named.or_else(|| words.iter().filter(|word| is_address(word)).find_map(|word| of_address(word)))
}

/// `0.0.0.0:8000`, `[::]:8000`, `:8000`, `localhost:8000`.
fn is_address(word: &str) -> bool {
    word.rsplit_once(':').is_some_and(|(host, _)| {
        let is_host = |host: &str| host.parse::<std::net::IpAddr>().is_ok() || host == "localhost";
        host.is_empty() || is_host(host.trim_matches(['[', ']']))
    })
}

fn of_address(text: &str) -> Option<u16> {
    number(text.rsplit(':').next().unwrap_or(text))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &str) -> Option<(u16, usize, &'static str)> {
        port(&format!("FROM a\n{lines}\n")).map(|found| (found.port, found.line, found.by))
    }

    #[test]
    fn it_is_exposed_or_in_the_command_or_in_the_environment() {
        for (lines, expected) in [
            ("EXPOSE 9000/tcp 1\nCMD x --port 1", Some((9000, 2, "EXPOSE"))),
            ("ARG P=81\nEXPOSE $P", Some((81, 3, "EXPOSE"))),
            (r#"CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "5000"]"#, Some((5000, 2, "CMD"))),
            ("CMD gunicorn -w 2 -b 0.0.0.0:5001 app:app", Some((5001, 2, "CMD"))),
            ("CMD gunicorn --bind=[::]:5002 app:app", Some((5002, 2, "CMD"))),
            (
                "ENTRYPOINT [\"python\", \"manage.py\"]\nCMD [\"runserver\", \"0.0.0.0:5003\"]",
                Some((5003, 3, "CMD")),
            ),
            ("ENTRYPOINT php -S localhost:5004 -t public\nCMD []", Some((5004, 2, "ENTRYPOINT"))),
            (
                r#"CMD ["sh", "-c", "alembic upgrade head && uvicorn a:b --port ${PORT:-5005}"]"#,
                Some((5005, 2, "CMD")),
            ),
            ("ENV PORT=5006\nCMD node server.js", Some((5006, 2, "ENV PORT"))),
            ("ENV PORT 5007\nCMD uvicorn a:b --port $PORT", Some((5007, 3, "CMD"))),
            ("CMD PORT=5008 node server.js", Some((5008, 2, "CMD"))),
            ("EXPOSE 70000\nCMD node server.js", None),
            ("CMD python -m app --level 3 main:app", None),
            ("CMD x --port", None),
            ("EXPOSE 1\nFROM b", None),
        ] {
            assert_eq!(found(lines), expected, "{lines}");
        }
    }
}
