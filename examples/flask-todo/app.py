"""A to-do list: a page for people and a small JSON API, made by an app factory."""

import itertools
import os

from flask import Flask, abort, jsonify, render_template, request


def create_app() -> Flask:
    app = Flask(__name__)
    todos: dict[int, dict] = {}
    ids = itertools.count(1)

    @app.get("/")
    def index():
        return render_template("index.html", todos=todos.values())

    @app.get("/health")
    def health():
        return jsonify(status="ok")

    @app.get("/api/todos")
    def list_todos():
        return jsonify(list(todos.values()))

    @app.post("/api/todos")
    def add_todo():
        title = (request.get_json(silent=True) or {}).get("title", "").strip()
        if not title:
            abort(400, "a to-do needs a title")
        todo = {"id": next(ids), "title": title, "done": False}
        todos[todo["id"]] = todo
        app.logger.warning("added %s", todo["id"])
        return jsonify(todo), 201

    @app.route("/api/todos/<int:todo_id>", methods=["PATCH", "DELETE"])
    def change_todo(todo_id: int):
        todo = todos.get(todo_id) or abort(404)
        if request.method == "DELETE":
            del todos[todo_id]
            return "", 204
        todo["done"] = bool((request.get_json(silent=True) or {}).get("done", True))
        return jsonify(todo)

    return app


app = create_app()

if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", "5000")))
