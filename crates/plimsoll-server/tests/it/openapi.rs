//! The specification in the repository is the one that the code makes.

use std::path::Path;

/// With `PLIMSOLL_UPDATE_OPENAPI=1` the file is written instead of compared.
#[test]
fn openapi_json_is_what_the_routes_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let made = plimsoll_server::http::specification();
    if std::env::var_os("PLIMSOLL_UPDATE_OPENAPI").is_some_and(|value| value == "1") {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "openapi.json is out of date: run PLIMSOLL_UPDATE_OPENAPI=1 cargo test -p plimsoll-server openapi and commit it"
    );
}
