//! Source of any language, half-right or not source at all: a plan or a refusal, endpoints and models
//! in order, the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::domain::{FilePath, FileSet, Metadata, SourceFile};
use previewd::generation::endpoints::endpoints;
use previewd::generation::models::models;
use previewd::generation::{BaseImages, Dialect, dockerfile, plan};

/// The first byte says which of these the rest is.
const NAMES: [&str; 16] = [
    "main.py", "urls.py", "models.py", "server.js", "app.ts", "app/[id]/route.tsx", "main.go", "package.json",
    "requirements.txt", "pyproject.toml", "schema.prisma", "go.mod", "config.ru", "composer.json", ".env", "Procfile",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, bytes)) = bytes.split_first() else { return };
    let name = NAMES[usize::from(which) % NAMES.len()];
    let mut files = vec![(name, bytes.to_vec())];
    if name.ends_with(".ts") || name.ends_with(".tsx") || name.ends_with(".js") || name.ends_with(".prisma") {
        let packages = br#"{"dependencies":{"express":"4","next":"15","@nestjs/core":"11"}}"#;
        files.push(("package.json", packages.to_vec()));
    }
    let file = |(path, content): (&str, Vec<u8>)| {
        (FilePath::parse(path).expect("a path"), SourceFile { content: content.into(), executable: false })
    };
    let files = FileSet::new(files.into_iter().map(file), 1 << 20).expect("files");
    let found = endpoints(&files);
    assert!(found.iter().all(|endpoint| endpoint.path.starts_with('/') && endpoint.line > 0));
    assert!(found.is_sorted_by_key(|endpoint| (&endpoint.path, &endpoint.method)));
    assert_eq!(found, endpoints(&files));
    models(&files);
    if let Ok(plan) = plan(&Metadata::default(), &files, &BaseImages::default()) {
        for dialect in [Dialect::BuildKit, Dialect::Classic] {
            assert!(dockerfile(&plan, dialect).contains("FROM "));
        }
    }
});
