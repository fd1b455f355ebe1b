//! The API does what its specification says, as schemathesis sees it with all of its checks.
//!
//! A short part with a fixed seed runs with the other tests; `make fuzz-api` runs a long one.

use std::path::{Path, PathBuf};
use std::process::Command;

use throwaway_postgres::test::shared_if_installed;

use crate::serve::Service;
use crate::support::{Home, new_database};

/// How many requests of each kind the short part makes up.
const EXAMPLES: &str = "4";
const SEED: &str = "14";

/// Where schemathesis is: in the cache that `scripts/fetch-schemathesis` fills, or on the PATH.
fn schemathesis() -> Option<PathBuf> {
    let cached = |cache: &Path| cache.join("plimsoll/schemathesis/bin/schemathesis");
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let user = var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
    let path = var("PATH").unwrap_or_default();
    [cached(Path::new("/var/cache"))]
        .into_iter()
        .chain(user.as_deref().map(cached))
        .chain(std::env::split_paths(&path).map(|folder| folder.join("schemathesis")))
        .find(|program| program.is_file())
}

fn asked(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[test]
fn every_route_does_what_the_specification_says() {
    let Some(schemathesis) = schemathesis() else {
        eprintln!("Schemathesis: not tested: it is not installed (scripts/fetch-schemathesis)");
        return;
    };
    let Some(server) = shared_if_installed(18) else {
        eprintln!("Schemathesis: not tested: PostgreSQL 18 is not installed");
        return;
    };
    let database = new_database(server, "specification");
    let tables =
        "create table grows as select n, repeat('x', 100) as body from generate_series(1, 1000) n;
                  create table parts (n int) partition by range (n);
                  create table parts_1 partition of parts for values from (0) to (1000)";
    server.sql(&database, tables).unwrap();
    let (home, url) = (Home::new(), server.url(&database));
    // a history of some days, and what is measured now
    let csv: String = (1..=20)
        .map(|day| format!("2026-01-{day:02},public,grows,{}\n", day * 8192))
        .collect();
    let csv = home.write("past.csv", &format!("time,schema,table,bytes\n{csv}"));
    let imported = home.run(&url, &["import", &csv.display().to_string()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    let service = Service::start(home.on(&url).args(["serve", "--listen", "127.0.0.1:0"]));
    let specification = home.write(
        "openapi.json",
        &service.get("/api/openapi.json").1.to_string(),
    );

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let ran = Command::new(schemathesis)
        .arg("run")
        .arg(specification)
        .args([
            "--url",
            service.base(),
            "--checks",
            "all",
            "--no-color",
            "--continue-on-failure",
        ])
        .args(["--generation-database", "none", "--warnings", "off"])
        .args(["--max-examples", &asked("PLIMSOLL_API_EXAMPLES", EXAMPLES)])
        .args(["--seed", &asked("PLIMSOLL_API_SEED", SEED)])
        .env("SCHEMATHESIS_HOOKS", tests.join("hooks.py"))
        .current_dir(home.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let cases = said.lines().find(|line| line.contains(" generated, "));
    let operations = said.lines().find(|line| line.contains("Tested: "));
    let trimmed = |line: Option<&str>| line.unwrap_or_default().trim().to_owned();
    eprintln!(
        "Schemathesis: tested, {}, operations {}",
        trimmed(cases),
        trimmed(operations)
    );
    assert!(
        cases.is_some_and(|line| !line.trim().starts_with("0 ")),
        "{said}"
    );
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
