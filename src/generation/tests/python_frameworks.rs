//! Django, Streamlit and Gradio; lockfiles; what imports are mapped to.

use super::{brief, metadata, planned, tree};
use crate::domain::Metadata;
use crate::generation::Recipe;

const MANAGE: &str = "import os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n    from django.core.management import execute_from_command_line\n";
const SETTINGS: &str = "import os\nDEBUG = False\nALLOWED_HOSTS = []\nINSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_URL = 'static/'\nSECRET_KEY = os.environ['SECRET_KEY']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n";

snapshot!(
    django,
    Metadata::default(),
    [
        ("manage.py", MANAGE),
        ("shop/__init__.py", ""),
        ("shop/settings.py", SETTINGS),
        (
            "shop/wsgi.py",
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
        ),
        ("shop/urls.py", "urlpatterns = [path('health', ok)]\n"),
        ("requirements.txt", "Django>=5\n"),
    ]
);
snapshot!(
    django_in_a_folder_with_channels,
    Metadata::default(),
    [
        ("backend/manage.py", MANAGE),
        (
            "backend/shop/settings.py",
            "MIDDLEWARE = [\n  'whitenoise.middleware.WhiteNoiseMiddleware',\n]\nASGI_APPLICATION = 'shop.asgi.application'\n"
        ),
        ("backend/requirements.txt", "Django\nchannels\nwhitenoise\npsycopg2\n"),
    ]
);
snapshot!(
    streamlit,
    Metadata::default(),
    [
        ("Home.py", "import streamlit as st\nst.title('Tides')\n"),
        ("pages/1_More.py", "import streamlit as st\nst.title('More')\n"),
        ("requirements.txt", "streamlit\npandas\n"),
    ]
);
snapshot!(
    gradio,
    Metadata::default(),
    [(
        "app.py",
        "import gradio as gr\ndemo = gr.Interface(fn=str, inputs='text', outputs='text')\ndemo.launch()\n"
    )]
);
snapshot!(
    fastapi_with_a_database_a_cache_and_settings,
    Metadata::default(),
    [
        ("main.py", "from fastapi import FastAPI\nfrom settings import Settings\napp = FastAPI()\n"),
        (
            "settings.py",
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    database_url: str\n    redis_url: str = 'redis://localhost'\n    api_key: str\n"
        ),
        ("requirements.txt", "fastapi\nuvicorn\nsqlalchemy\nasyncpg\nalembic\nredis\npydantic-settings\n"),
        ("alembic.ini", "[alembic]\nscript_location = alembic\n"),
        ("alembic/versions/1_first.py", "def upgrade(): pass\n"),
        ("scripts/seed.py", "if __name__ == '__main__':\n    print('seeded')\n"),
    ]
);

#[test]
fn lockfiles_of_pdm_and_pipenv_are_read() {
    let app = ("main.py", super::FASTAPI);
    let pdm = "[[package]]\nname = \"fastapi\"\nversion = \"0.115.0\"\ngroups = [\"default\"]\n";
    let pipenv = r#"{"default":{"fastapi":{"version":"==0.115.0"}},"develop":{}}"#;
    for lock in [("pdm.lock", pdm), ("Pipfile.lock", pipenv)] {
        let plan = planned(&Metadata::default(), &tree(&[app, lock]));
        let Recipe::Python(recipe) = plan.recipe else { panic!("{:?}", plan.recipe) };
        let text = format!("{:?}", recipe.dependency_files);
        assert!(text.contains("fastapi==0.115.0"), "{lock:?}: {text}");
        assert_eq!(recipe.packages, ["uvicorn"], "{lock:?}");
    }
}

#[test]
fn what_one_file_can_do_without_another_may_need() {
    let files = [
        ("manage.py", MANAGE),
        ("shop/settings.py", SETTINGS),
        ("shop/urls.py", "from django.urls import path\n"),
    ];
    let Recipe::Python(recipe) = planned(&Metadata::default(), &tree(&files)).recipe else {
        panic!("no Python")
    };
    assert_eq!(recipe.packages, ["django", "gunicorn"]);
}

#[test]
fn a_command_of_the_metadata_starts_django_as_it_says() {
    let files = [
        ("manage.py", MANAGE),
        ("shop/settings.py", SETTINGS),
        ("shop/wsgi.py", "application = 1\n"),
        ("requirements.txt", "django\n"),
    ];
    let start = |entry: &str| brief(&metadata(|m| m.entry_point = Some(entry.into())), &files);
    let (framework, argv, port) = start("gunicorn shop.wsgi:application --bind 0.0.0.0:9000");
    assert_eq!((framework.as_str(), port), ("django", 9000));
    assert!(argv.starts_with("gunicorn shop.wsgi:application"), "{argv}");
    let (_, argv, _) = start("python manage.py runserver 0.0.0.0:8000");
    assert_eq!(argv, "python manage.py runserver 0.0.0.0:8000");
}

#[test]
fn what_the_newest_of_another_package_breaks_is_held_back() {
    let added = |requirements: &str| {
        let files = [
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("requirements.txt", requirements),
        ];
        let Recipe::Python(recipe) = planned(&Metadata::default(), &tree(&files)).recipe else {
            panic!("no Python")
        };
        recipe.packages.into_iter().filter(|package| package.contains('<')).collect::<Vec<_>>()
    };
    assert_eq!(added("Flask==2.2.3\nFlask-Cors==3.0.10\ngunicorn\n"), ["werkzeug<3"]);
    assert_eq!(added("Flask==2.2.3\nWerkzeug==2.2.3\n"), Vec::<String>::new());
    assert_eq!(added("flask==3.0.0\npandas==2.1.4\nnumpy\n"), ["numpy<2"]);
    assert_eq!(added("flask>=2\npasslib[bcrypt]==1.7.4\n"), ["bcrypt<5"]);
    assert_eq!(added("flask==1.1.4\n"), ["werkzeug<3", "jinja2<3.1", "itsdangerous<2.1"]);
}

#[test]
fn of_several_services_the_others_are_named() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let files = tree(&[
        ("services/orders/main.py", app),
        ("services/orders/requirements.txt", "fastapi\n"),
        ("services/orders/tests/fake.py", app),
        ("services/users/main.py", app),
        ("services/users/requirements.txt", "fastapi\n"),
    ]);
    let plan = planned(&Metadata::default(), &files);
    let others = plan.warnings.iter().filter(|warning| warning.message.contains("a fastapi app too"));
    let others: Vec<_> = others.map(|warning| (warning.file.as_deref(), warning.line)).collect();
    assert_eq!(others, [(Some("services/users/main.py"), Some(2))], "{:?}", plan.warnings);
    let one = tree(&[("main.py", app), ("sub/api.py", app)]);
    assert!(planned(&Metadata::default(), &one).warnings.is_empty(), "parts of one app");
}
