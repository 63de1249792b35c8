//! One app of each framework of Node that is not shown elsewhere: its plan and its Dockerfile.

use super::metadata;
use crate::domain::{Metadata, Mode};

const fn package(text: &'static str) -> (&'static str, &'static str) {
    ("package.json", text)
}

snapshot!(
    nuxt,
    Metadata::default(),
    [
        package(r#"{"scripts":{"build":"nuxt build"},"dependencies":{"nuxt":"^3.14"}}"#),
        ("server/api/tides.get.ts", "export default () => []\n")
    ]
);

snapshot!(
    react_router,
    Metadata::default(),
    [package(
        r#"{"scripts":{"build":"react-router build","start":"react-router-serve ./build/server/index.js"},"dependencies":{"@react-router/node":"7","@react-router/serve":"7"},"devDependencies":{"@react-router/dev":"7"}}"#
    )]
);

snapshot!(
    remix,
    Metadata::default(),
    [
        package(
            r#"{"scripts":{"build":"remix vite:build","start":"remix-serve ./build/server/index.js"},"dependencies":{"@remix-run/react":"2","@remix-run/serve":"2"},"devDependencies":{"@remix-run/dev":"2","vite":"5"}}"#
        ),
        (
            "vite.config.ts",
            "import { vitePlugin as remix } from '@remix-run/dev';\nexport default { plugins: [remix()] }\n"
        )
    ]
);

snapshot!(
    sveltekit,
    Metadata::default(),
    [package(
        r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"6"}}"#
    )]
);

snapshot!(
    astro,
    Metadata::default(),
    [
        package(r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"^5"}}"#),
        ("src/pages/index.astro", "<h1>hi</h1>\n")
    ]
);

snapshot!(
    create_react_app,
    Metadata::default(),
    [package(
        r#"{"scripts":{"build":"react-scripts build"},"dependencies":{"react":"18","react-scripts":"5"}}"#
    )]
);

snapshot!(
    angular,
    Metadata::default(),
    [
        package(
            r#"{"scripts":{"build":"ng build"},"dependencies":{"@angular/core":"^19"},"devDependencies":{"@angular/cli":"^19"}}"#
        ),
        (
            "angular.json",
            r#"{"projects":{"shop":{"architect":{"build":{"options":{"outputPath":"dist/shop"}}}}}}"#
        )
    ]
);

snapshot!(
    fastify,
    Metadata::default(),
    [
        package(r#"{"scripts":{"start":"node app.js"},"dependencies":{"fastify":"5"}}"#),
        ("app.js", "require('fastify')().listen({ port: process.env.PORT || 3000, host: '0.0.0.0' })\n")
    ]
);

snapshot!(
    koa,
    Metadata::default(),
    [
        package(r#"{"main":"app.js","dependencies":{"koa":"2"}}"#),
        ("app.js", "const Koa = require('koa');\nnew Koa().listen(3000)\n")
    ]
);

snapshot!(
    hono_in_development,
    metadata(|m| m.mode = Some(Mode::Dev)),
    [
        package(
            r#"{"type":"module","scripts":{"dev":"tsx watch src/index.ts"},"dependencies":{"hono":"4","@hono/node-server":"1"},"devDependencies":{"tsx":"4"}}"#
        ),
        (
            "src/index.ts",
            "import { serve } from '@hono/node-server'\nserve({ fetch: app.fetch, port: 3000 })\n"
        )
    ]
);
