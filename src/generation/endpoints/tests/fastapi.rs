//! FastAPI projects.

use insta::assert_json_snapshot;

use super::{found, lines};

#[test]
fn one_file_with_everything_a_decorator_can_say() {
    let main = r#"
from enum import Enum
from fastapi import FastAPI, Depends

app = FastAPI(title="Shop")
PREFIX = "/v1"

class Tags(str, Enum):
    items = "items"

@app.get("/", include_in_schema=False)
async def root(): ...

@app.get("/items/{item_id}", tags=[Tags.items], response_model=Item)
async def read_item(item_id: int, db=Depends(get_db)):
    """
    One item.

    Not found is 404.
    """
    return db.get("/not-a-route")

@app.post("/items/", summary="Make an item", description="It is stored.", status_code=201)
def create_item(item: Item): ...

@app.api_route(f"{PREFIX}/echo", methods=["GET", "post"])
def echo(): ...

@app.get(PREFIX + "/files/{name:path}", name="one file")
@app.head(PREFIX + "/files/{name:path}")
def read_file(name: str): ...

@app.websocket("/ws")
async def ws(socket): ...

app.add_api_route("/added", endpoint=lambda: 1, methods=["DELETE"])
app.add_api_route("/named", echo)
"#;
    assert_json_snapshot!(found(&[("main.py", main)]));
}

#[test]
fn routers_nested_across_files_with_prefixes_and_tags() {
    let files = [
        ("backend/app/__init__.py", ""),
        (
            "backend/app/main.py",
            "from fastapi import FastAPI\nfrom app.api.main import api_router\nfrom app.core.config import settings\n\
             app = FastAPI()\napp.include_router(api_router, prefix=settings.API_V1_STR)\n",
        ),
        ("backend/app/core/__init__.py", ""),
        (
            "backend/app/core/config.py",
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    API_V1_STR: str = \"/api/v1\"\n\
             settings = Settings()\n",
        ),
        ("backend/app/api/__init__.py", ""),
        (
            "backend/app/api/main.py",
            "from fastapi import APIRouter\nfrom app.api.routes import items, users as people\nfrom .routes.admin import router as admin\n\
             api_router = APIRouter(tags=[\"api\"])\napi_router.include_router(items.router, prefix='/items', tags=['items'])\n\
             api_router.include_router(people.router)\napi_router.include_router(admin, prefix=\"/admin\")\n",
        ),
        ("backend/app/api/routes/__init__.py", "from . import items, users\n"),
        (
            "backend/app/api/routes/items.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef list_items(): ...\n\
             @router.delete('/{id}', tags=['danger'])\ndef remove(id): ...\n",
        ),
        (
            "backend/app/api/routes/users.py",
            "from fastapi import APIRouter\nrouter = APIRouter(prefix='/users', tags=['users'])\n@router.get('/me')\n\
             def me():\n    'Who I am.'\n",
        ),
        (
            "backend/app/api/routes/admin.py",
            "from fastapi import APIRouter\nfrom .items import router as items\nrouter = APIRouter()\n\
             router.include_router(items, prefix='/all')\n",
        ),
        (
            "backend/tests/test_main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/test')\ndef t(): ...\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn app_factories_helpers_and_loops() {
    let files = [
        (
            "main.py",
            "import uvicorn\nfrom fastapi import FastAPI\nfrom web.setup import register\n\
             def create_app(prefix=\"/api\"):\n    app = FastAPI()\n    register(app, prefix)\n\
             \x20   @app.get('/health')\n    def health(): ...\n    return app\n\
             if __name__ == '__main__':\n    uvicorn.run('main:create_app', factory=True)\n",
        ),
        (
            "web/setup.py",
            "from . import orders, carts\nROUTERS = [(orders.router, '/orders'), (carts.router, '/carts')]\n\
             def register(app, base):\n    for router, prefix in ROUTERS:\n        app.include_router(router, prefix=base + prefix)\n",
        ),
        (
            "web/orders.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('')\ndef orders(): ...\n",
        ),
        (
            "web/carts.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.put('/{id}')\ndef cart(): ...\n",
        ),
    ];
    assert_eq!(lines(&files), ["PUT /api/carts/{id}", "GET /api/orders", "GET /health"]);
}

#[test]
fn a_router_nobody_includes_is_not_served_unless_an_include_could_not_be_followed() {
    let router = (
        "a.py",
        "from fastapi import APIRouter\nrouter = APIRouter(prefix='/a')\n@router.get('/x')\ndef x(): ...\n",
    );
    let app = |rest: &str| {
        format!("from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef root(): ...\n{rest}")
    };
    assert_eq!(lines(&[router, ("main.py", &app(""))]), ["GET /"]);
    let dynamic = app("for name in discover():\n    app.include_router(load(name), prefix='/api')\n");
    assert_eq!(lines(&[router, ("main.py", &dynamic)]), ["GET /", "GET /api/a/x"]);
    let third_party = app("from lib import users\napp.include_router(users.router(1), prefix='/auth')\n");
    assert_eq!(lines(&[router, ("main.py", &third_party)]), ["GET /"]);
    assert_eq!(lines(&[router]), ["GET /a/x"], "a project without an app");
}

#[test]
fn prefixes_from_settings_chosen_at_run_time() {
    let files = [
        (
            "app/main.py",
            "import os\nfrom fastapi import FastAPI\nfrom app.routes import router\nfrom app.settings import get_settings\n\
             def get_application():\n    settings = get_settings()\n    app = FastAPI(**settings.kwargs)\n\
             \x20   app.include_router(router, prefix=settings.api_prefix)\n\
             \x20   app.include_router(router, prefix=os.getenv('PREFIX', '/env'))\n    return app\napp = get_application()\n",
        ),
        (
            "app/settings.py",
            "from functools import lru_cache\nfrom pydantic import BaseSettings, Field\nfrom enum import Enum\n\
             class Env(Enum):\n    dev = 'dev'\n    prod = 'prod'\nclass Base(BaseSettings):\n    api_prefix: str = Field('/api', env='P')\n    app_env: Env = Env.prod\n\
             class Dev(Base):\n    api_prefix = '/dev'\nclass Prod(Base):\n    app_env = Env.dev\n\
             environments = {Env.dev: Dev, Env.prod: Prod}\n@lru_cache\ndef get_settings() -> Base:\n\
             \x20   config = environments[Base().app_env]\n    return config()\n",
        ),
        (
            "app/routes.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/x')\ndef x(): ...\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /api/x", "GET /env/x"]);
}

#[test]
fn cycles_of_imports_and_includes_end() {
    let files = [
        (
            "a.py",
            "from fastapi import APIRouter, FastAPI\nimport b\napp = FastAPI()\nrouter = APIRouter(prefix='/a')\n\
             router.include_router(b.router)\nrouter.include_router(router)\napp.include_router(router)\n\
             @router.get('/one')\ndef one(): ...\n",
        ),
        (
            "b.py",
            "from fastapi import APIRouter\nfrom a import router as a\nrouter = APIRouter(prefix='/b')\n\
             router.include_router(a)\n@router.get('/two')\ndef two(): ...\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /a/b/two", "GET /a/one"]);
}

#[test]
fn sub_apps_classes_and_star_imports() {
    let files = [
        (
            "app/routes.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.patch('/r')\ndef r(): ...\n",
        ),
        (
            "app/server.py",
            "from fastapi import FastAPI\nfrom app.routes import *\n\
             class Server:\n    def __init__(self):\n        self.app = FastAPI()\n        self.sub = FastAPI()\n        self.routes()\n\
             \x20   def routes(self):\n        self.app.include_router(router, prefix='/s')\n        self.app.mount('/sub/', self.sub)\n\
             \x20       self.sub.add_api_route('/x', self.x)\n    def x(self): ...\n\
             server = Server()\n",
        ),
    ];
    assert_eq!(lines(&files), ["PATCH /s/r", "GET /sub/x"]);
}

#[test]
fn what_parses_is_read_when_something_else_does_not() {
    let broken = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/a')\ndef a(:\n    return {\n\n@app.get('/b')\ndef b():\n    return 1\n";
    assert!(lines(&[("main.py", broken)]).contains(&"GET /b".to_owned()));
    let latin = b"# caf\xe9\nfrom fastapi import FastAPI\napp = FastAPI()\n@app.get('/a')\ndef a(): ...\n";
    let file = crate::domain::SourceFile { content: latin.to_vec().into(), executable: false };
    let path = crate::domain::FilePath::parse("main.py").expect("a path");
    let files = crate::domain::FileSet::new([(path, file)], 1_000).expect("files");
    assert_eq!(super::super::endpoints(&files).len(), 1);
}

#[test]
fn signatures_say_parameters_bodies_and_answers() {
    let files = [
        (
            "app/main.py",
            r#"
from typing import Annotated, Literal, Optional
from fastapi import APIRouter, Body, Depends, FastAPI, File, Form, Header, Query, Request, UploadFile
from fastapi.security import OAuth2PasswordRequestForm
from app.deps import SessionDep, Color
from app.schemas import Item, NewItem
app = FastAPI()
router = APIRouter(prefix="/shops/{shop_id}")

@router.get("/items", response_model=list[Item])
def items(shop_id: int, session: SessionDep, request: Request, skip: int = 0, color: Color = None,
          q: Annotated[str | None, Query(max_length=50)] = None, sort: Literal["a", "b"] = "a",
          ids: list[int] = Query(...), x_token: str = Header(), user=Depends(current_user)): ...

@router.post("/items", status_code=201)
async def add(shop_id: int, item: NewItem, note: Optional[str] = None) -> Item: ...

@app.put("/both")
def both(a: Item, b: dict, c: int = Body(...)) -> "Item": ...

@app.post("/login")
def login(form: OAuth2PasswordRequestForm = Depends()) -> None: ...

@app.post("/upload")
def upload(file: UploadFile = File(...)): ...
app.include_router(router)
"#,
        ),
        (
            "app/deps.py",
            "from enum import Enum\nfrom typing import Annotated\nfrom fastapi import Depends\n\
             SessionDep = Annotated[Session, Depends(get_db)]\nclass Color(str, Enum):\n    red = 'red'\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn classes_with_routes_of_their_own() {
    let main = "from fastapi import FastAPI\nfrom fastapi_utils.cbv import cbv\nfrom fastapi_utils.inferring_router import InferringRouter\n\
                app = FastAPI()\nrouter = InferringRouter()\n@cbv(router)\nclass Items:\n    db = Depends(get_db)\n\
                \x20   @router.get('/items/{id}')\n    def one(self, id: int):\n        'One item.'\n\
                class Users:\n    def __init__(self):\n        self.router = APIRouter(prefix='/users')\n        self.router.add_api_route('/{id}', self.one, methods=['GET', 'PUT'])\n    def one(self, id: str): ...\n\
                from fastapi import APIRouter\napp.include_router(router)\napp.include_router(Users().router)\n";
    assert_eq!(lines(&[("main.py", main)]), ["GET /items/{id}", "GET /users/{id}", "PUT /users/{id}"]);
    assert_eq!(found(&[("main.py", main)])[0].description.as_deref(), Some("One item."));
}
