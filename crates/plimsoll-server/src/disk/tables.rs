//! Which tables, indexes and toast tables a database grew by, told from samples.

use jiff::Timestamp;
use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::state::Disk;
use plimsoll_core::size::signed;
use plimsoll_core::size_text::pretty_signed;
use plimsoll_store::{DatabaseKey, Difference, DifferenceQuery, Store, StoreError};

use super::InstanceDisk;
use crate::coverage::{Seam, is_covered, on_one_side, seams};

/// For how many databases tables are looked up: those that changed most.
const DATABASES: usize = 3;
/// For databases that changed by less they are not looked up.
const WORTH_IT: u64 = 1_000_000;
/// How many tables, indexes and toast tables are named.
const NAMED: usize = 3;
/// Among how many tables that grew most they are looked for.
const LOOKED_AT: usize = 50;
/// For how many seconds a text is told again without reading.
const FRESH_FOR: i64 = 60;
/// How many texts are held in memory.
const MOST_TEXTS: usize = 64;

/// A text that was made from samples, and when.
#[derive(Debug, Clone)]
pub(super) struct CachedText {
    at: Timestamp,
    text: String,
}

impl InstanceDisk {
    /// Adds to each database's change which of its tables made it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tell_tables(
        &self,
        store: &dyn Store,
        disk: &mut Disk,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let causes = disk.volumes.iter_mut().flat_map(|volume| &mut volume.why);
        let mut databases: Vec<_> = causes
            .filter(|cause| {
                cause.part == Kind::Database && cause.change_bytes.unsigned_abs() >= WORTH_IT
            })
            .collect();
        databases.sort_by_key(|cause| std::cmp::Reverse(cause.change_bytes.unsigned_abs()));
        for cause in databases.into_iter().take(DATABASES) {
            let Some(name) = &cause.name else { continue };
            let text = self
                .table_text(store, name, cause.since, cause.change_bytes >= 0, now)
                .await?;
            // Better than where it could be looked up.
            if !text.is_empty() {
                cause.text = text;
            }
        }
        Ok(())
    }

    async fn table_text(
        &self,
        store: &dyn Store,
        database: &str,
        since: Timestamp,
        grew: bool,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        // Ages are counted from now: within a minute they mean the same.
        let key = (database.to_owned(), since.as_second() / FRESH_FOR, grew);
        let is_fresh =
            |text: &&CachedText| (0..FRESH_FOR).contains(&now.duration_since(text.at).as_secs());
        let known = self.state().table_texts.get(&key).filter(is_fresh).cloned();
        if let Some(cached) = known {
            return Ok(cached.text);
        }
        let of = DatabaseKey {
            instance: self.watched.instance.to_string(),
            database: database.to_owned(),
        };
        let ask = |indexes| DifferenceQuery {
            from: since,
            to: now,
            kinds: Vec::new(),
            indexes,
            // What shrank most comes last.
            limit: grew.then_some(LOOKED_AT),
        };
        let mut tables = store.difference(&of, &ask(false)).await?;
        if let Some(found) = &tables {
            let (from, to) = (found.from.sampled_at, found.to.sampled_at);
            let mut seams = seams(store, &of, Some(from)).await?;
            seams.retain(|seam: &Seam| seam.is_between(from, to));
            if !seams.is_empty() {
                // what another tool measured before is no growth since
                tables = on_one_side(store, &of, &ask(false), &seams).await?;
                tables = tables.filter(|found| !found.to.is_imported);
            }
        }
        let indexes = match &tables {
            None => None,
            Some(found) => {
                let same = DifferenceQuery {
                    from: found.from.sampled_at,
                    to: found.to.sampled_at,
                    ..ask(true)
                };
                store.difference(&of, &same).await?
            }
        };
        let text = match (tables, indexes) {
            (Some(tables), Some(indexes)) => text(&tables, &indexes, grew),
            _ => String::new(),
        };
        let mut state = self.state();
        if state.table_texts.len() >= MOST_TEXTS {
            state.table_texts.clear();
        }
        let cached = CachedText {
            at: now,
            text: text.clone(),
        };
        state.table_texts.insert(key, cached);
        Ok(text)
    }
}

/// What changed most, in the direction that the database changed in.
fn text(tables: &Difference, indexes: &Difference, grew: bool) -> String {
    if tables.from.id == tables.to.id {
        return String::new();
    }
    let mut changed: Vec<(i64, String)> = Vec::new();
    for growth in tables.growth.iter().filter(|growth| is_covered(growth)) {
        let mut name = growth.name.key(18);
        if growth.after.is_none() {
            name.push_str(" (dropped)");
        }
        let gained = |bytes: &dyn Fn(&plimsoll_core::change::Sizes) -> Option<u64>| -> i64 {
            let of = |sizes: &Option<_>| sizes.as_ref().and_then(bytes).unwrap_or(0);
            signed(of(&growth.after)) - signed(of(&growth.before))
        };
        changed.push((gained(&|sizes| sizes.heap_bytes), name.clone()));
        changed.push((
            gained(&|sizes| Some(sizes.all_toast_bytes())),
            format!("toast of {name}"),
        ));
    }
    for growth in indexes.growth.iter().filter(|growth| is_covered(growth)) {
        let name = growth.index_name.as_deref().unwrap_or_default();
        changed.push((growth.bytes(), format!("index {name}")));
    }
    let along = |bytes: i64| if grew { bytes } else { -bytes };
    changed.retain(|(bytes, _)| along(*bytes) > 0);
    changed.sort_by_key(|(bytes, _)| -along(*bytes));
    let named: Vec<String> = changed
        .iter()
        .take(NAMED)
        .map(|(bytes, name)| format!("{name} {}", pretty_signed(*bytes)))
        .collect();
    named.join(", ")
}
