//! Packages that code imports and its package.json forgot.

use std::collections::BTreeMap;

use super::imports::imports;
use super::install::package_of;
use super::package::{Package, owns};
use super::role::is_aside;
use crate::generation::plan::Place;
use crate::generation::project::{Project, folder_of, join, name_of};

/// Packages that others bring along where everybody finds them.
const BROUGHT: [(&str, &[&str]); 14] = [
    ("express", &["body-parser", "cookie", "qs", "debug"]),
    ("@nestjs/core", &["rxjs", "reflect-metadata", "express", "@nestjs/common"]),
    ("@nestjs/platform-express", &["express", "body-parser", "multer"]),
    ("mongoose", &["mongodb", "bson"]),
    ("next", &["react", "react-dom", "server-only", "client-only", "styled-jsx", "sharp"]),
    ("nuxt", &["vue", "vue-router", "h3", "ofetch", "ufo", "defu", "nitropack", "unhead", "vite", "consola"]),
    ("@sveltejs/kit", &["svelte", "vite"]),
    ("@angular/core", &["rxjs", "tslib", "zone.js"]),
    ("react-router-dom", &["react-router", "@remix-run/router"]),
    ("gatsby", &["@reach/router", "react", "react-dom"]),
    ("@docusaurus/core", &["@theme", "@site", "@generated", "@docusaurus", "react", "clsx"]),
    ("vitepress", &["vue", "vite"]),
    ("vite", &["rollup", "esbuild", "postcss"]),
    ("socket.io", &["engine.io", "socket.io-adapter", "ws"]),
];

/// Where a package that is not listed is imported first.
pub struct Missing {
    pub package: String,
    pub place: Option<Place>,
}

pub fn find(project: &Project<'_>, package: &Package, root: &Package, lock: Option<&str>) -> Vec<Missing> {
    let names = Names::of(project, package, root, lock);
    let mut found: BTreeMap<String, Missing> = BTreeMap::new();
    let own = project.node().iter().map(|file| file.path.as_str());
    for path in own.filter(|path| owns(project.packages(), package, path) && is_run(package, path)) {
        for import in imports(project.text(path).unwrap_or_default()) {
            let Some(name) = package_of(&import.module) else { continue };
            if names.answer(&name, &import.module) || found.contains_key(&name) {
                continue;
            }
            let place = Place::line(path, import.line);
            found.insert(name.clone(), Missing { package: name, place });
        }
    }
    found.into_values().collect()
}

/// Stories, scripts of developers and the like are not what is started.
fn is_run(package: &Package, path: &str) -> bool {
    let inside = path.strip_prefix(package.folder()).unwrap_or(path);
    let name = name_of(path);
    !is_aside(folder_of(inside)) && ![".stories.", ".cy.", "seed."].iter().any(|mark| name.contains(mark))
}

/// All that answers to the name of a package.
struct Names<'p> {
    project: &'p Project<'p>,
    folder: &'p str,
    listed: Vec<&'p str>,
    /// Settings in which an alias would stand.
    settings: Vec<&'p str>,
    lock: &'p str,
}

impl<'p> Names<'p> {
    fn of(project: &'p Project<'_>, package: &'p Package, root: &'p Package, lock: Option<&str>) -> Self {
        let of_workspace = project.packages().iter().filter_map(|other| other.name.as_deref());
        let keys = [package, root].into_iter().flat_map(|one| {
            one.dependencies.keys().chain(one.dev_dependencies.keys()).chain(&one.peers).map(String::as_str)
        });
        let tells = |path: &&str| {
            let name = name_of(path);
            let at = [package.folder(), root.folder()].contains(&folder_of(path));
            at && (name.contains("config") || name == "deno.json")
        };
        let settings = project.paths().filter(tells).take(50);
        Self {
            project,
            folder: package.folder(),
            listed: keys.chain(of_workspace).collect(),
            settings: settings.filter_map(|path| project.text(path)).collect(),
            lock: lock.and_then(|path| project.text(path)).unwrap_or_default(),
        }
    }

    fn answer(&self, name: &str, module: &str) -> bool {
        let scope = name.split('/').next().unwrap_or(name);
        let brings = |(by, brought): &(&str, &[&str])| {
            self.listed.contains(by) && (brought.contains(&name) || brought.contains(&scope))
        };
        self.listed.contains(&name)
            || self.listed.iter().any(|listed| listed.strip_prefix("@types/") == Some(name))
            || BROUGHT.iter().any(brings)
            || self.lock.contains(&format!("{name}\""))
            || self.lock.contains(&format!("{name}@"))
            || self.is_alias(scope, module)
            || self.is_of_the_tree(scope)
    }

    /// `"@components/*"` of tsconfig.json, an alias of a builder.
    fn is_alias(&self, scope: &str, module: &str) -> bool {
        let first = module.split('/').next().unwrap_or(scope);
        let keys = [
            format!("\"{first}\""),
            format!("\"{first}/"),
            format!("'{first}'"),
            format!("'{first}/"),
            format!("{first}:"),
        ];
        self.settings.iter().any(|text| keys.iter().any(|key| text.contains(key.as_str())))
    }

    /// A folder or file under the folder that names without a dot are looked for in (`baseUrl`).
    fn is_of_the_tree(&self, first: &str) -> bool {
        ["", "src", "app"].iter().any(|base| {
            let at = join(&join(self.folder, base), first);
            let at = at.trim_start_matches('/');
            self.project.has_folder(at)
                || [".ts", ".tsx", ".js", ".jsx"]
                    .iter()
                    .any(|end| self.project.contains(&format!("{at}{end}")))
        })
    }
}

/// Well known, so that a slip of whoever wrote the code names nothing else, and loading them does
/// not depend on their version much: these are installed where the installation follows no lock.
const WELL_KNOWN: [&str; 59] = [
    "@anthropic-ai/sdk",
    "@google/generative-ai",
    "@hono/node-server",
    "@supabase/supabase-js",
    "@tanstack/react-query",
    "axios",
    "bcrypt",
    "bcryptjs",
    "body-parser",
    "chalk",
    "chart.js",
    "class-variance-authority",
    "clsx",
    "compression",
    "cookie-parser",
    "cors",
    "date-fns",
    "dayjs",
    "dotenv",
    "ejs",
    "express",
    "express-rate-limit",
    "express-session",
    "express-validator",
    "framer-motion",
    "helmet",
    "ioredis",
    "joi",
    "jsonwebtoken",
    "knex",
    "lodash",
    "lucide-react",
    "mongodb",
    "mongoose",
    "morgan",
    "multer",
    "mysql2",
    "nanoid",
    "node-cron",
    "nodemailer",
    "openai",
    "pg",
    "react-hook-form",
    "react-hot-toast",
    "react-icons",
    "recharts",
    "redis",
    "sequelize",
    "socket.io",
    "socket.io-client",
    "sonner",
    "stripe",
    "tailwind-merge",
    "uuid",
    "winston",
    "ws",
    "yup",
    "zod",
    "zustand",
];

pub fn is_well_known(package: &str) -> bool {
    WELL_KNOWN.contains(&package)
}
