//! Which packages are loaded ahead by Node.
//!
//! As with Python, only those of which it is known that loading them does nothing but load. All
//! that package.json names of them are, as most files are not read for what they import.

use std::collections::BTreeSet;

use super::ORDER;
use crate::domain::Mode;
use crate::generation::environment::shared;
use crate::generation::frameworks::Outline;
use crate::generation::project::Project;
use crate::generation::recipe::NodeRecipe;

/// What may be loaded ahead, by the name it is loaded by.
const HARMLESS: [&str; 66] = [
    "@fastify/cors",
    "@fastify/static",
    "@hapi/hapi",
    "@hono/node-server",
    "@koa/cors",
    "@koa/router",
    "@supabase/supabase-js",
    "ajv",
    "axios",
    "bcrypt",
    "bcryptjs",
    "body-parser",
    "compression",
    "connect-redis",
    "cookie-parser",
    "cookie-session",
    "cors",
    "date-fns",
    "dayjs",
    "dotenv",
    "drizzle-orm",
    "ejs",
    "express",
    "express-handlebars",
    "express-rate-limit",
    "express-session",
    "express-validator",
    "fastify",
    "form-data",
    "handlebars",
    "helmet",
    "hono",
    "http-errors",
    "ioredis",
    "joi",
    "jsonwebtoken",
    "knex",
    "koa",
    "koa-bodyparser",
    "koa-router",
    "lodash",
    "luxon",
    "marked",
    "mime-types",
    "moment",
    "mongodb",
    "mongoose",
    "morgan",
    "multer",
    "mysql2",
    "mysql2/promise",
    "nanoid",
    "nunjucks",
    "openai",
    "passport",
    "passport-jwt",
    "passport-local",
    "pg",
    "pug",
    "redis",
    "sequelize",
    "socket.io",
    "uuid",
    "ws",
    "yup",
    "zod",
];

/// Packages that change what other packages, or all that is loaded, do.
const MEDDLING: [&str; 14] = [
    "@babel/register",
    "@sentry/node",
    "@sentry/profiling-node",
    "appmetrics",
    "dd-trace",
    "elastic-apm-node",
    "esm",
    "express-async-errors",
    "import-in-the-middle",
    "module-alias",
    "newrelic",
    "require-in-the-middle",
    "source-map-support",
    "tsconfig-paths",
];

/// Flags of Node that a process may have which waits.
const FLAGS: [&str; 1] = ["--experimental-detect-module"];

/// What Node itself, libraries in C++ and the package `debug` look for among all variables.
const READ_EARLY: [&str; 12] =
    ["DEBUG", "ICU_", "LANG", "LC_", "LD_", "MALLOC_", "NODE_", "NO_COLOR", "OPENSSL_", "SSL_", "TZ", "UV_"];

/// How each is loaded and its name, `require:express`, in the order they are to be loaded in; none
/// where a fresh start is as good.
pub fn worth_loading(project: &Project<'_>, outline: &Outline, recipe: &NodeRecipe) -> Vec<String> {
    let starts = outline.start.as_deref().is_some_and(|start| flags(start).is_some());
    let is_shared = recipe.install && shared(&outline.recipe).is_ok();
    if project.mode() != Mode::Run || !starts || !is_shared || project.text(ORDER).is_some() {
        return Vec::new();
    }
    let listed: BTreeSet<&str> = match project.package() {
        Some(package) => package.dependencies.keys().map(String::as_str).collect(),
        None => recipe.packages.iter().map(|package| name_of(package)).collect(),
    };
    let meddles = |name: &&str| MEDDLING.contains(name) || name.starts_with("@opentelemetry/");
    if listed.iter().any(meddles) {
        return Vec::new();
    }
    let way = if is_module(project, outline) { "import" } else { "require" };
    let found = HARMLESS.iter().filter(|name| listed.contains(package_of(name)));
    found.map(|name| format!("{way}:{name}")).collect()
}

/// The flags of a start command that is Node with a file of the app's.
pub fn flags(start: &[String]) -> Option<&[String]> {
    let (_, words) = start.split_first().filter(|(program, _)| *program == "node")?;
    let (_, flags) = words.split_last().filter(|(file, _)| !file.starts_with('-'))?;
    flags.iter().all(|flag| FLAGS.contains(&flag.as_str())).then_some(flags)
}

/// Whether a variable matters before the app is there.
pub fn reads_early(name: &str) -> bool {
    READ_EARLY.iter().any(|start| name.to_uppercase().starts_with(start))
}

/// The app's own files are modules, and so load what they need in that way.
fn is_module(project: &Project<'_>, outline: &Outline) -> bool {
    let file = outline.start.as_deref().and_then(<[String]>::last).map(String::as_str).unwrap_or_default();
    match file.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "mjs" => true,
        "cjs" => false,
        _ => {
            project.package().is_some_and(|package| package.is_module)
                || outline.start.iter().flatten().any(|word| word == FLAGS[0])
        }
    }
}

/// `mysql2/promise` is of `mysql2`, `@koa/router` is itself.
fn package_of(name: &str) -> &str {
    let scope = name.find('/').filter(|_| name.starts_with('@')).map_or(0, |at| at + 1);
    name[scope..].find('/').map_or(name, |at| &name[..scope + at])
}

/// `express@^4` is `express`.
fn name_of(package: &str) -> &str {
    package.get(1..).and_then(|rest| rest.find('@')).map_or(package, |at| &package[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_start_is_node_with_a_file() {
        assert_eq!(flags(&words("node server.js")), Some([].as_slice()));
        let with_flag = words("node --experimental-detect-module server.js");
        assert_eq!(flags(&with_flag), Some([FLAGS[0].to_owned()].as_slice()));
        for other in
            ["npm run start", "tsx server.ts", "node --inspect server.js", "node server.js --color", "node"]
        {
            assert_eq!(flags(&words(other)), None, "{other}");
        }
    }

    #[test]
    fn names_are_told_from_what_follows_them() {
        assert_eq!(package_of("mysql2/promise"), "mysql2");
        assert_eq!(package_of("@koa/router"), "@koa/router");
        assert_eq!(package_of("@koa/router/sub"), "@koa/router");
        assert_eq!(name_of("express@^4"), "express");
        assert_eq!(name_of("@koa/router@12"), "@koa/router");
        assert_eq!(name_of("@koa/router"), "@koa/router");
        assert!(reads_early("NODE_ENV") && reads_early("debug_colors") && !reads_early("DATABASE_URL"));
    }
}
