//! The machine's clock jumps a year ahead and back, around the built program: no job falls silent.

use std::path::Path;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use throwaway_postgres::test;

use crate::serve::Service;
use crate::support::{Home, new_database};

/// Where Debian's `faketime` has its library.
fn library() -> Option<String> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    let files = folders.map(|folder| format!("{folder}/faketime/libfaketime.so.1"));
    files.into_iter().find(|file| Path::new(file).exists())
}

#[test]
fn no_job_falls_silent_when_the_machines_clock_is_a_year_ahead_and_back() {
    let Some(library) = library() else {
        eprintln!("Faketime: not tested: libfaketime is not installed");
        return;
    };
    eprintln!("Faketime: tested");
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    for store in ["sqlite", "postgres"] {
        let watched = new_database(server, "clock");
        let home = Home::new();
        let url = match store {
            "sqlite" => format!("sqlite:{}", home.path("clock.db").display()),
            _ => server.url(&new_database(server, "clock_store")),
        };
        let config = home.write(
            "plimsoll.toml",
            &format!(
                "[[instance]]\nname = \"main\"\nurl = \"{}\"\n[store]\nurl = \"{url}\"\n\
                 [schedule]\nwatch = \"* * * * * *\"\n[server]\nlisten = \"127.0.0.1:0\"\n",
                server.url(&watched)
            ),
        );
        let offset = home.write("offset", "+0");
        let mut command = home.plimsoll();
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .args(["--log-format", "json", "--config"])
            .arg(&config)
            .arg("serve");
        let service = Service::start(&mut command);
        let newest = || {
            let (_, jobs) = service.get("/api/jobs");
            let jobs = jobs["jobs"].as_array().unwrap();
            let watch = jobs.iter().find(|job| job["name"] == "watch").unwrap();
            let began = watch["last_started_at"].as_str().map(str::to_owned);
            (began, watch["last_outcome"].as_str().map(str::to_owned))
        };
        // each time the clock is set, the job runs again and again
        for (shift, what) in [
            ("+0", "at first"),
            ("+365d", "ahead"),
            ("+0", "back"),
            ("+365d", "ahead again"),
            ("+0", "back again"),
        ] {
            let written = home.path("offset.new");
            std::fs::write(&written, shift).unwrap();
            std::fs::rename(&written, &offset).unwrap();
            let runs = || {
                service
                    .log()
                    .matches("\"message\":\"job.finished\"")
                    .count()
            };
            for _ in 0..2 {
                let (before, mut tries) = (runs(), 0);
                while runs() == before {
                    tries += 1;
                    assert!(
                        tries < 1200,
                        "{store}: silent {what}: {:?}\n{}",
                        newest(),
                        service.log()
                    );
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        // and what it takes now is dated now
        let (_, history) = service.get("/api/storage/sizes?wait=30");
        let at: Timestamp = history["measured_at"].as_str().unwrap().parse().unwrap();
        let off = Timestamp::now().duration_since(at).abs();
        assert!(off < SignedDuration::from_hours(24), "{store}: {at}");
        let (code, log) = service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
    }
}
