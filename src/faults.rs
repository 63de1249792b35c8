//! Where tests make the daemon die: before and after each call of the engine, and each use of the
//! store. The points are named `CALL:before` and `CALL:after`. Once the file that `FAULTS_FILE` names
//! is there, what it says of points holds (`start container:after=return`; `2*off->return` lets two
//! pass first), and it is taken away to say so.
//!
//! A test build alone has them: there the crate `fail` has its feature, and in every other build
//! what is here compiles to nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads the file that a test may have named, where there are points, or waits for it.
pub fn arm() {
    if are_there()
        && let Some(file) = std::env::var_os("FAULTS_FILE").map(PathBuf::from)
        && !read(&file)
    {
        std::thread::spawn(move || {
            while !read(&file) {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    }
}

pub const fn are_there() -> bool {
    fail::has_failpoints()
}

/// A point is passed. The end that may come here is that of `kill -9`: nothing is cleared up.
pub fn pass(what: &str, side: Side) {
    if !are_there() {
        return;
    }
    let name = format!("{what}:{}", side.word());
    // Without the feature nobody reads it.
    let _ = &name;
    fail::fail_point!(&name, |_| die());
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

impl Side {
    const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Whether the file was there.
fn read(file: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    for (name, actions) in text.lines().filter_map(|line| line.split_once('=')) {
        if let Err(error) = fail::cfg(name, actions) {
            tracing::error!(error, name, "no point of faults can be this");
        }
    }
    std::fs::remove_file(file).is_ok()
}

#[cfg_attr(not(test), allow(dead_code, reason = "only a test build has points"))]
fn die() {
    use rustix::process::{Signal, getpid, kill_process};
    // To oneself it does not fail, and does not come back.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
