//! Sources that are broken, huge or made to hurt: no panic, and an end.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::project;
use crate::domain::{FilePath, FileSet, SourceFile};
use crate::generation::endpoints::{Endpoint, Origin, endpoints, from_openapi, refine};
use crate::generation::testing::mutated;

/// Far more than any of these take, also unoptimised and on a machine with other work.
const LONG: Duration = Duration::from_secs(20);

const PYTHON: &str = r#"
from fastapi import FastAPI, APIRouter
from flask import Flask, Blueprint
import other
P = "/p"
app = FastAPI()
router = APIRouter(prefix=P + "/x", tags=["a", f"{P}b"])
class C:
    def __init__(self, app): self.app = app; self.app.include_router(router, prefix=f"{P}/c")
@app.get("/é/{id:path}", summary='s', **extra)
@router.api_route("/y", methods=["GET", *M])
async def read_item(id: int = 3, *a, k=lambda x: x, **kw) -> str:
    """Doc é.
    """
    return {"a": [1, 2, *b], **c}
for r, p in [(router, "/l"), (other.router, "/m")]:
    app.include_router(r, prefix=p) if p else None
with open("x") as f:
    flask = Flask(__name__); flask.register_blueprint(Blueprint("b", __name__, url_prefix="/b"))
flask.add_url_rule("/<int:x>/<any(a,b):y>", view_func=C.as_view("c"))
"#;

const NODE: &str = r#"
import express, { Router as R } from 'express';
import * as all from './other';
export * from './main';
const { a = 1, b: { c }, ...rest } = require('./other');
const app = express(), r = new R({ mergeParams: true });
/** Doc é
 * @tags x, y - z */
app.get(`/${a ?? 'x'}/:id(\\d+)?`, async (req, res) => { res.json({ ...req.body }); });
class S { #p = '/s'; static q = 1; constructor(private app) { this.app.use(this.#p, r); } }
new S(app).app.route('/r').get((x) => x).post(function () {});
[['/m', r], ...rest].forEach(([p, x]) => app.use(p, x, all[p]));
module.exports = (app) => { app.use(require('./main')(app)); };
export default r;
for (const k of Object.keys(all)) { if (k) app.use('/' + k, all[k]); else app.use(app); }
"#;

const GO: &str = r#"
package main

import (
	chi "github.com/go-chi/chi/v5"
	. "net/http"
)

const p, q = "/p", `/q`

type S struct{ r *chi.Mux }

// Doc é
func (s *S) routes(prefix string, hs ...HandlerFunc) {
	s.r.Route(p+prefix, func(r chi.Router) { r.Get("/{id:[0-9]+}", hs[0]) })
	for _, x := range []T{{Path: "/a"}, {"/b", 1}} {
		s.r.Method("PUT", x.Path, nil)
	}
}
func main() {
	s := &S{r: chi.NewRouter()}
	if err := s.routes(q); err != nil { return }
	switch { case true: HandleFunc("GET /x/{rest...}", nil); default: }
	s.r.Mount("/m", other(map[string]int{"a": 1}))
}
"#;

const DJANGO: &str = r#"
ROOT_URLCONF = "main"
from django.urls import path, re_path, include
from rest_framework import routers, viewsets
from rest_framework.decorators import action
r = routers.DefaultRouter()
class V(viewsets.ModelViewSet):
    serializer_class = X
    @action(detail=True, methods=["post"], url_path=r"a/(?P<é>\d+)")
    def f(self, request: HttpRequest, pk: "int | None" = None) -> Annotated[int, 3]: ...
r.register(r"v(x)", V)
urlpatterns = [path("a/<int:id>/", V.as_view({"get": "list"})), re_path(r"^b/(?P<c>[a-z]{2}(\d))$", f)]
urlpatterns += [path("", include((r.urls, "x"))), path("self/", include("main"))]
"#;

const NEST: &str = r#"
import { Controller, Get, Body, Param } from '@nestjs/common';
app.setGlobalPrefix('api');
/** Doc é */
@Controller({ path: 'c', version: '1' })
export class C { @Get([':id', 'é']) one(@Param('id') id?: string, @Body() b: D): Promise<E[]> {} }
export const { GET, POST } = handlers;
"#;

fn read(files: Vec<(&str, Vec<u8>)>) -> Vec<Endpoint> {
    let file = |(path, content): (&str, Vec<u8>)| {
        (FilePath::parse(path).expect("a path"), SourceFile { content: content.into(), executable: false })
    };
    endpoints(&FileSet::new(files.into_iter().map(file), u64::MAX).expect("files"))
}

fn quick(files: Vec<(&str, Vec<u8>)>) -> Vec<Endpoint> {
    let start = Instant::now();
    let found = read(files);
    assert!(start.elapsed() < LONG, "took {:?}", start.elapsed());
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_sources(python in mutated(PYTHON), other in mutated(PYTHON), main in mutated(NODE), typed in mutated(NODE)) {
        let files = || vec![
            ("main.py", python.clone()),
            ("other.py", other.clone()),
            ("main.js", main.clone()),
            ("other.ts", typed.clone()),
        ];
        let found = quick(files());
        prop_assert!(found.iter().all(|endpoint| endpoint.path.starts_with('/') && endpoint.line > 0));
        prop_assert!(found.is_sorted_by_key(|endpoint| (&endpoint.path, &endpoint.method)));
        prop_assert_eq!(found, read(files()), "the same files, the same answer");
    }

    #[test]
    fn mutated_sources_of_the_others(go in mutated(GO), django in mutated(DJANGO), nest in mutated(NEST)) {
        let files = || vec![
            ("go.mod", b"module x".to_vec()),
            ("main.go", go.clone()),
            ("main.py", django.clone()),
            ("package.json", b"{\"dependencies\": {\"next\":\"1\"}}".to_vec()),
            ("app/[a]/route.ts", nest.clone()),
        ];
        let found = quick(files());
        prop_assert!(found.iter().all(|endpoint| endpoint.path.starts_with('/') && endpoint.line > 0));
        prop_assert_eq!(found, read(files()), "the same files, the same answer");
    }

    #[test]
    fn truncated_sources(at in 0..PYTHON.len(), cut in 0..NODE.len()) {
        quick(vec![("main.py", PYTHON.as_bytes()[..at].to_vec()), ("main.js", NODE.as_bytes()[..cut].to_vec())]);
    }

    #[test]
    fn any_document(paths in "[/{}a:<*]{0,12}", method in "get|post|x", summary in ".{0,9}") {
        let document = serde_json::json!({"paths": {paths: {method: {"summary": summary, "tags": [1, "t"]}}}});
        let live = from_openapi(&document);
        let refined = refine(live.clone(), live.clone());
        let both = live.into_iter().map(|endpoint| Endpoint { source: Origin::Both, ..endpoint });
        prop_assert_eq!(refined, both.collect::<Vec<_>>());
    }
}

#[test]
fn the_unchanged_sources_are_read() {
    assert!(read(vec![("main.py", PYTHON.into())]).len() >= 3);
    assert!(read(vec![("main.ts", NODE.into())]).len() >= 3);
    assert!(read(vec![("main.go", GO.into())]).len() >= 3);
    assert!(read(vec![("main.py", DJANGO.into())]).len() >= 8);
    assert_eq!(read(vec![("main.ts", NEST.into())]).len(), 2);
}

#[test]
fn nesting_without_end() {
    for open in ["(", "[", "{", "f(", "a.b(", "not ", "lambda: ", "x if y else ", "\"\" + "] {
        let python = format!("from fastapi import FastAPI\napp = FastAPI()\nx = {}", open.repeat(20_000));
        quick(vec![("main.py", python.into())]);
    }
    for open in
        ["(", "[", "{", "{a:", "`${", "a => ", "() => {", "!", "app.get(", "a ? ", "if (a) ", "class {"]
    {
        let node = format!("const app = require('express')();\nx = {}", open.repeat(20_000));
        quick(vec![("main.js", node.clone().into()), ("main.ts", node.into())]);
    }
    for open in ["(", "[", "{", "f(", "a.b(", "!", "[]int{", "T{a: ", "func() {", "if a {"] {
        let go = format!("package main\nfunc main() {{\nx := {}", open.repeat(20_000));
        quick(vec![("main.go", go.into())]);
    }
    let chain = format!("const app = require('express')();\napp{};", ".get('/a', h)".repeat(5_000));
    quick(vec![("main.js", chain.into())]);
    let blocks: String = (0..300).map(|at| format!("{}if True:\n", " ".repeat(at))).collect();
    quick(vec![("main.py", format!("from fastapi import FastAPI\napp = FastAPI()\n{blocks}").into())]);
}

#[test]
fn programs_that_grow_and_loop() {
    let doubling = "from fastapi import FastAPI\napp = FastAPI()\na = '/aaaaaaaa'\nl = [a]\n".to_owned()
        + &"a = a + a\nl = l + l\n".repeat(60)
        + "for x in l:\n    for y in l:\n        for z in l:\n            app.add_api_route(x + y, f)\n";
    quick(vec![("main.py", doubling.into())]);
    let mutual = "const app = require('express')();\nfunction a(x) { b(x); b(x); app.get('/a', h); }\n\
                  function b(x) { a(x); a(x); }\na(1);\n";
    assert_eq!(quick(vec![("main.js", mutual.into())]).len(), 1);
    let calls: String = (0..40).map(|at| format!("def f{at}():\n    f{0}()\n    f{0}()\n", at + 1)).collect();
    let calls = format!(
        "from fastapi import FastAPI\napp = FastAPI()\n{calls}\ndef f40():\n    app.get('/x')\nf0()\n"
    );
    quick(vec![("main.py", calls.into())]);
    let routers: String = (0..40)
        .map(|at| format!("r{at} = APIRouter()\nr{at}.get('/{at}')(f)\n"))
        .chain((1..40).map(|at| {
            format!(
                "r{0}.include_router(r{at}, prefix='/a')\nr{0}.include_router(r{at}, prefix='/b')\n",
                at - 1
            )
        }))
        .collect();
    let routers =
        format!("from fastapi import APIRouter, FastAPI\n{routers}app = FastAPI()\napp.include_router(r0)\n");
    assert!(quick(vec![("main.py", routers.into())]).len() > 40);
}

#[test]
fn large_files_are_passed_over() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/a')\ndef a(): ...\n";
    let large = format!("{app}# {}", "x".repeat(1024 * 1024));
    assert_eq!(endpoints(&project(&[("a.py", &large)])), Vec::new());
    let noise = format!("from fastapi import FastAPI\n{}", "@)(]é'\"\n".repeat(40_000));
    quick(vec![("main.py", noise.clone().into()), ("main.ts", noise.into())]);
}
