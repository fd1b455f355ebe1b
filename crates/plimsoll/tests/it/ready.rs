//! `serve` says where it answers once its store is ready, and not before.

use std::fs::File;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use throwaway_postgres::{Server, test};

use crate::support::{Home, new_database};

const LONGEST: Duration = Duration::from_secs(60);

fn wait_until(what: &str, serve: &mut Child, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        let ended = serve.try_wait().unwrap();
        assert!(ended.is_none(), "it ended, and {what} was not so");
        assert!(began.elapsed() < LONGEST, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn waiting(server: &Server, store: &str) -> bool {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{store}' and wait_event_type = 'Lock'"
    );
    server.sql("postgres", &sql).unwrap()[0][0].as_deref() != Some("0")
}

#[test]
fn serve_says_where_it_answers_once_the_store_is_ready() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (home, url) = (Home::new(), server.url("postgres"));
    let store = new_database(server, "not_ready");
    let store_url = server.url(&store);
    let migrated = home.run(&url, &["--store", &store_url, "migrate"]);
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    // whoever asks the store anything waits
    let mut holder = server.session(&store).unwrap();
    holder
        .run("begin; lock table plimsoll.migrations in access exclusive mode")
        .unwrap();
    let said = home.path("said");
    let mut serve = home
        .on(&url)
        .args(["--store", &store_url, "serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let answers_at = || {
        let said = std::fs::read_to_string(&said).unwrap();
        let at = said.find("http://127.0.0.1:")?;
        let line = said[at..].lines().next()?.to_owned();
        // the whole line is there
        said[at..].contains('\n').then_some(line)
    };
    wait_until("it asks the store", &mut serve, || waiting(server, &store));
    assert_eq!(answers_at(), None, "the store has not answered yet");
    holder.run("rollback").unwrap();
    wait_until("it is ready", &mut serve, || answers_at().is_some());
    let base = answers_at().unwrap();
    let mut ready = ureq::get(format!("{base}readyz")).call().unwrap();
    assert_eq!(ready.status(), 200);
    let ready = ready.body_mut().read_to_string().unwrap();
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["checks"][0]["name"], "store");
    assert_eq!(ready["checks"][0]["ready"], true);
    serve.kill().unwrap();
    serve.wait().unwrap();
}
