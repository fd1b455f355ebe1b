//! The rules about a database's sizes, evaluated on a new sample.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::rules::stray::{File, Files};
use plimsoll_core::alert::{AlertType, ResolvedBy, Subject};
use plimsoll_core::change::EventKind;
use plimsoll_core::forecast::KnownChange;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::{Method, Snapshot, UnattributedCause};
use plimsoll_store::{DatabaseKey, EventQuery, NamedEvent, SampleParts, Store, StoreError};

use super::Alerting;
use super::facts::{DatabaseFacts, SampleContext};
use super::settle::Settled;
use super::tables::DatabaseAt;
use super::told::Samples;
use crate::disk::last_look;
use crate::forecasting::{
    Forecast, ForecastError, ForecastOf, ForecastQuery, RoomSource, VisitedSnapshots, known_changes,
};
use crate::news::NewSample;

/// So far back a saw-tooth is looked for, and a restore.
pub(super) const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(36 * 24);

impl Alerting {
    /// Evaluates the rules about sizes on a new sample.
    pub async fn after_sample(&self, sample: &NewSample) -> Result<(), ForecastError> {
        let (of, now) = (&sample.of, sample.header.sampled_at);
        let subject = Subject::database(&of.instance, &of.database);
        let since = now.saturating_sub(LOOKED_BACK).unwrap_or(Timestamp::MIN);
        let mut parts = self.store.sample_parts(of, since).await?;
        parts.retain(|parts| parts.sampled_at <= now);
        let forecast = self.forecast(sample).await?;
        let room = forecast.as_ref().map(|forecast| &forecast.room);
        let snapshot = &*sample.snapshot;
        let files = files_of(snapshot);
        let limit_bytes = self.limits.get(of).copied();
        let has_capacity =
            room.is_some_and(|room| matches!(room.source, Some(RoomSource::Capacity(_))));
        let happened = happened(&*self.store, of, &parts).await?;
        let last = last_look(&*self.store, &of.instance).await?;
        let is_rewriting = last.and_then(|last| last.is_rewriting()).unwrap_or(false);
        let facts = DatabaseFacts::of(&SampleContext {
            now,
            parts: &parts,
            begins_at: happened.beginnings.last().copied(),
            given_back: &happened.given_back,
            is_rewriting,
            invalid_index_bytes: invalid_index_bytes(snapshot),
            files: files.as_ref(),
            is_daily: sample.header.kind == SampleKind::Daily,
            limit_bytes,
            has_capacity,
            outlook: forecast.as_ref().map(|forecast| &forecast.found),
            points: forecast
                .as_ref()
                .map_or(&[], |forecast| forecast.points.as_slice()),
        });
        let samples = Samples {
            store: &*self.store,
            of,
            now,
            parts: &parts,
            growth_from: facts.growth_from(),
            forecast: forecast.as_ref(),
            files: files.as_ref(),
        };
        self.keep_unkept_if_any().await;
        let states = self.states_of(of).await?;
        let all = facts.of_sample().into_iter().chain(facts.of_forecast());
        for (alert_type, facts) in all {
            let settled = Settled {
                alert_type,
                subject: &subject,
                facts,
                now,
                instance: &of.instance,
            };
            self.settle(&states, settled, &samples).await?;
        }
        // A limit that is not set any more is above nothing.
        let own = states.iter().filter(|state| state.subject == subject);
        for state in own {
            let is_limited = match state.alert_type {
                AlertType::TimeToFull => limit_bytes.is_some(),
                AlertType::SizeCritical => limit_bytes.is_some() || !has_capacity,
                _ => true,
            };
            if !is_limited {
                self.close(state, ResolvedBy::RuleDisabled, now).await?;
            }
        }
        let at = DatabaseAt {
            since,
            begins_at: happened.beginnings.last().copied(),
            is_rewriting,
            states: &states,
        };
        self.tables(sample, at).await
    }

    /// The forecast of the database's total, up to its own limit where it has one; none where the history has none.
    async fn forecast(&self, sample: &NewSample) -> Result<Option<Forecast>, ForecastError> {
        let query = ForecastQuery {
            capacity_bytes: self.limits.get(&sample.of).copied(),
            ..ForecastQuery::default()
        };
        let what = ForecastOf::Database;
        let seen = VisitedSnapshots {
            database: Ok(&sample.snapshot),
            others: &[],
        };
        let made = self
            .forecasts
            .forecast(&sample.of, &what, seen, &query)
            .await;
        match made {
            Ok(forecast) => Ok(Some(forecast)),
            Err(ForecastError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

/// What happened to a database that its growth is not counted over.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// When what samples tell began anew: with a restore, or with Plimsoll's own measure after another tool's.
    pub(super) beginnings: Vec<Timestamp>,
    /// Tables and indexes that were emptied or written anew.
    pub(super) given_back: Vec<KnownChange>,
}

/// What happened since the first of `parts`, oldest first.
pub(super) async fn happened(
    store: &dyn Store,
    of: &DatabaseKey,
    parts: &[SampleParts],
) -> Result<Happened, StoreError> {
    const BEGINNINGS: [EventKind; 2] = [EventKind::Restore, EventKind::Coverage];
    const GIVES_BACK: [EventKind; 4] = [
        EventKind::Truncate,
        EventKind::Rewrite,
        EventKind::Reindex,
        EventKind::Recreate,
    ];
    let query = EventQuery {
        kinds: BEGINNINGS.into_iter().chain(GIVES_BACK).collect(),
        since: parts.first().map(|parts| parts.sampled_at),
        ..EventQuery::default()
    };
    let mut events = store.events(of, &query).await?;
    events.sort_by_key(|named| named.event.to);
    let (begin, mut rest): (Vec<NamedEvent>, Vec<NamedEvent>) = events
        .into_iter()
        .partition(|named| named.event.relation.is_none());
    rest.retain(|named| GIVES_BACK.contains(&named.event.kind));
    Ok(Happened {
        beginnings: begin.iter().map(|named| named.event.to).collect(),
        given_back: known_changes(&rest),
    })
}

/// The files that no relation owns and that may stay; none where the method does not see files.
fn files_of(snapshot: &Snapshot) -> Option<Files> {
    if snapshot.method != Method::Files {
        return None;
    }
    let mut files = Files::new();
    for found in &snapshot.unattributed {
        let is_orphaned = match found.cause {
            UnattributedCause::Orphaned => true,
            UnattributedCause::Uncommitted => false,
            UnattributedCause::ServerFiles | UnattributedCause::Temporary => continue,
        };
        let with_bytes = found.largest.iter().filter(|file| file.bytes > 0);
        files.extend(with_bytes.map(|file| {
            let bytes = file.bytes;
            (file.path.clone(), File { bytes, is_orphaned })
        }));
    }
    Some(files)
}

/// Bytes of indexes that are being built, or that a failed build left.
fn invalid_index_bytes(snapshot: &Snapshot) -> u64 {
    let indexes = snapshot.tables.iter().flat_map(|table| &table.indexes);
    let invalid = indexes.filter(|index| !index.is_valid);
    invalid
        .filter_map(|index| index.storage.size.bytes)
        .fold(0, u64::saturating_add)
}
