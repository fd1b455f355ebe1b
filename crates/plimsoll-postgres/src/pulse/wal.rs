//! What holds WAL: slots, archiving, settings, the last checkpoint, replay and summaries.

use std::cmp::Reverse;

use jiff::Timestamp;
use plimsoll_core::disk::wal::{Archiving, Holder, HolderKind, Replay, Slot};
use plimsoll_core::instance::Figure;

use super::look::{ServerNow, Settings, fact, unsigned};
use crate::error::VisitError;
use crate::session::Session;

/// Every holder, most bytes first. A fact that the server refuses costs only its holders, unless it is the slots'.
pub(super) async fn holders(
    session: &Session,
    server: &ServerNow,
    settings: &Settings,
    waiting: Option<u64>,
) -> Result<Figure<Vec<Holder>>, VisitError> {
    let mut holders = match slots(session, server.position).await? {
        Figure::Known(slots) => slots,
        absent @ Figure::Absent(_) => return Ok(absent),
    };
    let held = |from: u64| {
        server
            .position
            .map(|position| position.saturating_sub(from))
    };
    if settings.is_on("archive_mode")
        && let Figure::Known(Some(holder)) =
            archiving(session, server.position, settings, waiting).await?
    {
        holders.push(holder);
    }
    if let Some(bytes @ 1..) = settings.number("wal_keep_size") {
        holders.push(Holder {
            bytes: Some(bytes),
            since: None,
            what: HolderKind::WalKeepSize,
        });
    }
    if server.may_control
        && let Figure::Known((Some(redo), since)) = redo(session).await?
    {
        holders.push(Holder {
            bytes: held(redo),
            since,
            what: HolderKind::Checkpoint,
        });
    }
    if server.in_recovery
        && let Some(replayed) = server.replayed
    {
        let delay_ms = settings.number("recovery_min_apply_delay").unwrap_or(0);
        let replay = Replay {
            paused: server.is_paused,
            delay_ms: i64::try_from(delay_ms).unwrap_or(i64::MAX),
            replayed_at: server.replayed_at,
        };
        let bytes = held(replayed);
        if bytes.is_some_and(|bytes| bytes > 0) || replay.paused {
            holders.push(Holder {
                bytes,
                since: server.replayed_at,
                what: HolderKind::Replay(replay),
            });
        }
    }
    if settings.is_on("summarize_wal")
        && let Some(summarized) = server.summarized
    {
        holders.push(Holder {
            bytes: held(summarized),
            since: None,
            what: HolderKind::Summaries,
        });
    }
    holders.sort_by_key(|holder| Reverse(holder.bytes));
    before_its_checkpoint(&mut holders);
    Ok(Figure::Known(holders))
}

/// A standby's checkpoints go no further than its replay, and so keep a little more: where that is held back, it is
/// what holds.
fn before_its_checkpoint(holders: &mut [Holder]) {
    let is_held_back = |holder: &Holder| match &holder.what {
        HolderKind::Replay(replay) => replay.paused || replay.delay_ms > 0,
        _ => false,
    };
    let checkpoint = holders
        .iter()
        .position(|holder| holder.what == HolderKind::Checkpoint);
    let replay = holders.iter().position(is_held_back);
    if let (Some(checkpoint), Some(replay)) = (checkpoint, replay)
        && checkpoint < replay
    {
        holders[checkpoint..=replay].rotate_right(1);
    }
}

/// A slot without `restart_lsn` (never used, or lost) holds nothing, and is shown all the same.
async fn slots(
    session: &Session,
    position: Option<u64>,
) -> Result<Figure<Vec<Holder>>, VisitError> {
    let knows_since = session.server().major() >= 17;
    let column = |sql: &'static str, older: &'static str| if knows_since { sql } else { older };
    let sql = include_str!("slots.sql")
        .replace(
            "{inactive_since}",
            column("s.inactive_since", "null::timestamptz"),
        )
        .replace(
            "{invalidation_reason}",
            column("s.invalidation_reason", "null::text"),
        );
    fact(session, &sql, &[], |rows| {
        rows.iter()
            .map(|row| {
                let name = session.shared_text(row, "name")?;
                let is_temporary = session.read(row, "is_temporary")?;
                let inactive_since: Option<Timestamp> = session.read(row, "inactive_since")?;
                let restart = unsigned(session, row, "restart")?;
                let slot = Slot {
                    is_physical: session.read(row, "is_physical")?,
                    database: session.shared_text_if(row, "database")?,
                    is_temporary,
                    // That is what pg_basebackup calls the one it makes for itself.
                    is_base_backup: is_temporary && name.starts_with("pg_basebackup_"),
                    active: session.read(row, "is_active")?,
                    wal_status: session.read(row, "wal_status")?,
                    safe_wal_bytes: session.read(row, "safe_wal_bytes")?,
                    inactive_since,
                    invalidation_reason: session.read(row, "invalidation_reason")?,
                    name,
                };
                let bytes = match restart {
                    Some(restart) => position.map(|position| position.saturating_sub(restart)),
                    None => Some(0),
                };
                Ok(Holder {
                    bytes,
                    since: inactive_since,
                    what: HolderKind::Slot(slot),
                })
            })
            .collect()
    })
    .await
}

/// Archiving, while segments wait or the last attempt failed.
async fn archiving(
    session: &Session,
    position: Option<u64>,
    settings: &Settings,
    waiting: Option<u64>,
) -> Result<Figure<Option<Holder>>, VisitError> {
    let segment = settings.number("wal_segment_size");
    fact(session, include_str!("archiver.sql"), &[], |rows| {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let archived: Option<String> = session.read(row, "last_archived_wal")?;
        let archived_at: Option<Timestamp> = session.read(row, "last_archived_time")?;
        let failed_at: Option<Timestamp> = session.read(row, "last_failed_time")?;
        let fails = failed_at > archived_at;
        if !fails && waiting.unwrap_or(0) == 0 {
            return Ok(None);
        }
        let failed: Option<String> = session.read(row, "last_failed_wal")?;
        let from_listing = waiting
            .zip(segment)
            .map(|(waiting, segment)| waiting.saturating_mul(segment));
        // Without the listing: from the end of the last archived segment, or the begin of the one that failed.
        let from_names = segment.and_then(|segment| {
            let end = |name: &str| segment_begin(name, segment).map(|begin| begin + segment);
            let from = archived.as_deref().and_then(end);
            let from = from.or_else(|| {
                failed
                    .as_deref()
                    .and_then(|name| segment_begin(name, segment))
            })?;
            Some(position?.saturating_sub(from))
        });
        let archiving = Archiving {
            failed_segment: failed.filter(|_| fails),
            failed_at: failed_at.filter(|_| fails),
            failures: session.read(row, "failed_count")?,
            archived_at,
            waiting,
        };
        Ok(Some(Holder {
            bytes: from_listing.or(from_names),
            since: archived_at,
            what: HolderKind::Archiving(archiving),
        }))
    })
    .await
}

async fn redo(session: &Session) -> Result<Figure<(Option<u64>, Option<Timestamp>)>, VisitError> {
    fact(session, include_str!("redo.sql"), &[], |rows| {
        let Some(row) = rows.first() else {
            return Ok((None, None));
        };
        Ok((
            unsigned(session, row, "redo")?,
            session.read(row, "checkpoint_time")?,
        ))
    })
    .await
}

/// The position at which a segment begins, by its name: timeline, the upper half of the position, and the segment in
/// it, eight hexadecimal digits each (`XLogFileName` in `xlog_internal.h`). Of a `.partial` or a history file none.
fn segment_begin(name: &str, segment_bytes: u64) -> Option<u64> {
    if name.len() != 24 || !name.is_ascii() {
        return None;
    }
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let (upper, segment) = (number(&name[8..16])?, number(&name[16..24])?);
    upper
        .checked_mul(1 << 32)?
        .checked_add(segment.checked_mul(segment_bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segments_name_says_where_it_begins() {
        const MB16: u64 = 16 << 20;
        for (name, begin) in [
            ("000000010000000000000001", Some(MB16)),
            ("0000000200000003000000FE", Some((3 << 32) + 0xFE * MB16)),
            ("00000002.history", None),
            ("000000010000000000000001.partial", None),
            ("00000001000000000000000G", None),
        ] {
            assert_eq!(segment_begin(name, MB16), begin, "{name}");
        }
    }
}
