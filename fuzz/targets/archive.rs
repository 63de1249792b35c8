//! An upload: files within the limit and inside their folder, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::domain::FilePath;

const LIMIT: u64 = 100_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(files) = previewd::api::unpack(bytes, LIMIT) else { return };
    let total: usize = files.iter().map(|(_, file)| file.content.len()).sum();
    assert!(total as u64 <= LIMIT);
    for (path, _) in files.iter() {
        assert!(FilePath::parse(path.as_str()).is_ok(), "{path:?}");
    }
});
