//! aiohttp projects.

use super::{found, lines};

#[test]
fn routers_tables_lists_views_and_apps_in_apps() {
    let files = [
        (
            "main.py",
            r#"
from aiohttp import web
from items import routes as items
import admin

routes = web.RouteTableDef()

@routes.get("/")
async def home(request):
    """The front page."""

@routes.view("/things/{id:[0-9]+}")
class Thing(web.View):
    async def get(self): ...
    async def delete(self): ...

@routes.route("PUT", "/put")
async def put(request): ...

async def health(request): ...

def build():
    app = web.Application(middlewares=[])
    app.add_routes(routes)
    app.add_routes(items)
    app.add_routes([web.get("/health", health), web.static("/static", "static"), web.view("/all", Thing)])
    app.router.add_post("/added", health)
    app.router.add_route("PATCH", "/patched", health)
    app.add_subapp("/admin/", admin.make())
    return app

if __name__ == "__main__":
    web.run_app(build())
"#,
        ),
        (
            "items.py",
            "from aiohttp import web\nroutes = web.RouteTableDef()\n\n@routes.post('/items')\nasync def add(request): ...\n",
        ),
        (
            "admin.py",
            "from aiohttp import web\n\nasync def users(request): ...\n\ndef make():\n    app = web.Application()\n    app.router.add_get('/users', users)\n    return app\n",
        ),
    ];
    assert_eq!(
        lines(&files),
        [
            "GET /",
            "POST /added",
            "GET /admin/users",
            "DELETE /all",
            "GET /all",
            "GET /health",
            "POST /items",
            "PATCH /patched",
            "PUT /put",
            "DELETE /things/{id}",
            "GET /things/{id}",
        ]
    );
    assert_eq!(found(&files)[0].description.as_deref(), Some("The front page."));
}

/// A client of the same package has the same words.
#[test]
fn a_client_registers_nothing() {
    let file = "import aiohttp\n\nasync def main():\n    async with aiohttp.ClientSession() as session:\n        await session.get('/x')\n";
    assert_eq!(lines(&[("main.py", file)]), Vec::<String>::new());
}
