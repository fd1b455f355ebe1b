//! Where each directory of a server lies, who says what is free there, and how to declare what is only assumed.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::disk::layout::{OnPool, Place};
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::state::Volume;
use plimsoll_core::name::visible;
use plimsoll_core::size_text::pretty;
use plimsoll_postgres::{Limits, Session, Volumes, pulse, rest_of_disk};
use plimsoll_server::settings::Watched;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// One directory of a server.
#[derive(Debug, Serialize)]
pub(super) struct PlaceReport {
    /// `data`, `wal`, `log` or `tablespace:NAME`.
    place: String,
    /// The pool of free space that it lies on: what `on` takes.
    pool: String,
    /// Whether that is only a guess.
    assumed: bool,
    /// Who says what is free there.
    source: Option<&'static str>,
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    source_at: Option<Timestamp>,
    capacity_bytes: Option<u64>,
    available_bytes: Option<u64>,
    /// Why nobody does.
    unknown: Option<String>,
    /// The entry of the configuration that would tell what is missing; null if nothing is.
    declare: Option<String>,
}

/// Every place, and what the configuration says of them that is not believed.
pub(super) struct Places {
    pub(super) each: Vec<PlaceReport>,
    pub(super) problems: Vec<String>,
}

/// Looks once, in full: what a source says is held against what the files have.
pub(super) async fn places(watched: &Watched) -> anyhow::Result<Places> {
    let limits = Limits::from(&watched.visit);
    let session = Session::open(&watched.url, &limits, &CancellationToken::new()).await?;
    let now = Timestamp::now();
    let mut seen = pulse(&session, &Volumes::default(), now).await?;
    let rest = rest_of_disk(&session, now).await?;
    session.close().await;
    watched
        .capacities()
        .with_complaints()
        .ask(now)
        .await
        .apply(&mut seen);
    let mut memory = Memory::default();
    memory.observe(seen, Some(&rest));
    let disk = memory.disk(None, now);
    let volumes = disk.volumes;
    let reports = memory.places().iter().map(|(place, lies)| {
        let volume = volumes.iter().find(|volume| volume.pool == lies.pool);
        report(&watched.instance, place, lies, volume)
    });
    Ok(Places {
        each: reports.collect(),
        problems: disk.problems,
    })
}

fn report(instance: &str, place: &Place, lies: &OnPool, volume: Option<&Volume>) -> PlaceReport {
    let unknown = match volume {
        Some(volume) => volume.unknown.clone(),
        None => Some("its volume was not looked at".to_owned()),
    };
    let entry = |rest: &str| {
        format!(
            "[[capacity]] instance = {instance:?}, volume = {:?}, {rest}",
            place.to_string()
        )
    };
    let declare = match (&unknown, lies.assumed) {
        (None, false) => None,
        (None, true) => Some(entry("on = \"POOL\"")),
        (Some(_), _) => Some(entry(
            "on = \"POOL\", and one of bytes, command, prometheus and path",
        )),
    };
    PlaceReport {
        place: place.to_string(),
        pool: lies.pool.clone(),
        assumed: lies.assumed,
        source: volume.and_then(|volume| volume.source),
        source_at: volume.and_then(|volume| volume.source_at),
        capacity_bytes: volume.and_then(|volume| volume.capacity_bytes),
        available_bytes: volume.and_then(|volume| volume.available_bytes),
        unknown,
        declare,
    }
}

pub(super) fn print(
    out: &mut dyn Write,
    Places {
        each: places,
        problems,
    }: &Places,
) -> io::Result<()> {
    writeln!(out, "\nWhere its directories lie")?;
    for problem in problems {
        writeln!(out, "  no   capacity: {}", visible(problem))?;
    }
    let width = places
        .iter()
        .map(|it| visible(&it.place).len())
        .max()
        .unwrap_or(0);
    for place in places {
        let mark = if place.declare.is_none() {
            "yes"
        } else {
            "no "
        };
        let assumed = if place.assumed { "assumed on " } else { "on " };
        let told = match (place.capacity_bytes, &place.unknown) {
            (Some(capacity), _) => {
                let free = place.available_bytes.map_or_else(String::new, |bytes| {
                    format!(" of which {} is free,", pretty(bytes))
                });
                format!(
                    "{},{free} says {}",
                    pretty(capacity),
                    place.source.unwrap_or("nobody")
                )
            }
            (None, reason) => format!(
                "nobody says what is free: {}",
                visible(reason.as_deref().unwrap_or_default())
            ),
        };
        let name = visible(&place.place);
        writeln!(
            out,
            "  {mark}  {name:width$}  {assumed}{}: {told}",
            visible(&place.pool)
        )?;
        if let Some(declare) = &place.declare {
            writeln!(out, "       {:width$}  {}", "", visible(declare))?;
        }
    }
    Ok(())
}
