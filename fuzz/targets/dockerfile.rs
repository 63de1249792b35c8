//! Quoting, and a Dockerfile of the app's own: what is written is read back as it was, and no image
//! off the list is built on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::domain::{FilePath, FileSet, Metadata, SourceFile};
use previewd::generation::{BaseImages, Dialect, dockerfile, plan, quoting, split_words};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for quoted in [quoting::run_word(&text), quoting::env_value(&text)] {
        assert!(!quoted.chars().any(char::is_control) && !quoted.ends_with('\\'), "{quoted:?}");
    }
    if !text.contains('\0') {
        assert_eq!(split_words(&quoting::sh_word(&text)), Some(vec![text.to_string()]));
    }
    let argv = [text.to_string()];
    let back: Option<Vec<String>> = serde_json::from_str(&quoting::exec_form(&argv)).ok();
    assert!(text.chars().any(char::is_control) || back.as_deref() == Some(&argv[..]));

    let file = SourceFile { content: bytes.to_vec().into(), executable: false };
    let path = FilePath::parse("Dockerfile").expect("a path");
    let Ok(files) = FileSet::new([(path, file)], 1 << 20) else { return };
    let bases = BaseImages::default();
    let Ok(plan) = plan(&Metadata::default(), &files, &bases) else { return };
    let written = dockerfile(&plan, Dialect::BuildKit);
    let lower = written.to_lowercase();
    assert!(!lower.lines().any(|line| line.trim_start().starts_with("# syntax")), "{written}");
    assert_eq!(written, dockerfile(&plan, Dialect::BuildKit));
});
