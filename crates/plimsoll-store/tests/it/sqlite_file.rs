//! What is particular to a store in a file.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use jiff::SignedDuration;
use plimsoll_core::sample::SampleKind;
use plimsoll_store::{SampleQuery, Step, open};

use crate::world::{World, at};

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[tokio::test]
async fn only_its_owner_may_read_it_and_reading_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = open(&url(&path)).unwrap();
    assert_eq!(store.ping().await.unwrap_err().code(), "store_absent");
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
async fn a_file_that_is_deleted_or_replaced_is_noticed_before_a_sample_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = open(&url(&path)).unwrap();
    store.migrate().await.unwrap();
    let mut world = World::new("main", "app");
    world.add(1000, "public", "a", 8192);
    let start = at("2026-01-01T00:00:00Z");
    let keep = async |hour: i64| {
        let snapshot = world.snapshot(start + jiff::SignedDuration::from_hours(hour));
        store
            .record_sample(&snapshot, SampleKind::Manual, None)
            .await
    };
    keep(0).await.unwrap();
    let away = folder.path().join("away");
    std::fs::create_dir(&away).unwrap();
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        std::fs::rename(folder.path().join(name), away.join(name)).unwrap();
    }
    assert_eq!(
        keep(1).await.unwrap_err().code(),
        "store_absent",
        "there is no file"
    );
    assert_eq!(store.ping().await.unwrap_err().code(), "store_absent");
    // another one in its place is used from then on
    let other = open(&url(&path)).unwrap();
    other.migrate().await.unwrap();
    keep(2).await.unwrap();
    assert_eq!(other.databases().await.unwrap(), [world.key()]);
    let kept = keep(3).await.unwrap();
    let page = other
        .samples(&plimsoll_store::SampleQuery {
            of: world.key(),
            kinds: Vec::new(),
            since: None,
            step: plimsoll_store::Step::All,
            limit: 10,
        })
        .await
        .unwrap();
    assert_eq!((page.total, page.samples[0].id), (2, kept.header().id));
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

const LIMITED: &str = "PLIMSOLL_TEST_LIMITED_STORE";

/// The child of the tests below: keeps samples until it may not, and says what it was told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that limit it"]
async fn child() {
    let Ok(url) = std::env::var(LIMITED) else {
        return;
    };
    println!();
    let store = open(&url).unwrap();
    let mut world = World::new("main", "app");
    for n in 0..5000_u32 {
        world.add(1000 + n * 10, "public", &format!("table_{n}"), 8192);
        let time = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(i64::from(n));
        if n % 50 != 0 {
            continue;
        }
        let result = async {
            store.migrate().await?;
            store
                .record_sample(&world.snapshot(time), SampleKind::Watch, None)
                .await
        };
        match result.await {
            Ok(recorded) => println!("kept {}", recorded.header().id),
            Err(error) => {
                println!("code {} {error}", error.code());
                println!("read {:?}", store.databases().await.map(|of| of.len()));
                return;
            }
        }
    }
}

/// How many samples were kept before the error, and the error.
fn run_child(command: &mut Command, url: &str) -> (usize, String) {
    let output = command.env(LIMITED, url).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let kept = said
        .lines()
        .filter(|line| line.starts_with("kept "))
        .count();
    assert!(
        said.contains("read Ok(1)"),
        "what was kept can still be read: {said}"
    );
    let code = said.lines().find_map(|line| line.strip_prefix("code "));
    (kept, code.unwrap_or_else(|| panic!("{said}")).to_owned())
}

const CHILD: [&str; 5] = [
    "sqlite_file::child",
    "--exact",
    "--ignored",
    "--nocapture",
    "--test-threads=1",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(&folder.path().join("history.db"));
    // no file larger than 600 kB: what a full disk is, for a test that may not mount one
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 1200; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(CHILD);
    let (kept, code) = run_child(&mut command, &url);
    assert!(code.starts_with("store_full "), "{code}");
    assert!(kept > 0);
    let store = open(&url).unwrap();
    let of = World::new("main", "app").key();
    let query = SampleQuery {
        of,
        kinds: Vec::new(),
        since: None,
        step: Step::All,
        limit: 100_000,
    };
    let page = store.samples(&query).await.unwrap();
    assert_eq!(page.samples.len(), kept);
    for header in &page.samples {
        let sizes = store.table_sizes(header, None, None).await.unwrap();
        assert_eq!(
            Some(u64::try_from(sizes.len()).unwrap()),
            header.table_count
        );
    }
    // and with room again it goes on
    let later = World::new("main", "app").snapshot(at("2026-01-02T00:00:00Z"));
    store
        .record_sample(&later, SampleKind::Watch, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_be_written_is_named_and_can_still_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = open(&url(&path)).unwrap();
    store.migrate().await.unwrap();
    let world = World::new("main", "app");
    store
        .record_sample(
            &world.snapshot(at("2026-01-01T00:00:00Z")),
            SampleKind::Daily,
            None,
        )
        .await
        .unwrap();
    drop(store);
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(CHILD);
    if is_root() {
        // root may write everything
        command.uid(65_534).gid(65_534);
    }
    if command.env_remove(LIMITED).output().is_err() {
        eprintln!("not tested: the test's own program cannot be run by an ordinary user");
        return;
    }
    let (kept, code) = run_child(&mut command, &url(&path));
    assert!(code.starts_with("store_read_only "), "{code}");
    assert!(code.contains("history.db"), "{code}");
    assert_eq!(kept, 0);
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
}
