//! The whole way from files to plan, Dockerfile, context and tag.

mod contexts;
mod plans;
mod properties;
mod refusals;

use super::testing::tree;
use super::{BaseImages, Plan, PlanError, plan};
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

/// A small FastAPI app.
const FASTAPI: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return {'ok': True}\n";
const EXPRESS: &str = "const express = require('express');\nconst app = express();\nconst port = process.env.PORT || 3000;\napp.listen(port, () => console.log(port));\n";
