//! What can be loaded before an app's source is there: a process that waits, with the modules of
//! the app's framework in it, and then is the app, or runs it in a child that has them too.
//!
//! The process is a program of ours in the app's language. It is told where to find its order and
//! what to load; the order says which command is to be run, in which folder, with which variables.
//! Where what is loaded could differ from what the app would load itself, the command is started
//! anew, and nothing is lost but time. On a signal, one with a child ends it and takes its next
//! order. So an app that can be a child is one from its first start on, also where nothing waited
//! for it: new code is started in it without its container.

mod node;
mod python;

use std::collections::BTreeMap;

use super::dockerfile::NODE_MODULES;
use super::frameworks::Outline;
use super::needs::DatabaseNeed;
use super::plan::Plan;
use super::project::Project;
use super::recipe::Recipe;

/// Where the process looks for its order, beside the source.
pub const ORDER: &str = ".previewd-order";

/// What the process calls itself once everything is loaded, as long as it is not the app itself.
pub const WAITING: &str = "previewd-warm";

/// The signal that has it end its child and take the next order: SIGSTKFLT, which nothing sends.
pub const AGAIN: u8 = 16;

const PYTHON: &str = concat!(include_str!("naps.py"), include_str!("wait.py"));
const NODE: &str = include_str!("wait.cjs");

/// What the process of such a plan is to load, as its program reads it; nothing where a fresh start
/// is as good.
pub(super) fn worth_loading(
    project: &Project<'_>,
    outline: &Outline,
    database: Option<&DatabaseNeed>,
) -> Vec<String> {
    match &outline.recipe {
        Recipe::Python(recipe) if recipe.installs() => python::worth_loading(project, outline, database),
        Recipe::Node(recipe) => node::worth_loading(project, outline, recipe),
        _ => Vec::new(),
    }
}

/// The command of a process that waits for the source of such a plan; nothing where the app is
/// started otherwise, or would gain nothing.
pub fn warm(plan: &Plan) -> Option<Vec<String>> {
    let words: Vec<String> = match &plan.recipe {
        _ if plan.preload.is_empty() => return None,
        Recipe::Python(_) => program_of_python(),
        Recipe::Node(_) => {
            let beside = format!("{NODE_MODULES}/previewd.js");
            let flags = node::flags(plan.start.as_deref()?)?.iter().map(String::as_str);
            let program = ["-e", NODE, &order_file(), &beside];
            ["node"].into_iter().chain(flags).chain(program).map(str::to_owned).collect()
        }
        _ => return None,
    };
    Some(words.into_iter().chain(plan.preload.iter().cloned()).collect())
}

/// The command of a process that runs the app of such a plan in a child at once, and again on the
/// signal; nothing where none can.
pub fn keeper(plan: &Plan) -> Option<Vec<String>> {
    let Recipe::Python(_) = &plan.recipe else { return None };
    let start = plan.start.as_ref().filter(|_| !plan.preload.is_empty())?;
    let loaded = python::loaded_at_start(&plan.preload).cloned();
    let order = ["--", &plan.working_dir].map(str::to_owned).into_iter().chain(start.iter().cloned());
    Some(program_of_python().into_iter().chain(loaded).chain(order).collect())
}

fn program_of_python() -> Vec<String> {
    ["/opt/venv/bin/python", "-c", PYTHON, &order_file()].map(str::to_owned).into()
}

fn order_file() -> String {
    format!("/app/{ORDER}")
}

/// Whether the process reads a variable before its order is there, so that it has to be made with
/// its value.
pub fn reads_early(plan: &Plan, variable: &str) -> bool {
    match &plan.recipe {
        Recipe::Node(_) => node::reads_early(variable),
        // Servers read one when they are loaded, the interpreter the other.
        _ => ["PORT", "PYTHONUNBUFFERED"].contains(&variable),
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
