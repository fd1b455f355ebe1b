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

/// Two types of one name would be one schema, of either.
#[test]
fn no_two_answers_have_one_name() {
    let mut names = std::collections::BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let is_answer = |part: &&str| part.split(')').next().unwrap().contains("ToSchema");
            for part in text.split("#[derive(").skip(1).filter(is_answer) {
                let words = part
                    .split_once("pub struct ")
                    .or_else(|| part.split_once("pub enum "));
                let Some((_, after)) = words else { continue };
                let name: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
                if let Some(other) = names.insert(name.clone(), path.clone()) {
                    panic!(
                        "{name} is both in {} and in {}",
                        other.display(),
                        path.display()
                    );
                }
            }
        }
    }
    assert!(names.len() > 20, "{names:?}");
}
