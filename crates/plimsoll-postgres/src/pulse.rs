//! A pulse: what an instance writes, keeps and has left, read without touching a relation. At most twelve statements.
//!
//! Each fact is read on its own and absent with its reason where the role may not see it or the server refuses: managed
//! servers refuse any function in their own ways. Nothing is tried that would be refused for want of a grant.

mod full;
mod look;
mod wal;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::disk::pulse::{Pulse, Rewriting, Space, Writer};
use plimsoll_core::disk::wal::Limits;
use plimsoll_core::instance::Figure;
use plimsoll_core::name;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

pub use full::rest_of_disk;

use crate::error::VisitError;
use crate::raw_text::RawText;
use crate::remembered::this_host;
use crate::session::{Param, Session};
use crate::volumes::{Directories, Volumes, path_of, text_of};
use look::{
    MOST_ENTRIES, NO_FILES, ServerNow, Settings, fact, in_tablespaces, part, too_many, unsigned,
};

const PG_DEFAULT: Oid = 1663;

/// Why nothing is known of what lies in a tablespace whose link leads nowhere.
const GONE: &str = "the tablespace's folder is not there";

/// How long this host's volumes may take to answer.
const VOLUMES_LIMIT: Duration = Duration::from_secs(1);

/// Takes a pulse.
///
/// # Errors
/// Only what ends the session.
pub async fn pulse(
    session: &Session,
    volumes: &Volumes,
    now: Timestamp,
) -> Result<Pulse, VisitError> {
    let before = session.cost().statements;
    let server = ServerNow::read(session).await?;
    let settings = Settings::read(session).await?;
    let tablespaces = places(session).await?;
    let mut parts = Vec::new();
    let (wal, waiting) = wal_part(session, &server, &settings, now).await?;
    parts.push((Place::Wal, wal));
    let (temporary, writers) = temporary(session, &server, now).await?;
    parts.extend(temporary);
    parts.push((Place::Log, log(session, &server, &settings, now).await?));
    parts.push((Place::Data, replication(session, &server, now).await?));
    let holders = wal::holders(session, &server, &settings, waiting).await?;
    let rewrites = rewrites(session).await?;
    let statements = session.cost().statements - before;
    let mut pulse = Pulse {
        at: now,
        position: server.position.map_or_else(
            || Figure::Absent("the server does not say where it writes".to_owned()),
            Figure::Known,
        ),
        holders,
        limits: Limits {
            slot_bytes: settings.number("max_slot_wal_keep_size"),
            idle_seconds: settings
                .number("idle_replication_slot_timeout")
                .filter(|ms| *ms > 0)
                .and_then(|ms| i64::try_from(ms / 1000).ok()),
        },
        max_wal_bytes: settings.number("max_wal_size").map_or_else(
            || Figure::Absent("the server does not show max_wal_size".to_owned()),
            Figure::Known,
        ),
        parts,
        rewrites,
        writers,
        volumes: BTreeMap::new(),
        found: BTreeMap::new(),
        directories: BTreeMap::new(),
        declared: BTreeMap::new(),
        beneath: BTreeMap::new(),
        problems: Vec::new(),
        tablespaces: tablespaces.iter().map(|it| it.name.clone()).collect(),
        lost: BTreeMap::new(),
        host: String::new(),
        not_found: None,
        statements,
    };
    look_at_volumes(session, volumes, &settings, &tablespaces, &mut pulse).await;
    Ok(pulse)
}

/// Adds what the sessions run that write temporary files: only where somebody asks for it, since a query's text may hold
/// what is not everybody's to read. One statement more, if there are any.
///
/// # Errors
/// Only what ends the session.
pub async fn add_queries(session: &Session, pulse: &mut Pulse) -> Result<(), VisitError> {
    let Figure::Known(writers) = &mut pulse.writers else {
        return Ok(());
    };
    if writers.is_empty() {
        return Ok(());
    }
    let pids: Vec<i32> = writers.iter().map(|writer| writer.pid).collect();
    let params: [Param<'_>; 1] = [(&pids, Type::INT4_ARRAY)];
    let sql = include_str!("pulse/queries.sql");
    let found = fact(session, sql, &params, |rows| {
        rows.iter()
            .map(|row| {
                let pid: i32 = session.read(row, "pid")?;
                Ok((pid, session.shared_text_if(row, "query")?))
            })
            .collect::<Result<BTreeMap<_, _>, VisitError>>()
    });
    if let Figure::Known(queries) = found.await? {
        for writer in writers {
            writer.query = queries.get(&writer.pid).cloned().flatten();
        }
    }
    Ok(())
}

/// A tablespace.
struct Tablespace {
    oid: Oid,
    name: String,
    /// Empty for `pg_default`; absent where the link that leads there cannot be read.
    location: Figure<String>,
}

/// Every tablespace but `pg_global`.
async fn places(session: &Session) -> Result<Vec<Tablespace>, VisitError> {
    let sql = include_str!("pulse/tablespaces.sql");
    let location = "coalesce(pg_tablespace_location(t.oid), '')";
    let (rows, refusal) = match session
        .rows(&sql.replace("{location}", location), &[])
        .await
    {
        Ok(rows) => (rows, None),
        // One link that cannot be read fails all: the names are there without.
        Err(error) if error.session_lives() => {
            let rows = session
                .rows(&sql.replace("{location}", "null::text"), &[])
                .await?;
            (rows, Some(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    rows.iter()
        .map(|row| {
            let oid = session.read(row, "oid")?;
            let location = match &refusal {
                _ if oid == PG_DEFAULT => Figure::Known(String::new()),
                Some(reason) => Figure::Absent(reason.clone()),
                None => Figure::Known(location_text(session, row)?),
            };
            Ok(Tablespace {
                oid,
                name: session.shared_text(row, "name")?,
                location,
            })
        })
        .collect()
}

/// Where a tablespace lies, written so that no byte is lost.
fn location_text(session: &Session, row: &Row) -> Result<String, VisitError> {
    let RawText(location) = session.read(row, "location")?;
    Ok(name::of_bytes(location).into_owned())
}

/// `pg_wal`, and how many segments wait to be archived.
async fn wal_part(
    session: &Session,
    server: &ServerNow,
    settings: &Settings,
    now: Timestamp,
) -> Result<(Part, Option<u64>), VisitError> {
    let (source, sql) = match (server.may_files, server.may_waldir) {
        (true, _) => (Source::Files, include_str!("pulse/wal_files.sql")),
        (_, true) => (Source::Functions, include_str!("pulse/wal_functions.sql")),
        _ => {
            return Ok((
                Part::unknown(
                    Kind::Wal,
                    None,
                    "the role needs pg_monitor, for pg_ls_waldir",
                ),
                None,
            ));
        }
    };
    let (mut part, row) = part(session, Kind::Wal, source, sql, &[], now).await?;
    if source == Source::Functions && settings.is_on("summarize_wal") {
        part = part.at_least("pg_ls_waldir leaves out pg_wal/summaries");
    }
    let waiting = match row {
        Some(row) => unsigned(session, &row, "waiting")?,
        None => None,
    };
    Ok((part, waiting))
}

/// A part's place with the part.
type Placed = (Place, Part);

/// Temporary files by tablespace, and the sessions that write them.
async fn temporary(
    session: &Session,
    server: &ServerNow,
    now: Timestamp,
) -> Result<(Vec<Placed>, Figure<Vec<Writer>>), VisitError> {
    let absent = |reason: String| {
        (
            vec![(
                Place::Data,
                Part::unknown(Kind::Temporary, None, reason.clone()),
            )],
            Figure::Absent(reason),
        )
    };
    let (source, sql) = match (server.may_files, server.may_tmpdir) {
        (true, _) => (Source::Files, include_str!("pulse/temporary_files.sql")),
        (_, true) => (
            Source::Functions,
            include_str!("pulse/temporary_functions.sql"),
        ),
        _ => {
            return Ok(absent(
                "the role needs pg_monitor, for pg_ls_tmpdir".to_owned(),
            ));
        }
    };
    let major = i32::try_from(session.server().major()).unwrap_or(0);
    let with_major: [Param<'_>; 1] = [(&major, Type::INT4)];
    let params = if source == Source::Files {
        &with_major[..]
    } else {
        &[]
    };
    let sql = in_tablespaces(sql);
    let found = fact(session, &sql, params, |rows| {
        let mut sums: BTreeMap<Oid, (String, Option<u64>)> = BTreeMap::new();
        let mut writers: BTreeMap<i32, Writer> = BTreeMap::new();
        let mut entries = 0;
        for row in rows {
            let bytes = unsigned(session, row, "bytes")?.unwrap_or(0);
            let name = session.shared_text(row, "name")?;
            // The functions take a folder that is not there for an empty one; theirs is a lower bound anyway.
            let is_there = source == Source::Functions || session.read(row, "is_there")?;
            let sum = sums
                .entry(session.read(row, "tablespace")?)
                .or_insert((name, is_there.then_some(0)));
            sum.1 = sum.1.map(|sum| sum + bytes);
            entries = session.read::<i64, _>(row, "entries")?;
            if let Some(pid) = session.read::<Option<i32>, _>(row, "pid")? {
                let user = session.shared_text_if(row, "role")?;
                let since = session.read(row, "since")?;
                writers
                    .entry(pid)
                    .or_insert(Writer {
                        pid,
                        user,
                        since,
                        bytes: 0,
                        query: None,
                    })
                    .bytes += bytes;
            }
        }
        Ok((sums, writers, entries))
    });
    Ok(match found.await? {
        Figure::Absent(reason) => absent(reason),
        Figure::Known((sums, writers, entries)) => {
            let parts = sums.into_iter().map(|(oid, (name, bytes))| {
                let place = if oid == PG_DEFAULT {
                    Place::Data
                } else {
                    Place::Tablespace(name)
                };
                let Some(bytes) = bytes else {
                    return (place, Part::unknown(Kind::Temporary, None, GONE));
                };
                let part = Part::measured(Kind::Temporary, None, bytes, source, now);
                let part = match source {
                    Source::Files if entries > MOST_ENTRIES => part.at_least(too_many()),
                    Source::Files => part,
                    _ => part.at_least("pg_ls_tmpdir leaves out what parallel workers share"),
                };
                (place, part)
            });
            let mut writers: Vec<Writer> = writers.into_values().collect();
            writers.sort_by_key(|writer| std::cmp::Reverse(writer.bytes));
            (parts.collect(), Figure::Known(writers))
        }
    })
}

async fn log(
    session: &Session,
    server: &ServerNow,
    settings: &Settings,
    now: Timestamp,
) -> Result<Part, VisitError> {
    let is_collected = settings.text("logging_collector") != Some("off");
    if !is_collected && !server.may_files {
        let reason = "logging_collector is off: whatever takes the server's log keeps the files";
        return Ok(Part::unknown(Kind::Log, None, reason));
    }
    let folder = settings.text("log_directory");
    let may_list = server.may_files && folder.is_some_and(|folder| !folder.starts_with('/'));
    let (source, sql) = match (may_list, server.may_logdir) {
        // Also without a collector: an old folder may lie in the data directory, or none.
        (true, _) => (Source::Files, include_str!("pulse/log_files.sql")),
        (_, true) if is_collected => (Source::Functions, include_str!("pulse/log_functions.sql")),
        (_, true) => return Ok(Part::measured(Kind::Log, None, 0, Source::Files, now)),
        _ => {
            return Ok(Part::unknown(
                Kind::Log,
                None,
                "the role needs pg_monitor, for pg_ls_logdir and log_directory",
            ));
        }
    };
    let folder = folder.unwrap_or_default();
    let with_folder: [Param<'_>; 1] = [(&folder, Type::TEXT)];
    let params = if source == Source::Files {
        &with_folder[..]
    } else {
        &[]
    };
    Ok(part(session, Kind::Log, source, sql, params, now).await?.0)
}

async fn replication(
    session: &Session,
    server: &ServerNow,
    now: Timestamp,
) -> Result<Part, VisitError> {
    if server.may_files {
        let sql = include_str!("pulse/replication_files.sql");
        return Ok(
            part(session, Kind::Replication, Source::Files, sql, &[], now)
                .await?
                .0,
        );
    }
    if server.may_replslotdir {
        let sql = include_str!("pulse/replication_functions.sql");
        let (part, _) = part(session, Kind::Replication, Source::Functions, sql, &[], now).await?;
        return Ok(if part.bytes.is_some() {
            part.at_least("pg_ls_replslotdir shows slots only")
        } else {
            part
        });
    }
    let reason = if session.server().major() >= 15 {
        "the role needs pg_monitor, for pg_ls_replslotdir"
    } else {
        NO_FILES
    };
    Ok(Part::unknown(Kind::Replication, None, reason))
}

async fn rewrites(session: &Session) -> Result<Figure<Vec<Rewriting>>, VisitError> {
    let block = i64::from(session.server().block_size);
    fact(session, include_str!("pulse/progress.sql"), &[], |rows| {
        rows.iter()
            .map(|row| {
                let command: Option<String> = session.read(row, "command")?;
                let command = command.unwrap_or_default();
                let blocks: Option<i64> = session.read(row, "blocks")?;
                // A rewrite makes the table's indexes anew, which are mostly smaller than it.
                let copies = if command.contains("INDEX") { 1 } else { 2 };
                let needs = blocks
                    .filter(|blocks| *blocks > 0)
                    .map(|blocks| blocks * block * copies);
                Ok(Rewriting {
                    pid: session.read(row, "pid")?,
                    since: session.read(row, "since")?,
                    needs_bytes: needs.and_then(|bytes| u64::try_from(bytes).ok()),
                    command,
                })
            })
            .collect()
    })
    .await
}

/// Where the server's directories lie, if they are this host's, and what is left there.
async fn look_at_volumes(
    session: &Session,
    volumes: &Volumes,
    settings: &Settings,
    tablespaces: &[Tablespace],
    pulse: &mut Pulse,
) {
    let hidden = |name: &str| {
        format!(
            "the role needs pg_read_all_settings (in pg_monitor) to see {name}; or set [[capacity]]"
        )
    };
    let directories = Directories {
        data: settings
            .text("data_directory")
            .map(path_of)
            .ok_or_else(|| hidden("data_directory")),
        log: settings.text("log_directory").map_or_else(
            || Figure::Absent(hidden("log_directory")),
            |log| Figure::Known(log.to_owned()),
        ),
        tablespaces: tablespaces
            .iter()
            .map(|space| (space.name.clone(), space.location.clone()))
            .collect(),
    };
    let found = match volumes
        .of_server(session, &directories, VOLUMES_LIMIT)
        .await
    {
        Ok(found) => found,
        Err(reason) => {
            pulse.not_found = Some(reason);
            return;
        }
    };
    for (place, (directory, figure)) in found {
        if let Some(directory) = directory {
            let text = text_of(&directory);
            pulse.host = this_host();
            pulse.directories.insert(place.clone(), text);
        }
        match figure {
            Figure::Known(found) => {
                pulse.found.insert(place, found.pool.clone());
                let space = Space {
                    source_at: Some(pulse.at),
                    ..found.space
                };
                pulse.volumes.insert(found.pool, Figure::Known(space));
            }
            Figure::Absent(reason) => {
                pulse.lost.insert(place, reason);
            }
        }
    }
}
