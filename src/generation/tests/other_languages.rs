//! Go and Rust.

use super::{brief, planned, tree};
use crate::domain::Metadata;

snapshot!(
    go_with_the_standard_library,
    Metadata::default(),
    [
        ("go.mod", "module tide\n\ngo 1.19\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"8085\"\n\t}\n\thttp.ListenAndServe(\":\"+port, nil)\n}\n"
        ),
    ]
);
snapshot!(
    go_of_several_programs,
    Metadata::default(),
    [
        (
            "go.mod",
            "module tide\n\ngo 1.23\n\nrequire (\n\tgithub.com/gin-gonic/gin v1.10.0\n\tgithub.com/mattn/go-sqlite3 v1.14.0\n)\n"
        ),
        ("cmd/migrate/main.go", "package main\nfunc main() {}\n"),
        ("cmd/server/main.go", "package main\nfunc main() { r.Run(\":9090\") }\n"),
        ("migrations/1.up.sql", "CREATE TABLE a (b int);"),
        ("migrations/1.down.sql", "DROP TABLE a;"),
    ]
);
snapshot!(
    rust,
    Metadata::default(),
    [
        ("Cargo.toml", "[package]\nname = \"tide\"\nversion = \"0.1.0\"\n[dependencies]\naxum = \"0.7\"\n"),
        ("Cargo.lock", "version = 3\n"),
        ("src/main.rs", "async fn main() {\n    let l = TcpListener::bind(\"0.0.0.0:3000\").await;\n}\n"),
    ]
);

#[test]
fn a_program_without_a_module_is_compiled_too() {
    let (framework, start, port) = brief(
        &Metadata::default(),
        &[("main.go", "package main\nfunc main() { http.ListenAndServe(\":80\", nil) }\n")],
    );
    assert_eq!((framework.as_str(), start.as_str(), port), ("go", "/opt/go/program", 80));
}

#[test]
fn every_image_a_build_starts_from_is_named() {
    let plan = planned(&Metadata::default(), &tree(&[("main.go", "package main\nfunc main() {}\n")]));
    assert_eq!(plan.base_images(), ["previewd/static:1", "previewd/go:1"]);
}
