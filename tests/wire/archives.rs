//! Uploads as tar, tar.gz, zip and forms, honest and hostile.

use std::io::{Cursor, Write};

use hyper::Method;
use serde_json::{Value, json};
use tar::EntryType;

use crate::app::TestApp;
use crate::http::{Answer, Client};
use crate::refusal::{invalid, problem, refused};

/// `(path, content, executable)` of an app whose content hash must not depend on how it comes.
const APP: [(&str, &[u8], bool); 3] = [
    ("index.html", b"<h1>hi</h1>", false),
    ("run.sh", b"#!/bin/sh\n", true),
    ("data/blob.bin", b"\x00\xff\x80", false),
];

async fn put(client: &Client, id: &str, body: Vec<u8>) -> Answer {
    client.send(Method::PUT, &format!("/api/v2/generations/{id}"), body).await
}

/// Entries with names the builder itself would refuse to write.
pub fn tar_of(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("an entry");
    }
    builder.into_inner().expect("an archive")
}

fn app_tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, executable) in APP {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if executable { 0o755 } else { 0o644 });
        builder.append_data(&mut header, format!("./{path}"), content).expect("an entry");
    }
    builder.into_inner().expect("an archive")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("gzip")
}

fn zip_of(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in entries {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(content).expect("written");
    }
    writer.finish().expect("an archive").into_inner()
}

fn app_zip() -> Vec<u8> {
    let mode = |executable| if executable { 0o755 } else { 0o644 };
    zip_of(&APP.map(|(path, content, executable)| (path, content, mode(executable))))
}

/// Name and content.
type Part<'a> = (&'a str, &'a [u8]);

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend(format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_content_is_one_generation_however_it_comes() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let metadata = json!({ "name": "An app", "environment": { "A": "b" } });
    let as_json = json!({ "metadata": metadata, "files": {
        "index.html": "<h1>hi</h1>",
        "run.sh": { "content": "#!/bin/sh\n", "mode": "755" },
        "./data/blob.bin": { "content": "AP+A", "encoding": "base64", "mode": 420 },
    }});
    let first = ann.put("/api/v2/generations/app", &as_json).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let by_form = ann.clone().header("content-type", "multipart/form-data; boundary=XX");
    let text = metadata.to_string();
    for archive in [app_tar(), gzip(&app_tar()), app_zip()] {
        let parts: [Part<'_>; 2] = [("metadata", text.as_bytes()), ("archive", &archive)];
        let again = put(&by_form, "app", form(&parts)).await;
        assert_eq!(again.status, 200, "{}", again.text());
        assert_eq!(again.json()["contentHash"], first.json()["contentHash"]);
    }
    // Without metadata, and with the type of an old tar, it is another content.
    let bare = put(&ann.clone().header("content-type", "application/x-tar"), "bare", app_tar()).await;
    assert_eq!((bare.status, bare.json()["files"].clone()), (201, json!(3)), "{}", bare.text());
    assert_ne!(bare.json()["contentHash"], first.json()["contentHash"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_may_lie_in_the_archive_and_is_checked_there() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let with = |metadata: Value| {
        let metadata = metadata.to_string().into_bytes();
        gzip(&tar_of(&[
            ("preview.json", EntryType::Regular, &metadata),
            ("index.html", EntryType::Regular, b"x"),
        ]))
    };
    let good = put(&ann, "inside", with(json!({ "name": "Inside", "port": 9000 }))).await;
    assert_eq!((good.status, good.json()["metadata"]["port"].clone()), (201, json!(9000)), "{}", good.text());
    assert_eq!(invalid(&put(&ann, "bad", with(json!({ "port": "x" }))).await), "preview.json.port");
    assert_eq!(invalid(&put(&ann, "bad", with(json!({ "language": "$(id)" }))).await), "metadata.language");
    let broken = tar_of(&[("preview.json", EntryType::Regular, b"{"), ("a", EntryType::Regular, b"")]);
    refused(&put(&ann, "bad", broken).await, 400, "malformed");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").header("content-type", "multipart/form-data; boundary=XX");
    let tar = app_tar();
    let table: [(&[Part<'_>], &str); 6] = [
        (&[], "archive"),
        (&[("metadata", b"{}")], "archive"),
        (&[("archive", &tar), ("colour", b"red")], "colour"),
        (&[("archive", &tar), ("archive", &tar)], "archive"),
        (&[("metadata", b"{\"port\": -1}"), ("archive", &tar)], "metadata.port"),
        (&[("archive", b"no archive at all")], "archive"),
    ];
    for (parts, field) in table {
        assert_eq!(invalid(&put(&ann, "bad", form(parts)).await), field);
    }
    let cut = form(&[("metadata", b"{}"), ("archive", &tar)]);
    refused(&put(&ann, "bad", cut[..cut.len() / 2].to_vec()).await, 400, "malformed");
    let nameless = app.user("ann").header("content-type", "multipart/form-data");
    refused(&put(&nameless, "bad", form(&[("archive", &tar)])).await, 400, "malformed");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_leave_the_tree_or_are_no_plain_files_are_refused() {
    use EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    let app = TestApp::start().await;
    let ann = app.user("ann");
    for (name, kind) in [
        ("../evil", Regular),
        ("/etc/cron.d/evil", Regular),
        ("a/../../evil", Regular),
        ("a\\..\\evil", Regular),
        ("link", Symlink),
        ("hard", Link),
        ("null", Char),
        ("disk", Block),
        ("pipe", Fifo),
    ] {
        let tar = tar_of(&[("index.html", Regular, b"x"), (name, kind, b"")]);
        for body in [tar.clone(), gzip(&tar)] {
            assert_eq!(invalid(&put(&ann, "bad", body).await), format!("files[{name:?}]"), "{kind:?}");
        }
    }
    for name in ["../evil", "/evil", "a/../../evil"] {
        let answer = put(&ann, "bad", zip_of(&[("index.html", b"x", 0o644), (name, b"x", 0o644)])).await;
        assert_eq!(invalid(&answer), format!("files[{name:?}]"));
    }
    let mut linked = zip::ZipWriter::new(Cursor::new(Vec::new()));
    linked.add_symlink("link", "/etc/passwd", zip::write::SimpleFileOptions::default()).expect("an entry");
    let linked = linked.finish().expect("an archive").into_inner();
    assert_eq!(invalid(&put(&ann, "bad", linked).await), "files[\"link\"]");
    let twice = tar_of(&[("a", Regular, b"1"), ("./a", Regular, b"2")]);
    assert_eq!(invalid(&put(&ann, "bad", twice).await), "files[\"a\"]");
    let twice = zip_of(&[("aa", b"1", 0o644), ("ab", b"2", 0o644)]);
    let twice = replaced(&twice, b"ab", b"aa");
    assert_eq!(invalid(&put(&ann, "bad", twice).await), "archive");
    let under = tar_of(&[("a", Regular, b"1"), ("a/b", Regular, b"2")]);
    assert_eq!(invalid(&put(&ann, "bad", under).await), "files[\"a/b\"]");
    let nothing = [tar_of(&[("folder", EntryType::Directory, b"")]), zip_of(&[])];
    for body in nothing {
        assert_eq!(invalid(&put(&ann, "bad", body).await), "files");
    }
    assert_eq!(ann.get("/api/v2/generations/bad").await.status, 404, "nothing of it was kept");
    let outside = app.data_dir().parent().expect("above").join("evil");
    assert!(!outside.exists(), "nothing was written outside");
    app.finish().await;
}

fn replaced(bytes: &[u8], from: &[u8; 2], to: &[u8; 2]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - 1 {
        if &bytes[at..at + 2] == from {
            bytes[at..at + 2].copy_from_slice(to);
        }
    }
    bytes
}

/// As version control writes its tars: a header for all that follows, with the commit's name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_global_header_is_no_file() {
    let app = TestApp::start().await;
    let comment = b"52 comment=0123456789012345678901234567890123456789\n";
    let tar = tar_of(&[
        ("pax_global_header", EntryType::XGlobalHeader, comment),
        ("index.html", EntryType::Regular, b"x"),
    ]);
    let stored = put(&app.user("ann"), "from-git", tar).await;
    assert_eq!((stored.status, stored.json()["files"].clone()), (201, json!(1)), "{}", stored.text());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_end_at_the_limit_and_memory_stays_flat() {
    const MIB: usize = 1024 * 1024;
    let app = TestApp::with(vec![("PREVIEW_MAX_GENERATION_MB", "4".to_owned())]).await;
    let ann = app.user("ann");
    let zeros = vec![0_u8; 16 * MIB];
    let content = gzip(&tar_of(&[("big", EntryType::Regular, &zeros)]));
    assert!(content.len() < zeros.len() / 900, "it is a bomb: {}", content.len());
    let zipped = zip_of(&[("big", &zeros, 0o644)]);
    let header = gzip(&tar_of(&[("paxheader", EntryType::XHeader, &zeros), ("a", EntryType::Regular, b"x")]));
    let folder = gzip(&tar_of(&[("folder", EntryType::Directory, &zeros), ("a", EntryType::Regular, b"x")]));
    drop(zeros);
    let many = many_entries(1_000_000);
    let many_zipped = zip_of_many(45_000);
    let before = resident();
    refused(&put(&ann, "bad", content).await, 413, "too_large");
    refused(&put(&ann, "bad", zipped).await, 413, "too_large");
    assert_eq!(invalid(&put(&ann, "bad", header).await), "archive");
    assert_eq!(invalid(&put(&ann, "bad", folder).await), "archive");
    let answer = put(&ann, "bad", many).await;
    assert!([413, 422].contains(&answer.status), "{}", answer.text());
    problem(&answer);
    let answer = put(&ann, "bad", many_zipped).await;
    assert!([413, 422].contains(&answer.status), "{}", answer.text());
    let grown = resident().saturating_sub(before);
    assert!(grown < 96 * MIB, "grew by {} MiB", grown / MIB);
    for cut in [1, 40, 300] {
        for whole in [gzip(&app_tar()), app_zip()] {
            let part = whole[..whole.len().saturating_sub(cut).max(4)].to_vec();
            assert_eq!(invalid(&put(&ann, "bad", part).await), "archive", "without {cut} bytes");
        }
    }
    app.finish().await;
}

/// One header again and again, as one compressed piece again and again.
fn many_entries(count: usize) -> Vec<u8> {
    const EACH: usize = 10_000;
    let one = tar_of(&[("a", EntryType::Regular, b"")]);
    let piece = gzip(&one[..512].repeat(EACH));
    let mut all = piece.repeat(count / EACH);
    all.extend(gzip(&[0; 1024]));
    all
}

fn zip_of_many(count: usize) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..count {
        writer.start_file(format!("{number}"), zip::write::SimpleFileOptions::default()).expect("an entry");
    }
    writer.finish().expect("an archive").into_inner()
}

/// Bytes of memory this process holds; the daemon is part of it.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("pages");
    pages * 4096
}
