//! Two running programs share a PostgreSQL store; when one is killed, the other takes over.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use throwaway_postgres::{Server, test};

use crate::serve::Service;
use crate::support::{Home, new_database};

/// Every so many seconds a sample is due.
const EVERY_S: i64 = 5;

/// Within so many seconds a killed program's run is taken over.
const TAKEN_OVER_S: i64 = 60;

/// When which sample was due, oldest first, as often as there are samples.
fn due(server: &Server, store: &str) -> Vec<Timestamp> {
    let sql = "select extract(epoch from scheduled_for)::bigint::text from plimsoll.samples
               where kind = 'watch' order by scheduled_for";
    let rows = server.sql(store, sql).unwrap();
    let second = |row: &Vec<Option<String>>| row[0].as_ref().unwrap().parse().unwrap();
    rows.iter()
        .map(|row| Timestamp::from_second(second(row)).unwrap())
        .collect()
}

/// Waits until samples are there that were due after `since`.
fn wait_for_samples(server: &Server, store: &str, since: Timestamp, count: usize) {
    let there = || due(server, store).iter().filter(|at| **at > since).count();
    let mut tries = 0;
    while there() < count {
        tries += 1;
        assert!(tries < 2000, "nothing was taken since {since}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Whether it is in the middle of a run of the watch.
fn is_running(service: &Service) -> bool {
    let log = service.log();
    let count = |message: &str| {
        let message = format!("\"message\":\"{message}\"");
        let is_watch = |line: &&str| line.contains(&message) && line.contains("\"job\":\"watch\"");
        log.lines().filter(is_watch).count()
    };
    count("job.start") > count("job.finished")
}

#[test]
fn of_two_programs_one_is_killed_and_no_sample_is_missed_or_taken_twice() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (store, watched) = (
        new_database(server, "store"),
        new_database(server, "watched"),
    );
    server
        .sql(
            &watched,
            "create table t as select generate_series(1, 1000) n",
        )
        .unwrap();
    let home = Home::new();
    let config = home.write(
        "plimsoll.toml",
        &format!(
            "[[instance]]\nname = \"main\"\nurl = \"{}\"\n[store]\nurl = \"{}\"\n\
             [schedule]\nwatch = \"*/{EVERY_S} * * * * *\"\n[server]\nlisten = \"127.0.0.1:0\"\n",
            server.url(&watched),
            server.url(&store),
        ),
    );
    let migrated = home
        .plimsoll()
        .arg("--config")
        .arg(&config)
        .arg("migrate")
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let start = || {
        let mut command = home.plimsoll();
        let arguments = ["--log-format", "json", "serve"];
        Service::start(command.arg("--config").arg(&config).args(arguments))
    };
    let mut running = [start(), start()];
    let mut killed = Vec::new();

    // at random moments, the one and the other
    for program in &mut running {
        wait_for_samples(server, &store, Timestamp::now(), 1);
        let random = u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) / 1000;
        thread::sleep(Duration::from_millis(
            random * 7919 % (1000 * EVERY_S.unsigned_abs()),
        ));
        killed.push(Timestamp::now());
        // its drop kills with SIGKILL
        drop(std::mem::replace(program, start()));
    }

    // and once in the middle of a run: nobody gets into a database whose catalog is locked
    wait_for_samples(server, &store, Timestamp::now(), 1);
    let mut holder = server.session(&watched).unwrap();
    holder
        .run("begin; lock table pg_class in access exclusive mode")
        .unwrap();
    let at_work = loop {
        if let Some(at_work) = running.iter().position(is_running) {
            break at_work;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let [one, two] = running;
    let (victim, survivor) = if at_work == 0 { (one, two) } else { (two, one) };
    let killed_at = Timestamp::now();
    drop(victim);
    killed.push(killed_at);
    let unfinished = "select count(*)::text from plimsoll.jobs
                      where name = 'watch/main' and last_finished_at is null";
    let count = server.sql(&store, unfinished).unwrap()[0][0].clone();
    assert_eq!(count.as_deref(), Some("1"), "it died with a run under way");
    holder.run("rollback").unwrap();
    wait_for_samples(server, &store, killed_at, 2);
    let (code, log) = survivor.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");

    let taken = due(server, &store);
    let times: BTreeSet<_> = taken.iter().copied().collect();
    assert_eq!(times.len(), taken.len(), "one was taken twice: {taken:?}");
    let (mut at, last) = (taken[0], taken[taken.len() - 1]);
    while at < last {
        // a time that passed while nobody could run is made up for by the next
        let is_outage = |killed: &Timestamp| {
            let before = at.duration_since(*killed).as_secs();
            (-EVERY_S..=TAKEN_OVER_S).contains(&before)
        };
        assert!(
            times.contains(&at) || killed.iter().any(is_outage),
            "{at} is missing: {taken:?}, killed at {killed:?}"
        );
        at += SignedDuration::from_secs(EVERY_S);
    }
    // one daily sample was due at the start, for both of them together
    let daily = "select count(*)::text from plimsoll.samples where kind = 'daily'";
    assert_eq!(
        server.sql(&store, daily).unwrap()[0][0].as_deref(),
        Some("1")
    );
}
