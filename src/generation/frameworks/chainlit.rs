//! Chainlit: a file of handlers that its own server runs.

use super::python_own_server::OwnServer;
use super::python_server;
use crate::generation::plan::Notes;
use crate::generation::project::Project;

pub static CHAINLIT: OwnServer = OwnServer {
    name: "chainlit",
    looks_for: "Python that imports chainlit and handles its messages",
    marks: &["on_message", "on_chat_start"],
    must_be_marked: true,
    found: "chainlit is imported and its messages are handled",
    port,
    start,
    reason: "it handles the messages of chainlit",
    environment: |_| Vec::new(),
    bind: "0.0.0.0, by the start command",
    health: "/",
};

fn port(project: &Project<'_>, _: &str, notes: &mut Notes) -> u16 {
    python_server::port_or(project, 8000, "the usual one of Chainlit", notes)
}

fn start(inside: String, port: u16) -> Vec<String> {
    let port = port.to_string();
    ["chainlit", "run", &inside, "--headless", "--host", "0.0.0.0", "--port", &port]
        .map(str::to_owned)
        .to_vec()
}
