//! Plays the series of a database's size through the rules that judge a sample, sample by sample.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::facts::{recent_rate, series_reaches};
use plimsoll_core::alert::rules::abnormal::History;
use plimsoll_core::alert::rules::growth::{Past, Total};
use plimsoll_core::forecast::{KnownChange, Point};
use plimsoll_core::outlook::{OutlookQuery, outlook};

use crate::others::{is_above, predict_linear};
use crate::told::{Rules, Told};

/// A series with what is known of it.
pub(crate) struct Series {
    pub(crate) points: Vec<Point>,
    pub(crate) limit_bytes: Option<u64>,
    /// When growth began that should be told.
    pub(crate) onsets: Vec<Timestamp>,
    /// What Plimsoll sees to be no growth: rewrites, truncates.
    pub(crate) known: Vec<KnownChange>,
    /// Whether what is told of growth counts, too, or only what is told of the limit.
    pub(crate) is_scored_for_growth: bool,
}

const fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// As far back as the rule looks.
const PAST: SignedDuration = days(36);

pub(crate) const LINEAR_DAYS: &str = "`predict_linear` of 7 d, 14 d ahead";
pub(crate) const STATIC: &str = "85 % of the limit";

/// What each rule told.
pub(crate) fn play(series: &Series) -> Told {
    let mut rules = Rules::default();
    let totals: Vec<Total> = series.points.iter().map(total).collect();
    let limits: Vec<u64> = series.limit_bytes.into_iter().collect();
    for known in 1..=series.points.len() {
        let points = &series.points[..known];
        let now = points[known - 1].at;
        let from = totals.partition_point(|total| total.at < now - PAST);
        let happened = series.known.iter().filter(|change| change.at <= now);
        let happened: Vec<KnownChange> = happened.copied().collect();
        let outlook = outlook(
            points,
            OutlookQuery {
                limits_bytes: &limits,
                known: &happened,
                ..OutlookQuery::default()
            },
        );
        if series.is_scored_for_growth {
            let past = Past {
                totals: &totals[from..known],
                begins_at: None,
                given_back: &happened,
                is_rewriting: false,
            };
            rules.judge(AlertType::GrowthWarning, Facts::Past(past), now);
            let history = History {
                shapes: &outlook.events,
                recent_rate: recent_rate(points),
                past,
            };
            rules.judge(AlertType::AbnormalGrowth, Facts::History(history), now);
        }
        if let Some(limit_bytes) = series.limit_bytes {
            let reaches = series_reaches(Some(&outlook));
            let reaches = reaches.as_ref().copied().map_err(String::as_str);
            rules.judge(AlertType::TimeToFull, Facts::Reaches(reaches), now);
            let linear = predict_linear(points, days(7), days(14), now);
            let others = [
                (
                    LINEAR_DAYS,
                    linear.is_some_and(|at| at >= limit_bytes as f64),
                ),
                (STATIC, is_above(points[known - 1].bytes, limit_bytes, 85)),
            ];
            for (name, holds) in others {
                rules.judge_other(name, holds, SignedDuration::ZERO, now);
            }
        }
    }
    rules.told()
}

const fn total(point: &Point) -> Total {
    Total {
        at: point.at,
        bytes: point.bytes,
        uncertain_bytes: 0,
        unattributed_bytes: 0,
        invalid_index_bytes: 0,
    }
}
