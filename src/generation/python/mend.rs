//! Lines of requirement files that no index can satisfy, and what is meant by them.

use super::packages::is_standard;
use super::requirements::names_in;
use crate::generation::plan::{Notes, Place};

/// Names something is imported by, taken for names of packages: none of them can be installed.
const MEANT: [(&str, &str); 10] = [
    ("pil", "pillow"),
    ("sklearn", "scikit-learn"),
    ("cv2", "opencv-python-headless"),
    ("yaml", "pyyaml"),
    ("dotenv", "python-dotenv"),
    ("dateutil", "python-dateutil"),
    ("crypto", "pycryptodome"),
    ("mysqldb", "mysqlclient"),
    ("skimage", "scikit-image"),
    ("psycopg2-bin", "psycopg2-binary"),
];

/// The file with such lines changed; `None` when there are none.
pub fn mended(path: &str, text: &str, notes: &mut Notes) -> Option<String> {
    let mut changed = false;
    let mut lines: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match change(line) {
            Some(Change::Dropped(name)) => {
                let message = format!("{name} comes with Python and is no package; the line is passed over");
                notes.warn(message, Place::line(path, index + 1));
                lines.push(format!("# {}", line.trim_end()));
                changed = true;
            }
            Some(Change::Meant(name, package)) => {
                let message = format!("{name} is what {package} is imported by; {package} is installed");
                notes.warn(message, Place::line(path, index + 1));
                lines.push(package.to_owned());
                changed = true;
            }
            None => lines.push(line.to_owned()),
        }
    }
    changed.then(|| lines.join("\n") + "\n")
}

enum Change {
    Dropped(String),
    Meant(String, &'static str),
}

fn change(line: &str) -> Option<Change> {
    let name = names_in(line.trim()).into_iter().next()?;
    // `./lib` and addresses start with no name; a path may.
    let rest = line.trim().get(name.len()..)?;
    if rest.starts_with(['/', '\\', ':']) {
        return None;
    }
    if let Some((_, package)) = MEANT.iter().find(|(meant, _)| *meant == name) {
        return Some(Change::Meant(name, package));
    }
    is_standard(&name.replace('-', "_")).then_some(Change::Dropped(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_index_has_is_changed_and_said() {
        let mut notes = Notes::default();
        let text = "fastapi==0.1\nsqlite3\nasyncio>=3\nsklearn\n# os\n-r base.txt\nrequests\n";
        let mended = mended("requirements.txt", text, &mut notes).expect("changed");
        assert_eq!(
            mended,
            "fastapi==0.1\n# sqlite3\n# asyncio>=3\nscikit-learn\n# os\n-r base.txt\nrequests\n"
        );
        let lines: Vec<_> = notes.warnings.iter().filter_map(|warning| warning.line).collect();
        assert_eq!(lines, [2, 3, 4]);
        assert_eq!(super::mended("r.txt", "flask\n", &mut notes), None);
    }
}
