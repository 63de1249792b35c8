//! Gradio: a program that starts a server of its own.

use super::python_own_server::OwnServer;
use super::python_server;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::Project;

pub static GRADIO: OwnServer = OwnServer {
    name: "gradio",
    looks_for: "Python that imports gradio and launches it",
    marks: &[".launch("],
    must_be_marked: true,
    found: "gradio is imported and launched",
    port,
    start: |inside, _| vec!["python".to_owned(), inside],
    reason: "it launches gradio",
    environment,
    bind: "0.0.0.0, by GRADIO_SERVER_NAME",
    health: "/",
};

fn environment(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("GRADIO_SERVER_NAME", "0.0.0.0".to_owned()),
        ("GRADIO_SERVER_PORT", port.to_string()),
        ("GRADIO_ANALYTICS_ENABLED", "False".to_owned()),
    ]
}

/// `launch(server_port=…)` in the code wins over the variable.
fn port(project: &Project<'_>, path: &str, notes: &mut Notes) -> u16 {
    let text = project.text(path).unwrap_or_default();
    for (index, line) in text.lines().enumerate() {
        if line.contains("server_name=\"127.0.0.1\"") || line.contains("server_name='127.0.0.1'") {
            let message =
                "listens on the loopback address only, where nobody reaches it; leave server_name out";
            notes.warn(message, Place::line(path, index + 1));
        }
        let literal = line.split_once("server_port=").map(|(_, rest)| rest);
        let digits = literal.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        if let Some(port) = digits.and_then(|digits| digits.parse::<u16>().ok())
            && project.metadata.port.is_none()
        {
            notes.decide(
                "port",
                port.to_string(),
                Source::Detected,
                "launch() names it",
                Place::line(path, index + 1),
            );
            return port;
        }
    }
    python_server::port_or(project, 7860, "the usual one of Gradio", notes)
}
