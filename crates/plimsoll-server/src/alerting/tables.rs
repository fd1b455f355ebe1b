//! The rules about schemas, sets and tables that a pattern names, evaluated on a new sample of their database.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::alert::rules::growth::{Past, Total};
use plimsoll_core::alert::rules::size::SizeNow;
use plimsoll_core::alert::{AlertType, ResolvedBy, Subject};
use plimsoll_core::change::EventKind;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::{Snapshot, TableKind};
use plimsoll_store::{
    DatabaseKey, EventQuery, KeptState, NamedEvent, Point, SeriesQuery, StoreError, TableName,
};

use super::Alerting;
use super::facts::recent_rate;
use super::part::{Part, PartTelling};
use super::settle::Settled;
use crate::forecasting::{Forecast, ForecastError, ForecastOf, ForecastQuery, VisitedSnapshots};
use crate::news::NewSample;

/// So many of a database are judged, the largest.
const MOST: usize = 200;

/// What moves bytes and is no growth: by how much it says.
const MOVING: [EventKind; 5] = [
    EventKind::Rewrite,
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
        let there = names(&sample.snapshot);
        let is_there = |state: &KeptState| {
            let schema = state.subject.schema_name.as_deref().unwrap_or_default();
            there.contains(&(schema, state.subject.table_name.as_deref()))
        };
        if self.rename(of, at.states, is_there).await? {
            let states = self.store.alert_states_of(of).await?;
            let at = DatabaseAt {
                states: &states,
                ..at
            };
            return self.named_tables(sample, at, is_there).await;
        }
        self.named_tables(sample, at, is_there).await
    }

    /// Gives what is known of tables to their new names; whether any has one.
    async fn rename(
        &self,
        of: &DatabaseKey,
        states: &[KeptState],
        is_there: impl Fn(&KeptState) -> bool,
    ) -> Result<bool, StoreError> {
        let mut is_any = false;
        for state in states.iter().filter(|state| !is_there(state)) {
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
        is_there: impl Fn(&KeptState) -> bool,
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
        let of_parts = at.states.iter();
        for state in of_parts.filter(|state| state.subject.schema_name.is_some()) {
            let by = if !self.is_judged(state.alert_type, &state.subject) {
                ResolvedBy::RuleDisabled
            } else if !is_there(state) {
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
        let past = Past {
            totals: &totals,
            begins_at,
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
            let rate = recent_rate(&forecast.points);
            let shapes = Facts::Shapes(&forecast.found.events, rate);
            facts.push((AlertType::AbnormalGrowth, shapes));
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
    let mut found = Vec::new();
    let mut schemas: BTreeMap<&str, u64> = BTreeMap::new();
    let mut name = String::new();
    for table in snapshot
        .tables
        .iter()
        .filter(|table| table.kind.is_listed())
    {
        let bytes = table.size().bytes.unwrap_or(0);
        let schema = schemas.entry(&table.schema_name).or_default();
        *schema = schema.saturating_add(bytes);
        name.clear();
        name.extend([&*table.schema_name, ".", &*table.table_name]);
        if is_named(&name) {
            let (schema, table_name) = (&*table.schema_name, &*table.table_name);
            let subject = Subject::table(&of.instance, &of.database, schema, table_name);
            let is_set = table.kind == TableKind::Partitioned;
            found.push((if is_set { u64::MAX } else { bytes }, subject));
        }
    }
    let named = schemas.into_iter().filter(|(schema, _)| is_named(schema));
    found.extend(named.map(|(schema, bytes)| {
        let subject = Subject::schema(&of.instance, &of.database, schema);
        (bytes, subject)
    }));
    found.sort_by(|a, b| b.cmp(a));
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
    found.into_iter().map(|(_, subject)| subject).collect()
}

/// The schemas and tables that there are.
fn names(snapshot: &Snapshot) -> HashSet<(&str, Option<&str>)> {
    let listed = snapshot
        .tables
        .iter()
        .filter(|table| table.kind.is_listed());
    let both = listed.flat_map(|table| {
        let schema = &*table.schema_name;
        [(schema, None), (schema, Some(&*table.table_name))]
    });
    both.collect()
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
