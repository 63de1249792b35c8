//! The apps that are launched. Each names its generation at `/`, so that an answer can be checked.

use serde_json::{Value, json};

/// FastAPI alone.
pub fn fastapi(generation: &str) -> Value {
    json!({ "metadata": {}, "files": {
        "requirements.txt": "fastapi==0.165.0\nuvicorn==0.54.0\n",
        "app/__init__.py": "",
        "app/main.py": main("", generation),
    }})
}

/// FastAPI, SQLAlchemy and psycopg, with a list of requirements that no build has seen: `marker`
/// makes it another file, hence another layer.
pub struct Shop {
    pub requirements: String,
    pub main: String,
}

impl Shop {
    pub fn new(generation: &str, marker: &str) -> Self {
        let requirements = format!(
            "# {marker}\nfastapi==0.165.0\nuvicorn==0.54.0\nsqlalchemy==2.1.9\npsycopg[binary]==3.3.9\n"
        );
        Self { requirements, main: main(TABLES, generation) }
    }

    pub fn body(&self) -> Value {
        json!({ "metadata": {}, "files": {
            "requirements.txt": self.requirements,
            "app/__init__.py": "",
            "app/main.py": self.main,
        }})
    }
}

/// A site of two files, small and large, behind an nginx that writes no line for each request: what
/// a line costs is another question than what the way in costs.
pub fn site(generation: &str) -> Value {
    json!({ "metadata": { "port": SITE_PORT }, "files": {
        "Dockerfile": SITE_DOCKERFILE,
        "nginx.conf": SITE_CONFIGURATION.replace("{port}", &SITE_PORT.to_string()),
        "index.html": format!("<!doctype html><title>{generation}</title>\n"),
        "large.bin": large(),
    }})
}

/// Where the site's container listens.
pub const SITE_PORT: u16 = 8080;

const SITE_DOCKERFILE: &str = r#"FROM previewd/static:1
COPY nginx.conf /etc/bench/nginx.conf
COPY index.html large.bin /srv/bench/
CMD ["nginx", "-e", "stderr", "-c", "/etc/bench/nginx.conf"]
"#;

const SITE_CONFIGURATION: &str = "worker_processes 1;
daemon off;
pid /tmp/nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path /tmp/nginx-body;
    proxy_temp_path /tmp/nginx-proxy;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
    sendfile on;
    keepalive_requests 1000000;
    server { listen {port}; root /srv/bench; }
}
";

/// One MiB of letters that look random.
pub fn large() -> String {
    let mut state = 1_u32;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from(state >> 24).unwrap_or_default() % 26)
    });
    letters.take(1 << 20).collect()
}

fn main(more: &str, generation: &str) -> String {
    format!(
        "from fastapi import FastAPI\n{more}\napp = FastAPI()\n\n\n@app.get(\"/\")\ndef index():\n    \
         return {{\"generation\": \"{generation}\"}}\n\n\n@app.get(\"/health\")\ndef health():\n    \
         return {{\"status\": \"ok\"}}\n"
    )
}

const TABLES: &str = r#"
import psycopg
from sqlalchemy import create_engine, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


assert psycopg.__version__
engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
"#;
