//! The demo shows what the README promises, and leaves nothing behind.

use std::process::Command;

use throwaway_postgres::{Installation, StartError};

use crate::serve::Service;
use crate::server_faults::wait_until;
use crate::support::{Home, Ran};

/// Whether a demo can be had here at all; CI requires every major.
fn is_possible() -> Result<(), StartError> {
    match Installation::find(None) {
        Ok(_) => Ok(()),
        Err(error) if std::env::var_os("PLIMSOLL_REQUIRE_ALL_MAJORS").is_some() => {
            panic!("{error}")
        }
        Err(error) => Err(error),
    }
}

/// The demo, with temporary files in a folder of its own.
fn demo(home: &Home, args: &[&str]) -> Command {
    // short: a socket's path has some 100 characters
    let tmp = home.path("t");
    std::fs::create_dir_all(&tmp).unwrap();
    std::fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    std::fs::set_permissions(
        home.path("t").parent().unwrap(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut command = home.plimsoll();
    command.env("TMPDIR", tmp).args(args);
    command
}

/// Files in its temporary folder, and processes that name it.
fn left_behind(home: &Home) -> Vec<String> {
    let tmp = home.path("t");
    let mut left: Vec<String> = std::fs::read_dir(&tmp)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    let needle = tmp.display().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&needle) {
            left.push(line);
        }
    }
    left
}

#[test]
fn once_prints_the_sizes_and_ends() {
    if is_possible().is_err() {
        return;
    }
    let home = Home::new();
    let ran = Ran::of(&mut demo(&home, &["demo", "--once"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in ["events", "orders", "documents", "job_queue", "total"] {
        assert!(ran.out.contains(word), "no {word}: {}", ran.out);
    }
    assert_eq!(left_behind(&home), Vec::<String>::new());
}

#[test]
fn it_serves_months_of_marked_history_lives_and_removes_everything() {
    if is_possible().is_err() {
        return;
    }
    for signal in ["-INT", "-TERM"] {
        let home = Home::new();
        let service = Service::start(&mut demo(&home, &["demo", "--listen", "127.0.0.1:0"]));
        let (_, history) = service.get("/api/storage/history?limit=1000&kind=daily");
        let samples = history["samples"].as_array().unwrap();
        assert!(samples.len() >= 120, "{} samples", samples.len());
        let made_up = samples
            .iter()
            .filter(|sample| sample["is_demo"] == true)
            .count();
        assert!(made_up >= 119, "{made_up} are marked");
        // what is free is as the first visit saw it
        assert_eq!(service.get("/api/storage/sizes?wait=30").0, 200);
        let (_, forecast) = service.get("/api/storage/forecast");
        assert_eq!(forecast["capacity"]["source"], "config", "{forecast}");
        assert!(forecast["full_on"]["mid"].is_string(), "{forecast}");
        // of its volume only a number is known: what is known is taken off that, and it says so
        wait_until("the volume is not forecast", || {
            let (_, disk) = service.get("/api/storage/disk");
            let volume = &disk["volumes"][0];
            volume["late"].is_string() && volume["full"]["forecast"]["mid"].is_string()
        });
        // It lives: rows come and go, too slowly for its size to follow.
        let rows = || {
            let (_, sizes) = service.get("/api/storage/sizes?wait=30");
            let rows = sizes["tables"].as_array().unwrap().iter();
            rows.map(|table| table["row_count"].as_u64())
                .collect::<Vec<_>>()
        };
        let at_first = rows();
        let mut looks = 0;
        while rows() == at_first {
            looks += 1;
            assert!(looks < 600, "it does not live");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        // Its history is asked with what it prints.
        let log = service.log();
        let command = log
            .lines()
            .find(|line| line.contains(" --config ") && line.contains(" growth"));
        let words: Vec<_> = command.unwrap().split_whitespace().collect();
        let of_config = words.iter().position(|word| *word == "--config").unwrap() + 1;
        let folder = std::path::Path::new(words[of_config]).parent().unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        let ran = Ran::of(home.plimsoll().args(&words[1..]));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("shop on demo"), "{ran:?}");
        assert!(
            std::path::Path::new(words[0]).is_file() || words[0] == "plimsoll",
            "{words:?}"
        );
        assert_eq!(service.stop(signal).0, Some(0));
        assert_eq!(left_behind(&home), Vec::<String>::new());
    }
}
