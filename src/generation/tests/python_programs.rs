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

const SOCKETS: &str = "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask(__name__)\nsocketio = SocketIO(app)\nif __name__ == '__main__':\n    socketio.run(app, port=5001)\n";

/// Four visitors would fill a server of four threads.
#[test]
fn visitors_who_stay_connected_have_a_thread_each() {
    let plan = alone("app.py", SOCKETS);
    assert!(
        start(&plan).starts_with("gunicorn app:app --bind 0.0.0.0:5001 --workers 1 --threads 100 "),
        "{}",
        start(&plan)
    );
    let named = SOCKETS.replace("(app)", "(app, async_mode='threading')");
    let listed = tree(&[("app.py", &named), ("requirements.txt", "flask-socketio\neventlet\n")]);
    assert!(start(&planned(&Metadata::default(), &listed)).contains("--threads 100"));
    let without = "from flask import Flask\napp = Flask(__name__)\n";
    assert!(start(&alone("app.py", without)).contains("--threads 4 "));
}

#[test]
fn flask_socketio_on_eventlet_is_served_by_its_own_server() {
    let own = "python /opt/previewd/previewd_socketio.py 5001 app app run";
    let named = alone("app.py", &SOCKETS.replace("(app)", "(app, async_mode=\"eventlet\")"));
    assert_eq!((start(&named).as_str(), supported(&named)), (own, vec!["previewd_socketio.py"]));
    let Recipe::Python(recipe) = &named.recipe else { panic!("{:?}", named.recipe) };
    assert!(recipe.packages.iter().any(|package| package == "eventlet"), "{recipe:?}");
    assert!(!recipe.packages.iter().any(|package| package.contains("gunicorn")), "{recipe:?}");
    // What is installed is what the library takes.
    let listed = tree(&[("app.py", SOCKETS), ("requirements.txt", "flask-socketio\ngevent\n")]);
    assert_eq!(start(&planned(&Metadata::default(), &listed)), own);
    let apart = tree(&[
        (
            "chat/__init__.py",
            "from flask import Flask\nfrom flask_socketio import SocketIO\nsocketio = SocketIO(async_mode='gevent')\ndef create_app():\n    app = Flask(__name__)\n    return app\n",
        ),
        (
            "run.py",
            "from chat import create_app, socketio\napp = create_app()\nif __name__ == '__main__':\n    socketio.run(app)\n",
        ),
    ]);
    let run = planned(&Metadata::default(), &apart);
    assert_eq!(start(&run), "python /opt/previewd/previewd_socketio.py 8000 run app run");
    let never = SOCKETS
        .replace("(app)", "(app, async_mode='gevent')")
        .replace("    socketio.run(app, port=5001)", "    pass");
    assert_eq!(start(&alone("app.py", &never)), "python /opt/previewd/previewd_socketio.py 8000 app app");
    let api = "from flask import Flask\napp = Flask(__name__)\n";
    let chat = SOCKETS.replace("(app)", "(app, async_mode='gevent')");
    let services = tree(&[
        ("services/api/main.py", api),
        ("services/api/requirements.txt", "flask\n"),
        ("services/chat/main.py", &chat),
        ("services/chat/requirements.txt", "flask-socketio\n"),
    ]);
    let chosen = planned(&Metadata::default(), &services);
    assert!(start(&chosen).starts_with("gunicorn main:app"), "another service's: {}", start(&chosen));
    let given = metadata(|m| m.entry_point = Some("gunicorn -k gevent app:app".into()));
    let files = [("app.py", SOCKETS), ("requirements.txt", "flask-socketio\ngevent\n")];
    assert!(brief(&given, &files).1.starts_with("gunicorn -k gevent app:app"), "{:?}", brief(&given, &files));
}
