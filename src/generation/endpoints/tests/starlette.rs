//! Starlette projects.

use insta::assert_json_snapshot;

use super::{found, lines};

#[test]
fn lists_of_routes_and_mounts() {
    let files = [
        (
            "app.py",
            r#"
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from users import routes as user_routes

async def home(request):
    """The front page."""

class Item(HTTPEndpoint):
    """One item."""
    async def get(self, request): ...
    async def delete(self, request): ...

routes = [
    Route("/", home),
    Route("/items/{id:int}", Item),
    Route("/search", endpoint=home, methods=["GET", "POST"]),
    WebSocketRoute("/ws", home),
    Mount("/static", StaticFiles(directory="static")),
    Mount("/users", routes=user_routes),
]
routes += [Route("/late", home)]
app = Starlette(debug=True, routes=routes)
app.add_route("/added", home, methods=["PUT"])
"#,
        ),
        (
            "users.py",
            "from starlette.routing import Route, Router\nasync def all(request): ...\n\
             routes = [Route('/', all), Route('/{name}', all)]\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn another_app_in_a_wrapper() {
    let main = "from fastapi import FastAPI\nfrom fastapi.middleware.wsgi import WSGIMiddleware\nfrom flask import Flask\n\
                flask_app = Flask(__name__)\n@flask_app.route('/<name>')\ndef hello(name): ...\n\
                app = FastAPI()\napp.mount('/v1', WSGIMiddleware(flask_app))\n";
    assert_eq!(lines(&[("main.py", main)]), ["GET /v1/{name}"]);
}
