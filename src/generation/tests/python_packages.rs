//! Packages told from imports and from what else the code says.

use super::{planned, tree};
use crate::domain::Metadata;
use crate::generation::{Plan, Recipe};

fn packages(plan: &Plan) -> Vec<&str> {
    let Recipe::Python(recipe) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    recipe.packages.iter().map(String::as_str).collect()
}

fn alone(text: &str) -> Plan {
    planned(&Metadata::default(), &tree(&[("main.py", text)]))
}

fn said(plan: &Plan) -> Vec<&str> {
    plan.warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .filter(|m| m.contains("does not name"))
        .collect()
}

#[test]
fn packages_that_share_a_name_are_told_apart() {
    let text = "from google import genai\nfrom google.cloud import storage, speech_v1\nimport google.generativeai as g\nfrom bson import ObjectId\nfrom pymongo import MongoClient\n";
    assert_eq!(
        packages(&alone(text)),
        ["google-cloud-speech", "google-cloud-storage", "google-genai", "google-generativeai", "pymongo"]
    );
    let files = tree(&[
        (
            "app.py",
            "from flask import Flask\nfrom bson import ObjectId\nfrom google import genai\napp = Flask(__name__)\n",
        ),
        ("requirements.txt", "flask\npymongo\ngoogle-genai\ngunicorn\n"),
    ]);
    assert_eq!(said(&planned(&Metadata::default(), &files)), Vec::<&str>::new());
}

#[test]
fn what_is_never_imported_is_installed_as_well() {
    let has = |text: &str, package: &str| {
        let plan = alone(text);
        assert!(packages(&plan).contains(&package), "{package}: {:?}", packages(&plan));
    };
    has("import sqlalchemy\nURL = 'sqlite+aiosqlite:///a.db'\n", "aiosqlite");
    has("from starlette.middleware.sessions import SessionMiddleware\n", "itsdangerous");
    has("from passlib.context import CryptContext\nc = CryptContext(schemes=['bcrypt'])\n", "bcrypt<5");
    has("import pandas as pd\npd.read_excel('a.xlsx')\n", "openpyxl");
    has("from flask_socketio import SocketIO\ns = SocketIO(app, async_mode='eventlet')\n", "eventlet");
    has("from sqlalchemy import create_engine\nURL = 'postgresql://u@h/d'\n", "psycopg2-binary");
    let with = |requirements: &str| {
        let text = "from fastapi import FastAPI\nfrom passlib.context import CryptContext\nc = CryptContext(schemes=['bcrypt'])\napp = FastAPI()\n";
        let plan =
            planned(&Metadata::default(), &tree(&[("main.py", text), ("requirements.txt", requirements)]));
        packages(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(with("fastapi\nuvicorn\npasslib\n"), ["bcrypt<5"]);
    assert_eq!(with("fastapi\nuvicorn\npasslib\nbcrypt\n"), ["bcrypt<5"]);
    assert_eq!(with("fastapi\nuvicorn\npasslib\nbcrypt==4.0.1\n"), Vec::<String>::new());
}

const MANAGE: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'core.settings')\n";
const SETTINGS: &str = "INSTALLED_APPS = ['django.contrib.auth', 'rest_framework', 'corsheaders', 'blog']\nMIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'localhost'}}\n";
const MODELS: &str = "from django.db import models\nclass P(models.Model):\n    i = models.ImageField()\n";

#[test]
fn what_django_names_as_text_is_installed_or_missed() {
    let files = [("manage.py", MANAGE), ("core/settings.py", SETTINGS), ("blog/models.py", MODELS)];
    let plan = planned(&Metadata::default(), &tree(&files));
    assert_eq!(
        packages(&plan),
        [
            "django",
            "gunicorn",
            "pillow",
            "djangorestframework",
            "django-cors-headers",
            "whitenoise",
            "psycopg2-binary"
        ]
    );
    let listed =
        [&files[..], &[("requirements.txt", "Django\ngunicorn\ndjangorestframework\nwhitenoise\npsycopg\n")]]
            .concat();
    let plan = planned(&Metadata::default(), &tree(&listed));
    assert_eq!(packages(&plan), Vec::<&str>::new());
    let missed: Vec<_> =
        plan.warnings.iter().filter(|warning| warning.message.contains("does not name")).collect();
    let places: Vec<_> = missed.iter().map(|warning| (warning.file.as_deref(), warning.line)).collect();
    assert_eq!(places, [(Some("blog/models.py"), Some(3)), (Some("core/settings.py"), Some(1))]);
    assert!(missed[1].message.contains("django-cors-headers"), "{missed:?}");
}

#[test]
fn a_database_on_the_authors_machine_is_said() {
    let place = |files: &[(&str, &str)]| {
        let plan = planned(&Metadata::default(), &tree(files));
        let said =
            plan.warnings.into_iter().find(|warning| warning.message.contains("listens on localhost"))?;
        Some((said.file?, said.line?))
    };
    let engine = |url: &str| {
        format!("from fastapi import FastAPI\nimport os\napp = FastAPI()\nengine = create_engine({url})\n")
    };
    let literal = engine("'postgresql://postgres:password@localhost:5432/mydb'");
    assert_eq!(place(&[("main.py", &literal)]), Some(("main.py".to_owned(), 4)));
    let read = engine("os.getenv('DATABASE_URL', 'postgresql://localhost/mydb')");
    assert_eq!(place(&[("main.py", &read)]), None);
    let django = [("manage.py", MANAGE), ("core/settings.py", SETTINGS), ("blog/models.py", MODELS)];
    assert_eq!(place(&django), Some(("core/settings.py".to_owned(), 3)));
    let node = "const mysql = require('mysql2');\nconst db = mysql.createConnection({host:'localhost', user:'root'});\nrequire('express')().listen(3000);\n";
    assert_eq!(place(&[("app.js", node)]), Some(("app.js".to_owned(), 2)));
}
