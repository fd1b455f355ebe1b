//! What the rules about a database's sizes would have told of samples that are kept: the same rules on the same facts, sample
//! by sample. What only a forecast tells is judged once a day; what no sample holds (rewrites under way, indexes that are
//! being built) is taken not to have been.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::evaluate::{Facts, Standing, evaluate};
use plimsoll_core::alert::life::Change;
use plimsoll_core::alert::message::headline;
use plimsoll_core::alert::settings::Settings;
use plimsoll_core::alert::{AlertType, Severity, Subject};
use plimsoll_core::forecast::coherent::Adjustment;
use plimsoll_core::forecast::{KnownChange, Point};
use plimsoll_core::outlook::{Outlook, OutlookQuery, outlook};
use plimsoll_store::{DatabaseKey, SampleParts, Store, StoreError};

use super::database::{Happened, LOOKED_BACK, happened};
use super::facts::{DatabaseFacts, SampleContext};
use crate::disk::last_look;
use crate::forecasting::series_of;

/// A forecast is made once in so long; a little less than a day, as samples of days are not exactly that far apart.
const EACH: SignedDuration = SignedDuration::from_hours(23);

/// A change that would have been told.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedChange {
    /// When.
    pub at: Timestamp,
    /// Of which rule.
    pub alert_type: AlertType,
    /// How serious it was then.
    pub severity: Severity,
    /// What.
    pub change: Change,
    /// The line that stands alone.
    pub headline: String,
}

/// What is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    /// Of which database.
    pub of: &'a DatabaseKey,
    /// By these settings.
    pub settings: &'a Settings,
    /// Its own limit.
    pub limit_bytes: Option<u64>,
    /// From the samples of then on.
    pub since: Timestamp,
}

/// What would have been told, oldest first, and of how many samples.
pub async fn replay(
    store: &dyn Store,
    replay: Replay<'_>,
) -> Result<(Vec<ReplayedChange>, usize), StoreError> {
    let from = replay.since.saturating_sub(LOOKED_BACK);
    let parts = store
        .sample_parts(replay.of, from.unwrap_or(Timestamp::MIN))
        .await?;
    let Happened {
        beginnings: begins,
        given_back,
    } = happened(store, replay.of, &parts).await?;
    let (points, known) = series_of(store, replay.of).await?;
    let last = last_look(store, &replay.of.instance).await?;
    let mut play = Play {
        replay,
        has_capacity: last.is_some_and(|last| last.knows_capacity()),
        given_back: &given_back,
        subject: Subject::database(&replay.of.instance, &replay.of.database),
        standings: HashMap::new(),
        told: Vec::new(),
    };
    let mut samples = 0;
    let mut forecast_at: Option<Timestamp> = None;
    for (at, sample) in parts.iter().enumerate() {
        let now = sample.sampled_at;
        if now < replay.since {
            continue;
        }
        samples += 1;
        let is_due = forecast_at.is_none_or(|last| now.duration_since(last) >= EACH);
        let seen = &points[..points.partition_point(|point| point.at <= now)];
        let outlook = is_due.then(|| as_of(seen, &known, replay.limit_bytes, now));
        if is_due {
            forecast_at = Some(now);
        }
        let begins_at = begins[..begins.partition_point(|begin| *begin <= now)].last();
        play.at(
            &parts[..=at],
            begins_at.copied(),
            outlook.as_ref(),
            seen,
            now,
        );
    }
    Ok((play.told, samples))
}

/// The outlook as it was.
fn as_of(
    points: &[Point],
    known: &[KnownChange],
    limit_bytes: Option<u64>,
    now: Timestamp,
) -> Outlook {
    let known: Vec<KnownChange> = known
        .iter()
        .filter(|change| change.at <= now)
        .copied()
        .collect();
    let limits: Vec<u64> = limit_bytes.into_iter().collect();
    let query = OutlookQuery {
        shapes_since: None,
        horizons_days: &[],
        limits_bytes: &limits,
        known: &known,
        adjustment: Adjustment::default(),
    };
    outlook(points, query)
}

struct Play<'a> {
    replay: Replay<'a>,
    has_capacity: bool,
    given_back: &'a [KnownChange],
    subject: Subject,
    standings: HashMap<AlertType, Standing>,
    told: Vec<ReplayedChange>,
}

impl Play<'_> {
    fn at(
        &mut self,
        parts: &[SampleParts],
        begins_at: Option<Timestamp>,
        outlook: Option<&Outlook>,
        points: &[Point],
        now: Timestamp,
    ) {
        let facts = DatabaseFacts::of(&SampleContext {
            now,
            parts,
            begins_at,
            given_back: self.given_back,
            is_rewriting: false,
            invalid_index_bytes: 0,
            files: None,
            is_daily: false,
            limit_bytes: self.replay.limit_bytes,
            has_capacity: self.has_capacity,
            outlook,
            points,
        });
        for (alert_type, facts) in facts.of_sample() {
            self.judge(alert_type, facts, now);
        }
        if outlook.is_some() {
            for (alert_type, facts) in facts.of_forecast() {
                self.judge(alert_type, facts, now);
            }
        }
    }

    fn judge(&mut self, alert_type: AlertType, facts: Facts<'_>, now: Timestamp) {
        let Some(rule) = self.replay.settings.of(alert_type, &self.subject) else {
            return;
        };
        let stood = self.standings.remove(&alert_type).unwrap_or_default();
        let before = stood.state.firing.as_ref().map(|episode| episode.severity);
        let Some(evaluated) = evaluate(rule, facts, stood, now) else {
            return;
        };
        if let Some(change) = evaluated.change {
            let severity = match change {
                Change::Opened(severity) | Change::Raised(severity) => severity,
                Change::Resolved => before.unwrap_or(Severity::Warning),
            };
            self.told.push(ReplayedChange {
                at: now,
                alert_type,
                severity,
                change,
                headline: headline(alert_type, &self.subject, &evaluated.reading),
            });
        }
        self.standings.insert(alert_type, evaluated.standing);
    }
}
