//! A server of MongoDB's protocol of a test's own, and a look into it as the operator.
//!
//! `infra/mongodb.sh` installs what it is made of, and says where in `TEST_MONGODB_PYTHON`.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use mongodb::Client;
use mongodb::bson::{Document, doc};

/// Ends with this process, however that ends.
const PROGRAM: &str = include_str!("mongo_server.py");

pub struct MongoServer {
    /// As previews and the daemon dial it, with the login of a superuser.
    pub url: String,
    operator: Client,
    /// Holds the pipe to its standard input open.
    process: Child,
}

impl MongoServer {
    pub async fn start() -> Self {
        let python = std::env::var("TEST_MONGODB_PYTHON")
            .expect("TEST_MONGODB_PYTHON names no Python with SecantusDB: run these tests by `make mongodb`");
        let mut process = Command::new(&python)
            .args(["-c", PROGRAM])
            // What is sent to the tests' group, such as Ctrl-C, must not cut off its clearing up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut said = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut said).expect("reads");
        let (port, password) = said.trim().split_once(' ').expect("a port and a password");
        let url = format!("mongodb://root:{password}@{}:{port}/admin?directConnection=true", own_address());
        let operator = Client::with_uri_str(&url).await.expect("an address");
        Self { url, operator, process }
    }

    pub async fn run(&self, database: &str, command: Document) -> Document {
        let database = self.operator.database(database);
        database.run_command(command).await.expect("the operator may do everything")
    }

    /// Users and databases of previews that are on it.
    pub async fn ours(&self) -> (usize, usize) {
        let users = self.run("admin", doc! { "usersInfo": { "forAllDBs": true } }).await;
        let databases = self.run("admin", doc! { "listDatabases": 1, "nameOnly": true }).await;
        let count = |answer: &Document, list: &str, member: &str| {
            let all = answer.get_array(list).expect("a list").iter();
            let names = all.filter_map(|entry| entry.as_document()?.get_str(member).ok());
            names.filter(|name| name.starts_with("pv_")).count()
        };
        (count(&users, "users", "user"), count(&databases, "databases", "name"))
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// An address of this host that containers can dial. No packet is sent: the kernel only says
/// which one it would use.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("203.0.113.1:9").expect("a way out");
    socket.local_addr().expect("an address").ip().to_string()
}
