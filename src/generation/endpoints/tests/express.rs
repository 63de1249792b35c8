//! Express projects, in JavaScript and TypeScript.

use insta::assert_json_snapshot;

use super::{found, lines};

#[test]
fn routers_nested_across_files_by_require() {
    let files = [
        (
            "src/app.js",
            r#"
const express = require('express');
const cors = require('cors');
const usersRouter = require('./routes/users');
const { limiter } = require('./middleware');
const app = express();

app.set('view engine', 'pug');
app.get('env');
app.use(cors());
app.use(express.json());
app.use('/static', express.static('public'));

/**
 * Whether the app is up.
 * @tags Health
 */
app.get('/health', (req, res) => res.json({ ok: true }));

app.use('/api/users', limiter, usersRouter);
app.use('/api', require('./routes'));
app.all('*', (req, res) => res.status(404).end());
app.use((err, req, res, next) => {});
module.exports = app;
"#,
        ),
        (
            "src/routes/index.js",
            "const { Router } = require('express');\nconst router = Router();\nrouter.use('/books', require('./books'));\n\
             router\n  .route('/me')\n  .get(me)\n  .put(auth, me);\nmodule.exports = router;\n",
        ),
        (
            "src/routes/users.js",
            "const router = require('express').Router({ mergeParams: true });\nconst users = require('../controllers/users');\n\
             // @desc    All users\n// @route   GET /api/users\nrouter.get('/', users.list);\n\
             router.post('/:id(\\\\d+)/roles/:role?', users.grant);\nrouter.get(['/a', '/b'], users.list);\nmodule.exports = router;\n",
        ),
        (
            "src/routes/books.js",
            "import express from 'express';\nconst books = express.Router();\nbooks.delete('/:isbn', async (req, res) => {});\nexport default books;\n",
        ),
        (
            "src/controllers/users.js",
            "/** Grants a role. */\nexports.grant = async (req, res) => {};\nexports.list = (req, res) => {};\n",
        ),
        ("src/middleware.js", "exports.limiter = (req, res, next) => next();\n"),
        ("src/__tests__/app.test.js", "const app = require('express')();\napp.get('/test', () => {});\n"),
        ("node_modules/x/index.js", "const app = require('express')();\napp.get('/vendored', () => {});\n"),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn typescript_with_classes_and_aliases() {
    let files = [
        (
            "src/app.ts",
            r#"
import express, { Application } from "express";
import { Routes } from "@/interfaces";
import config from "./config";

export class App {
  public app: express.Application;
  public readonly prefix: string = config.prefix;

  constructor(private routes: Routes[]) {
    this.app = express();
    this.initializeRoutes();
  }

  private initializeRoutes(): void {
    this.routes.forEach((route) => {
      this.app.use(`${this.prefix}`, route.router);
    });
  }

  public listen() { this.app.listen(process.env.PORT ?? 3000); }
}
"#,
        ),
        ("src/config.ts", "export default { prefix: process.env.PREFIX || '/api/v2' } as const;\n"),
        (
            "src/server.ts",
            "import { App } from './app.js';\nimport { UserRoute } from '@/routes/user.route';\n\
             const app = new App([new UserRoute()]);\napp.listen();\n",
        ),
        (
            "src/routes/user.route.ts",
            "import { Router } from 'express';\nexport class UserRoute implements Routes {\n  public path = '/users';\n  public router = Router();\n\
             \x20 constructor() { this.init(); }\n  private init() {\n    this.router.get(`${this.path}`, this.all);\n\
             \x20   this.router.get(`${this.path}/:id`, this.one as RequestHandler);\n  }\n\
             \x20 private all = async (req: Request, res: Response): Promise<void> => {};\n}\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /api/v2/users", "GET /api/v2/users/{id}"]);
}

#[test]
fn functions_that_take_the_app_or_make_the_router() {
    let files = [
        (
            "index.js",
            "const express = require('express');\nconst app = express();\nrequire('./routes')(app);\n\
             app.use('/made', require('./made')('/deep'));\nconnect().then(() => { app.get('/late', (q, s) => {}); });\n",
        ),
        (
            "routes/index.js",
            "module.exports = function (app) {\n  app.get('/one', (req, res) => {});\n  app.route('/two').post(h);\n};\n",
        ),
        (
            "made.js",
            "const { Router } = require('express');\nmodule.exports = (path) => {\n  const r = Router();\n  r.get(path, h);\n  return r;\n};\n",
        ),
        ("unseen.js", "// express\nmodule.exports = (app) => { app.get('/unseen', (req, res) => {}); };\n"),
    ];
    assert_eq!(lines(&files), ["GET /late", "GET /made/deep", "GET /one", "POST /two", "GET /unseen"]);
}

#[test]
fn re_exports_and_es_modules() {
    let files = [
        (
            "server.mjs",
            "import express from 'express';\nimport * as routes from './routes/index.js';\nimport { health as h } from './routes/index.js';\n\
             const app = express();\nObject.entries(routes).forEach(([name, router]) => app.use(`/${name}`, router));\napp.use(h);\n",
        ),
        ("routes/index.js", "export { default as carts } from './carts.js';\nexport * from './health.js';\n"),
        (
            "routes/carts.js",
            "import { Router } from 'express';\nexport default Router().get('/:id', h).patch('/:id', h);\n",
        ),
        (
            "routes/health.js",
            "import { Router } from 'express';\nexport const health = Router();\nhealth.get('/up', (req, res) => res.end());\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /carts/{id}", "PATCH /carts/{id}", "GET /health/up", "GET /up"]);
}

#[test]
fn a_client_is_no_router() {
    let files = [(
        "web/api.js",
        "import axios from 'axios';\nconst api = axios.create({});\nexport const items = () => api.get('/items', { params });\n\
         const cache = new Map();\ncache.get('/x', 1);\nfetcher.get('/y', () => {});\n",
    )];
    assert_eq!(lines(&files), Vec::<String>::new());
}

#[test]
fn requires_that_are_made_up_at_run_time() {
    let files = [
        (
            "app.js",
            "const express = require('express');\nconst fs = require('fs');\nconst app = express();\n\
             fs.readdirSync('./routes').forEach((file) => {\n  app.use('/api', require(`./routes/${file}`));\n});\n",
        ),
        ("routes/a.js", "const r = require('express').Router();\nr.get('/a', h);\nmodule.exports = r;\n"),
    ];
    assert_eq!(lines(&files), ["GET /api/a"]);
}

#[test]
fn bodies_are_what_the_handlers_types_say() {
    let files = [
        (
            "src/app.ts",
            "import express, { Request, Response } from 'express';\nimport { add } from './add';\nconst app = express();\n\
             app.put('/items/:id', (req: Request<{ id: string }, Item, ChangedItem>, res: Response) => {});\n\
             app.post('/items', add);\napp.get('/items', (req: Request, res: Response<Item[]>) => {});\napp.listen(3000);\n",
        ),
        (
            "src/add.ts",
            "import { Request, Response } from 'express';\n\
             export const add = async (req: Request<{}, {}, NewItem>, res: Response<Item>): Promise<void> => {};\n",
        ),
    ];
    let said: Vec<_> = found(&files).into_iter().map(|one| (one.method, one.body, one.response)).collect();
    let some = |kind: &str| Some(kind.to_owned());
    assert_eq!(
        said,
        [
            ("GET".to_owned(), None, some("Item[]")),
            ("POST".to_owned(), some("NewItem"), some("Item")),
            ("PUT".to_owned(), some("ChangedItem"), some("Item")),
        ]
    );
}
