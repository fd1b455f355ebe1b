//! What is told of a database beside its numbers: what it grew by, what happened to it, when it is full.

use std::cmp::Reverse;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::contributors::{Contributor, Part, contributors};
use plimsoll_core::alert::rules::stray::Files;
use plimsoll_core::alert::{AlertType, Reading};
use plimsoll_core::change::EventKind;
use plimsoll_core::name::{shown, shown_table};
use plimsoll_core::size::signed;
use plimsoll_core::size_text::pretty;
use plimsoll_store::{DatabaseKey, EventQuery, NamedEvent, SampleParts, Store, StoreError};

use super::contributors::of_growth;
use super::settle::{Beside, Telling};
use crate::forecasting::Forecast;

/// What grew in this time is told where a rule does not count from a sample of its own.
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So many events are told.
pub(super) const EVENTS: usize = 3;
/// So many files are told.
const FILES: usize = 5;

/// What is known of a database at a sample.
pub(super) struct Samples<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) of: &'a DatabaseKey,
    /// The sample's time.
    pub(super) now: Timestamp,
    /// It and those before it, oldest first.
    pub(super) parts: &'a [SampleParts],
    /// Of the sample that `growth_warning` counts from.
    pub(super) growth_from: Option<Timestamp>,
    pub(super) forecast: Option<&'a Forecast>,
    /// Its files that no relation owns.
    pub(super) files: Option<&'a Files>,
}

#[async_trait]
impl Telling for Samples<'_> {
    async fn tell(&self, alert_type: AlertType, reading: &Reading) -> Result<Beside, StoreError> {
        if alert_type == AlertType::OrphanedFiles {
            return Ok(self.largest_files());
        }
        let is_growth = alert_type == AlertType::GrowthWarning;
        let day_ago = self.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let from = self.growth_from.filter(|_| is_growth).unwrap_or(day_ago);
        let at = |time| self.parts.iter().rfind(|parts| parts.sampled_at <= time);
        let before = at(from).or(self.parts.first());
        let current = self.parts.last().filter(|last| last.sampled_at == self.now);
        let forecast = self.forecast.and_then(|forecast| {
            let full = forecast.found.limits.first()?.full_on;
            full_text(full.low, full.mid, full.high)
        });
        let Some((current, before)) = current.zip(before) else {
            return Ok(Beside {
                forecast,
                ..Beside::default()
            });
        };
        let mut shares = of_growth(self.store, self.of, before.sampled_at, self.now).await?;
        let stray = current.unattributed_bytes.zip(before.unattributed_bytes);
        shares.extend(stray.map(|(now, before)| no_relation(gained(before, now))));
        // What the headline says: in a saw-tooth it is less than what was gained since the base.
        let change = match (is_growth, reading.previous_bytes) {
            (true, Some(previous)) => gained(previous, current.total_bytes),
            _ => gained(before.total_bytes, current.total_bytes),
        };
        Ok(Beside {
            contributors: contributors(shares, change),
            counted_since: (!is_growth).then_some(before.sampled_at),
            events: self.events(before.sampled_at).await?,
            forecast,
        })
    }
}

impl Samples<'_> {
    /// Which files no relation owns.
    fn largest_files(&self) -> Beside {
        let mut files: Vec<_> = self.files.into_iter().flatten().collect();
        files.sort_by_key(|(path, file)| (Reverse(file.bytes), path.as_str()));
        let largest = files.iter().take(FILES);
        let largest: Vec<String> = largest
            .map(|(path, file)| format!("{path} ({})", pretty(file.bytes)))
            .collect();
        let told = (!largest.is_empty()).then(|| format!("The largest: {}.", largest.join(", ")));
        Beside {
            events: told.into_iter().collect(),
            ..Beside::default()
        }
    }

    /// What happened since and is no growth, newest first.
    async fn events(&self, since: Timestamp) -> Result<Vec<String>, StoreError> {
        // What was created is growth.
        let is_told = |kind: &EventKind| *kind != EventKind::Create;
        let query = EventQuery {
            kinds: EventKind::ALL.into_iter().filter(is_told).collect(),
            since: Some(since),
            limit: Some(EVENTS),
            ..EventQuery::default()
        };
        let events = self.store.events(self.of, &query).await?;
        Ok(events.iter().map(event).collect())
    }
}

/// What happened and is no growth, for people.
pub(super) fn event(named: &NamedEvent) -> String {
    let table = named
        .table
        .as_ref()
        .map(|table| shown_table(&table.schema_name, &table.table_name));
    let of = match (&named.index_name, table) {
        (Some(index), Some(table)) => format!(" of index {} of {table}", shown(index)),
        (_, Some(table)) => format!(" of {table}"),
        (_, None) => String::new(),
    };
    let (kind, to) = (named.event.kind.as_str(), named.event.to);
    format!("Not growth: {kind}{of}, seen at {to:.0}.")
}

const fn no_relation(bytes: i64) -> Contributor {
    Contributor {
        part: Part::NoRelation,
        schema_name: None,
        table_name: None,
        name: None,
        bytes,
    }
}

pub(super) fn gained(before: u64, after: u64) -> i64 {
    signed(after).saturating_sub(signed(before))
}

/// When something is full by the forecast, for people.
pub(super) fn full_text(
    low: Option<Timestamp>,
    mid: Option<Timestamp>,
    high: Option<Timestamp>,
) -> Option<String> {
    let day = |at: Option<Timestamp>| at.map(|at| at.strftime("%Y-%m-%d").to_string());
    let or_later =
        |date: Option<String>| date.unwrap_or_else(|| "more than a year from now".to_owned());
    Some(match (day(low), day(mid), day(high)) {
        (None, None, None) => "Not full within a year, by the forecast.".to_owned(),
        (low, mid, high) => format!(
            "Full on {} by the forecast, four times in five between {} and {}.",
            or_later(mid),
            or_later(low),
            or_later(high)
        ),
    })
}
