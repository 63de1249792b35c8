//! A base image that needs nothing but the compiler the tests were built with: one static
//! program, see `probe.rs`.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use previewd::domain::InstanceId;
use previewd::engine::{Archive, BuildRequest, Config, Engine, Kind, Ownership};
use tokio::sync::{OnceCell, mpsc};

static PROBE: OnceCell<String> = OnceCell::const_new();

/// The image's name; it is made when the engine does not have it. Its program is `/probe`,
/// `/app` belongs to the user containers run as and holds `/app/file`.
pub async fn probe_image() -> &'static str {
    PROBE.get_or_init(make_probe_image).await
}

async fn make_probe_image() -> String {
    let source = include_str!("probe.rs");
    let hash = previewd_hash(source.as_bytes());
    let tag = format!("previewd-test/probe:{hash}");
    let instance = InstanceId::parse("testbase").expect("valid");
    let config = Config { docker_host: docker_host(), ..Config::new(instance.clone()) };
    let engine = Engine::connect(config).expect("an engine's address");
    if engine.image_id(&tag).await.expect("an engine").is_some() {
        return tag;
    }
    let program = std::fs::read(compile(&hash)).expect("the compiled program");
    let dockerfile = "FROM scratch\nCOPY probe /probe\nCOPY --chown=10001:10001 app /app\nWORKDIR /app\n\
                      CMD [\"/probe\", \"listen\", \"0.0.0.0:8000\"]\n";
    let context = tar(&[
        ("Dockerfile", dockerfile.as_bytes(), 0o644),
        ("probe", &program, 0o755),
        ("app/file", b"from the image", 0o644),
    ]);
    let request = request(&tag, context, Ownership::of(instance, Kind::Base));
    let (events, _unread) = mpsc::channel(1);
    engine.build(request, &events).await.expect("the probe's image");
    tag
}

/// The engine the tests use.
pub fn docker_host() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| Config::DEFAULT_HOST.to_owned())
}

/// A build of a context, otherwise with defaults.
pub fn request(tag: &str, context: Bytes, ownership: Ownership) -> BuildRequest {
    BuildRequest {
        tag: tag.to_owned(),
        context: Archive::bytes(context),
        dockerfile: "Dockerfile".to_owned(),
        classic_dockerfile: None,
        build_args: Default::default(),
        ownership,
        labels: Default::default(),
        timeout: None,
        memory_bytes: None,
        network: None,
    }
}

/// An archive of `(path, content, mode)`; a path that ends in `/` is a folder.
pub fn tar(files: &[(&str, &[u8], u32)]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_uid(10001);
        header.set_gid(10001);
        if path.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        archive.append_data(&mut header, path, *content).expect("an entry");
    }
    archive.into_inner().expect("an archive").into()
}

fn compile(hash: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/probe.rs");
    // Two test programs may compile it at once.
    let program = folder.join(format!("probe-{hash}-{}", std::process::id()));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let status = Command::new(rustc)
        .args(["--edition=2024", "-Copt-level=1", "-Cstrip=symbols", "-Ctarget-feature=+crt-static", "-o"])
        .args([&program, &source])
        .status()
        .expect("rustc");
    assert!(status.success(), "rustc: {status}");
    program
}

/// FNV-1a: a name for a version of the source.
fn previewd_hash(bytes: &[u8]) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}
