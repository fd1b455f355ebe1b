//! The schema in the repository is the one that the code makes.

use std::path::{Path, PathBuf};

pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/webhook.schema.json")
}

/// With `PLIMSOLL_UPDATE_SCHEMA=1` the file is written instead of compared.
#[test]
fn webhook_schema_json_is_what_is_sent() {
    let made = format!("{:#}\n", plimsoll_notify::schema());
    if std::env::var_os("PLIMSOLL_UPDATE_SCHEMA").is_some_and(|value| value == "1") {
        std::fs::write(path(), &made).unwrap();
    }
    let kept = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        kept == made,
        "docs/webhook.schema.json is out of date: run \
         PLIMSOLL_UPDATE_SCHEMA=1 cargo test -p plimsoll-notify schema and commit it"
    );
}
