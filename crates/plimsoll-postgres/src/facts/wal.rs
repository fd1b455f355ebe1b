//! The write-ahead log: its bytes, and what keeps them.

use std::cmp::Reverse;

use plimsoll_core::instance::{Figure, Wal, WalHolder, WalRetention};

use super::settings::Settings;
use super::{bytes, figure, refusal};
use crate::error::VisitError;
use crate::privileges::Privileges;
use crate::session::Session;

pub(super) async fn wal(
    session: &Session,
    may: &Figure<Privileges>,
    settings: &Settings,
) -> Result<Wal, VisitError> {
    let archive_pending = archive_pending(session, may, settings).await?;
    let keep_size_bytes = settings.bytes("wal_keep_size");
    let mut retained_by = figure(slots(session).await)?;
    if let Figure::Known(holders) = &mut retained_by {
        if let (Some(&segments @ 1..), Some(segment)) = (
            archive_pending.known(),
            settings.bytes("wal_segment_size").known(),
        ) {
            holders.push(other(
                WalHolder::Archiving,
                "archiving",
                segments.saturating_mul(*segment),
            ));
        }
        if let Some(&keep @ 1..) = keep_size_bytes.known() {
            holders.push(other(WalHolder::WalKeepSize, "wal_keep_size", keep));
        }
        holders.sort_by_cached_key(|holder| (Reverse(holder.bytes), holder.name.clone()));
    }
    let grant = "the role needs pg_monitor, for pg_ls_waldir";
    let refusal = refusal(may, |may| may.ls_waldir, grant);
    Ok(Wal {
        bytes: bytes(session, refusal, include_str!("waldir.sql"), &[]).await?,
        retained_by,
        keep_size_bytes,
        max_size_bytes: settings.bytes("max_wal_size"),
        archive_pending,
        capacity: Figure::default(),
    })
}

async fn archive_pending(
    session: &Session,
    may: &Figure<Privileges>,
    settings: &Settings,
) -> Result<Figure<u64>, VisitError> {
    if settings.text("archive_mode").known().map(String::as_str) == Some("off") {
        return Ok(Figure::Known(0));
    }
    let grant = "the role needs pg_monitor, for pg_ls_archive_statusdir";
    let refusal = refusal(may, |may| may.ls_archive_statusdir, grant);
    bytes(session, refusal, include_str!("archive.sql"), &[]).await
}

/// A slot that keeps nothing is shown all the same. Managed servers refuse to tell in their own ways.
async fn slots(session: &Session) -> Result<Vec<WalRetention>, VisitError> {
    let rows = session.rows(include_str!("slots.sql"), &[]).await?;
    rows.iter()
        .map(|row| {
            let retained: Option<i64> = session.read(row, "retained_bytes")?;
            Ok(WalRetention {
                holder: WalHolder::Slot,
                name: session.shared_text(row, "name")?,
                // A position that replay has not reached yet keeps nothing before it.
                bytes: retained.map(|bytes| u64::try_from(bytes).unwrap_or(0)),
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
        bytes: Some(bytes),
        is_active: None,
        wal_status: None,
        safe_wal_bytes: None,
    }
}
