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

/// A site of two files, small and large.
pub fn site(generation: &str) -> Value {
    let page = format!("<!doctype html><title>{generation}</title>\n");
    json!({ "metadata": { "port": SITE_PORT }, "files": { "index.html": page, "large.bin": large() } })
}

/// Where the site's container listens.
pub const SITE_PORT: u16 = 8080;

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
