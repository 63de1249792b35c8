//! What works much as Express does: Koa, Fastify, Hono.

use super::{bodies, lines};

#[test]
fn koa_routers() {
    let files = [(
        "app.js",
        "const Koa = require('koa');\nconst Router = require('@koa/router');\nconst mount = require('koa-mount');\n\
             const app = new Koa();\nconst router = new Router({ prefix: '/api' });\nconst inner = new Router();\n\
             inner.get('one', '/one/:id', async (ctx) => {});\nrouter.use('/inner', inner.routes(), inner.allowedMethods());\n\
             router.del('/x', async (ctx) => {});\napp.use(router.routes()).use(router.allowedMethods());\n\
             const admin = new Koa();\nadmin.use(new Router().get('/a', h).routes());\napp.use(mount('/admin', admin));\n",
    )];
    assert_eq!(lines(&files), ["GET /admin/a", "GET /api/inner/one/{id}", "DELETE /api/x"]);
}

#[test]
fn fastify_plugins_and_schemas() {
    let files = [
        (
            "server.js",
            "import Fastify from 'fastify';\nimport items from './items.js';\nconst fastify = Fastify({ logger: true });\n\
             fastify.get('/', async () => 'hi');\nawait fastify.register(items, { prefix: '/items' });\n\
             fastify.register(import('./users.js'), { prefix: '/users' });\n\
             fastify.route({ method: ['GET', 'PUT'], url: '/r/:id', handler() {} });\n",
        ),
        (
            "items.js",
            "export default async function (instance, opts) {\n  instance.get('/:id', { schema: { tags: ['items'], summary: 'One' } }, async () => 1);\n\
             \x20 instance.register(async (deeper) => { deeper.post('/x', h); }, { prefix: '/deep' });\n}\n",
        ),
        (
            "users.js",
            "import fp from 'fastify-plugin';\nconst plugin = async (app) => { app.delete('/:id', h); };\nexport default fp(plugin);\n",
        ),
    ];
    assert_eq!(
        lines(&files),
        [
            "GET /",
            "POST /items/deep/x",
            "GET /items/{id}",
            "GET /r/{id}",
            "PUT /r/{id}",
            "DELETE /users/{id}"
        ]
    );
}

#[test]
fn hono_apps_in_apps() {
    let files = [
        (
            "src/index.ts",
            "import { Hono } from 'hono';\nimport { books } from './books';\nconst app = new Hono().basePath('/api');\n\
             app.use('*', logger());\napp.get('/', (c) => c.text('hi')).post('/p', zValidator('json', s), (c) => c.body(null));\n\
             app.route('/books', books);\napp.on(['PUT', 'DELETE'], '/o/:id{[0-9]+}', (c) => c.body(null));\nexport default app;\n",
        ),
        (
            "src/books.ts",
            "import { Hono } from 'hono';\nexport const books = new Hono<{ Bindings: X }>();\nbooks.get('/:isbn', (c) => c.json({}));\n",
        ),
    ];
    assert_eq!(
        lines(&files),
        ["GET /api", "GET /api/books/{isbn}", "DELETE /api/o/{id}", "PUT /api/o/{id}", "POST /api/p"]
    );
}

#[test]
fn handlers_say_what_they_read_the_body_as() {
    let hono = "import { Hono } from 'hono';\nconst app = new Hono();\n\
                app.post('/books', async (c) => {\n  const book = await c.req.json<NewBook>();\n  return c.json(book);\n});\n\
                app.put('/books/:id', async (c) => c.json(await c.req.json()));\nexport default app;\n";
    assert_eq!(bodies(&[("src/index.ts", hono)]), ["POST /books NewBook"]);
    let package = r#"{"dependencies": {"next": "15.0.0"}}"#;
    let route = "export async function POST(request: Request) {\n  const item: NewItem = await request.json();\n\
                 \x20 await sql<Item[]>`INSERT`;\n  return Response.json(item);\n}\n\
                 export async function GET() { return Response.json([]); }\n";
    let files = [("package.json", package), ("app/api/items/route.ts", route)];
    assert_eq!(bodies(&files), ["POST /api/items NewItem"]);
    assert_eq!(lines(&files), ["GET /api/items", "POST /api/items"]);
}
