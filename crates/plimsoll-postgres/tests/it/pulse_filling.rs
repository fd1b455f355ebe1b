//! What fills a disk, made to happen: each moves its own part, by the right bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::disk::wal::HolderKind;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::Session;
use throwaway_postgres::{Installation, Server, test};

use crate::pulse::{look, on_disk, part, run, slot};
use crate::session::{as_role, open};

throwaway_postgres::on_own_server! {
    what_fills_a_disk_moves_its_own_part => filling,
    a_standby_says_that_replay_is_paused => paused,
}

/// Slots without a consumer, an archive command that fails, a log, sorts, and decoding that spills.
async fn filling(installation: &Installation) {
    let options = test::options(installation)
        .setting("archive_mode", "on")
        .setting("archive_command", "false")
        .setting("logging_collector", "on");
    let server = Server::start(&options).unwrap();
    run(
        &server,
        &[
            "create table big as select a as id, repeat('x', 100) as b from generate_series(1, 200000) a",
            "create publication p for table big",
            "select pg_create_physical_replication_slot('physical', true)",
            "select pg_create_logical_replication_slot('logical', 'pgoutput')",
        ],
    );
    let session = open(&server.url("postgres")).await.unwrap();
    slots_and_archiving(&server, &session).await;
    a_base_backups_slot(&server, &session).await;
    log(&server, &session).await;
    rewrites(&server, &session).await;
    sorts(&server, &session).await;
    decoding(&server, &session).await;
    past_the_limit(&server, &session).await;
}

async fn slots_and_archiving(server: &Server, session: &Session) {
    let before = look(session).await;
    run(
        server,
        &[
            "create table load as select repeat('x', 1000) from generate_series(1, 20000)",
            "select pg_switch_wal()",
        ],
    );
    wait_until("archiving fails", || {
        server
            .sql("postgres", "select failed_count > 0 from pg_stat_archiver")
            .unwrap()[0][0]
            .as_deref()
            == Some("t")
    });
    let after = look(session).await;
    let written = after.position.known().unwrap() - before.position.known().unwrap();
    assert!(written > 16 << 20);
    for name in ["physical", "logical"] {
        let (earlier, later) = (slot(&before, name), slot(&after, name));
        assert_eq!(
            later.bytes.unwrap() - earlier.bytes.unwrap(),
            written,
            "{name}"
        );
        let HolderKind::Slot(slot) = &later.what else {
            unreachable!()
        };
        assert!(!slot.active && !slot.is_base_backup);
        assert_eq!(slot.inactive_since.is_some(), server.major() >= 17);
        assert_eq!(
            later.text().contains("inactive since"),
            server.major() >= 17,
            "{}",
            later.text()
        );
    }
    let holders = after.holders.known().unwrap();
    let archiving = holders
        .iter()
        .find(|holder| matches!(holder.what, HolderKind::Archiving(_)))
        .unwrap();
    let HolderKind::Archiving(archiver) = &archiving.what else {
        unreachable!()
    };
    assert!(
        archiver.failed_segment.is_some() && archiver.failures > 0,
        "{archiver:?}"
    );
    assert_eq!(
        archiving.bytes,
        Some(archiver.waiting.unwrap() * (16 << 20))
    );
    assert_eq!(
        part(&after, Kind::Wal).bytes,
        i64::try_from(on_disk(server, "pg_wal")).ok()
    );
    assert!(
        holders
            .iter()
            .any(|holder| matches!(holder.what, HolderKind::Checkpoint))
    );

    // With nothing but CONNECT the same is known, to a segment.
    run(server, &["create role plain login"]);
    let plain = look(
        &open(&as_role(&server.url("postgres"), "plain"))
            .await
            .unwrap(),
    )
    .await;
    let same = plain
        .holders
        .known()
        .unwrap()
        .iter()
        .find(|holder| matches!(holder.what, HolderKind::Archiving(_)))
        .unwrap();
    assert!(
        same.bytes.unwrap().abs_diff(archiving.bytes.unwrap()) <= 16 << 20,
        "{same:?} {archiving:?}"
    );
    // Where it holds; the position itself moves on by what the server writes of its own.
    let holds =
        |seen: &Pulse| seen.position.known().unwrap() - slot(seen, "physical").bytes.unwrap();
    assert_eq!(holds(&plain), holds(&after));
}

/// A base backup makes itself such a slot, and takes it along when it ends.
async fn a_base_backups_slot(server: &Server, session: &Session) {
    let mut backup = server.session("postgres").unwrap();
    backup
        .run("select pg_create_physical_replication_slot('pg_basebackup_77', true, true)")
        .unwrap();
    let seen = look(session).await;
    let holder = slot(&seen, "pg_basebackup_77");
    assert!(holder.text().contains("base backup"), "{}", holder.text());
}

/// An index build that waits for a writer is under way for as long as that one likes.
async fn rewrites(server: &Server, session: &Session) {
    let mut writer = server.session("postgres").unwrap();
    writer.run("begin").unwrap();
    writer.run("insert into big values (0, '')").unwrap();
    let builds = async || look(session).await.rewrites.known().unwrap().clone();
    assert_eq!(builds().await, []);
    std::thread::scope(|scope| {
        let build = scope.spawn(|| server.sql("postgres", "create index concurrently on big (id)"));
        let began = Instant::now();
        let mut seen = Vec::new();
        while seen.is_empty() && began.elapsed() < Duration::from_secs(60) {
            seen = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(builds())
            });
        }
        writer.run("commit").unwrap();
        build.join().unwrap().unwrap();
        assert_eq!(
            (seen.len(), seen[0].command.as_str()),
            (1, "CREATE INDEX CONCURRENTLY")
        );
        assert!(seen[0].since.is_some());
    });
}

async fn log(server: &Server, session: &Session) {
    let before = part(&look(session).await, Kind::Log).bytes.unwrap();
    run(
        server,
        &["do $$ begin for i in 1..1000 loop raise log '%', repeat('x', 1000); end loop; end $$"],
    );
    let mut grown = 0;
    for _ in 0..1000 {
        grown = part(&look(session).await, Kind::Log).bytes.unwrap() - before;
        if grown > 1_000_000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(grown > 1_000_000, "{grown}");
    // The failing archiver goes on writing.
    let at_least = on_disk(server, "log");
    let bytes = u64::try_from(part(&look(session).await, Kind::Log).bytes.unwrap()).unwrap();
    assert!(
        (at_least..=on_disk(server, "log")).contains(&bytes),
        "{bytes}"
    );
}

async fn sorts(server: &Server, session: &Session) {
    assert_eq!(part(&look(session).await, Kind::Temporary).bytes, Some(0));
    // A cursor holds the sort's tapes as they are.
    let mut serial = server.session("postgres").unwrap();
    serial.run("set work_mem = '64kB'; begin; declare c cursor for select * from big order by b, id desc").unwrap();
    serial.run("fetch 1 from c").unwrap();
    let seen = look(session).await;
    let written = on_disk(server, "base/pgsql_tmp");
    assert!(written > 1 << 20);
    assert_eq!(
        part(&seen, Kind::Temporary).bytes,
        i64::try_from(written).ok()
    );
    let writers = seen.writers.known().unwrap();
    assert_eq!(
        writers.iter().map(|writer| writer.bytes).sum::<u64>(),
        written
    );
    assert_eq!(
        (
            writers.len(),
            writers[0].user.as_deref(),
            writers[0].query.as_deref()
        ),
        (1, Some("postgres"), None)
    );
    assert!(writers[0].since.is_some());
    serial.run("commit").unwrap();
    assert_eq!(part(&look(session).await, Kind::Temporary).bytes, Some(0));

    // What parallel workers share: the leader waits for a lock with all of it written.
    let mut lock = server.session("postgres").unwrap();
    lock.run("select pg_advisory_lock(1)").unwrap();
    std::thread::scope(|scope| {
        let query = scope.spawn(|| {
            server.sql("postgres", "
                set work_mem = '64kB'; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
                set min_parallel_table_scan_size = 0; set enable_mergejoin = off; set enable_nestloop = off;
                select pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1) from big a join big b using (id) limit 1")
        });
        let waits = "select count(*) > 0 from pg_locks where locktype = 'advisory' and not granted";
        wait_until("the leader waits", || {
            server.sql("postgres", waits).unwrap()[0][0].as_deref() == Some("t")
        });
        let (files, functions) = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                run(server, &["grant pg_monitor to plain"]);
                let plain = open(&as_role(&server.url("postgres"), "plain"))
                    .await
                    .unwrap();
                (look(session).await, look(&plain).await)
            })
        });
        let all = part(&files, Kind::Temporary).bytes.unwrap();
        let some = part(&functions, Kind::Temporary);
        lock.run("select pg_advisory_unlock(1)").unwrap();
        query.join().unwrap().unwrap();
        assert!(all > 1 << 20, "{all}");
        assert!(
            some.bytes.unwrap() < all && some.at_least.is_some(),
            "{some:?} of {all}"
        );
        let writers = files.writers.known().unwrap();
        assert_eq!(
            writers.iter().map(|writer| writer.bytes).sum::<u64>(),
            u64::try_from(all).unwrap()
        );
    });
}

async fn decoding(server: &Server, session: &Session) {
    run(
        server,
        &["insert into big select a, repeat('y', 100) from generate_series(1, 200000) a"],
    );
    let before = look(session).await;
    assert_eq!(
        part(&before, Kind::Replication).bytes,
        i64::try_from(on_disk(server, "pg_replslot") + on_disk(server, "pg_logical")).ok()
    );
    let done = AtomicBool::new(false);
    let mut spilled = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let peek = "set logical_decoding_work_mem = '64kB';
                select count(*) from pg_logical_slot_peek_binary_changes(
                    'logical', null, null, 'proto_version', '1', 'publication_names', 'p')";
            while !done.load(Ordering::Relaxed) {
                server.sql("postgres", peek).unwrap();
            }
        });
        let began = Instant::now();
        while spilled < 1 << 20 && began.elapsed() < Duration::from_secs(60) {
            let seen = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(look(session))
            });
            spilled = part(&seen, Kind::Replication).bytes.unwrap()
                - part(&before, Kind::Replication).bytes.unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(spilled >= 1 << 20, "{spilled}");
}

async fn past_the_limit(server: &Server, session: &Session) {
    run(
        server,
        &[
            "alter system set max_slot_wal_keep_size = '1MB'",
            "select pg_reload_conf()",
        ],
    );
    let mut seen = look(session).await;
    for _ in 0..1000 {
        if seen.limits.slot_bytes == Some(1 << 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen = look(session).await;
    }
    let end = slot(&seen, "physical")
        .end(&seen.limits, None, seen.at)
        .unwrap();
    assert_eq!(
        (end.by.as_str(), end.at),
        ("max_slot_wal_keep_size", Some(seen.at)),
        "at the next checkpoint"
    );
    run(server, &["checkpoint"]);
    let seen = look(session).await;
    let HolderKind::Slot(lost) = &slot(&seen, "physical").what else {
        unreachable!()
    };
    assert_eq!(lost.wal_status.as_deref(), Some("lost"));
    assert_eq!(lost.invalidation_reason.is_some(), server.major() >= 17);
    assert_eq!(
        slot(&seen, "physical").bytes,
        Some(0),
        "it keeps nothing any more"
    );
}

async fn paused(installation: &Installation) {
    let primary = Server::start(&test::options(installation)).unwrap();
    let standby = primary.standby(&[]).unwrap();
    standby.wait_for(&primary).unwrap();
    let session = open(&standby.url("postgres")).await.unwrap();
    run(&standby, &["select pg_wal_replay_pause()"]);
    let before = look(&session).await;
    run(
        &primary,
        &["create table t as select repeat('x', 1000) from generate_series(1, 20000)"],
    );
    let written = primary
        .sql("postgres", "select pg_current_wal_lsn() - '0/0'")
        .unwrap()[0][0]
        .clone()
        .unwrap();
    let written: u64 = written.parse().unwrap();
    let mut seen = look(&session).await;
    for _ in 0..1500 {
        if *seen.position.known().unwrap() >= written {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen = look(&session).await;
    }
    let gained = seen.position.known().unwrap() - before.position.known().unwrap();
    assert!(
        gained > 16 << 20,
        "what is received counts, not what is replayed: {gained}"
    );
    let holders = seen.holders.known().unwrap();
    let replay = holders
        .iter()
        .find(|holder| matches!(holder.what, HolderKind::Replay(_)))
        .unwrap();
    assert!(replay.bytes.unwrap() >= gained, "{replay:?}");
    assert_eq!(replay.text(), "replay is paused");
    run(&standby, &["select pg_wal_replay_resume()"]);
    assert!(!standby.log().contains("ERROR"), "{}", standby.log());
    assert_eq!(seen.rewrites, Figure::Known(Vec::new()));
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
