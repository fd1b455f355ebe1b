//! The rules about schemas, sets and tables that a pattern names, evaluated on a new sample of their database.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::facts::recent_rate;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::alert::rules::abnormal::History;
use plimsoll_core::alert::rules::growth::{Past, Total};
use plimsoll_core::alert::rules::size::SizeNow;
use plimsoll_core::alert::{AlertType, ResolvedBy, Subject};
use plimsoll_core::change::EventKind;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::{Snapshot, Table, TableKind};
use plimsoll_store::{
    DatabaseKey, EventQuery, KeptState, NamedEvent, Point, SeriesQuery, StoreError, TableName,
};

use super::Alerting;
use super::part::{Part, PartTelling};
use super::settle::Settled;
use crate::forecasting::{
    Forecast, ForecastError, ForecastOf, ForecastQuery, VisitedSnapshots, known_changes,
};
use crate::news::NewSample;

/// So many of a database are judged, the largest.
const MOST: usize = 200;

/// What moves bytes and is no growth: by how much it says.
const MOVING: [EventKind; 6] = [
    EventKind::Rewrite,
    EventKind::Truncate,
    EventKind::Reindex,
    EventKind::Recreate,
    EventKind::Attach,
    EventKind::Detach,
];
/// What makes the past another's.
const BEGINNING: [EventKind; 2] = [EventKind::Restore, EventKind::Coverage];

/// What is known of the database at the sample.
pub(super) struct DatabaseAt<'a> {
    /// From so long ago on series are read.
    pub(super) since: Timestamp,
    /// Samples before this are another database's, or another tool's.
    pub(super) begins_at: Option<Timestamp>,
    /// Whether a table is rewritten or an index built.
    pub(super) is_rewriting: bool,
    /// Where rules stand with the database and what lies in it.
    pub(super) states: &'a [KeptState],
}

impl Alerting {
    /// Evaluates the rules about what patterns name of a database; closes what they name no more, and what is gone.
    pub(super) async fn tables(
        &self,
        sample: &NewSample,
        at: DatabaseAt<'_>,
    ) -> Result<(), ForecastError> {
        let of = &sample.of;
        let missing = missing(&sample.snapshot, at.states);
        if self.rename(of, at.states, &missing).await? {
            let states = self.states_of(of).await?;
            let at = DatabaseAt {
                states: &states,
                ..at
            };
            return self.named_tables(sample, at, &missing).await;
        }
        self.named_tables(sample, at, &missing).await
    }

    /// Gives what is known of tables to their new names; whether any has one.
    async fn rename(
        &self,
        of: &DatabaseKey,
        states: &[KeptState],
        missing: &HashSet<Name<'_>>,
    ) -> Result<bool, StoreError> {
        let mut is_any = false;
        let is_missing =
            |state: &&KeptState| name_of(state).is_some_and(|it| missing.contains(&it));
        for state in states.iter().filter(is_missing) {
            let (Some(schema), Some(table)) =
                (&state.subject.schema_name, &state.subject.table_name)
            else {
                continue;
            };
            // A name that nothing has any more finds what had it.
            let name = TableName::new(schema, table);
            let newest = SeriesQuery {
                since: Some(Timestamp::MAX),
                ..SeriesQuery::default()
            };
            let found = self.store.table_series(of, &name, &newest).await?;
            if let Some(found) = found.filter(|it| !it.is_gone && it.name != name) {
                let TableName {
                    schema_name,
                    table_name,
                } = &found.name;
                let to = Subject::table(&of.instance, &of.database, schema_name, table_name);
                is_any |= self.store.rename_alert(state.clone(), to).await?;
            }
        }
        Ok(is_any)
    }

    async fn named_tables(
        &self,
        sample: &NewSample,
        at: DatabaseAt<'_>,
        missing: &HashSet<Name<'_>>,
    ) -> Result<(), ForecastError> {
        let of = &sample.of;
        let patterns = self.settings.naming_tables_of(&of.instance, &of.database);
        if !patterns.is_empty() {
            let named = named(of, &sample.snapshot, &patterns);
            let kinds = MOVING.into_iter().chain(BEGINNING).collect();
            let query = EventQuery {
                kinds,
                since: Some(at.since),
                ..EventQuery::default()
            };
            let events = self.store.events(of, &query).await?;
            for subject in &named {
                self.part(sample, &at, subject, &events).await?;
            }
        }
        for state in at.states {
            let Some(name) = name_of(state) else {
                continue;
            };
            let by = if !self.is_judged(state.alert_type, &state.subject) {
                ResolvedBy::RuleDisabled
            } else if missing.contains(&name) {
                ResolvedBy::Gone
            } else {
                continue;
            };
            self.close(state, by, sample.header.sampled_at).await?;
        }
        Ok(())
    }

    /// Evaluates the rules about one schema, set or table.
    async fn part(
        &self,
        sample: &NewSample,
        at: &DatabaseAt<'_>,
        subject: &Subject,
        events: &[NamedEvent],
    ) -> Result<(), ForecastError> {
        let (of, now) = (&sample.of, sample.header.sampled_at);
        let query = SeriesQuery {
            since: Some(at.since),
            until: Some(now),
            ..SeriesQuery::default()
        };
        let Some(part) = Part::read(&*self.store, of, subject, &query).await? else {
            return Ok(());
        };
        let own = events.iter().filter(|event| part.has(event));
        let (totals, begins_at) = past(&part, own.clone(), at.begins_at, now);
        let emptied: Vec<NamedEvent> = own
            .clone()
            .filter(|named| named.event.kind == EventKind::Truncate)
            .cloned()
            .collect();
        let given_back = known_changes(&emptied);
        let past = Past {
            totals: &totals,
            begins_at,
            given_back: &given_back,
            is_rewriting: at.is_rewriting,
        };
        let current = totals.last().filter(|total| total.at == now);
        let size = SizeNow {
            total_bytes: current.map(|total| total.bytes),
            uncertain_bytes: current.map_or(0, |total| total.uncertain_bytes),
            limit_bytes: None,
            has_capacity: false,
        };
        let forecast = self.part_forecast(sample, subject).await?;
        let mut facts = vec![
            (AlertType::GrowthWarning, Facts::Past(past)),
            (AlertType::SizeCritical, Facts::Size(size)),
        ];
        if let Some(forecast) = &forecast {
            let history = History {
                shapes: &forecast.found.events,
                recent_rate: recent_rate(&forecast.points),
                past,
            };
            facts.push((AlertType::AbnormalGrowth, Facts::History(history)));
        }
        let telling = PartTelling {
            store: &*self.store,
            of,
            now,
            part: &part,
            growth_from: past.base_at(),
            events: own.cloned().collect(),
        };
        for (alert_type, facts) in facts {
            let settled = Settled {
                alert_type,
                subject,
                facts,
                now,
                instance: &of.instance,
            };
            self.settle(at.states, settled, &telling).await?;
        }
        Ok(())
    }

    /// What the history says of a part, once a day, where a rule asks for it.
    async fn part_forecast(
        &self,
        sample: &NewSample,
        subject: &Subject,
    ) -> Result<Option<Forecast>, ForecastError> {
        let is_due = sample.header.kind == SampleKind::Daily;
        if !is_due || !self.is_judged(AlertType::AbnormalGrowth, subject) {
            return Ok(None);
        }
        let schema = subject.schema_name.clone().unwrap_or_default();
        let what = match &subject.table_name {
            Some(table) => ForecastOf::Table(TableName::new(schema, table)),
            None => ForecastOf::Schema(schema),
        };
        let seen = VisitedSnapshots {
            database: Ok(&sample.snapshot),
            others: &[],
        };
        let query = ForecastQuery {
            horizons_days: Vec::new(),
            // Only its shapes are asked for, and not how much room there is.
            capacity_bytes: Some(u64::MAX),
        };
        match self
            .forecasts
            .forecast(&sample.of, &what, seen, &query)
            .await
        {
            Ok(forecast) => Ok(Some(forecast)),
            Err(ForecastError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

/// The schemas and tables that patterns name, the largest first; a set's size is not in the snapshot, so sets go first.
fn named(of: &DatabaseKey, snapshot: &Snapshot, patterns: &[&Pattern]) -> Vec<Subject> {
    let is_named = |name: &str| patterns.iter().any(|pattern| pattern.names(name));
    let mut found: Vec<(u64, Name<'_>)> = Vec::new();
    let mut schemas: BTreeMap<&str, u64> = BTreeMap::new();
    let mut text = String::new();
    for (table, name) in listed(snapshot) {
        let bytes = table.size().bytes.unwrap_or(0);
        let schema = schemas.entry(name.0).or_default();
        *schema = schema.saturating_add(bytes);
        text.clear();
        text.extend([name.0, ".", &table.table_name]);
        if is_named(&text) {
            let is_set = table.kind == TableKind::Partitioned;
            found.push((if is_set { u64::MAX } else { bytes }, name));
        }
    }
    let schemas = schemas.into_iter().filter(|(schema, _)| is_named(schema));
    found.extend(schemas.map(|(schema, bytes)| (bytes, (schema, None))));
    found.sort_unstable_by(|a, b| b.cmp(a));
    if found.len() > MOST {
        tracing::info!(
            instance = of.instance,
            database = of.database,
            named = found.len(),
            judged = MOST,
            "alert.too_many_tables"
        );
        found.truncate(MOST);
    }
    let subject = |(_, (schema, table)): (u64, Name<'_>)| match table {
        Some(table) => Subject::table(&of.instance, &of.database, schema, table),
        None => Subject::schema(&of.instance, &of.database, schema),
    };
    found.into_iter().map(subject).collect()
}

/// A schema, and a table of it.
type Name<'a> = (&'a str, Option<&'a str>);

/// What lists of tables show, with its name.
fn listed(snapshot: &Snapshot) -> impl Iterator<Item = (&Table, Name<'_>)> {
    let listed = snapshot
        .tables
        .iter()
        .filter(|table| table.kind.is_listed());
    listed.map(|table| (table, (&*table.schema_name, Some(&*table.table_name))))
}

/// The name of what a state is about; none of what is no schema and no table.
fn name_of(state: &KeptState) -> Option<Name<'_>> {
    let schema = state.subject.schema_name.as_deref()?;
    Some((schema, state.subject.table_name.as_deref()))
}

/// Those of what states are about that are not there any more.
fn missing<'a>(snapshot: &'a Snapshot, states: &'a [KeptState]) -> HashSet<Name<'a>> {
    let mut missing: HashSet<Name<'a>> = states.iter().filter_map(name_of).collect();
    if missing.is_empty() {
        return missing;
    }
    for (_, (schema, table)) in listed(snapshot) {
        missing.remove(&(schema, table));
        missing.remove(&(schema, None));
    }
    missing
}

/// A part's totals as growth counts them, oldest first: what moved bytes and is no growth counts as if it had always been so.
fn past<'a>(
    part: &Part,
    events: impl Iterator<Item = &'a NamedEvent>,
    begins_at: Option<Timestamp>,
    now: Timestamp,
) -> (Vec<Total>, Option<Timestamp>) {
    let is_good = |point: &&Point| point.sampled_at == now || !is_uncertain(point);
    let mut totals: Vec<Total> = part
        .points()
        .iter()
        .filter(is_good)
        .filter_map(total)
        .collect();
    let mut begins_at = begins_at;
    for NamedEvent { event, .. } in events {
        let moved = match event.kind {
            EventKind::Attach => event.bytes_after.map(i128::from),
            EventKind::Detach => event.bytes_before.map(|bytes| -i128::from(bytes)),
            // What it empties is filled again: the rules know.
            EventKind::Truncate => continue,
            kind if BEGINNING.contains(&kind) => None,
            _ => event
                .bytes_before
                .zip(event.bytes_after)
                .map(|(before, after)| i128::from(after) - i128::from(before)),
        };
        match moved {
            Some(moved) => {
                for total in totals.iter_mut().filter(|total| total.at < event.to) {
                    let bytes = (i128::from(total.bytes) + moved).max(0);
                    total.bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                }
            }
            None => begins_at = begins_at.max(Some(event.to)),
        }
    }
    (totals, begins_at)
}

/// Whether a part of it could not be measured.
const fn is_uncertain(point: &Point) -> bool {
    point.is_last_good || point.unmeasured > 0
}

fn total(point: &Point) -> Option<Total> {
    let bytes = point.total_bytes()?;
    Some(Total {
        at: point.sampled_at,
        bytes,
        // How much of it is not known.
        uncertain_bytes: if is_uncertain(point) { bytes } else { 0 },
        unattributed_bytes: 0,
        invalid_index_bytes: 0,
    })
}
