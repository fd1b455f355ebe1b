//! The rest of a server's disk, against what the server itself and its files say.

use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::instance::{DatabaseTotal, Figure, InstanceFacts, WalHolder};
use plimsoll_postgres::{databases, facts};
use throwaway_postgres::Server;
use throwaway_postgres::{on_every_major, test};

use crate::session::{as_role, open};

/// The first value of the first row, as a superuser sees it.
pub(crate) fn value(server: &Server, database: &str, sql: &str) -> String {
    let rows = server.sql(database, sql).unwrap();
    rows[0][0].clone().unwrap_or_default()
}

fn number(server: &Server, database: &str, sql: &str) -> u64 {
    value(server, database, sql).parse().unwrap()
}

fn named<'a>(facts: &'a [DatabaseTotal], name: &str) -> &'a DatabaseTotal {
    facts.iter().find(|it| it.name == name).unwrap()
}

on_every_major! {
    async fn trap_31_a_database_that_cannot_be_sized_costs_only_itself(server: &Server) {
        server.sql("postgres", "create database open_one").unwrap();
        server.sql("postgres", "create database no_entry").unwrap();
        server.sql("postgres", "create database closed_one").unwrap();
        server.sql("postgres", "create database half_dropped").unwrap();
        server.sql("postgres", "revoke connect on database no_entry from public").unwrap();
        server.sql("postgres", "alter database closed_one allow_connections false").unwrap();
        server
            .sql("postgres", "update pg_database set datconnlimit = -2 where datname = 'half_dropped'")
            .unwrap();
        server.sql("postgres", "create role plain login").unwrap();

        let session = open(&as_role(&server.url("open_one"), "plain")).await.unwrap();
        let found = databases(&session, &[]).await.unwrap();
        let size = |name: &str| number(server, "postgres", &format!("select pg_database_size('{name}')"));
        assert_eq!(named(&found, "open_one").bytes, Figure::Known(size("open_one")));
        assert_eq!(named(&found, "closed_one").bytes, Figure::Known(size("closed_one")));
        assert!(!named(&found, "closed_one").allows_connections);
        assert!(!named(&found, "half_dropped").allows_connections);
        assert!(named(&found, "template1").is_template);
        let reason = named(&found, "no_entry").bytes.reason().unwrap();
        assert!(reason.contains("CONNECT") && reason.contains("pg_read_all_stats"), "{reason}");
        let sizes: Vec<_> = found.iter().map(|it| it.bytes.known().copied()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!(sizes.last().unwrap(), &None);

        server.sql("postgres", "grant pg_read_all_stats to plain").unwrap();
        let found = databases(&session, &[(1, 0)]).await.unwrap();
        assert_eq!(named(&found, "no_entry").bytes, Figure::Known(size("no_entry")));

        // What the caller knows already is not read again.
        let oid = session.database_oid();
        let found = databases(&session, &[(oid, 42)]).await.unwrap();
        assert_eq!(named(&found, "open_one").bytes, Figure::Known(42));
        assert!(!server.log().contains("permission denied"), "{}", server.log());
    }

    async fn the_instance_is_known_to_the_byte_to_who_may_see_it(server: &Server) {
        server.sql("postgres", "create database app").unwrap();
        let session = open(&server.url("app")).await.unwrap();
        let found = facts(&session, &[]).await.unwrap();
        let total: u64 = found.databases.each().iter().map(|it| *it.bytes.known().unwrap()).sum();
        let default = found.tablespaces.each().iter().find(|it| it.name == "pg_default").unwrap();
        assert_eq!(default.bytes, Figure::Known(total));
        assert_eq!(default.location, Figure::Known(String::new()));
        let global = found.tablespaces.each().iter().find(|it| it.name == "pg_global").unwrap();
        assert_eq!(
            *global.bytes.known().unwrap(),
            number(server, "app", "select pg_tablespace_size('pg_global')")
        );
        assert_eq!(*found.wal.bytes.known().unwrap(), number(server, "app", "select sum(size) from pg_ls_waldir()"));
        assert_eq!(found.wal.max_size_bytes, Figure::Known(1 << 30));
        assert_eq!(found.wal.keep_size_bytes, Figure::Known(0));
        assert_eq!(found.wal.archive_pending, Figure::Known(0));
        assert_eq!(found.temporary_bytes, Figure::Known(0));
        assert!(found.log_bytes.reason().unwrap().contains("logging_collector"));

        // Through the socket, and the directory is this host's.
        let capacity = found.capacity.known().unwrap();
        assert_eq!(capacity.source, CapacitySource::Statvfs);
        assert_eq!(capacity.path.as_deref(), server.data_dir().to_str());
        assert!(capacity.available_bytes.unwrap() <= capacity.capacity_bytes);
        assert_eq!(default.capacity.known(), Some(capacity));

        // A second tablespace: trap 18. Then pg_default is walked, since databases span both.
        let folder = server.make_folder("fast disks").unwrap();
        server
            .sql("app", &format!("create tablespace fast location '{}'", folder.display()))
            .unwrap();
        server.sql("app", "create table t tablespace fast as select generate_series(1, 10000) a").unwrap();
        let found = facts(&session, &[]).await.unwrap();
        let fast = found.tablespaces.each().iter().find(|it| it.name == "fast").unwrap();
        assert_eq!(fast.location, Figure::Known(folder.display().to_string()));
        assert_eq!(*fast.bytes.known().unwrap(), number(server, "app", "select pg_tablespace_size('fast')"));
        assert!(*fast.bytes.known().unwrap() > 300_000);
        assert_eq!(fast.capacity.known().unwrap().path.as_deref(), folder.to_str());
        let default = found.tablespaces.each().iter().find(|it| it.name == "pg_default").unwrap();
        assert_eq!(*default.bytes.known().unwrap(), number(server, "app", "select pg_tablespace_size('pg_default')"));
    }

    async fn trap_32_33_what_a_plain_role_may_not_see_is_absent_with_the_grant(server: &Server) {
        server.sql("postgres", "create role plain login").unwrap();
        let session = open(&as_role(&server.url("postgres"), "plain")).await.unwrap();
        let found = facts(&session, &[]).await.unwrap();
        let reasons = |found: &InstanceFacts| {
            let global = found.tablespaces.each().iter().find(|it| it.name == "pg_global").unwrap();
            [
                global.bytes.reason().map(str::to_owned),
                found.wal.bytes.reason().map(str::to_owned),
                found.temporary_bytes.reason().map(str::to_owned),
                found.capacity.reason().map(str::to_owned),
            ]
        };
        for (reason, grant) in reasons(&found).iter().zip([
            "pg_read_all_stats",
            "pg_monitor",
            "pg_monitor",
            "pg_read_all_settings",
        ]) {
            let reason = reason.as_deref().unwrap();
            assert!(reason.contains(grant), "{reason}");
        }
        assert!(found.wal.max_size_bytes.known().is_some());
        assert!(!server.log().contains("permission denied"), "{}", server.log());

        server.sql("postgres", "grant pg_monitor to plain").unwrap();
        let found = facts(&session, &[]).await.unwrap();
        assert_eq!(reasons(&found), [None, None, None, None]);
    }

    async fn trap_34_each_slot_says_what_it_keeps(server: &Server) {
        for sql in [
            "select pg_create_physical_replication_slot('idle', true)",
            "select pg_create_physical_replication_slot('unused')",
            "create table filler as select repeat('x', 1000) from generate_series(1, 5000)",
            "select pg_switch_wal()",
            "checkpoint",
        ] {
            server.sql("postgres", sql).unwrap();
        }
        let session = open(&server.url("postgres")).await.unwrap();
        let found = facts(&session, &[]).await.unwrap();
        let slot = |name: &str| found.wal.retained_by.each().iter().find(|it| it.name == name).unwrap();
        let idle = slot("idle");
        assert_eq!((idle.holder, idle.is_active), (WalHolder::Slot, Some(false)));
        assert!(idle.bytes > Some(5_000_000), "{idle:?}");
        assert_eq!(idle.wal_status.as_deref(), Some("reserved"));
        // Unlimited: max_slot_wal_keep_size is -1.
        assert_eq!(idle.safe_wal_bytes, None);
        let unused = slot("unused");
        assert_eq!((unused.bytes, unused.wal_status.as_deref()), (Some(0), None));
        assert_eq!(found.wal.retained_by.each()[0].name, "idle");
    }
}

throwaway_postgres::on_own_server! {
    trap_30_a_standby_shows_the_same_figures_as_a_primary => standby,
    unarchived_segments_logs_and_kept_wal_are_counted => archiving,
}

async fn standby(installation: &throwaway_postgres::Installation) {
    let primary = Server::start(&test::options(installation)).unwrap();
    primary.sql("postgres", "create database app").unwrap();
    let standby = primary.standby(&[]).unwrap();
    standby.wait_for(&primary).unwrap();
    standby
        .sql(
            "postgres",
            "select pg_create_physical_replication_slot('below', true)",
        )
        .unwrap();
    let session = open(&standby.url("app")).await.unwrap();
    assert!(session.server().in_recovery);
    let found = facts(&session, &[]).await.unwrap();
    assert_eq!(
        *named(found.databases.each(), "app").bytes.known().unwrap(),
        number(&standby, "app", "select pg_database_size('app')")
    );
    assert!(*found.wal.bytes.known().unwrap() > 0);
    let slot = found
        .wal
        .retained_by
        .each()
        .iter()
        .find(|it| it.name == "below")
        .unwrap();
    assert_eq!(slot.holder, WalHolder::Slot);
    let kept = found
        .wal
        .retained_by
        .each()
        .iter()
        .find(|it| it.holder == WalHolder::WalKeepSize);
    assert_eq!(kept.and_then(|it| it.bytes), Some(256 << 20),);
    assert_eq!(found.temporary_bytes, Figure::Known(0));
    assert!(found.capacity.known().is_some());
    assert!(!standby.log().contains("ERROR"), "{}", standby.log());
}

async fn archiving(installation: &throwaway_postgres::Installation) {
    let options = test::options(installation)
        .setting("archive_mode", "on")
        .setting("archive_command", "false")
        .setting("wal_keep_size", "32MB")
        .setting("logging_collector", "on");
    let server = Server::start(&options).unwrap();
    for _ in 0..2 {
        server
            .sql("postgres", "create table if not exists t (a int)")
            .unwrap();
        server.sql("postgres", "insert into t values (1)").unwrap();
        server.sql("postgres", "select pg_switch_wal()").unwrap();
    }
    let session = open(&server.url("postgres")).await.unwrap();
    let found = facts(&session, &[]).await.unwrap();
    assert_eq!(found.wal.archive_pending, Figure::Known(2));
    assert_eq!(found.wal.keep_size_bytes, Figure::Known(32 << 20));
    let holders: Vec<_> = found
        .wal
        .retained_by
        .each()
        .iter()
        .map(|it| (it.holder, it.bytes))
        .collect();
    assert_eq!(
        holders,
        [
            (WalHolder::Archiving, Some(32 << 20)),
            (WalHolder::WalKeepSize, Some(32 << 20))
        ]
    );
    assert!(
        found.log_bytes.known().is_some_and(|bytes| *bytes > 0),
        "{:?}",
        found.log_bytes
    );
}
