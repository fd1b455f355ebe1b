//! What goes when the history takes more bytes than it may: a pure function to a plan.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::footprint::{KeptDatabase, weight};
use crate::sample::SampleKind;

/// Once over its cap, the history is brought so far below it, in percent of the cap, that the next
/// samples do not put it over again at once.
const DOWN_TO_PERCENT: u64 = 90;

/// The samples that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ids by the keys of their database, oldest first.
    pub drop: BTreeMap<(i32, i32), Vec<i64>>,
    /// When the newest of them was taken.
    pub dropped_until: Option<Timestamp>,
}

impl Plan {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.drop.is_empty()
    }
}

/// Which samples go so that a history of `occupied_bytes` takes at most `max_bytes`, as far as can be
/// told: it is measured again afterwards, and planned again where that was not enough.
///
/// The oldest detail goes first: of all databases together, the samples that are not daily, oldest
/// first; then the daily ones, oldest first. The newest sample of a database always stays.
pub fn plan(databases: &[KeptDatabase], occupied_bytes: u64, max_bytes: u64) -> Plan {
    let mut plan = Plan::default();
    if occupied_bytes <= max_bytes {
        return plan;
    }
    let present = u128::from(weight(databases).max(1));
    let target_bytes = max_bytes / 100 * DOWN_TO_PERCENT;
    let excess_bytes = u128::from(occupied_bytes - target_bytes);
    // rounded up: in values
    let excess = (excess_bytes * present).div_ceil(u128::from(occupied_bytes));

    let mut candidates: Vec<_> = databases
        .iter()
        .flat_map(|database| {
            let newest = database
                .samples
                .iter()
                .max_by_key(|s| (s.sampled_at, s.id))
                .map(|s| s.id);
            database
                .samples
                .iter()
                .filter(move |s| Some(s.id) != newest)
                .map(|s| (database.keys, *s))
        })
        .collect();
    candidates
        .sort_by_key(|(database, s)| (s.kind == SampleKind::Daily, s.sampled_at, *database, s.id));
    let mut freed = 0;
    for (database, sample) in candidates {
        if freed >= excess {
            break;
        }
        freed += u128::from(sample.values) + 1;
        plan.drop.entry(database).or_default().push(sample.id);
        plan.dropped_until = plan.dropped_until.max(Some(sample.sampled_at));
    }
    plan
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::footprint::KeptSample;

    fn hour(n: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n)
    }

    /// Ten hours of a database, every fifth sample a daily one.
    fn database(database_id: i32) -> KeptDatabase {
        KeptDatabase {
            keys: (1, database_id),
            relations: 0,
            samples: (0..10)
                .map(|n| KeptSample {
                    id: n + i64::from(database_id) * 100,
                    sampled_at: hour(n),
                    kind: if n % 5 == 0 {
                        SampleKind::Daily
                    } else {
                        SampleKind::Watch
                    },
                    values: 9,
                })
                .collect(),
        }
    }

    fn dropped(max_bytes: u64) -> Vec<(i32, Vec<i64>)> {
        // twenty samples of ten values of ten bytes
        let plan = plan(&[database(1), database(2)], 2000, max_bytes);
        plan.drop
            .into_iter()
            .map(|((_, id), ids)| (id, ids))
            .collect()
    }

    #[test]
    fn nothing_goes_while_there_is_room() {
        assert!(plan(&[database(1)], 2000, 2000).is_empty());
        assert!(plan(&[], 0, 0).is_empty());
    }

    #[test]
    fn the_oldest_detail_of_all_databases_goes_first_and_somewhat_more_than_must() {
        // down to 1710 bytes: the excess of 290 is three samples
        assert_eq!(dropped(1900), [(1, vec![101, 102]), (2, vec![201])]);
        let until = plan(&[database(1), database(2)], 2000, 1900).dropped_until;
        assert_eq!(until, Some(hour(2)));
    }

    #[test]
    fn daily_samples_go_last_and_the_newest_never() {
        // 14 of 16 details may go (two are the newest of their database); then the oldest daily ones
        assert_eq!(
            dropped(600),
            [
                (1, vec![101, 102, 103, 104, 106, 107, 108, 100]),
                (2, vec![201, 202, 203, 204, 206, 207, 208])
            ]
        );
        let all: usize = dropped(0).iter().map(|(_, ids)| ids.len()).sum();
        assert_eq!(all, 18);
        assert!(
            dropped(0)
                .iter()
                .all(|(id, ids)| !ids.contains(&(i64::from(*id) * 100 + 9)))
        );
    }

    #[test]
    fn what_does_not_thin_away_is_not_taken_for_something_to_gain() {
        let mut wide = database(1);
        wide.relations = 25;
        // a weight of 200 in 2000 bytes: 290 of them are 29 values, as above
        assert_eq!(plan(&[wide], 2000, 1900).drop[&(1, 1)].len(), 3);
    }
}
