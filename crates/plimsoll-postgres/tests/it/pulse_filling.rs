//! What fills a disk, made to happen: each moves its own part, by the right bytes.

use std::time::{Duration, Instant};

use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::disk::wal::HolderKind;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::Session;
use throwaway_postgres::{Installation, Server, Volume, report_volumes, test};

use crate::pulse::{look, on_disk, part, run, slot};
use crate::session::{as_role, open};
use crate::volume_looks::VolumeLooks;

throwaway_postgres::on_own_server! {
    what_fills_a_disk_moves_its_own_part => filling,
    a_standby_says_that_replay_is_paused => paused,
}

/// Slots without a consumer, an archive command that fails, a log, sorts, decoding that spills, and a neighbour.
async fn filling(installation: &Installation) {
    let options = test::options(installation)
        .setting("archive_mode", "on")
        .setting("archive_command", "false")
        .setting("max_wal_size", "64MB")
        .setting("min_wal_size", "32MB")
        .setting("logging_collector", "on");
    let server = Server::start(&options).unwrap();
    let volume = Volume::tmpfs(&server, "own", 4096);
    let made = volume.and_then(|volume| volume.take_data(&server).map(|()| volume));
    let what = "what fills a disk, on a volume of its own,";
    report_volumes(what, made.as_ref().map(|_| ()).map_err(String::as_str));
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
    let mut told = VolumeLooks::of(&server, &session, made.ok());
    slots_and_archiving(&server, &mut told).await;
    a_base_backups_slot(&server, &session).await;
    log(&server, &session, &mut told).await;
    rewrites(&server, &session).await;
    sorts(&server, &mut told).await;
    decoding(&server, &mut told).await;
    neighbour(&mut told).await;
    past_the_limit(&server, &session).await;
}

/// A file that is not PostgreSQL's.
async fn neighbour(told: &mut VolumeLooks<'_>) {
    let Some(path) = told
        .volume
        .as_ref()
        .map(|volume| volume.path().join("theirs"))
    else {
        return;
    };
    let before = told.look_first().await;
    std::fs::write(path, vec![1; 20 << 20]).unwrap();
    let after = told.look().await;
    let cause = told.moved(Kind::Elsewhere, &before, &after);
    // The failing archiver may have logged a line meanwhile, within a page.
    assert!(cause.change_bytes.abs_diff(20 << 20) <= 8192, "{cause:?}");
}

async fn slots_and_archiving(server: &Server, told: &mut VolumeLooks<'_>) {
    let before = told.look().await;
    run(
        server,
        &[
            "create table load as select repeat('x', 1000) from generate_series(1, 20000)",
            // What is written to WAL and nowhere else.
            "select count(pg_logical_emit_message(false, 'load', repeat('x', 1000000))) from generate_series(1, 100)",
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
    let after = told.look().await;
    let cause = told.moved(Kind::Wal, &before, &after);
    let segments = cause.change_bytes / (16 << 20);
    assert!(segments >= 5, "{cause:?}");
    // Beside whole segments, some hundred bytes say which were archived.
    assert!(cause.change_bytes % (16 << 20) < 8192, "{cause:?}");
    let names = ["slot ", "archiving fails"];
    assert!(
        names.iter().any(|name| cause.text.contains(name)),
        "{cause:?}"
    );
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

async fn log(server: &Server, session: &Session, told: &mut VolumeLooks<'_>) {
    let first = told.look_first().await;
    let before = part(&first, Kind::Log).bytes.unwrap();
    run(
        server,
        &["do $$ begin for i in 1..1000 loop raise log '%', repeat('x', 1000); end loop; end $$"],
    );
    let mut grown = 0;
    for _ in 0..1000 {
        let seen = told.look().await;
        grown = part(&seen, Kind::Log).bytes.unwrap() - before;
        if grown > 1_000_000 {
            assert_eq!(told.moved(Kind::Log, &first, &seen).change_bytes, grown);
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

async fn sorts(server: &Server, told: &mut VolumeLooks<'_>) {
    let before = told.look_first().await;
    assert_eq!(part(&before, Kind::Temporary).bytes, Some(0));
    // A cursor holds the sort's tapes as they are.
    let mut serial = server.session("postgres").unwrap();
    serial.run("set work_mem = '64kB'; begin; declare c cursor for select * from big order by b, id desc").unwrap();
    serial.run("fetch 1 from c").unwrap();
    let seen = told.look().await;
    let written = on_disk(server, "base/pgsql_tmp");
    assert!(written > 1 << 20);
    let cause = told.moved(Kind::Temporary, &before, &seen);
    assert_eq!(Some(cause.change_bytes), i64::try_from(written).ok());
    assert!(cause.text.contains(" of postgres, since "), "{cause:?}");
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
    let mut asked = seen.clone();
    plimsoll_postgres::add_queries(told.session, &mut asked)
        .await
        .unwrap();
    let query = asked.writers.known().unwrap()[0].query.as_deref();
    assert!(
        query.unwrap().contains("fetch 1 from c"),
        "only on request: {query:?}"
    );
    serial.run("commit").unwrap();
    let before = told.look_first().await;
    assert_eq!(part(&before, Kind::Temporary).bytes, Some(0));

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
                (told.look().await, look(&plain).await)
            })
        });
        let all = part(&files, Kind::Temporary).bytes.unwrap();
        let cause = told.moved(Kind::Temporary, &before, &files);
        assert_eq!(cause.change_bytes, all);
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

async fn decoding(server: &Server, told: &mut VolumeLooks<'_>) {
    run(
        server,
        &["insert into big select a, repeat('y', 100) from generate_series(1, 200000) a"],
    );
    let before = told.look_first().await;
    assert_eq!(
        part(&before, Kind::Replication).bytes,
        i64::try_from(on_disk(server, "pg_replslot") + on_disk(server, "pg_logical")).ok()
    );
    // All of a transaction is spilled before any of it is sent; the output plugin then asks what is published, and waits.
    let mut lock = server.session("postgres").unwrap();
    lock.run("begin").unwrap();
    lock.run("lock table pg_publication_rel in access exclusive mode")
        .unwrap();
    std::thread::scope(|scope| {
        let peek = scope.spawn(|| {
            server.sql(
                "postgres",
                "set logical_decoding_work_mem = '64kB';
                 select count(*) from pg_logical_slot_peek_binary_changes(
                     'logical', null, null, 'proto_version', '1', 'publication_names', 'p')",
            )
        });
        let waits = "select count(*) > 0 from pg_locks
                     where relation = 'pg_publication_rel'::regclass and not granted";
        wait_until("the output plugin waits", || {
            server.sql("postgres", waits).unwrap()[0][0].as_deref() == Some("t")
        });
        let seen =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(told.look()));
        lock.run("rollback").unwrap();
        peek.join().unwrap().unwrap();
        let spilled = part(&seen, Kind::Replication).bytes.unwrap()
            - part(&before, Kind::Replication).bytes.unwrap();
        assert!(spilled >= 1 << 20, "{spilled}");
        let cause = told.moved(Kind::Replication, &before, &seen);
        assert_eq!(cause.change_bytes, spilled);
    });
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
    let volume = Volume::tmpfs(&standby, "own", 4096);
    let made = volume.and_then(|volume| volume.take_data(&standby).map(|()| volume));
    let what = "a standby, on a volume of its own,";
    report_volumes(what, made.as_ref().map(|_| ()).map_err(String::as_str));
    standby.wait_for(&primary).unwrap();
    // nothing else keeps as much
    run(
        &standby,
        &[
            "alter system set wal_keep_size = 0",
            "alter system set max_wal_size = '32MB'",
            "alter system set min_wal_size = '32MB'",
            "select pg_reload_conf()",
        ],
    );
    let session = open(&standby.url("postgres")).await.unwrap();
    let mut told = VolumeLooks::of(&standby, &session, made.ok());
    run(&standby, &["select pg_wal_replay_pause()"]);
    let before = told.look_first().await;
    run(
        &primary,
        &["create table t as select repeat('x', 1000) from generate_series(1, 60000)"],
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
    let seen = told.look().await;
    let cause = told.moved(Kind::Wal, &before, &seen);
    assert!(
        cause.change_bytes > 0 && cause.text.contains("replay is paused"),
        "{cause:?}"
    );
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
