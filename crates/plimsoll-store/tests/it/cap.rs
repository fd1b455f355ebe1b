//! The cap where it matters: on a disk that is full but for a few pages; and weeks that were thinned in part.

use std::io::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::thinning::Retention;
use throwaway_postgres::{Server, Volume, on_every_major, report_volumes, test};

use crate::contract_footprint::{DAYS, keep_days, shows, start, worlds};
use crate::fresh::Fresh;

/// What is left free: a few pages.
const FREE: u64 = 96 * 1024;

/// A small volume, or a line that says why there is none.
fn volume(server: &Server, name: &str, megabytes: u64) -> Option<Volume> {
    let what = "a store on a full disk";
    match Volume::tmpfs(server, name, megabytes) {
        Ok(volume) => {
            report_volumes(what, Ok(()));
            Some(volume)
        }
        Err(reason) => {
            report_volumes(what, Err(&reason));
            None
        }
    }
}

/// Fills what is free on a volume, but for a few pages.
fn fill(folder: &Path) {
    let mut filler = std::fs::File::create(folder.join("filler")).unwrap();
    let mut written = 0;
    while let Ok(count @ 1..) = filler.write(&[1; 4096]) {
        written += count as u64;
    }
    filler.set_len(written - FREE).unwrap();
}

/// The cap is held where there is no room for anything, what is left is right, and there is room afterwards.
async fn held_on_a_full_disk(fresh: &Fresh, folder: &Path) {
    let mut worlds = worlds(60);
    let all = keep_days(fresh, &mut worlds).await;
    let now = start() + SignedDuration::from_hours(DAYS * 24);
    let before = fresh.store.size_bytes().await.unwrap();
    fill(folder);
    let max_bytes = before * 6 / 10;
    let shrink = fresh.store.shrink(max_bytes, now).await.unwrap().unwrap();
    assert!(shrink.after_bytes <= max_bytes, "{shrink:?}");
    for world in &worlds {
        assert!(shows(fresh, world, &all).await.len() > 5);
    }
    // far less than there is can only be held by dropping
    let max_bytes = shrink.after_bytes * 6 / 10;
    let shrink = fresh.store.shrink(max_bytes, now).await.unwrap().unwrap();
    assert!(shrink.after_bytes <= max_bytes, "{shrink:?}");
    assert!(shrink.samples_dropped > 0, "{shrink:?}");
    for world in &worlds {
        assert!(!shows(fresh, world, &all).await.is_empty());
        fresh.keep(world, now).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_on_a_full_disk_is_held_to_its_cap() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let Some(volume) = volume(server, "full_file", 48) else {
        return;
    };
    let fresh = Fresh::at(&volume.path().join("history.db")).await;
    held_on_a_full_disk(&fresh, volume.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_on_a_full_disk_is_held_to_its_cap() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let Some(volume) = volume(server, "full_database", 96) else {
        return;
    };
    let folder = volume.make_folder(server, "space").unwrap();
    let sql = format!("create tablespace small location '{}'", folder.display());
    server.sql("postgres", &sql).unwrap();
    let sql = "create database on_small tablespace small";
    server.sql("postgres", sql).unwrap();
    let fresh = Fresh::in_database(server, "on_small").await;
    held_on_a_full_disk(&fresh, volume.path()).await;
    drop(fresh);
    for sql in [
        "drop database on_small with (force)",
        "drop tablespace small",
    ] {
        server.sql("postgres", sql).unwrap();
    }
}

on_every_major! {
    async fn a_week_that_was_thinned_in_part_gives_its_space_back(server: &Server) {
        let fresh = Fresh::postgres(server, "thinned_in_part").await;
        let mut worlds = worlds(40);
        let all = keep_days(&fresh, &mut worlds).await;
        let heap = || -> u64 {
            let sql = "select sum(pg_relation_size(c.oid)) from pg_class as c
                where c.relispartition and c.relkind = 'r' and c.relnamespace = 'plimsoll'::regnamespace";
            fresh.sql(sql)[0][0].as_deref().unwrap().parse().unwrap()
        };
        let (full, now): (u64, Timestamp) = (heap(), start() + SignedDuration::from_hours(24 * 21));
        let few = Retention { daily_samples: 2, ..Retention::default() };
        for (world, daily_samples) in [(&worlds[0], 2), (&worlds[1], 3)] {
            let retention = Retention { daily_samples, ..few };
            fresh.store.thin(&world.key(), &retention, now).await.unwrap();
        }
        assert!(heap() > full / 2, "nothing has counted yet what is left");
        // what autovacuum does; then the next thinning sees it
        server.sql("thinned_in_part", "vacuum").unwrap();
        fresh.store.thin(&worlds[1].key(), &few, now).await.unwrap();
        let left = heap();
        assert!(left < full / 4, "{left} of {full}");
        for world in &worlds {
            assert!(shows(&fresh, world, &all).await.len() <= 3);
        }
    }
}
