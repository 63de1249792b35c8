//! Python files that do more when they are run than when they are imported, and servers of their own.

use super::{brief, metadata, planned, tree};
use crate::domain::{Metadata, Mode};
use crate::generation::{Plan, Recipe};

const TABLES: &str = "from flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    with app.app_context():\n        db.create_all()\n    app.run(debug=True, port=5000)\n";

fn alone(name: &str, text: &str) -> Plan {
    planned(&Metadata::default(), &tree(&[(name, text)]))
}

fn start(plan: &Plan) -> String {
    plan.start.clone().unwrap_or_default().join(" ")
}

fn supported(plan: &Plan) -> Vec<&str> {
    let Recipe::Python(recipe) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    recipe.support.keys().map(String::as_str).collect()
}

snapshot!(flask_that_makes_its_tables_when_it_is_run, Metadata::default(), [("app.py", TABLES)]);

#[test]
fn what_a_file_does_when_it_is_run_is_done_before_it_is_served() {
    let plan = alone("app.py", TABLES);
    assert!(
        start(&plan).starts_with("gunicorn previewd_program:app --bind 0.0.0.0:5000"),
        "{}",
        start(&plan)
    );
    assert_eq!(plan.environment["PREVIEWD_PROGRAM"], "app:app");
    assert_eq!(plan.environment["PYTHONPATH"], "/opt/previewd");
    assert_eq!(supported(&plan), ["previewd_program.py"]);
    let only_run = "from flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    print('x')\n    app.run()\n";
    assert!(start(&alone("app.py", only_run)).starts_with("gunicorn app:app"));
    let factory = "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app\nif __name__ == '__main__':\n    init_db()\n    create_app().run()\n";
    assert!(start(&alone("app.py", factory)).starts_with("gunicorn app:create_app()"));
    let asgi = "from fastapi import FastAPI\nimport uvicorn\napp = FastAPI()\nif __name__ == '__main__':\n    init_db()\n    uvicorn.run(app)\n";
    assert_eq!(start(&alone("main.py", asgi)), "uvicorn previewd_program:app --host 0.0.0.0 --port 8000");
    let dev = metadata(|m| m.mode = Some(Mode::Dev));
    assert!(brief(&dev, &[("main.py", asgi)]).1.ends_with("--reload"));
}

#[test]
fn work_that_cannot_be_done_first_is_said() {
    let never_served = "from flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    init_db()\n    something.start(app)\n";
    let plan = alone("app.py", never_served);
    assert!(start(&plan).starts_with("gunicorn app:app"));
    let said =
        plan.warnings.iter().find(|warning| warning.message.starts_with("not run")).expect("a warning");
    assert_eq!((said.file.as_deref(), said.line), (Some("app.py"), Some(4)));
}

#[test]
fn a_server_started_by_an_import_does_not_start() {
    let fastapi = "from fastapi import FastAPI\nimport uvicorn\napp = FastAPI()\nuvicorn.run(app, host='0.0.0.0', port=8080)\n";
    let plan = alone("main.py", fastapi);
    assert_eq!(start(&plan), "uvicorn previewd_program:app --host 0.0.0.0 --port 8080");
    let flask = "import os\nfrom flask import Flask\napp = Flask(__name__)\napp.run(port=int(os.environ.get('PORT', 3000)))\n";
    let plan = alone("app.py", flask);
    assert!(
        start(&plan).starts_with("gunicorn previewd_program:app --bind 0.0.0.0:3000"),
        "{}",
        start(&plan)
    );
}

#[test]
fn what_uvicorn_is_given_in_the_code_is_served() {
    let text = |given: &str| {
        format!(
            "import socketio\nfrom fastapi import FastAPI\napp = FastAPI()\nsocket_app = socketio.ASGIApp(sio, other_asgi_app=app)\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run({given}, host='0.0.0.0', port=8000)\n"
        )
    };
    for (given, served) in [
        ("'main:socket_app'", "socket_app"),
        ("socket_app", "socket_app"),
        ("'main:app'", "app"),
        ("x", "app"),
    ] {
        let start = start(&alone("main.py", &text(given)));
        assert!(start.starts_with(&format!("uvicorn main:{served} ")), "{given}: {start}");
    }
    let beside = [
        ("run.py", "import uvicorn\nuvicorn.run('api.main:asgi')\n"),
        ("api/main.py", "from fastapi import FastAPI\napp = FastAPI()\nasgi = FastAPI()\n"),
    ];
    assert!(brief(&Metadata::default(), &beside).1.starts_with("uvicorn api.main:app"));
}

#[test]
fn dash_is_served_by_its_server() {
    let dash = |more: &str| {
        alone(
            "app.py",
            &format!(
                "from dash import Dash\napp = Dash(__name__)\n{more}if __name__ == '__main__':\n    app.run(debug=True)\n"
            ),
        )
    };
    let plan = dash("server = app.server\n");
    assert_eq!(plan.framework, "dash");
    assert!(start(&plan).starts_with("gunicorn app:server"), "{}", start(&plan));
    let plan = dash("");
    assert!(start(&plan).starts_with("gunicorn previewd_program:app"), "{}", start(&plan));
    assert_eq!(plan.environment["PREVIEWD_PROGRAM"], "app:app.server");
}

#[test]
fn libraries_with_servers_of_their_own_are_known() {
    let nicegui = alone("main.py", "from nicegui import ui\nui.label('x')\nui.run(title='x')\n");
    assert_eq!(
        (nicegui.framework.as_str(), start(&nicegui).as_str(), nicegui.port),
        ("nicegui", "python main.py", 8080)
    );
    let chainlit =
        alone("app.py", "import chainlit as cl\n@cl.on_message\nasync def main(message):\n    pass\n");
    assert_eq!(start(&chainlit), "chainlit run app.py --headless --host 0.0.0.0 --port 8000");
}

#[test]
fn a_server_on_the_loopback_address_is_made_to_listen_everywhere() {
    let aiohttp = "from aiohttp import web\nif __name__ == '__main__':\n    web.run_app(make(), host='localhost', port=8080)\n";
    let plan = alone("main.py", aiohttp);
    assert_eq!(start(&plan), "python /opt/previewd/previewd_listen.py 8080 main.py");
    assert_eq!(supported(&plan), ["previewd_listen.py"]);
    let everywhere =
        "from http.server import HTTPServer\nPORT = 9000\nHTTPServer(('0.0.0.0', PORT), H).serve_forever()\n";
    let plan = alone("server.py", everywhere);
    assert_eq!((start(&plan).as_str(), plan.port), ("python server.py", 9000));
}
