//! What can be loaded before an app's source is there: a process that waits, with the modules of
//! the app's framework in it, and becomes the app.
//!
//! The process is a program of ours in the app's language. It is told where to find its order and
//! what to load; the order says which command it is to be, in which folder, with which variables.
//! Where what is loaded could differ from what the app would load itself, it starts the command
//! anew in its own place, and nothing is lost but time.

mod modules;

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use super::recipe::Recipe;

pub(super) use modules::worth_loading;

/// Where the process looks for its order, beside the source.
pub const ORDER: &str = ".previewd-order";

/// What the process calls itself once everything is loaded.
pub const WAITING: &str = "previewd-warm";

const PYTHON: &str = include_str!("wait.py");

/// The command of a process that waits for the source of such a plan; nothing where the app is
/// started otherwise, or would gain nothing.
pub fn warm(plan: &Plan) -> Option<Vec<String>> {
    match &plan.recipe {
        Recipe::Python(recipe) if recipe.installs() && !plan.preload.is_empty() => {
            let program = ["/opt/venv/bin/python", "-c", PYTHON].map(str::to_owned);
            let order = format!("/app/{ORDER}");
            Some(program.into_iter().chain([order]).chain(plan.preload.iter().cloned()).collect())
        }
        _ => None,
    }
}

/// The order itself: the folder, how many arguments, they, how many variables are no more, they,
/// and `name=value` for each of the others; a NUL after each.
///
/// `None` when something of it holds a NUL, which no command may.
pub fn order(
    folder: &str,
    arguments: &[String],
    variables: &BTreeMap<String, String>,
    gone: &BTreeSet<String>,
) -> Option<Vec<u8>> {
    let counts = [arguments.len().to_string(), gone.len().to_string()];
    let pairs: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let words = [folder, counts[0].as_str()]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .chain([counts[1].as_str()])
        .chain(gone.iter().map(String::as_str))
        .chain(pairs.iter().map(String::as_str));
    let mut bytes = Vec::new();
    for word in words {
        if word.contains('\0') {
            return None;
        }
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(0);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
