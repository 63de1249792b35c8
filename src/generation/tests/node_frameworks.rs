//! Each framework on Node: how it is built, served and started.

use super::{brief, metadata, planned, shown, tree};
use crate::domain::Metadata;
use crate::generation::Recipe;

fn package(text: &'static str) -> (&'static str, &'static str) {
    ("package.json", text)
}

snapshot!(
    next,
    Metadata::default(),
    [
        package(
            "{\n  \"scripts\": {\"dev\": \"next dev\", \"build\": \"next build\", \"start\": \"next start\"},\n  \"dependencies\": {\n    \"next\": \"15.1.0\", \"react\": \"19.0.0\", \"react-dom\": \"19.0.0\"\n  }\n}"
        ),
        (
            "app/page.tsx",
            "export default function Page() { return <p>{process.env.NEXT_PUBLIC_TITLE}</p> }\n"
        ),
        ("app/api/health/route.ts", "export const GET = () => Response.json({ ok: true })\n"),
        (".env", "NEXT_PUBLIC_TITLE=Tide\nSECRET_KEY=hidden\n"),
    ]
);
snapshot!(
    next_exported,
    Metadata::default(),
    [
        package(r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15.1.0"}}"#),
        ("next.config.mjs", "export default { output: 'export' }\n"),
    ]
);
snapshot!(
    vite_react,
    Metadata::default(),
    [
        package(
            r#"{"scripts":{"dev":"vite","build":"tsc -b && vite build"},"dependencies":{"react":"^18"},"devDependencies":{"vite":"^5","typescript":"^5"}}"#
        ),
        ("index.html", "<div id=root></div><script type=module src=/src/main.tsx></script>"),
        ("src/main.tsx", "console.log(import.meta.env.VITE_TITLE)\n"),
        ("vite.config.ts", "export default { build: { outDir: 'public/built' } }\n"),
    ]
);
snapshot!(
    nestjs,
    Metadata::default(),
    [
        package(
            r#"{"scripts":{"build":"nest build","start":"nest start","start:prod":"node dist/main"},"dependencies":{"@nestjs/core":"^10","@nestjs/platform-express":"^10"},"devDependencies":{"@nestjs/cli":"^10"}}"#
        ),
        (
            "src/main.ts",
            "import { NestFactory } from '@nestjs/core';\nasync function go() {\n  const app = await NestFactory.create(Module);\n  await app.listen(process.env.PORT ?? 3000);\n}\ngo();\n"
        ),
    ]
);
snapshot!(
    prisma_in_a_server,
    Metadata::default(),
    [
        package(
            r#"{"scripts":{"start":"node index.js","seed":"node seed.js"},"dependencies":{"express":"4","@prisma/client":"5","ioredis":"5"},"devDependencies":{"prisma":"5"}}"#
        ),
        ("index.js", "require('express')().listen(process.env.PORT)\n"),
        (
            "prisma/schema.prisma",
            "generator client {\n  provider = \"prisma-client-js\"\n}\ndatasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n"
        ),
        ("prisma/migrations/1/migration.sql", "CREATE TABLE a (b int);"),
    ]
);
snapshot!(
    turbo_with_pnpm,
    Metadata::default(),
    [
        package(r#"{"packageManager":"pnpm@9.1.0","devDependencies":{"turbo":"2"}}"#),
        ("turbo.json", "{}"),
        ("pnpm-workspace.yaml", "packages:\n  - apps/*\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\nturbo: 2\n"),
        (
            "apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#
        ),
        ("apps/docs/package.json", r#"{"name":"docs","dependencies":{"next":"15"}}"#),
        ("packages/ui/package.json", r#"{"name":"ui"}"#),
    ]
);

snapshot!(
    workspace_whose_package_is_built_first,
    Metadata::default(),
    [
        package(r#"{"workspaces":["api","lib"],"private":true}"#),
        (
            "api/package.json",
            r#"{"name":"api","scripts":{"build":"tsc","start":"node dist/index.js"},"dependencies":{"express":"4","@w/lib":"*"}}"#
        ),
        ("api/src/index.ts", "import '@w/lib';\n"),
        ("lib/package.json", r#"{"name":"@w/lib","scripts":{"build":"tsc"},"dependencies":{"api":"*"}}"#),
    ]
);

#[test]
fn builders_from_before_get_what_they_lack() {
    let files = tree(&[package(
        r#"{"homepage":"https://a.example/calculator","scripts":{"build":"react-scripts build"},"devDependencies":{"react-scripts":"^3.0.1"}}"#,
    )]);
    let plan = planned(&Metadata::default(), &files);
    let Recipe::Site(site) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    let variables = &site.node.build_environment;
    assert_eq!(variables.get("NODE_OPTIONS").map(String::as_str), Some("--openssl-legacy-provider"));
    assert_eq!(variables.get("PUBLIC_URL").map(String::as_str), Some("/"));
}

#[test]
fn the_builder_that_serves_keeps_its_packages() {
    let files = tree(&[package(
        r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-auto":"3","vite":"6"}}"#,
    )]);
    let plan = planned(&Metadata::default(), &files);
    let Recipe::Node(node) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    assert!(!node.prune && node.dev_dependencies && node.builds(), "{node:?}");
}

/// Framework, command and port of a package.json with one more file.
fn of(text: &'static str, file: (&str, &str)) -> (String, String, u16) {
    brief(&Metadata::default(), &[package(text), file])
}

fn expected(framework: &str, start: &str, port: u16) -> (String, String, u16) {
    (framework.to_owned(), start.to_owned(), port)
}

const NGINX: &str = "nginx -e stderr -c /etc/previewd/nginx.conf";

#[test]
fn servers_that_frameworks_make_are_started_on_every_address() {
    let none = ("x", "");
    for (text, file, framework, start) in [
        (r#"{"dependencies":{"nuxt":"3"}}"#, none, "nuxt", "node .output/server/index.mjs"),
        (
            r#"{"dependencies":{"@react-router/node":"7","@react-router/serve":"7"},"devDependencies":{"@react-router/dev":"7","vite":"6"}}"#,
            none,
            "react-router",
            "react-router-serve ./build/server/index.js",
        ),
        (
            r#"{"dependencies":{"@remix-run/react":"2","@remix-run/serve":"2"}}"#,
            ("vite.config.ts", ""),
            "remix",
            "remix-serve ./build/server/index.js",
        ),
        (
            r#"{"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"6"}}"#,
            none,
            "sveltekit",
            "node build",
        ),
        (
            r#"{"dependencies":{"astro":"5","@astrojs/node":"9"}}"#,
            ("astro.config.mjs", "export default defineConfig({ output: 'server', adapter: node() })"),
            "astro",
            "node ./dist/server/entry.mjs",
        ),
        (
            r#"{"dependencies":{"@angular/core":"19"}}"#,
            (
                "angular.json",
                r#"{"projects":{"shop":{"architect":{"build":{"options":{"outputPath":"dist/shop","ssr":{"entry":"s.ts"}}}}}}}"#,
            ),
            "angular",
            "node dist/shop/server/server.mjs",
        ),
    ] {
        let (name, argv, _) = of(text, file);
        assert_eq!((name.as_str(), argv.as_str()), (framework, start), "{text}");
    }
    let kit =
        of(r#"{"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-auto":"5","vite":"6"}}"#, none);
    assert!(kit.1.contains("import { preview } from 'vite'"), "{kit:?}");
}

#[test]
fn pages_that_builders_make_are_served_by_nginx() {
    let none = ("x", "");
    for (text, file, framework, folder, single) in [
        (r#"{"dependencies":{"react-scripts":"5"}}"#, none, "create-react-app", "build", true),
        (r#"{"devDependencies":{"vite":"5"}}"#, none, "vite", "dist", true),
        (
            r#"{"devDependencies":{"vite":"6"}}"#,
            (
                "vite.config.ts",
                "{ root: path.resolve(import.meta.dirname, \"client\"), build: { outDir: path.resolve(__dirname, 'dist/public') } }",
            ),
            "vite",
            "dist/public",
            true,
        ),
        (r#"{"dependencies":{"astro":"5"}}"#, none, "astro", "dist", false),
        (r#"{"dependencies":{"gatsby":"5"}}"#, none, "gatsby", "public", false),
        (r#"{"devDependencies":{"@vue/cli-service":"5"}}"#, none, "vue-cli", "dist", true),
        (
            r#"{"dependencies":{"@angular/core":"19"}}"#,
            (
                "angular.json",
                r#"{"projects":{"shop":{"architect":{"build":{"options":{"outputPath":"dist/shop"}}}}}}"#,
            ),
            "angular",
            "dist/shop/browser",
            true,
        ),
        (
            r#"{"devDependencies":{"@react-router/dev":"7","vite":"6"}}"#,
            ("react-router.config.ts", "export default { ssr: false }"),
            "react-router",
            "build/client",
            true,
        ),
        (
            r#"{"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-static":"3"}}"#,
            none,
            "sveltekit",
            "build",
            true,
        ),
        (
            r#"{"scripts":{"build":"nuxt generate"},"dependencies":{"nuxt":"3"}}"#,
            none,
            "nuxt",
            ".output/public",
            false,
        ),
    ] {
        assert_eq!(of(text, file), expected(framework, NGINX, 8080), "{text}");
        let plan = planned(&Metadata::default(), &tree(&[package(text), file]));
        let Recipe::Site(site) = plan.recipe else { panic!("{text}: {:?}", plan.recipe) };
        assert_eq!((site.pages.folders[0].as_str(), site.pages.single_page), (folder, single), "{text}");
        assert!(site.node.builds(), "{text}");
    }
}

#[test]
fn servers_of_the_apps_own_are_started_as_they_are() {
    let fastify = r#"{"main":"dist/server.js","scripts":{"build":"tsc"},"dependencies":{"fastify":"4"}}"#;
    let source = ("src/server.ts", "app.listen({ port: 3040, host: '0.0.0.0' })");
    assert_eq!(of(fastify, source), expected("fastify", "node dist/server.js", 3040));
    let koa = r#"{"scripts":{"start":"node app.js"},"dependencies":{"koa":"2"}}"#;
    assert_eq!(of(koa, ("app.js", "new Koa().listen(3999)")), expected("koa", "node app.js", 3999));
    let hono = r#"{"dependencies":{"hono":"4","@hono/node-server":"1"}}"#;
    let serve = ("src/index.ts", "serve({ fetch: app.fetch, port: 8787 })");
    assert_eq!(of(hono, serve), expected("hono", "tsx src/index.ts", 8787));
    let worker = r#"{"scripts":{"dev":"wrangler dev src/index.ts"},"dependencies":{"hono":"4"},"devDependencies":{"wrangler":"3"}}"#;
    let exported = ("src/index.ts", "const app = new Hono()\nexport default app\n");
    let command = "wrangler dev src/index.ts --ip 0.0.0.0 --port 3000";
    assert_eq!(of(worker, exported), expected("hono", command, 3000));
    assert_eq!(of(worker, serve), expected("hono", "tsx src/index.ts", 8787));
    let custom = r#"{"scripts":{"build":"next build","start":"node server.js"},"dependencies":{"next":"15","express":"4"}}"#;
    assert_eq!(of(custom, ("server.js", "app.listen(4100)")), expected("next", "node server.js", 4100));
    let both = r#"{"scripts":{"dev":"tsx server/index.ts","build":"vite build && esbuild server/index.ts --outdir=dist","start":"NODE_ENV=production node dist/index.js"},"dependencies":{"express":"4"},"devDependencies":{"vite":"5","tsx":"4"}}"#;
    let plan = of(both, ("server/index.ts", "app.listen(5000)"));
    assert_eq!((plan.0.as_str(), plan.2), ("express", 5000), "{plan:?}");
    let bun = r#"{"scripts":{"start":"bun run index.ts"},"dependencies":{"elysia":"1"}}"#;
    let plan = planned(&Metadata::default(), &tree(&[package(bun), ("index.ts", "app.listen(3000)")]));
    let Recipe::Node(node) = plan.recipe else { panic!("{:?}", plan.recipe) };
    assert_eq!(node.packages, ["bun"]);
}

#[test]
fn a_port_in_the_code_of_what_a_framework_compiles_is_the_one() {
    let nest = r#"{"scripts":{"build":"nest build","start:prod":"node dist/main"},"dependencies":{"@nestjs/core":"10"}}"#;
    for (listens, port) in [
        ("app.listen(3001)", 3001),
        ("app.listen(configService.get('APP_PORT') || 5000)", 5000),
        ("app.listen(configService.get<number>('PORT', 4000))", 4000),
        ("app.listen(process.env.PORT)", 3000),
    ] {
        let main = ("src/main.ts", listens);
        let other = ("a.js", "server.listen(1)");
        let files = [package(nest), main, other];
        assert_eq!(brief(&Metadata::default(), &files).2, port, "{listens}");
    }
}

/// By variables where it, or its command line, asks for them, and else by Node itself.
#[test]
fn servers_on_the_loopback_address_are_told_to_listen_on_every_one() {
    let of = |text: &'static str, listens: &str| {
        planned(&Metadata::default(), &tree(&[package(text), ("app.js", listens)]))
    };
    let fastify = r#"{"scripts":{"start":"node app.js"},"dependencies":{"fastify":"4"}}"#;
    let express = r#"{"scripts":{"start":"node app.js"},"dependencies":{"express":"4"}}"#;
    for plan in [
        of(fastify, "const app = Fastify();\napp.listen({ port: 3040 });\n"),
        of(express, "const app = express();\napp.listen(3040, '127.0.0.1', () => {});\n"),
    ] {
        assert_eq!(plan.bind, "every address, by NODE_OPTIONS");
        let options = &plan.environment["NODE_OPTIONS"];
        assert!(options.starts_with("--import=data:text/javascript,import%20net") && !options.contains(' '));
        let said = plan.decisions.iter().find(|decision| decision.what == "address").expect("a reason");
        assert_eq!((said.file.as_deref(), said.line), (Some("app.js"), Some(2)));
    }
    let asks = of(fastify, "app.listen({ port: 3040, host: process.env.HOST || 'localhost' });\n");
    assert!(asks.warnings.is_empty() && asks.bind.starts_with("every"), "{:?}", asks.warnings);
    assert_eq!(asks.environment.get("HOST").map(String::as_str), Some("0.0.0.0"));
    for plan in [asks, of(express, "app.listen(3040);\n")] {
        assert!(!plan.environment.contains_key("NODE_OPTIONS"), "{:?}", plan.environment);
    }
}

#[test]
fn a_start_script_that_names_no_file_is_passed_over() {
    let text = "{\n\"scripts\":{\n\"start\":\"node index.js\"},\"dependencies\":{\"express\":\"4\"}}";
    let files = [package(text), ("src/server.js", "import e from 'express'; listen(3000)\n")];
    let plan = planned(&Metadata::default(), &tree(&files));
    let start = plan.start.unwrap_or_default();
    assert_eq!(start.last().map(String::as_str), Some("src/server.js"), "{start:?}");
    let said = plan.warnings.iter().find(|warning| warning.message.starts_with("runs index.js"));
    assert_eq!(said.and_then(|warning| warning.line), Some(3), "{:?}", plan.warnings);
    let built = r#"{"scripts":{"build":"x","start":"node index.js"},"dependencies":{"express":"4"}}"#;
    assert_eq!(of(built, files[1]).1, "node index.js", "the build may make it");
}

#[test]
fn the_page_a_builder_starts_from_is_no_site_of_its_own() {
    for (text, page) in [
        (r#"{"devDependencies":{"vite":"5"}}"#, "index.html"),
        (r#"{"dependencies":{"react-scripts":"5"}}"#, "public/index.html"),
    ] {
        let plan = planned(&Metadata::default(), &tree(&[package(text), (page, "<p>")]));
        assert!(plan.warnings.is_empty(), "{text}: {:?}", plan.warnings);
    }
}

#[test]
fn programs_for_bun_are_run_by_it() {
    let hono = r#"{"scripts":{"dev":"bun run --hot src/index.ts"},"dependencies":{"hono":"4"}}"#;
    let exported =
        "import { Database } from 'bun:sqlite';\nexport default { port: 4000, fetch: app.fetch };\n";
    assert_eq!(of(hono, ("src/index.ts", exported)), expected("hono", "bun src/index.ts", 4000));
    assert_eq!(
        of(hono, ("src/index.ts", "export default app;\n")),
        expected("hono", "bun src/index.ts", 3000)
    );
    let alone = r#"{"module":"index.ts","devDependencies":{"@types/bun":"latest"}}"#;
    let serves = ("index.ts", "Bun.serve({ port: 3100, fetch: () => new Response('x') });\n");
    assert_eq!(of(alone, serves), expected("node", "bun index.ts", 3100));
    let plan = planned(&Metadata::default(), &tree(&[package(alone), serves]));
    let Recipe::Node(node) = plan.recipe else { panic!("{:?}", plan.recipe) };
    assert_eq!(node.packages, ["bun"]);
    let node = r#"{"dependencies":{"hono":"4","@hono/node-server":"1"}}"#;
    let serve = ("src/index.ts", "serve({ fetch: app.fetch, port: 8787 })\nexport default app\n");
    assert_eq!(of(node, serve).1, "tsx src/index.ts");
}

/// The compiler leaves what it compiled in spite of them.
#[test]
fn type_errors_do_not_stop_a_server() {
    let otherwise = |text: &'static str| {
        let plan = planned(&Metadata::default(), &tree(&[package(text), ("src/server.ts", "listen(1)")]));
        let Recipe::Node(node) = plan.recipe else { panic!("{:?}", plan.recipe) };
        node.build_otherwise.join(" ")
    };
    let express = r#"{"scripts":{"build":"tsc -p .","start":"node --enable-source-maps ./dist/server"},"dependencies":{"express":"4"}}"#;
    assert_eq!(otherwise(express), "test -e dist/server.js");
    let nest = r#"{"dependencies":{"@nestjs/core":"10"}}"#;
    assert_eq!(otherwise(nest), "test -e dist/main.js");
    let script = r#"{"scripts":{"build":"rimraf dist && tsc","start":"NODE_ENV=production node dist/server.js"},"dependencies":{"express":"4"}}"#;
    assert_eq!(otherwise(script), "test -e dist/server.js");
    let bundled = r#"{"scripts":{"build":"esbuild src/server.ts","start":"node dist/server.js"},"dependencies":{"express":"4"}}"#;
    assert_eq!(otherwise(bundled), "", "another builder leaves nothing");
}

#[test]
fn the_metadata_may_name_the_framework_and_must_be_right() {
    let files = [
        package(r#"{"dependencies":{"astro":"5","express":"4"},"scripts":{"start":"node s.js"}}"#),
        ("s.js", "listen(1)"),
    ];
    let named = |name: &str| brief(&metadata(|m| m.framework = Some(name.into())), &files).0;
    assert_eq!(named("express"), "express");
    assert_eq!(named("astro"), "astro");
    let error = super::refused(&metadata(|m| m.framework = Some("next.js".into())), &tree(&files));
    assert_eq!(error.field(), "metadata.framework");
}

#[test]
fn what_builders_put_into_pages_is_there_when_they_build_and_nothing_else_is() {
    let with = metadata(|m| {
        m.environment.insert("VITE_API".into(), "https://x".into());
        m.environment.insert("TOKEN".into(), "secret-one".into());
    });
    let text = shown(
        &with,
        &[package(r#"{"devDependencies":{"vite":"5"}}"#), (".env", "VITE_B=1\nKEY=secret-two\n")],
    );
    assert!(text.contains("VITE_API=\"https://x\"") && text.contains("VITE_B=\"1\""), "{text}");
    assert!(!text.contains("secret-"), "{text}");
}

/// Published below a path elsewhere: files are found there and at the top; a server's own pages are
/// there alone, which is said.
#[test]
fn pages_below_a_path() {
    let base = |package: &str, file: &str, config: &str| {
        let plan = planned(&Metadata::default(), &tree(&[("package.json", package), (file, config)]));
        let said = plan.warnings.iter().any(|warning| warning.message.contains("lie below /notes/"));
        match plan.recipe {
            Recipe::Site(site) => (site.pages.base, said),
            _ => (String::new(), said),
        }
    };
    let (next, kit) = (
        r#"{"dependencies":{"next":"15"}}"#,
        r#"{"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-static":"3"}}"#,
    );
    let vite = r#"{"devDependencies":{"vite":"5"}}"#;
    let here = ("/notes".to_owned(), false);
    let exported = "export default { output: 'export', basePath: isProd ? '/notes' : '' }";
    assert_eq!(base(next, "next.config.mjs", exported), here);
    assert_eq!(
        base(
            kit,
            "svelte.config.js",
            "kit: { paths: { base: process.argv.includes('dev') ? '' : '/notes' } }"
        ),
        here
    );
    assert_eq!(base(vite, "vite.config.ts", "base: mode === 'production' ? \"/notes/\" : \"/\","), here);
    let nowhere = (String::new(), false);
    for none in [
        "base: '/', server: { proxy: { '/api': 'http://localhost:8000' } }",
        "base: process.env.GITHUB_ACTIONS ? '/notes/' : '/',",
        "base: command === 'serve' ? '/notes/' : '/'",
        "resolve: { alias: { '@base': '/notes' } }",
        "base: `/${name}/`",
    ] {
        assert_eq!(base(vite, "vite.config.ts", none), nowhere, "{none}");
    }
    assert_eq!(base(vite, "vite.config.ts", "base: command !== 'serve' ? '/notes/' : '/'"), here);
    assert_eq!(base(vite, "vite.config.ts", "database: '/notes', base: './'"), (String::new(), false));
    assert_eq!(base(next, "next.config.mjs", "export default { basePath: '/notes' }"), (String::new(), true));
}

/// Neon's package speaks to Neon alone.
#[test]
fn pg_stands_in_for_neons_package() {
    let package = r#"{"scripts":{"start":"node a.js"},"dependencies":{"express":"4","@neondatabase/serverless":"0.10"}}"#;
    let node = |package: &str, source: &str| {
        let plan = planned(&Metadata::default(), &tree(&[("package.json", package), ("a.js", source)]));
        let Recipe::Node(recipe) = &plan.recipe else { panic!("{:?}", plan.recipe) };
        (super::dockerfile(&plan, super::Dialect::Classic), recipe.clone())
    };
    let (text, recipe) = node(package, "listen(5000)");
    assert_eq!((recipe.packages, recipe.support.len()), (vec!["pg@8".to_owned()], 1));
    assert!(!recipe.dev_dependencies, "nothing of development puts it there");
    let (copy, run) = (text.find("COPY support/ /opt/previewd/"), text.find("node /opt/previewd/neon.cjs ."));
    assert!(copy.is_some() && copy < run, "{text}");
    let listed = package.replace("\"express\"", "\"pg\":\"8\",\"express\"");
    let (_, recipe) = node(&listed, "listen(5000)");
    assert!(recipe.packages.is_empty() && recipe.support.len() == 1, "{recipe:?}");
    let (_, recipe) = node(package, "export const runtime = \"edge\"; listen(5000)");
    assert!(recipe.support.is_empty(), "there is no Node: {recipe:?}");
    let (_, recipe) = node(package, "neonConfig.wsProxy = (host) => host; listen(5000)");
    assert!(recipe.packages.is_empty() && recipe.support.is_empty(), "it sees to it itself: {recipe:?}");
}
