//! A pulse, against the files of the server that it looked at.

use std::path::Path;

use jiff::Timestamp;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::disk::volume::{FileSystem, at_pulse, full_look, known_bytes};
use plimsoll_core::disk::wal::{Holder, HolderKind};
use plimsoll_postgres::doctor::{Level, doctor};
use plimsoll_postgres::{Session, Target, VisitOptions, Volumes, pulse, rest_of_disk};
use throwaway_postgres::{Server, on_every_major};
use tokio_util::sync::CancellationToken;

use crate::session::{as_role, open};

pub(crate) async fn look(session: &Session) -> Pulse {
    pulse(session, &Volumes::default(), Timestamp::now())
        .await
        .unwrap()
}

pub(crate) fn part(pulse: &Pulse, kind: Kind) -> &Part {
    &pulse
        .parts
        .iter()
        .find(|(_, part)| part.part == kind)
        .unwrap()
        .1
}

/// The bytes of all files in a folder of the data directory, as `stat` says.
pub(crate) fn on_disk(server: &Server, folder: &str) -> u64 {
    fn walk(path: &Path) -> u64 {
        // What goes away meanwhile had no bytes.
        let Ok(entries) = std::fs::read_dir(path) else {
            return 0;
        };
        let sizes = entries
            .flatten()
            .map(|entry| match entry.path().metadata() {
                Ok(meta) if meta.is_dir() => walk(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            });
        sizes.sum()
    }
    walk(&server.data_dir().join(folder))
}

pub(crate) fn slot<'a>(pulse: &'a Pulse, name: &str) -> &'a Holder {
    let holders = pulse.holders.known().unwrap();
    holders
        .iter()
        .find(|holder| matches!(&holder.what, HolderKind::Slot(slot) if slot.name == name))
        .unwrap()
}

pub(crate) fn run(server: &Server, statements: &[&str]) {
    for sql in statements {
        server.sql("postgres", sql).unwrap();
    }
}

const FILES: &str = "grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) to plain";

/// The parts that the doctor says are not or not wholly seen, of those that a pulse reads.
async fn hidden_by_doctor(url: &str) -> Vec<String> {
    let target = Target {
        instance: "test".into(),
        url: url.parse().unwrap(),
    };
    let (options, cancel) = (VisitOptions::default(), CancellationToken::new());
    let found = doctor(
        &target,
        &["postgres".to_owned()],
        Level::ReadOnly,
        &options,
        &cancel,
    )
    .await
    .unwrap();
    let hidden = found
        .items
        .iter()
        .filter(|item| !item.ok)
        .filter_map(|item| item.name.strip_prefix("disk: "));
    hidden
        .filter(|part| ["wal", "temporary", "replication"].contains(part))
        .map(str::to_owned)
        .collect()
}

fn hidden(pulse: &Pulse, kinds: [Kind; 3]) -> Vec<String> {
    let hidden = kinds
        .into_iter()
        .filter(|kind| !part(pulse, *kind).is_whole());
    hidden
        .map(|kind| {
            serde_json::to_value(kind)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

on_every_major! {
    async fn each_grant_shows_its_parts_and_what_is_refused_is_never_asked(server: &Server) {
        run(server, &["create role plain login", "create table held as select 1 as a", "checkpoint"]);
        let session = open(&as_role(&server.url("postgres"), "plain")).await.unwrap();
        let kinds = [Kind::Wal, Kind::Temporary, Kind::Replication];

        // With nothing but CONNECT: the position, slots and the archiver.
        let seen = look(&session).await;
        assert!(seen.position.known().is_some());
        assert!(seen.holders.known().is_some());
        for kind in kinds {
            let part = part(&seen, kind);
            assert_eq!(part.bytes, None, "{kind:?}");
            let reason = part.unknown.as_deref().unwrap();
            assert!(reason.contains("pg_monitor") || reason.contains("pg_ls_dir"), "{reason}");
        }
        assert!(seen.not_found.as_deref().unwrap().contains("pg_read_all_settings"));
        let url = as_role(&server.url("postgres"), "plain");
        assert_eq!(hidden_by_doctor(&url).await, hidden(&seen, kinds));

        run(server, &["grant pg_monitor to plain"]);
        let seen = look(&session).await;
        assert_eq!(part(&seen, Kind::Wal).source, Some(Source::Functions));
        let temporary = part(&seen, Kind::Temporary);
        assert_eq!(temporary.bytes, Some(0));
        assert!(temporary.at_least.is_some(), "parallel sorts' files are left out");
        assert_eq!(part(&seen, Kind::Replication).bytes.is_some(), server.major() >= 15);
        assert!(seen.found.contains_key(&Place::Data), "{:?}", seen.not_found);
        assert_eq!(hidden_by_doctor(&url).await, hidden(&seen, kinds));

        run(server, &["revoke pg_monitor from plain", FILES]);
        let seen = look(&session).await;
        for kind in kinds {
            assert!(part(&seen, kind).is_whole(), "{kind:?}: {seen:?}");
            assert_eq!(part(&seen, kind).source, Some(Source::Files));
        }

        assert_eq!(hidden_by_doctor(&url).await, hidden(&seen, kinds));
        assert!(hidden(&seen, kinds).is_empty());

        // Nobody waits for a pulse, and a pulse for nobody.
        run(server, &["grant pg_monitor to plain"]);
        let mut holder = server.session("postgres").unwrap();
        holder.run("begin").unwrap();
        holder.run("lock table held, pg_class in access exclusive mode").unwrap();
        let seen = look(&session).await;
        assert!(part(&seen, Kind::Wal).is_whole() && seen.statements <= 12, "{seen:?}");
        assert!(!server.log().contains("permission denied"), "{}", server.log());
    }

    async fn all_of_the_data_directory_is_seen_to_the_byte_and_adds_up(server: &Server) {
        let folder = server.make_folder("fast disks").unwrap();
        run(server, &[
            "create database app",
            &format!("create tablespace fast location '{}'", folder.display()),
            "create table t tablespace fast as select generate_series(1, 10000) a",
            "checkpoint",
        ]);
        let session = open(&server.url("postgres")).await.unwrap();
        let seen = look(&session).await;
        let rest = rest_of_disk(&session, seen.at).await.unwrap();
        let all: Vec<&(Place, Part)> = seen.parts.iter().chain(&rest).collect();
        assert!(all.iter().all(|(_, part)| part.is_whole()), "{all:#?}");
        let bytes = |place: &Place| -> i64 {
            all.iter().filter(|(on, _)| on == place).filter_map(|(_, part)| part.bytes).sum()
        };
        let fast = Place::Tablespace("fast".to_owned());
        assert_eq!(bytes(&fast) + bytes(&Place::Data) + bytes(&Place::Wal) + bytes(&Place::Log), i64::try_from(on_disk(server, "")).unwrap());
        assert_eq!(bytes(&Place::Wal), i64::try_from(on_disk(server, "pg_wal")).unwrap());
        let of = |name: &str, place: &Place| all.iter().find(|(on, part)| on == place && part.name.as_deref() == Some(name)).and_then(|(_, part)| part.bytes);
        let size = |sql: &str| server.sql("postgres", sql).unwrap()[0][0].clone().unwrap().parse::<i64>().unwrap();
        assert_eq!(of("app", &Place::Data), Some(size("select pg_database_size('app')")));
        assert_eq!(of("postgres", &fast).unwrap() + of("postgres", &Place::Data).unwrap(), size("select pg_database_size('postgres')"));
        // Not pg_tablespace_size, which counts what folders themselves have, too.
        assert_eq!(of("postgres", &fast), i64::try_from(on_disk(server, "pg_tblspc")).ok());

        // On its volume the parts add up, now and after whatever else happened there.
        let space = seen.volumes[&seen.found[&Place::Data]].known().unwrap();
        assert_eq!(seen.found[&Place::Data], seen.found[&Place::Wal]);
        let here: Vec<Part> = all.iter().map(|(_, part)| part.clone()).collect();
        let full = full_look(Ok(space.used_bytes.unwrap()), here, FileSystem::of(&space.fs_type), seen.at);
        assert_eq!(known_bytes(&full), i64::try_from(space.used_bytes.unwrap()).unwrap());
        let later = look(&session).await;
        let space = later.volumes[&later.found[&Place::Data]].known().unwrap();
        let parts = later.parts.iter().map(|(_, part)| part.clone()).collect();
        let at_pulse = at_pulse(Ok(space.used_bytes.unwrap()), parts, &full, later.at);
        assert_eq!(known_bytes(&at_pulse), i64::try_from(space.used_bytes.unwrap()).unwrap());

        // Without the walk: where there are more tablespaces, those are known, and no byte counts twice.
        run(server, &["create role plain login", "grant pg_monitor to plain"]);
        let plain = open(&as_role(&server.url("postgres"), "plain")).await.unwrap();
        let rest = rest_of_disk(&plain, seen.at).await.unwrap();
        let find = |kind: Kind| rest.iter().filter(|(_, part)| part.part == kind).map(|(_, part)| part).collect::<Vec<_>>();
        let names: Vec<_> = find(Kind::Database).iter().map(|part| part.name.clone().unwrap()).collect();
        assert_eq!(names, ["tablespace pg_default", "tablespace fast"]);
        assert_eq!(find(Kind::Global)[0].bytes, Some(size("select pg_tablespace_size('pg_global')")));
        assert!(find(Kind::TransactionStatus)[0].unknown.as_deref().unwrap().contains("pg_ls_dir"));
        run(server, &["drop table t", "drop tablespace fast"]);
        let rest = rest_of_disk(&plain, seen.at).await.unwrap();
        let app = rest.iter().find(|(_, part)| part.name.as_deref() == Some("app")).unwrap();
        assert_eq!(app.1.bytes, Some(size("select pg_database_size('app')")));
    }
}
