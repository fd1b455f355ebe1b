//! TimescaleDB's compressed chunks: no inheritance ties them to their hypertable, but its catalog does, and where that
//! may not be read, their names.

use std::collections::{HashMap, HashSet};

use plimsoll_core::Oid;

use crate::error::VisitError;
use crate::session::Session;

/// Where TimescaleDB keeps its own.
pub(super) const SCHEMA: &str = "_timescaledb_internal";

/// What each compressed chunk belongs to, as TimescaleDB's catalog says; none where there is none that may be read.
pub(super) async fn by_catalog(session: &Session) -> Result<Option<Vec<(Oid, Oid)>>, VisitError> {
    match read(session).await {
        // No size needs it: a role that may not know learns less.
        Err(VisitError::PermissionDenied { reason, .. }) => {
            tracing::debug!(reason, "storage.catalog.timescaledb_not_read");
            Ok(None)
        }
        read => read,
    }
}

async fn read(session: &Session) -> Result<Option<Vec<(Oid, Oid)>>, VisitError> {
    let row = session
        .one(include_str!("timescaledb/layout.sql"), &[])
        .await?;
    // Releases between have both, and keep the ids.
    let sql = if session.read(&row, 0)? {
        include_str!("timescaledb/by_chunk_id.sql")
    } else if session.read(&row, 1)? {
        include_str!("timescaledb/by_relid.sql")
    } else {
        return Ok(None);
    };
    let mut parents = Vec::new();
    session
        .stream(sql, &[], |row| {
            parents.push((session.read(&row, 0)?, session.read(&row, 1)?));
            Ok(())
        })
        .await?;
    Ok(Some(parents))
}

/// The same by names. `compress_hyper_4_23_chunk` tells the number of a compressed hypertable, which leads to the
/// hypertable only where there is one; `_hyper_3_7_chunk_compressed` (2.29 and later) tells its chunk.
pub(super) fn by_name<'a>(
    tables: impl Iterator<Item = (Oid, &'a str)> + Clone,
    parent: impl Fn(Oid) -> Option<Oid>,
) -> Vec<(Oid, Oid)> {
    let by_name: HashMap<&str, Oid> = tables.clone().map(|(oid, name)| (name, oid)).collect();
    let hypertables: HashSet<Oid> = tables
        .clone()
        .filter(|(_, name)| is_numbered(name, "_hyper_", "_chunk"))
        .filter_map(|(chunk, _)| parent(chunk))
        .collect();
    let only = match &*hypertables.into_iter().collect::<Vec<_>>() {
        [only] => Some(*only),
        _ => None,
    };
    tables
        .filter_map(|(oid, name)| {
            let of_chunk = name
                .strip_suffix("_compressed")
                .filter(|chunk| is_numbered(chunk, "_hyper_", "_chunk"));
            let above = match of_chunk {
                Some(chunk) => by_name.get(chunk).copied(),
                None if is_numbered(name, "compress_hyper_", "_chunk") => only,
                None => None,
            };
            above.map(|above| (oid, above))
        })
        .collect()
}

/// Whether two numbers stand between a beginning and an end: `_hyper_1_2_chunk`.
fn is_numbered(name: &str, begin: &str, end: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(begin)
        .and_then(|rest| rest.strip_suffix(end))
        .and_then(|numbers| numbers.split_once('_'))
        .is_some_and(|(first, second)| is_number(first) && is_number(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_chunks_are_told_by_their_names() {
        let one = [
            (10, "_hyper_1_1_chunk"),
            (11, "_hyper_1_2_chunk"),
            (20, "compress_hyper_2_3_chunk"),
            (21, "_hyper_1_2_chunk_compressed"),
            (30, "compress_hyper_x_3_chunk"),
            (31, "_hyper_9_9_chunk_compressed"),
        ];
        let parent = |oid| (oid < 20).then_some(1);
        let tables = one.into_iter();
        assert_eq!(by_name(tables, parent), [(20, 1), (21, 11)]);
        // of two hypertables the name does not tell which
        let parent = |oid| (oid < 20).then_some(oid);
        let tables = one.into_iter();
        assert_eq!(by_name(tables, parent), [(21, 11)]);
    }
}
