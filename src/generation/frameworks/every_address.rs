//! Servers on Node that listen on the loopback address alone, where nobody reaches them: because
//! their code names it, or because Fastify takes it when it is told nothing. Node is told to pass
//! over it.

use std::collections::BTreeMap;

use super::node_start::{EVERYWHERE, UNREACHED, first_listen};
use crate::generation::node::Listen;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::Project;

/// Where a server listens in the end, and the variables it takes.
pub struct Reached {
    pub bind: &'static str,
    pub environment: BTreeMap<String, String>,
}

/// Loaded before the app. Whatever calls it, every server is opened by this one function.
const PASS_OVER: &str = r#"import net from "net";
const own = (host) => ["localhost", "127.0.0.1", "::1"].includes(host);
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (first, ...rest) {
  if (typeof first == "object" && first && own(first.host)) first = { ...first, host: undefined };
  else if (own(rest[0])) rest.shift();
  return listen.call(this, first, ...rest);
};"#;

/// Since this version the variable may hold what is to be loaded.
const TAKES_MODULES_SINCE: u32 = 20;

/// Whether this version of Node does; Bun listens in another way.
pub fn takes_modules(version: &str) -> bool {
    version.parse::<u32>().map_or(true, |version| version >= TAKES_MODULES_SINCE)
}

pub fn reach(
    project: &Project<'_>,
    framework: &str,
    started: Option<&str>,
    takes_modules: bool,
    notes: &mut Notes,
) -> Reached {
    let none = Reached { bind: EVERYWHERE, environment: BTreeMap::new() };
    let Some((file, listen)) = first_listen(project, started) else { return none };
    let Some(why) = why_at_home(framework, listen) else { return none };
    let place = Place::line(&file.path, listen.line);
    if !takes_modules {
        notes.warn(format!("{why}, {UNREACHED}: write host: \"0.0.0.0\""), place);
        return Reached { bind: "the loopback address alone", ..none };
    }
    let reason = format!("{why}, {UNREACHED}; NODE_OPTIONS makes Node pass over that");
    notes.decide("address", "every one", Source::Detected, reason, place);
    let options = format!("--import=data:text/javascript,{}", in_address(PASS_OVER));
    Reached {
        bind: "every address, by NODE_OPTIONS",
        environment: BTreeMap::from([("NODE_OPTIONS".to_owned(), options)]),
    }
}

fn why_at_home(framework: &str, listen: &Listen) -> Option<&'static str> {
    match listen.host.as_deref() {
        Some("127.0.0.1" | "localhost" | "::1") => Some("the code listens on the loopback address only"),
        None if framework == "fastify" && !listen.names_host => {
            Some("Fastify that is given no address listens on the loopback one only")
        }
        _ => None,
    }
}

/// With everything escaped that an address or a list of options would take for its own.
fn in_address(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}
