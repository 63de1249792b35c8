//! Libraries and programs of the distribution that packages of an index need and do not bring.

use crate::generation::plan::{Language, Place};
use crate::generation::project::Project;

/// One distribution package and what asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPackage {
    pub name: &'static str,
    pub reason: String,
    pub place: Option<Place>,
}

/// What packages of Python's index need when they run; those that bring everything in their
/// wheels (pillow, lxml, psycopg2-binary, opencv-python-headless, numpy) are not here.
const PYTHON: [(&str, &[&str]); 29] = [
    ("weasyprint", &["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]),
    ("cairosvg", &["libcairo2"]),
    ("cairocffi", &["libcairo2"]),
    ("pycairo", &["libcairo2-dev", "pkg-config", "gcc", "python3-dev"]),
    ("xhtml2pdf", &["libcairo2"]),
    ("psycopg2", &["libpq-dev", "gcc", "python3-dev"]),
    ("psycopg", &["libpq5"]),
    ("mysqlclient", &["default-libmysqlclient-dev", "pkg-config", "gcc", "python3-dev"]),
    ("opencv-python", &["libgl1", "libglib2.0-0"]),
    ("opencv-contrib-python", &["libgl1", "libglib2.0-0"]),
    ("python-magic", &["libmagic1"]),
    ("pydub", &["ffmpeg"]),
    ("moviepy", &["ffmpeg"]),
    ("ffmpeg-python", &["ffmpeg"]),
    ("openai-whisper", &["ffmpeg"]),
    ("yt-dlp", &["ffmpeg"]),
    ("pytesseract", &["tesseract-ocr"]),
    ("pdf2image", &["poppler-utils"]),
    ("pyzbar", &["libzbar0"]),
    ("wand", &["libmagickwand-6.q16-6"]),
    ("graphviz", &["graphviz"]),
    ("pydot", &["graphviz"]),
    ("pdfkit", &["wkhtmltopdf"]),
    ("gitpython", &["git"]),
    ("python-ldap", &["libldap2-dev", "libsasl2-dev", "gcc", "python3-dev"]),
    ("pyodbc", &["unixodbc"]),
    ("soundfile", &["libsndfile1"]),
    ("librosa", &["libsndfile1"]),
    ("uwsgi", &["gcc", "python3-dev"]),
];

const NODE: [(&str, &[&str]); 10] = [
    (
        "canvas",
        &["libcairo2", "libpango-1.0-0", "libpangocairo-1.0-0", "libjpeg62-turbo", "libgif7", "librsvg2-2"],
    ),
    ("prisma", &["openssl"]),
    ("@prisma/client", &["openssl"]),
    ("fluent-ffmpeg", &["ffmpeg"]),
    ("puppeteer", &["chromium"]),
    ("puppeteer-core", &["chromium"]),
    ("simple-git", &["git"]),
    ("pdf2pic", &["ghostscript", "graphicsmagick"]),
    ("gm", &["graphicsmagick"]),
    ("node-tesseract-ocr", &["tesseract-ocr"]),
];

/// The packages for an app in this language, each once.
pub fn find(project: &Project<'_>, language: Language) -> Vec<SystemPackage> {
    let (table, declared): (&[(&str, &[&'static str])], _) = match language {
        Language::Python => (&PYTHON, project.python_packages()),
        Language::Node => (&NODE, project.node_packages()),
        _ => return Vec::new(),
    };
    let mut found: Vec<SystemPackage> = Vec::new();
    for (package, needed) in table {
        let Some(place) = declared.get(*package) else { continue };
        let brings_its_own =
            ["psycopg-binary", "psycopg[binary]"].iter().any(|name| declared.contains_key(*name));
        if package == &"psycopg" && brings_its_own {
            continue;
        }
        for name in *needed {
            if !found.iter().any(|known| known.name == *name) {
                let reason = format!("{package} needs it and does not bring it");
                found.push(SystemPackage { name, reason, place: Some(place.clone()) });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn known_packages_bring_their_libraries() {
        let files = tree(&[("requirements.txt", "weasyprint\npydub\nmoviepy\npsycopg[binary]\n")]);
        let found = project_of(&files, |project| find(project, Language::Python));
        let names: Vec<&str> = found.iter().map(|package| package.name).collect();
        assert_eq!(names, ["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "ffmpeg"]);
        assert_eq!(found[3].place, Place::line("requirements.txt", 2));
        assert!(project_of(&files, |project| find(project, Language::Static)).is_empty());
    }
}
