//! What runs inside the containers of the engine tests: one static program that does, and
//! tells, what a test wants to see. Compiled by `base.rs`, not part of any crate.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, exit};
use std::time::Duration;

fn main() {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match verb.as_str() {
        "sleep" => std::thread::sleep(Duration::from_secs(number(&rest[0]))),
        "listen" => listen(&rest[0]),
        "write" => rest.iter().for_each(|path| println!("{path} {}", written(path))),
        "read" => println!("{}", std::fs::read_to_string(&rest[0]).unwrap_or_else(|e| e.to_string())),
        "say" => say(&rest),
        "trap" => trap(&rest),
        "lines" => (0..number(&rest[0])).for_each(|at| println!("line {at}")),
        "long" => println!("{}", "x".repeat(number(&rest[0]) as usize)),
        "fail" => {
            println!("to stdout");
            eprintln!("to stderr");
            exit(number(&rest[0]) as i32)
        }
        "hog" => hog(number(&rest[0])),
        "fork" => fork(number(&rest[0])),
        "env" => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        other => {
            eprintln!("no such verb: {other:?}");
            exit(64)
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// Answers any request with the same words.
fn listen(address: &str) {
    let listener = TcpListener::bind(address).expect("a free address");
    println!("listening");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe");
    }
}

fn written(path: &str) -> String {
    match std::fs::write(path, "x") {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Leaves a link where somebody may want to put files, and once `/app/go` is there tells what
/// became of some paths.
fn trap(words: &[String]) {
    std::os::unix::fs::symlink(&words[0], &words[1]).expect("a link");
    println!("set");
    while !std::path::Path::new("/app/go").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    words[2..].iter().for_each(|path| println!("{path} {}", kind(path)));
}

/// Kind, mode and owner.
fn kind(path: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::symlink_metadata(path) else { return "absent".to_owned() };
    let kind = match found.file_type() {
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "link",
        _ => "file",
    };
    format!("{kind} {:o} {}:{}", found.mode() & 0o7777, found.uid(), found.gid())
}

/// Prints words at once: `out:text` or `err:text`, `\n` only where written.
fn say(words: &[String]) {
    for word in words {
        let (stream, text) = word.split_once(':').expect("a stream");
        let text = text.replace("\\n", "\n");
        match stream {
            "out" => std::io::stdout().write_all(text.as_bytes()).expect("stdout"),
            _ => std::io::stderr().write_all(text.as_bytes()).expect("stderr"),
        }
        std::io::stdout().flush().expect("stdout");
    }
}

/// Takes so many MiB and touches every page.
fn hog(megabytes: u64) {
    let mut held = Vec::new();
    for _ in 0..megabytes {
        held.push(vec![1_u8; 1024 * 1024]);
    }
    println!("held {}", held.len());
}

/// Tries to have so many children at once, and says how many it got.
fn fork(wanted: u64) {
    let start = || Command::new("/probe").args(["sleep", "60"]).spawn();
    let children: Vec<_> = (0..wanted).map_while(|_| start().ok()).collect();
    println!("forked {}", children.len());
    for mut child in children {
        let _ = child.kill();
    }
}
