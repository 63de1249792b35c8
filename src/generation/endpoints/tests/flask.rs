//! Flask projects.

use insta::assert_json_snapshot;

use super::{found, lines};

#[test]
fn routes_rules_and_class_views() {
    let app = r#"
from flask import Flask, jsonify
from flask.views import MethodView

app = Flask(__name__)

@app.route("/")
def index():
    """The front page."""

@app.route("/items", methods=["GET", "POST"])
@app.route("/things/<path:rest>/<int(min=1):id>")
def items(): ...

@app.get("/one/<uuid:id>")
def one(id): ...

class ItemAPI(MethodView):
    """Items, one by one."""
    init_every_request = False

    def get(self, id):
        "Reads one."

    def delete(self, id): ...

class Base(MethodView):
    def get(self): ...

class Group(Base):
    def post(self): ...

app.add_url_rule("/api/items/<int:id>", view_func=ItemAPI.as_view("item"))
group = Group.as_view("group")
app.add_url_rule("/api/items/", view_func=group)
app.add_url_rule("/read-only/", view_func=group, methods=["GET"])
app.add_url_rule("/plain", "plain", items)
"#;
    assert_json_snapshot!(found(&[("app.py", app)]));
}

#[test]
fn blueprints_nested_and_across_files() {
    let files = [
        (
            "app/__init__.py",
            "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n\
             \x20   from .api import bp as api_bp\n    app.register_blueprint(api_bp, url_prefix='/api')\n\
             \x20   from app.auth import bp\n    app.register_blueprint(bp)\n    return app\n",
        ),
        (
            "app/api/__init__.py",
            "from flask import Blueprint\nbp = Blueprint('api', __name__, url_prefix='/ignored')\n\
             from app.api import users\nfrom .shop import shop\nbp.register_blueprint(shop, url_prefix='/shop')\n",
        ),
        (
            "app/api/users.py",
            "from app.api import bp\n@bp.route('/users/<int:id>', methods=['GET', 'PUT'])\ndef user(id): ...\n",
        ),
        (
            "app/api/shop.py",
            "from flask import Blueprint\nshop = Blueprint('shop', __name__)\n@shop.post('/buy')\ndef buy(): ...\n",
        ),
        (
            "app/auth.py",
            "from flask import Blueprint\nbp = Blueprint('auth', __name__, url_prefix='/auth')\n@bp.route('/')\ndef login():\n    'Log in.'\n",
        ),
        ("wsgi.py", "from app import create_app\napp = create_app()\n"),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn routes_in_a_module_that_imports_the_app() {
    let files = [
        ("shop/__init__.py", "from flask import Flask\napp = Flask(__name__)\nfrom shop import views\n"),
        ("shop/views.py", "from shop import app\n@app.route('/v')\ndef v(): ...\n"),
    ];
    assert_eq!(lines(&files), ["GET /v"]);
}

#[test]
fn resources_and_namespaces() {
    let files = [
        (
            "app.py",
            "from flask import Flask\nfrom flask_restful import Api, Resource\nfrom flask_restx import Api as X\nfrom items import ns\n\
             app = Flask(__name__)\napi = Api(app, prefix='/v1')\nclass Todo(Resource):\n    def get(self, id):\n        'One todo.'\n    def delete(self, id): ...\n\
             api.add_resource(Todo, '/todos/<int:id>', '/t/<id>')\nx = X()\nx.add_namespace(ns, path='/shop')\nx.init_app(app)\n",
        ),
        (
            "items.py",
            "from flask_restx import Namespace, Resource\nns = Namespace('items', description='All of them')\n@ns.route('/<string:id>')\nclass Item(Resource):\n    def put(self, id): ...\n",
        ),
        (
            "smorest.py",
            "from flask import Flask\nfrom flask.views import MethodView\nfrom flask_smorest import Blueprint\nblp = Blueprint('pets', 'pets', url_prefix='/pets')\n\
             @blp.route('/')\nclass Pets(MethodView):\n    def get(self): ...\n    def post(self): ...\nother = Flask('x')\nother.register_blueprint(blp)\n",
        ),
    ];
    assert_eq!(
        lines(&files),
        [
            "GET /pets/",
            "POST /pets/",
            "PUT /shop/{id}",
            "DELETE /v1/t/{id}",
            "GET /v1/t/{id}",
            "DELETE /v1/todos/{id}",
            "GET /v1/todos/{id}"
        ]
    );
}

#[test]
fn sanic_names_parameters_before_their_types() {
    let files = [(
        "server.py",
        "from sanic import Blueprint, Sanic\napp = Sanic('tides')\nbp = Blueprint('items', url_prefix='/items')\n\
         @bp.get('/<item_id:int>')\nasync def one(request, item_id): ...\n@app.post('/echo')\nasync def echo(request): ...\napp.blueprint(bp)\n",
    )];
    assert_eq!(lines(&files), ["POST /echo", "GET /items/{item_id}"]);
}
