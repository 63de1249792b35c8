//! Streamlit: a script that its own server runs.

use super::python_own_server::OwnServer;
use super::python_server;
use crate::generation::plan::Notes;
use crate::generation::project::Project;

pub static STREAMLIT: OwnServer = OwnServer {
    name: "streamlit",
    looks_for: "Python that imports streamlit",
    marks: &["set_page_config", "st.title", "st.sidebar"],
    must_be_marked: false,
    found: "streamlit is imported",
    port,
    start,
    reason: "it imports streamlit and is the likeliest to be the first page",
    environment: |_| Vec::new(),
    bind: "0.0.0.0, by the start command",
    health: "/_stcore/health",
};

fn port(project: &Project<'_>, _: &str, notes: &mut Notes) -> u16 {
    python_server::port_or(project, 8501, "the usual one of Streamlit", notes)
}

fn start(inside: String, port: u16) -> Vec<String> {
    vec![
        "streamlit".to_owned(),
        "run".to_owned(),
        inside,
        "--server.address=0.0.0.0".to_owned(),
        format!("--server.port={port}"),
        "--server.headless=true".to_owned(),
        // The proxy in front has checked who asks.
        "--server.enableCORS=false".to_owned(),
        "--server.enableXsrfProtection=false".to_owned(),
        "--browser.gatherUsageStats=false".to_owned(),
    ]
}
