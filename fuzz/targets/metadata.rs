//! Metadata: what passes is only ever data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use previewd::domain::Metadata;

fuzz_target!(|bytes: &[u8]| {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(bytes) else { return };
    if metadata.validate().is_err() {
        return;
    }
    for argv in [&metadata.entry_point, &metadata.migration_command, &metadata.seed_command].into_iter().flatten() {
        assert!(!argv.contains(['\0', '\n', '\r', ';', '`', '$']), "{argv:?}");
    }
    let lines = [
        &metadata.project_id,
        &metadata.name,
        &metadata.language,
        &metadata.framework,
        &metadata.python_version,
        &metadata.node_version,
        &metadata.db_version,
        &metadata.health_check_endpoint,
        &metadata.docker_image_name,
    ];
    for line in lines.into_iter().flatten().chain(&metadata.system_packages).chain(&metadata.secrets) {
        assert!(!line.contains(['\0', '\n', '\r']), "{line:?}");
    }
    assert!(metadata.environment.iter().all(|(name, value)| !name.contains(['=', '\0']) && !value.contains('\0')));
    // And what is kept of it is taken again.
    let kept = serde_json::to_vec(&metadata).expect("JSON");
    let again: Metadata = serde_json::from_slice(&kept).expect("what was taken before");
    assert_eq!(again, metadata);
    assert!(again.validate().is_ok());
});
