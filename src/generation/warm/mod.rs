//! What can be loaded before an app's source is there: a process that waits, with the modules of
//! the app's framework in it, and runs the app in a child that has them too.
//!
//! The process is a program of ours in the app's language. It is told where to find its order and
//! what to load; the order says which command is to be run, in which folder, with which variables.
//! Where what is loaded could differ from what the app would load itself, it starts the command
//! anew in its own place, and nothing is lost but time. On a signal it ends the child and takes its
//! next order.

mod modules;

use std::collections::BTreeMap;

use super::plan::Plan;
use super::recipe::Recipe;

pub(super) use modules::worth_loading;

/// Where the process looks for its order, beside the source.
pub const ORDER: &str = ".previewd-order";

/// What the process calls itself once everything is loaded, and as long as it has a child.
pub const WAITING: &str = "previewd-warm";

/// The signal that has it end its child and take the next order; no program's own.
pub const AGAIN: u8 = 60;

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

/// The order itself: the folder, how many arguments, they, and `name=value` for every variable
/// besides those the process was made with; a NUL after each.
///
/// `None` when something of it holds a NUL, which no command may.
pub fn order(folder: &str, arguments: &[String], variables: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let count = arguments.len().to_string();
    let pairs: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let words = [folder, count.as_str()].into_iter();
    let words = words.chain(arguments.iter().chain(&pairs).map(String::as_str));
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
