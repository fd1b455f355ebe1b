//! The write-ahead log: its bytes, and what keeps them.

use std::cmp::Reverse;

use plimsoll_core::instance::{Figure, Wal, WalHolder, WalRetention};

use super::{Settings, bytes};
use crate::error::VisitError;
use crate::privileges::Privileges;
use crate::session::Session;

pub(super) async fn wal(
    session: &Session,
    may: &Privileges,
    settings: &Settings,
) -> Result<Wal, VisitError> {
    let setting = |name: &str| {
        settings.bytes(name).map_or_else(
            || Figure::Absent(format!("the server does not show {name}")),
            Figure::Known,
        )
    };
    let archive_pending = archive_pending(session, may, settings).await?;
    let keep_size_bytes = setting("wal_keep_size");
    let mut retained_by = slots(session).await?;
    if let (Some(&segments @ 1..), Some(segment)) =
        (archive_pending.known(), settings.bytes("wal_segment_size"))
    {
        retained_by.push(other(
            WalHolder::Archiving,
            "archiving",
            segments.saturating_mul(segment),
        ));
    }
    if let Some(&keep @ 1..) = keep_size_bytes.known() {
        retained_by.push(other(WalHolder::WalKeepSize, "wal_keep_size", keep));
    }
    retained_by.sort_by_cached_key(|holder| (Reverse(holder.bytes), holder.name.clone()));
    Ok(Wal {
        bytes: bytes(
            session,
            may.ls_waldir,
            "the role needs pg_monitor, for pg_ls_waldir",
            include_str!("waldir.sql"),
            &[],
        )
        .await?,
        retained_by,
        keep_size_bytes,
        max_size_bytes: setting("max_wal_size"),
        archive_pending,
    })
}

async fn archive_pending(
    session: &Session,
    may: &Privileges,
    settings: &Settings,
) -> Result<Figure<u64>, VisitError> {
    if settings.text("archive_mode") == Some("off") {
        return Ok(Figure::Known(0));
    }
    bytes(
        session,
        may.ls_archive_statusdir,
        "the role needs pg_monitor, for pg_ls_archive_statusdir",
        include_str!("archive.sql"),
        &[],
    )
    .await
}

/// A slot without `restart_lsn` (never used, or lost) keeps nothing, and is shown all the same.
async fn slots(session: &Session) -> Result<Vec<WalRetention>, VisitError> {
    let rows = match session.rows(include_str!("slots.sql"), &[]).await {
        Ok(rows) => rows,
        // Managed servers refuse it in their own ways.
        Err(error) if error.session_lives() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    rows.iter()
        .map(|row| {
            let retained: Option<i64> = session.read(row, "retained_bytes")?;
            Ok(WalRetention {
                holder: WalHolder::Slot,
                name: session.read(row, "name")?,
                bytes: retained
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .unwrap_or(0),
                is_active: session.read(row, "is_active")?,
                wal_status: session.read(row, "wal_status")?,
                safe_wal_bytes: session.read(row, "safe_wal_bytes")?,
            })
        })
        .collect()
}

fn other(holder: WalHolder, name: &str, bytes: u64) -> WalRetention {
    WalRetention {
        holder,
        name: name.to_owned(),
        bytes,
        is_active: None,
        wal_status: None,
        safe_wal_bytes: None,
    }
}
