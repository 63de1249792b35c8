//! Create React App.

use super::node_framework::{App, NodeFramework, Serve, words};
use super::node_site::Built;
use crate::generation::node::Role;
use crate::generation::plan::Notes;

pub static CREATE_REACT_APP: NodeFramework = NodeFramework {
    name: "create-react-app",
    also_called: &["cra", "react-scripts"],
    packages: &["react-scripts"],
    looks_for: "react-scripts among the dependencies of package.json",
    role: Role::Pages,
    port: 3000,
    build: &["react-scripts", "build"],
    run,
    dev,
    environment: &[
        ("HOST", "0.0.0.0"),
        ("BROWSER", "none"),
        ("DANGEROUSLY_DISABLE_HOST_CHECK", "true"),
        // The page asks for news where it came from.
        ("WDS_SOCKET_PORT", "0"),
    ],
};

fn run(_: &App<'_, '_>) -> Serve {
    Serve::Pages(Built::single_page(&["build"]))
}

fn dev(_: &App<'_, '_>, _: &mut Notes) -> Option<Vec<String>> {
    Some(words(&["react-scripts", "start"]))
}
