//! Each framework and each tricky case, as a snapshot of its Dockerfile and its explained plan.

use super::super::recipe::Recipe;
use super::super::{BuildInputs, Dialect, Part, context, dockerfile};
use super::{EXPRESS, FASTAPI, brief, metadata, planned, refused, tree};
use crate::domain::{Metadata, Mode};

snapshot!(
    fastapi_at_the_top,
    Metadata::default(),
    [("main.py", FASTAPI), ("requirements.txt", "fastapi==0.115.0\nuvicorn[standard]\n")]
);
snapshot!(
    fastapi_in_a_package,
    Metadata::default(),
    [
        ("app/__init__.py", ""),
        ("app/db.py", "import os\nurl = os.environ['DATABASE_URL']\nkey = os.environ['API_KEY']\n"),
        (
            "app/main.py",
            "from fastapi import FastAPI, UploadFile, WebSocket\nfrom app.db import url\napp = FastAPI()\n"
        ),
        ("requirements.txt", "-r base.txt\n"),
        ("base.txt", "fastapi\n"),
    ]
);
snapshot!(
    fastapi_under_src,
    Metadata::default(),
    [
        ("src/main.py", "import models\nfrom fastapi import FastAPI\napi = FastAPI()\n"),
        ("src/models.py", "from pydantic import BaseModel, EmailStr\n"),
        (
            "pyproject.toml",
            "[project]\nname='x'\nversion='1'\nrequires-python='>=3.10'\ndependencies=['fastapi']\n"
        ),
    ]
);
snapshot!(
    fastapi_by_factory,
    Metadata::default(),
    [
        (
            "service/app.py",
            "from fastapi import FastAPI\ndef build(debug=False):\n    it = FastAPI(debug=debug)\n    return it\n"
        ),
        ("requirements.txt", "fastapi\nuvicorn\n"),
    ]
);
snapshot!(
    fastapi_without_requirements,
    Metadata::default(),
    [
        (
            "main.py",
            "import os, yaml\nfrom PIL import Image\nfrom jose import jwt\nimport starlette\nimport helper\ntry:\n    import orjson\nexcept ImportError:\n    orjson = None\nfrom fastapi import FastAPI\napi = FastAPI()\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(api, host='127.0.0.1', port=9001)\n",
        ),
        ("helper.py", "import cv2\n")
    ]
);
snapshot!(
    fastapi_as_the_metadata_says,
    metadata(|m| {
        m.entry_point = Some("uvicorn server.web:api --host 127.0.0.1 --workers 2".into());
        m.port = Some(5555);
        m.python_version = Some("3.11.4".into());
        m.health_check_endpoint = Some("/ready".into());
        m.system_packages = vec!["libpq5".into(), "ffmpeg".into()];
        m.environment.insert("SECRET".into(), "never-in-the-image".into());
        m.mode = Some(Mode::Run);
    }),
    [
        ("server/web.py", "from fastapi import FastAPI\napi = FastAPI()\n"),
        ("main.py", FASTAPI),
        ("requirements.txt", "fastapi\nuvicorn\n"),
    ]
);
snapshot!(
    fastapi_for_development,
    metadata(|m| m.mode = Some(Mode::Dev)),
    [("main.py", FASTAPI), ("requirements.txt", "fastapi\nuvicorn\n")]
);
snapshot!(
    fastapi_beside_a_frontend,
    Metadata::default(),
    [
        ("backend/app/main.py", "from .routes import r\nfrom fastapi import FastAPI\napp = FastAPI()\n"),
        ("backend/app/routes.py", "r = 1\n"),
        ("backend/requirements.txt", "fastapi\nuvicorn\n"),
        ("frontend/package.json", r#"{"scripts":{"start":"vite"}}"#),
    ]
);
snapshot!(
    fastapi_with_uv_lock,
    Metadata::default(),
    [
        ("main.py", FASTAPI),
        ("pyproject.toml", "[project]\nname='x'\nversion='1'\ndependencies=['fastapi','uvicorn']\n"),
        ("uv.lock", "version = 1\n"),
    ]
);
snapshot!(
    starlette,
    Metadata::default(),
    [
        ("asgi.py", "from starlette.applications import Starlette as S\napplication = S()\n"),
        ("requirements.txt", "starlette\n")
    ]
);
snapshot!(
    flask_by_object,
    Metadata::default(),
    [
        (
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\nif __name__ == '__main__':\n    app.run(port=5000)\n"
        ),
        ("requirements.txt", "flask\n"),
        (".env", "FLASK_SECRET=hidden\nMODE='x'\n"),
    ]
);
snapshot!(
    flask_by_factory_and_poetry,
    Metadata::default(),
    [
        (
            "shop/__init__.py",
            "import flask\ndef create_app():\n    app = flask.Flask(__name__)\n    return app\n"
        ),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython='^3.11'\nflask='^3.0'\n"),
    ]
);
snapshot!(
    python_server_of_its_own,
    Metadata::default(),
    [(
        "server.py",
        "from http.server import HTTPServer, SimpleHTTPRequestHandler\nHTTPServer(('', 8000), SimpleHTTPRequestHandler).serve_forever()\n"
    )]
);
snapshot!(
    python_by_command,
    metadata(|m| m.entry_point = Some("python main.py --fast".into())),
    [
        (
            "main.py",
            "import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nuvicorn.run(app, host='0.0.0.0', port=8080)\n"
        ),
        ("requirements.txt", "fastapi\n")
    ]
);
snapshot!(
    express_with_lockfile,
    Metadata::default(),
    [
        ("server.js", EXPRESS),
        ("package.json", r#"{"scripts":{"start":"node server.js"},"dependencies":{"express":"^4"}}"#),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4"}},"node_modules/express":{"version":"4.0.0"}}}"#
        ),
    ]
);
snapshot!(
    express_without_lockfile,
    Metadata::default(),
    [
        ("src/index.js", "import express from 'express';\nexpress().listen(4000, 'localhost');\n"),
        (
            "package.json",
            r#"{"main":"src/index.js","dependencies":{"express":"^4"},"engines":{"node":">=18"}}"#
        ),
    ]
);
snapshot!(
    express_without_package_json,
    Metadata::default(),
    [(
        "server.js",
        "const express = require('express');\nconst fs = require('fs');\nconst cors = require('cors');\nexpress().use(cors()).listen(process.env.PORT);\n"
    )]
);
snapshot!(
    express_in_typescript,
    Metadata::default(),
    [
        (
            "src/index.ts",
            "import express, { Request } from 'express';\nconst port: number = Number(process.env.PORT ?? 3005);\nexpress().listen(port);\n"
        ),
        ("tsconfig.json", "{}"),
        (
            "package.json",
            r#"{"scripts":{"build":"tsc","start":"node dist/index.js"},"dependencies":{"express":"^4"},"devDependencies":{"typescript":"^5"}}"#
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4"},"devDependencies":{"typescript":"^5"}},"node_modules/esbuild":{"hasInstallScript":true}}}"#
        ),
    ]
);
snapshot!(
    express_with_a_start_script_of_many_words,
    Metadata::default(),
    [
        ("index.js", EXPRESS),
        (
            "package.json",
            r#"{"scripts":{"start":"NODE_ENV=production nodemon index.js"},"dependencies":{"express":"^4"},"devDependencies":{"nodemon":"^3"}}"#
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n"),
    ]
);
snapshot!(
    node_workspaces_with_yarn,
    Metadata::default(),
    [
        ("package.json", r#"{"workspaces":["packages/*"],"scripts":{"start":"node packages/api/index.js"}}"#),
        ("packages/api/package.json", r#"{"dependencies":{"fastify":"^4"}}"#),
        ("packages/api/index.js", "require('fastify')().listen({ port: 3030, host: '0.0.0.0' })\n"),
        ("yarn.lock", "# yarn lockfile v1\n"),
    ]
);
snapshot!(
    node_in_a_folder,
    Metadata::default(),
    [
        ("api/package.json", r#"{"scripts":{"start":"node app.js"},"dependencies":{"koa":"2"}}"#),
        ("api/app.js", "new (require('koa'))().listen(3999)\n"),
    ]
);
snapshot!(node_script, Metadata::default(), [("index.js", "console.log(process.env.NAME)\n")]);
snapshot!(
    static_at_the_top,
    Metadata::default(),
    [("index.html", "<p>hi"), ("app.js", "document.title = 'x'"), ("style.css", "")]
);
snapshot!(
    static_in_public,
    metadata(|m| m.port = Some(9090)),
    [("public/index.html", "<p>hi"), ("package.json", r#"{"scripts":{"build":"vite build"}}"#)]
);
snapshot!(
    own_dockerfile_with_aliases,
    Metadata::default(),
    [
        (
            "Dockerfile",
            "ARG V=3.11\nFROM python:${V}-slim AS build\nRUN pip install flask\nFROM python:3.12-alpine\nCOPY --from=build /usr /usr\nENV PORT=7000\nEXPOSE $PORT\nUSER root\nCMD [\"python\", \"app.py\"]\n"
        ),
        ("app.py", ""),
    ]
);
snapshot!(
    own_dockerfile_from_the_metadata,
    metadata(|m| {
        m.generated_dockerfile = Some("FROM previewd/python:3.11\nCMD python3 -m http.server 8000\n".into());
        m.port = Some(8000);
    }),
    [("Dockerfile", "FROM evil\n"), ("x", "")]
);
snapshot!(empty_python_file, Metadata::default(), [("main.py", "")]);
snapshot!(
    broken_syntax,
    Metadata::default(),
    [(
        "main.py",
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/'\ndef broken(:\n    return {\n"
    )]
);

#[test]
fn a_program_inside_a_package_runs_as_its_module() {
    let program = "from .settings import PORT\nfrom http.server import HTTPServer\nif __name__ == '__main__':\n    HTTPServer(('0.0.0.0', PORT), None).serve_forever()\n";
    let start = |main: &str| {
        let inside = [("shop/__init__.py", ""), ("shop/settings.py", "PORT = 8000\n"), (main, program)];
        planned(&Metadata::default(), &tree(&inside)).start.expect("a command").join(" ")
    };
    assert_eq!(start("shop/main.py"), "python -m shop.main");
    assert_eq!(start("shop/__main__.py"), "python -m shop");
    let alone = [("shop/main.py", "import http.server\nif __name__ == '__main__':\n    pass\n")];
    let plan = planned(&Metadata::default(), &tree(&alone));
    assert!(plan.start.expect("a command").join(" ").ends_with("main.py"));
}

#[test]
fn a_dockerfile_that_exposes_nothing_listens_where_its_command_or_code_says() {
    let port = |dockerfile: &str, file: (&str, &str)| {
        let plan = planned(&Metadata::default(), &tree(&[("Dockerfile", dockerfile), file]));
        let decision = plan.decisions.iter().find(|decision| decision.what == "port").expect("decided");
        (plan.port, decision.reason.clone())
    };
    let found = port("FROM python:3.11\nCMD gunicorn -b 0.0.0.0:5001 app:app\n", ("app.py", ""));
    assert_eq!(found, (5001, "CMD names it".to_owned()));
    let settings = ("gunicorn.conf.py", "workers = 2\nbind = '0.0.0.0:5002'\n");
    assert_eq!(port("FROM python:3.11\nCMD gunicorn app:app\n", settings).0, 5002);
    let code =
        ("app.py", "from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=5003)\n");
    assert_eq!(port("FROM python:3.11\nCMD python app.py\n", code).0, 5003);
    let code = ("server.js", "const app = require('express')();\napp.listen(process.env.PORT || 5004);\n");
    assert_eq!(port("FROM node:20\nCMD node server.js\n", code).0, 5004);
    assert_eq!(port("FROM node:20\nCMD node server.js\n", ("server.js", "")).0, 8000);
}

#[test]
fn a_large_file_is_read_as_any_other() {
    let mut source = FASTAPI.to_owned();
    while source.len() < 200 * 1024 {
        source.push_str("\n@app.get('/x')\ndef handler(a: int = 1):\n    return {'a': [a, a + 1, 'text']}\n");
    }
    let plan = planned(&Metadata::default(), &tree(&[("main.py", &source)]));
    assert_eq!(plan.framework, "fastapi");
}

#[test]
fn secrets_and_environment_are_in_no_dockerfile() {
    let metadata = metadata(|m| {
        m.environment.insert("TOKEN".into(), "metadata-secret".into());
    });
    let files = tree(&[("main.py", FASTAPI), (".env", "KEY=dotenv-secret\n")]);
    let plan = planned(&metadata, &files);
    assert_eq!(plan.dotenv.get("KEY").map(String::as_str), Some("dotenv-secret"));
    let json = serde_json::to_string(&plan).expect("JSON");
    for text in [dockerfile(&plan, Dialect::BuildKit), dockerfile(&plan, Dialect::Classic), json] {
        assert!(!text.contains("-secret"), "{text}");
    }
}

#[test]
fn a_single_page_is_served_whatever_it_is_called() {
    for page in ["snake-game.html", "my-site/home.html"] {
        let files = tree(&[(page, "<h1>x"), ("my-site/style.css", ""), ("app.js", "")]);
        let plan = planned(&Metadata::default(), &files);
        assert_eq!(plan.framework, "static", "{page}");
        let mut archive = Vec::new();
        context(&plan, &files, &BuildInputs::default(), &Part::Whole, &mut archive).expect("written");
        let (folder, name) = page.rsplit_once('/').map_or(("/app", page), |_| ("/app/my-site", "home.html"));
        let archive = String::from_utf8_lossy(&archive);
        assert!(archive.contains(&format!("root {folder};\n        index {name};")), "{archive}");
    }
    let program = [("report.html", "<h1>x"), ("main.py", "print(1)\n")];
    assert_eq!(brief(&Metadata::default(), &program).0, "python");
    refused(&Metadata::default(), &tree(&[("a.html", ""), ("b.html", "")]));
}

#[test]
fn variables_beside_the_app_come_before_those_at_the_top() {
    let plan = planned(
        &Metadata::default(),
        &tree(&[
            (".env", "KEY=top\nTOP=1\n"),
            ("backend/.env", "KEY=near\nJWT_SECRET=x\n"),
            ("backend/package.json", r#"{"scripts":{"start":"node a.js"},"dependencies":{"express":"4"}}"#),
            ("backend/a.js", "listen(process.env.PORT, process.env.JWT_SECRET)"),
        ]),
    );
    let found: Vec<_> = plan.dotenv.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, [("JWT_SECRET", "x"), ("KEY", "near"), ("TOP", "1")]);
    assert!(plan.environment_missing.is_empty(), "{:?}", plan.environment_missing);
}

/// Without the plan's own the app is not found.
#[test]
fn paths_somebody_sets_come_after_those_the_start_depends_on() {
    let files = tree(&[("src/shop/__init__.py", ""), ("src/shop/main.py", FASTAPI)]);
    let mut plan = planned(&Metadata::default(), &files);
    plan.environment.insert("PYTHONPATH".to_owned(), "/app/src".to_owned());
    let beside = |value: &str| {
        let given =
            [("PYTHONPATH", value), ("KEY", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        plan.beside(given.into())
    };
    assert_eq!(beside("/app/lib")["PYTHONPATH"], "/app/src:/app/lib");
    assert_eq!((beside("")["PYTHONPATH"].as_str(), beside("")["KEY"].as_str()), ("/app/src", "1"));
    assert_eq!(plan.beside(Default::default()), Default::default(), "nothing is set that nobody set");
}

#[test]
fn the_classic_builder_gets_the_same_image_without_mounts() {
    let python = metadata(|m| m.system_packages = vec!["libpq5".into()]);
    let python = planned(&python, &tree(&[("main.py", FASTAPI), ("requirements.txt", "fastapi\n")]));
    let node = planned(
        &Metadata::default(),
        &tree(&[
            ("server.js", EXPRESS),
            (
                "package.json",
                r#"{"scripts":{"build":"x"},"dependencies":{"express":"4"},"devDependencies":{"a":"1"}}"#,
            ),
        ]),
    );
    for (name, plan) in [("classic_python", python), ("classic_node", node)] {
        let text = dockerfile(&plan, Dialect::Classic);
        assert!(!text.contains("--mount"), "{text}");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn a_dockerfile_that_cannot_be_built_here_gives_way_to_what_the_files_say() {
    let package = r#"{"dependencies": {"express": "4.21.2"}, "scripts": {"start": "node server.js"}}"#;
    let server = "require('express')().listen(process.env.PORT || 3000);\n";
    let alpine = "FROM node:20-alpine\nRUN apk add --no-cache git\nCOPY . .\nCMD [\"node\", \"server.js\"]\n";
    let files = [("Dockerfile", alpine), ("package.json", package), ("server.js", server)];
    let plan = planned(&Metadata::default(), &tree(&files));
    assert_eq!(plan.framework, "express");
    let said = plan.warnings.iter().find(|warning| warning.message.contains("apk")).expect("a warning");
    assert_eq!((said.file.as_deref(), said.line), (Some("Dockerfile"), Some(2)));
    let named = plan.decisions.iter().filter(|decision| decision.what == "framework");
    assert_eq!(named.map(|decision| decision.choice.as_str()).collect::<Vec<_>>(), ["express"]);
    let insisting = metadata(|m| m.framework = Some("dockerfile".into()));
    assert_eq!(planned(&insisting, &tree(&files)).framework, "dockerfile");
    let lockfile =
        "FROM node:20\nCOPY package.json package-lock.json ./\nRUN npm ci\nCMD [\"node\", \"server.js\"]\n";
    let without = [("Dockerfile", lockfile), ("package.json", package), ("server.js", server)];
    let plan = planned(&Metadata::default(), &tree(&without));
    assert_eq!(plan.framework, "express");
    assert!(
        plan.warnings.iter().any(|warning| warning.message.contains("package-lock.json")),
        "{:?}",
        plan.warnings
    );
    let whole = [without[0], without[1], without[2], ("package-lock.json", "{}")];
    assert_eq!(planned(&Metadata::default(), &tree(&whole)).framework, "dockerfile");
    let by_lock = "FROM node:20\nCOPY package*.json ./\nRUN npm ci --omit=dev\nCOPY . .\n";
    let without = [("Dockerfile", by_lock), ("package.json", package), ("server.js", server)];
    let plan = planned(&Metadata::default(), &tree(&without));
    assert_eq!(plan.framework, "express");
    let said = plan.warnings.iter().find(|warning| warning.message.contains("npm ci needs a lockfile"));
    assert_eq!(said.and_then(|warning| warning.line), Some(3), "{:?}", plan.warnings);
    let whole = [without[0], without[1], without[2], ("package-lock.json", "{}")];
    assert_eq!(planned(&Metadata::default(), &tree(&whole)).framework, "dockerfile");
    let unknown = planned(&Metadata::default(), &tree(&[("Dockerfile", alpine), ("a.txt", "")]));
    assert_eq!(unknown.framework, "dockerfile", "nothing else says what it is");
}

#[test]
fn the_usual_frontend_of_a_dockerfile_is_left_out() {
    let text = "# syntax=docker/dockerfile:1.7\nFROM python:3.11\nCMD [\"python\"]\n";
    let plan = planned(&Metadata::default(), &tree(&[("Dockerfile", text)]));
    let Recipe::Dockerfile(own) = plan.recipe else { panic!("{:?}", plan.recipe) };
    assert_eq!(own.text, "#\nFROM previewd/python:3.11\nCMD [\"python\"]\n");
    assert!(plan.decisions.iter().any(|decision| decision.what == "syntax line"));
}
