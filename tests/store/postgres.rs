//! A PostgreSQL server of this test binary's own, from the distribution's packages.
//!
//! A shell watches over it: it starts the server in a directory of its own, and when its standard
//! input ends, which it does however this process ends (done, panicked or killed), it stops the
//! server and removes the directory.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection as _, PgConnection};

/// `$1` is the directory of the programs. Prints the server's directory once it answers.
const WATCH: &str = r#"
set -eu
dir=$(mktemp -d /tmp/previewd-postgres.XXXXXX)
trap 'rm -rf "$dir"' EXIT
if ! "$1/initdb" -D "$dir/data" -U previewd --auth=trust --no-sync --encoding=UTF8 --locale=C >"$dir/log" 2>&1; then
    cat "$dir/log" >&2
    exit 1
fi
"$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c shared_buffers=32MB >>"$dir/log" 2>&1 </dev/null &
server=$!
until "$1/pg_isready" -q -h "$dir"; do
    if ! kill -0 "$server"; then
        cat "$dir/log" >&2
        exit 1
    fi
    sleep 0.05
done
echo "$dir"
exec >/dev/null 2>&1
read -r _ || true
# At once: its data go with it.
kill -QUIT "$server"
wait "$server" || true
"#;

struct Server {
    directory: String,
    /// Holds the pipe to the watching shell open.
    _watch: Child,
}

/// The URL of a new, empty database on this binary's server.
pub async fn new_database() -> String {
    static DATABASES: AtomicU32 = AtomicU32::new(1);
    let name = format!("story_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let server = tokio::task::spawn_blocking(|| server().directory.clone()).await.expect("a server");
    let url = |database: &str| format!("postgres://previewd@localhost/{database}?host={server}");
    let mut admin = PgConnection::connect(&url("postgres")).await.expect("the server answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut admin).await.expect("creates a database");
    url(&name)
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let programs = programs();
    let mut watch = watcher()
        .args(["sh", "-c", WATCH, "watch"])
        .arg(&programs)
        .current_dir("/tmp")
        // What is sent to the tests' group, such as Ctrl-C, must not reach the one who cleans up.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let mut directory = String::new();
    let stdout = watch.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut directory).expect("reads");
    if directory.is_empty() {
        let mut log = String::new();
        let _ = watch.stderr.take().expect("piped").read_to_string(&mut log);
        panic!("PostgreSQL from {} does not start:\n{log}", programs.display());
    }
    Server { directory: directory.trim().to_owned(), _watch: watch }
}

/// PostgreSQL refuses to run as root: then the package's own user runs it.
fn watcher() -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs").stdout;
    if id.trim_ascii() == b"0" {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]);
        command
    } else {
        Command::new("env")
    }
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(number)
        .map(|path| path.join("bin"))
        .expect("these tests need PostgreSQL: install the package `postgresql` (no /usr/lib/postgresql/*/bin/initdb)")
}
