//! What is particular to a store in a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::world::{World, at};
use plimsoll_core::sample::SampleKind;
use plimsoll_store::open;

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[tokio::test]
async fn only_its_owner_may_read_it_and_reading_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/history.db");
    let store = open(&url(&path)).unwrap();
    assert_eq!(store.ping().await.unwrap_err().code(), "store_not_migrated");
    assert_eq!(store.pending_migrations().await.unwrap()[0], "001_history");
    assert!(!path.exists());
    store.migrate().await.unwrap();
    let mut world = World::new("main", "app");
    world.add(1000, "public", "a", 8192);
    store
        .record_sample(
            &world.snapshot(at("2026-01-01T00:00:00Z")),
            SampleKind::Daily,
            None,
        )
        .await
        .unwrap();
    for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{file:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_set_it_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let stores: Vec<_> = (0..8).map(|_| open(&url(&path)).unwrap()).collect();
    let runs = futures_util::future::join_all(stores.iter().map(|store| store.migrate())).await;
    let applied = runs
        .into_iter()
        .filter(|run| !run.as_ref().unwrap().is_empty())
        .count();
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn memory_is_a_store_too() {
    let store = open("sqlite::memory:").unwrap();
    store.migrate().await.unwrap();
    let mut world = World::new("main", "app");
    world.add(1000, "public", "a", 8192);
    let snapshot = world.snapshot(at("2026-01-01T00:00:00Z"));
    store
        .record_sample(&snapshot, SampleKind::Daily, None)
        .await
        .unwrap();
    assert_eq!(store.databases().await.unwrap(), [world.key()]);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let text = "Dear reader, this is not a database. ".repeat(300);
    std::fs::write(&path, &text).unwrap();
    let error = open(&url(&path)).unwrap().migrate().await.unwrap_err();
    assert_eq!(error.code(), "store_corrupt");
    assert!(error.to_string().contains("letter.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let path = file.join("history.db");
    let error = open(&url(&path)).unwrap().migrate().await.unwrap_err();
    assert_eq!(error.code(), "store_unreachable");
    assert!(
        error.to_string().contains(&*path.to_string_lossy()),
        "{error}"
    );
}

#[test]
fn urls_that_name_no_store_say_so_without_the_password() {
    for wrong in ["mysql://user:secret@host/db", "history.db", "sqlite:", ""] {
        let error = open(wrong).err().unwrap();
        assert_eq!(error.code(), "store_url", "{wrong}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let store = open("postgres://plimsoll:secret@127.0.0.1:1/history").unwrap();
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.code(), "store_unreachable");
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
