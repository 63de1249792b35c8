//! A database on the author's own machine, written into the code: nothing in a preview listens
//! there.

use super::{DatabaseKind, DatabaseNeed};
use crate::generation::plan::{Notes, Place};
use crate::generation::project::{Project, is_javascript, is_python};

const SCHEMES: [&str; 6] = ["postgres://", "postgresql", "mysql", "mariadb", "mongodb://", "mongodb+srv"];
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Says so, when no variable is read that could say another address.
pub fn warn(project: &Project<'_>, need: &DatabaseNeed, notes: &mut Notes) {
    if need.kind == DatabaseKind::Sqlite || !need.variables.is_empty() {
        return;
    }
    let telling = |path: &str| {
        (is_python(path) || is_javascript(path) || path.ends_with(".go"))
            && !path.split('/').any(|part| part.starts_with("test"))
    };
    let texts = project.paths().filter(|path| telling(path)).take(2000);
    let place = texts.filter_map(|path| Some((path, project.text(path)?))).find_map(|(path, text)| {
        let settles = [".connect(", "createConnection(", "createPool(", "Pool(", "Client(", "DATABASES"];
        let has_options = settles.iter().any(|call| text.contains(call));
        let index = text.lines().position(|line| is_address(line) || has_options && is_host(line))?;
        Place::line(path, index + 1)
    });
    if let Some(place) = place {
        let message = format!(
            "no {} listens on localhost in a preview; the address should come from DATABASE_URL, or from variables for its parts",
            need.kind.name()
        );
        notes.warn(message, Some(place));
    }
}

/// `postgresql://postgres:password@localhost:5432/mydb`.
fn is_address(line: &str) -> bool {
    line.len() < 2000
        && !is_comment(line)
        && line.split_once("://").is_some_and(|(before, after)| {
            let authority = after.split(['/', '"', '\'', '`', '?']).next().unwrap_or(after);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            let scheme = format!("{before}://");
            SCHEMES
                .iter()
                .any(|known| scheme.rsplit(['"', '\'', '`']).next().is_some_and(|s| s.starts_with(known)))
                && LOOPBACK.iter().any(|loopback| host.starts_with(loopback))
        })
}

/// `host: 'localhost'`, `host="localhost"`, `'HOST': 'localhost'`.
fn is_host(line: &str) -> bool {
    line.len() < 2000 && !is_comment(line) && {
        let lower = line.to_ascii_lowercase();
        lower.match_indices("host").any(|(at, _)| {
            let before = lower[..at].chars().next_back();
            let rest = lower[at + 4..].trim_start_matches(['"', '\'']).trim_start();
            let value = rest.strip_prefix([':', '=']).map(str::trim_start);
            let quoted = value.and_then(|value| value.strip_prefix(['"', '\'']));
            before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')
                && quoted.is_some_and(|host| LOOPBACK.iter().any(|loopback| host.starts_with(loopback)))
        })
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_authors_machine_are_told_from_others() {
        assert!(is_address(
            "engine = create_engine(\"postgresql+psycopg2://postgres:pass@localhost:5432/mydb\")"
        ));
        assert!(is_address("mongoose.connect('mongodb://127.0.0.1/x')"));
        assert!(!is_address("engine = create_engine('postgresql://u:p@db/mydb')"));
        assert!(!is_address("# postgresql://localhost/x"));
        assert!(!is_address("fetch('http://localhost:8000/mysql')"));
        assert!(is_host("const db=mysql.createConnection({host:'localhost',user:'root'});"));
        assert!(is_host("'HOST': 'localhost',"));
        assert!(!is_host("'HOST': os.environ['DB_HOST'],"));
        assert!(!is_host("smtp_host = 'localhost'"));
    }
}
