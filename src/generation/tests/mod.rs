//! The whole way from files to plan, Dockerfile, context and tag.

/// A test that shows a plan and its Dockerfile.
macro_rules! snapshot {
    ($name:ident, $metadata:expr, $files:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), super::shown(&$metadata, &$files));
        }
    };
}

mod beside;
mod broken;
mod contexts;
mod dev_mode;
mod environments;
mod node_fixtures;
mod node_frameworks;
mod other_languages;
mod plans;
mod properties;
mod python_frameworks;
mod python_packages;
mod python_programs;
mod refusals;
mod reloads;
mod workspaces;

use super::testing::tree;
use super::{BaseImages, Dialect, Plan, PlanError, dockerfile, plan};
use crate::domain::{FileSet, Metadata};

fn planned(metadata: &Metadata, files: &FileSet) -> Plan {
    plan(metadata, files, &BaseImages::default()).expect("a plan")
}

fn refused(metadata: &Metadata, files: &FileSet) -> PlanError {
    plan(metadata, files, &BaseImages::default()).expect_err("planned")
}

fn metadata(change: impl FnOnce(&mut Metadata)) -> Metadata {
    let mut metadata = Metadata::default();
    change(&mut metadata);
    metadata.validate().expect("valid metadata");
    metadata
}

/// The Dockerfile and the explained plan.
fn shown(metadata: &Metadata, files: &[(&str, &str)]) -> String {
    let plan = planned(metadata, &tree(files));
    let json = serde_json::to_string_pretty(&plan).expect("JSON");
    format!("{}\n----\n{json}\n", dockerfile(&plan, Dialect::BuildKit))
}

/// The start command, the port, and what became of the files, in short.
fn brief(metadata: &Metadata, files: &[(&str, &str)]) -> (String, String, u16) {
    let plan = planned(metadata, &tree(files));
    (plan.framework, plan.start.unwrap_or_default().join(" "), plan.port)
}

/// A small FastAPI app.
const FASTAPI: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return {'ok': True}\n";
const EXPRESS: &str = "const express = require('express');\nconst app = express();\nconst port = process.env.PORT || 3000;\napp.listen(port, () => console.log(port));\n";
