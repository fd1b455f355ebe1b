//! `growth_warning`: a database grew by more than a share *and* more than a floor in 24 hours.
//!
//! Compared with the good sample nearest to 24 hours ago, 20 to 36 hours old; never scaled to 24 hours, and never with
//! one from before a restore. A saw-tooth that refills is no growth, nor is a table that fills again after it was emptied,
//! what a restore still loads, or a second copy that a rewrite holds.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict};
use crate::forecast::KnownChange;

/// Its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthWarning {
    /// More than this share of what it was,
    pub above_per_mille: u32,
    /// and more than so many bytes.
    pub floor_bytes: u64,
}

impl Default for GrowthWarning {
    fn default() -> Self {
        Self {
            above_per_mille: 200,
            floor_bytes: 100 * (1 << 20),
        }
    }
}

/// One good sample's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// When it was taken.
    pub at: Timestamp,
    /// The database's total.
    pub bytes: u64,
    /// Bytes of it that were not measured or only estimated.
    pub uncertain_bytes: u64,
    /// Bytes of it that belong to no relation.
    pub unattributed_bytes: u64,
    /// Bytes of it in indexes that are not valid.
    pub invalid_index_bytes: u64,
}

/// A database's recent past.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Its samples of the last 35 days, oldest first, with the one that is judged as the last.
    pub totals: &'a [Total],
    /// Samples before this are another database's: it was restored, or the server failed over to another.
    pub begins_at: Option<Timestamp>,
    /// Tables that were emptied or written anew: what came free is used again, which is no growth.
    pub given_back: &'a [KnownChange],
    /// Whether a table is rewritten or an index built now.
    pub is_rewriting: bool,
}

const ABOUT_A_DAY: (SignedDuration, SignedDuration) = (
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(36),
);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A saw-tooth is looked for so far back,
const TEETH_WITHIN: SignedDuration = SignedDuration::from_hours(35 * 24);
/// and has so many falls.
const TEETH: usize = 2;

impl GrowthWarning {
    /// Reads a database's past. `waited` says whether the sample before waited for bytes of no relation to turn out to
    /// be a rewrite's; what comes back is to be given to the next reading.
    pub fn read(&self, past: Past<'_>, waited: bool) -> (Reading, bool) {
        let unknown = |why: &str| (Reading::unknown(Unit::Bytes, why), waited);
        let Some((now, before)) = past.totals.split_last() else {
            return unknown("there is no sample");
        };
        let before = past.own(now, before);
        let Some(base) = base(before, now.at) else {
            return unknown("there is no good sample of 20 to 36 hours ago to compare with");
        };
        if base.bytes == 0 {
            return unknown("there was nothing to compare with");
        }
        let previous = counts_from(before, base, now)
            .max(past.refilled_to(before, base))
            .max(past.restored_to(before, base));
        let grown = i128::from(now.bytes) - i128::from(previous);
        let border = self.border(previous);
        let uncertain = i128::from(now.uncertain_bytes) + i128::from(base.uncertain_bytes);
        if uncertain > 0 && uncertain > (grown - border).abs() {
            return unknown(
                "more bytes were not measured than lie between the growth and its border",
            );
        }
        let reading = |verdict| {
            Reading::new(verdict, grown as f64, border as f64, Unit::Bytes)
                .with_bytes(Some(now.bytes), Some(previous))
        };
        if grown <= border {
            let verdict = if 2 * grown <= border {
                Verdict::Clear
            } else {
                Verdict::Between
            };
            return (reading(verdict), false);
        }
        let passing = passing_bytes(now) - passing_bytes(base);
        if grown - passing.max(0) <= border {
            if past.is_rewriting {
                return unknown(
                    "the growth is a second copy that a rewrite or an index build holds",
                );
            }
            if !waited {
                let why = "the growth lies in files of no relation or in invalid indexes: the next sample tells";
                return (Reading::unknown(Unit::Bytes, why), true);
            }
        }
        (reading(Verdict::Holds(Severity::Warning)), waited)
    }

    /// Bytes that it must exceed.
    fn border(&self, previous: u64) -> i128 {
        // Rounded down: above the border is above the share.
        let share = i128::from(previous) * i128::from(self.above_per_mille) / 1000;
        share.max(i128::from(self.floor_bytes))
    }
}

impl Past<'_> {
    /// When the sample was taken that growth is counted from; none where there is none.
    pub fn base_at(&self) -> Option<Timestamp> {
        let (now, before) = self.totals.split_last()?;
        base(self.own(now, before), now.at).map(|base| base.at)
    }

    /// What it has beyond what it fills again, since a day before then; none where nothing was given back, or what was
    /// there before is not known.
    pub(super) fn grown_beyond_refill(&self, onset: Timestamp) -> Option<u64> {
        let (now, before) = self.totals.split_last()?;
        let before = self.own(now, before);
        let first = before.first()?.at;
        if !self
            .given_back
            .iter()
            .any(|change| change.at > first && change.at <= now.at)
        {
            return None;
        }
        let base = before.iter().rfind(|total| total.at <= onset - DAY)?;
        Some(now.bytes.saturating_sub(self.refilled_to(before, base)))
    }

    /// How far it may fill again: what was given back up to the base, but not above the highest value before it.
    fn refilled_to(&self, before: &[Total], base: &Total) -> u64 {
        let from = before.first().map_or(base.at, |first| first.at);
        let falls = self
            .given_back
            .iter()
            .filter(|change| change.at > from && change.at <= base.at);
        let fallen = falls
            .map(|change| match change.delta_bytes {
                Some(delta) => delta.min(0).unsigned_abs(),
                None => u64::MAX,
            })
            .fold(0, u64::saturating_add);
        let until = before.iter().filter(|total| total.at <= base.at);
        let highest = until.map(|total| total.bytes).max().unwrap_or(base.bytes);
        highest.min(base.bytes.saturating_add(fallen))
    }

    /// What was loaded on the first day after a restore, while the base lies in it.
    fn restored_to(&self, before: &[Total], base: &Total) -> u64 {
        let loaded = self.begins_at.map(|begins| (begins, begins + DAY));
        let Some((begins, until)) =
            loaded.filter(|(begins, until)| base.at >= *begins && base.at < *until)
        else {
            return base.bytes;
        };
        let first_day = before
            .iter()
            .filter(|total| total.at >= begins && total.at < until);
        first_day
            .map(|total| total.bytes)
            .max()
            .unwrap_or(base.bytes)
    }

    /// Those of `before` that are of the same database, and young enough.
    fn own<'a>(&self, now: &Total, before: &'a [Total]) -> &'a [Total] {
        let begins = self
            .begins_at
            .unwrap_or(Timestamp::MIN)
            .max(now.at - TEETH_WITHIN);
        let from = before.partition_point(|total| total.at < begins);
        before.get(from..).unwrap_or_default()
    }
}

/// The sample nearest to a day ago.
fn base(before: &[Total], now: Timestamp) -> Option<&Total> {
    let (least, most) = ABOUT_A_DAY;
    before
        .iter()
        .filter(|total| {
            let age = now.duration_since(total.at);
            age >= least && age <= most
        })
        .min_by_key(|total| (now.duration_since(total.at) - DAY).abs())
}

/// What growth counts from: the base, or in a saw-tooth the highest value up to it. That is one with two falls of at
/// least half this growth.
fn counts_from(before: &[Total], base: &Total, now: &Total) -> u64 {
    let grown = now.bytes.saturating_sub(base.bytes);
    let mut falls = 0;
    let mut fallen = 0_u64;
    let mut last: Option<u64> = None;
    for total in before.iter().chain([now]) {
        match last {
            Some(last) if total.bytes < last => fallen += last - total.bytes,
            Some(last) if total.bytes > last => {
                falls += usize::from(is_a_fall(fallen, grown));
                fallen = 0;
            }
            _ => {}
        }
        last = Some(total.bytes);
    }
    falls += usize::from(is_a_fall(fallen, grown));
    if falls < TEETH {
        return base.bytes;
    }
    let highest = before
        .iter()
        .filter(|total| total.at <= base.at)
        .map(|total| total.bytes)
        .max();
    highest.unwrap_or(base.bytes).max(base.bytes)
}

const fn is_a_fall(fallen: u64, grown: u64) -> bool {
    fallen > 0 && fallen >= grown.div_ceil(2)
}

/// Bytes that a rewrite or an index build holds for a while.
fn passing_bytes(total: &Total) -> i128 {
    i128::from(total.unattributed_bytes) + i128::from(total.invalid_index_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    const MB: u64 = 1 << 20;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10_000 + hours)
    }

    fn total(hours: i64, bytes: u64) -> Total {
        Total {
            at: at(hours),
            bytes,
            uncertain_bytes: 0,
            unattributed_bytes: 0,
            invalid_index_bytes: 0,
        }
    }

    fn read(totals: &[Total]) -> Reading {
        let past = Past {
            totals,
            begins_at: None,
            given_back: &[],
            is_rewriting: false,
        };
        GrowthWarning::default().read(past, false).0
    }

    #[test]
    fn borders_and_one_byte_beside_them() {
        let gb = 1000 * MB;
        let cases = [
            // 20.0 % is silent, one byte more is not.
            (gb, gb + gb / 5, '-'),
            (gb, gb + gb / 5 + 1, 'w'),
            (gb, gb + gb / 10, '.'),
            (gb, gb + gb / 10 + 1, '-'),
            // The floor.
            (MB, 101 * MB, '-'),
            (MB, 101 * MB + 1, 'w'),
            (MB, 51 * MB, '.'),
            (0, 500 * MB, '?'),
            (gb, gb / 2, '.'),
            (u64::MAX / 2, u64::MAX, 'w'),
        ];
        for (before, now, expected) in cases {
            let reading = read(&[total(-24, before), total(0, now)]);
            assert_eq!(letter(&reading), expected, "{before} to {now}");
        }
        let reading = read(&[total(-24, 0), total(0, 500 * MB)]);
        assert_eq!(reading.growth_percent(), None);
    }

    #[test]
    fn the_base_is_the_good_sample_nearest_to_a_day_ago() {
        let big = 1000 * MB;
        let grown = |base: i64| letter(&read(&[total(base, big), total(0, 2 * big)]));
        assert_eq!(
            (grown(-19), grown(-20), grown(-36), grown(-37)),
            ('?', 'w', 'w', '?')
        );
        let reading = read(&[
            total(-35, 1),
            total(-25, big),
            total(-21, 3 * big),
            total(0, 2 * big),
        ]);
        assert_eq!(reading.previous_bytes, Some(big));
        assert_eq!(letter(&read(&[total(0, big)])), '?', "a first sample");
        assert_eq!(letter(&read(&[])), '?');
    }

    #[test]
    fn a_restore_is_where_the_past_begins() {
        let totals = [
            total(-30, 100 * MB),
            total(-22, 900 * MB),
            total(0, 950 * MB),
        ];
        let past = |begins_at| Past {
            totals: &totals,
            begins_at,
            given_back: &[],
            is_rewriting: false,
        };
        let rule = GrowthWarning::default();
        let (reading, _) = rule.read(past(Some(at(-22))), false);
        assert_eq!(
            (letter(&reading), reading.previous_bytes),
            ('.', Some(900 * MB))
        );
        assert_eq!(letter(&rule.read(past(Some(at(-10))), false).0), '?');
    }

    #[test]
    fn a_saw_tooth_that_refills_is_no_growth_and_one_that_overflows_is() {
        // Fills by 300 MB a day for seven days, and is emptied: three weeks of it.
        let tooth = |day: i64| 500 * MB + u64::try_from(day.rem_euclid(7)).unwrap() * 300 * MB;
        let totals: Vec<Total> = (-22..=0)
            .map(|day| total(day * 24, tooth(day + 5)))
            .collect();
        let reading = read(&totals);
        assert_eq!(letter(&reading), '.', "{reading:?}");
        let mut over = totals.clone();
        over.last_mut().unwrap().bytes = tooth(6) + 700 * MB;
        assert_eq!(letter(&read(&over)), 'w');
        // One fall makes no saw.
        let once = [
            total(-72, 2000 * MB),
            total(-48, 500 * MB),
            total(-24, 500 * MB),
            total(0, 1000 * MB),
        ];
        assert_eq!(letter(&read(&once)), 'w');
    }

    #[test]
    fn what_fills_again_after_a_table_was_emptied_is_no_growth_up_to_what_it_had() {
        let totals = [
            total(-72, 1000 * MB),
            total(-48, 400 * MB),
            total(-24, 400 * MB),
            total(0, 1000 * MB),
        ];
        let emptied = |hours: i64, delta_bytes: Option<i64>| KnownChange {
            at: at(hours),
            delta_bytes,
        };
        let mb = |mb: i64| Some(mb << 20);
        for (now, given_back, expected, previous) in [
            (1000, vec![emptied(-50, mb(-600))], '.', 1000),
            (1000, vec![emptied(-50, None)], '.', 1000),
            (1201, vec![emptied(-50, mb(-600))], 'w', 1000),
            // Only half of it was given back: the rest was dropped, or nobody knows.
            (1000, vec![emptied(-50, mb(-300))], 'w', 700),
            (
                1000,
                vec![emptied(-60, mb(-150)), emptied(-50, mb(-150))],
                'w',
                700,
            ),
            (1000, Vec::new(), 'w', 400),
            // Before all that is known, and after the base, nothing came free that it could fill.
            (1000, vec![emptied(-80, mb(-600))], 'w', 400),
            (1000, vec![emptied(-10, mb(-600))], 'w', 400),
            (1000, vec![emptied(-50, mb(600))], 'w', 400),
        ] {
            let mut totals = totals;
            totals[3].bytes = now * MB;
            let past = Past {
                totals: &totals,
                begins_at: None,
                given_back: &given_back,
                is_rewriting: false,
            };
            let (reading, _) = GrowthWarning::default().read(past, false);
            assert_eq!(letter(&reading), expected, "{now} {given_back:?}");
            assert_eq!(
                reading.previous_bytes,
                Some(previous * MB),
                "{given_back:?}"
            );
        }
    }

    #[test]
    fn what_a_restore_loads_on_its_first_day_is_no_growth() {
        // It was dropped and restored within six hours.
        let mut totals = vec![
            total(-30, 1000 * MB),
            total(-24, 8 * MB),
            total(-22, 500 * MB),
            total(-18, 900 * MB),
            total(-1, 910 * MB),
            total(0, 920 * MB),
        ];
        let read = |totals: &[Total]| {
            let past = Past {
                totals,
                begins_at: Some(at(-24)),
                given_back: &[],
                is_rewriting: false,
            };
            GrowthWarning::default().read(past, false).0
        };
        let reading = read(&totals);
        assert_eq!(
            (letter(&reading), reading.previous_bytes),
            ('.', Some(910 * MB))
        );
        // What comes later is growth.
        totals.push(total(10, 1800 * MB));
        assert_eq!(letter(&read(&totals)), 'w');
    }

    #[test]
    fn a_second_copy_waits_while_it_is_made_and_one_sample_where_nobody_is_seen_to_make_it() {
        let mut now = total(0, 1600 * MB);
        now.unattributed_bytes = 500 * MB;
        let totals = [total(-24, 1000 * MB), now];
        let rule = GrowthWarning::default();
        let past = |is_rewriting| Past {
            totals: &totals,
            begins_at: None,
            given_back: &[],
            is_rewriting,
        };
        let (reading, waits) = rule.read(past(false), false);
        assert_eq!((letter(&reading), waits), ('?', true));
        let (reading, waits) = rule.read(past(false), waits);
        assert_eq!((letter(&reading), waits), ('w', true));
        let (reading, _) = rule.read(past(true), true);
        assert_eq!(letter(&reading), '?');
        // Growth that is too much without it, too, waits for nothing.
        let mut more = totals;
        more[1].unattributed_bytes = 300 * MB;
        let past = Past {
            totals: &more,
            begins_at: None,
            given_back: &[],
            is_rewriting: true,
        };
        assert_eq!(letter(&rule.read(past, false).0), 'w');
    }

    #[test]
    fn what_was_not_measured_is_unknown_only_where_it_matters() {
        let mut now = total(0, 1250 * MB);
        now.uncertain_bytes = 51 * MB;
        assert_eq!(letter(&read(&[total(-24, 1000 * MB), now])), '?');
        now.uncertain_bytes = 50 * MB;
        assert_eq!(letter(&read(&[total(-24, 1000 * MB), now])), 'w');
        let mut base = total(-24, 1000 * MB);
        base.uncertain_bytes = 200 * MB;
        assert_eq!(letter(&read(&[base, total(0, 1010 * MB)])), '?');
    }
}
