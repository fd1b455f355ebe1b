//! How each of the demo's tables came to its present size: a share of that size for every day before.

use jiff::civil::Date;

/// The days that the made-up history covers.
pub(crate) const DAYS: u16 = 120;

/// A way to grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Character {
    /// Never another size.
    Constant,
    /// Grew every day from a share of its present size, at weekends by a share of a weekday's growth.
    Steady { from: f64, weekend: f64 },
    /// As `Steady`, and by more each day.
    Accelerating { from: f64 },
    /// Grew by a step now and then.
    Steps { from: f64 },
    /// Grows for a week, then retention takes most of it; the low point as a share of the high one.
    SawTooth { low: f64 },
    /// Was small and stable until so many days ago; has grown since.
    Bloating { from: f64, since_days: u16 },
    /// Did not exist before so many days ago.
    NewSince { days: u16 },
}

/// An event that changed a size at once, and gave the relation another file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rewrite {
    /// When.
    pub(super) days_ago: u16,
    /// How large it would have become without, as a multiple.
    pub(super) bloat: f64,
    /// Whether the table was rewritten too (VACUUM FULL), or its indexes only (REINDEX).
    pub(super) whole_table: bool,
}

/// How a table's parts grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Past {
    /// The table and its indexes.
    pub(super) table: Character,
    /// Its toast table.
    pub(super) toast: Character,
    /// What was done to it.
    pub(super) rewrite: Option<Rewrite>,
}

/// The past of a table by name; whatever the demo does not know never changed.
pub(super) fn past_of(schema: &str, table: &str) -> Past {
    use Character::{Accelerating, Bloating, Constant, NewSince, SawTooth, Steady, Steps};
    let alike = |character| Past {
        table: character,
        toast: character,
        rewrite: None,
    };
    let rewritten = |character, days_ago, bloat, whole_table| Past {
        rewrite: Some(Rewrite {
            days_ago,
            bloat,
            whole_table,
        }),
        ..alike(character)
    };
    match (schema, table) {
        ("public", "events") => alike(Steady {
            from: 0.28,
            weekend: 0.35,
        }),
        ("public", "orders") => rewritten(Accelerating { from: 0.45 }, 51, 1.6, false),
        ("public", "order_items") => alike(Accelerating { from: 0.42 }),
        ("public", "customers") => rewritten(
            Steady {
                from: 0.7,
                weekend: 0.8,
            },
            63,
            1.55,
            true,
        ),
        ("public", "products") => alike(Steps { from: 0.85 }),
        ("public", "sessions") => alike(SawTooth { low: 0.55 }),
        ("public", "documents") => Past {
            toast: Accelerating { from: 0.2 },
            ..alike(Steady {
                from: 0.4,
                weekend: 0.1,
            })
        },
        ("public", "job_queue") => alike(Bloating {
            from: 0.1,
            since_days: 34,
        }),
        ("public", "notifications") => alike(NewSince { days: 26 }),
        ("audit", "log") => alike(Steps { from: 0.35 }),
        ("metrics", "daily_averages") => alike(Steady {
            from: 0.5,
            weekend: 1.0,
        }),
        _ => alike(Constant),
    }
}

impl Character {
    /// The size so many days ago (1 to [`DAYS`]) as a share of the present one; none before it existed.
    ///
    /// `today` is the number of the present day since 1970, `seed` makes one table's days differ
    /// from another's. What only appends never shrinks, so the noise is in each day's growth.
    pub(super) fn share(self, days_ago: u16, today: i64, seed: u64) -> Option<f64> {
        let noise = |day: i64| unit(seed ^ mix(day.cast_unsigned()));
        // Growth from the beginning to `days_ago`, of all growth.
        let grown = |weight: &dyn Fn(u16) -> f64, beginning: u16| {
            let sum = |to: u16| (0..to).map(weight).sum::<f64>();
            1.0 - sum(days_ago.min(beginning)) / sum(beginning).max(f64::MIN_POSITIVE)
        };
        let uneven = |day: u16| 0.6 + 0.8 * noise(today - i64::from(day));
        Some(match self {
            Self::Constant => 1.0,
            Self::Steady { from, weekend } => {
                let weight = |day: u16| {
                    let usual = if is_weekend(today - i64::from(day)) {
                        weekend
                    } else {
                        1.0
                    };
                    usual * uneven(day)
                };
                from + (1.0 - from) * grown(&weight, DAYS)
            }
            Self::Accelerating { from } => {
                let weight = |day: u16| (1.6 - f64::from(day) / f64::from(DAYS)) * uneven(day);
                from + (1.0 - from) * grown(&weight, DAYS)
            }
            Self::Steps { from } => {
                let step = |day: u16| {
                    if noise(today - i64::from(day)) < 0.07 {
                        uneven(day)
                    } else {
                        0.0
                    }
                };
                // Not in the last days: the present must follow from them.
                let weight = |day: u16| if day < 3 { 0.0 } else { step(day) + 0.01 };
                from + (1.0 - from) * grown(&weight, DAYS)
            }
            Self::SawTooth { low } => {
                let level = |day: i64| {
                    let phase = f64::from(u8::try_from(day.rem_euclid(7)).unwrap_or(0)) / 6.0;
                    low + (1.0 - low) * phase + 0.06 * noise(day)
                };
                level(today - i64::from(days_ago)) / level(today)
            }
            Self::Bloating { from, since_days } => {
                let weight = |day: u16| {
                    if day < since_days {
                        uneven(day)
                    } else {
                        0.004 * uneven(day)
                    }
                };
                from + (1.0 - from) * grown(&weight, DAYS)
            }
            Self::NewSince { days } => {
                if days_ago > days {
                    return None;
                }
                0.02 + 0.98 * grown(&uneven, days + 1)
            }
        })
    }
}

/// How much of a month's partition was filled on a date: 0 before the month, 1 after it.
pub(super) fn filled(month: Date, on: Date) -> f64 {
    if on < month {
        0.0
    } else if on.first_of_month() == month.first_of_month() {
        (f64::from(on.day()) - 0.5) / f64::from(on.days_in_month())
    } else {
        1.0
    }
}

/// Day 0 was a Thursday.
fn is_weekend(day: i64) -> bool {
    matches!(day.rem_euclid(7), 2 | 3)
}

/// A number from 0 to below 1 that depends on every bit of the seed.
pub(super) fn unit(seed: u64) -> f64 {
    let high = u32::try_from(mix(seed) >> 32).unwrap_or(0);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_780;

    fn shares(character: Character, seed: u64) -> Vec<f64> {
        (1..=DAYS)
            .rev()
            .filter_map(|day| character.share(day, TODAY, seed))
            .collect()
    }

    #[test]
    fn what_appends_never_shrinks_and_ends_at_the_present() {
        use Character::{Accelerating, Bloating, Constant, NewSince, Steady, Steps};
        let cases = [
            (Constant, 1.0),
            (
                Steady {
                    from: 0.28,
                    weekend: 0.35,
                },
                0.28,
            ),
            (Accelerating { from: 0.2 }, 0.2),
            (Steps { from: 0.35 }, 0.35),
            (
                Bloating {
                    from: 0.1,
                    since_days: 34,
                },
                0.1,
            ),
            (NewSince { days: 26 }, 0.02),
        ];
        for (character, from) in cases {
            for seed in 0..20 {
                let shares = shares(character, seed);
                assert!(shares.is_sorted(), "{character:?} {seed}: {shares:?}");
                assert!(
                    (shares[0] - from).abs() < 0.06,
                    "{character:?} began at {}",
                    shares[0]
                );
                let last = shares[shares.len() - 1];
                assert!(
                    (0.93..=1.0).contains(&last),
                    "{character:?} ended at {last}"
                );
            }
        }
    }

    #[test]
    fn each_character_shows_in_its_series() {
        let tooth = shares(Character::SawTooth { low: 0.55 }, 3);
        let falls = tooth
            .windows(2)
            .filter(|pair| pair[1] < pair[0] * 0.75)
            .count();
        assert!((16..=18).contains(&falls), "{falls}");
        assert!(tooth.iter().all(|share| (0.5..2.0).contains(share)));

        let queue = shares(
            Character::Bloating {
                from: 0.1,
                since_days: 34,
            },
            3,
        );
        assert!(queue[80] < 0.13, "{}", queue[80]);

        let steps = shares(Character::Steps { from: 0.35 }, 3);
        let jumps = steps
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > 0.02)
            .count();
        assert!((3..=20).contains(&jumps), "{jumps}");

        assert_eq!(shares(Character::NewSince { days: 26 }, 3).len(), 26);

        let weekdays = Character::Steady {
            from: 0.0,
            weekend: 0.1,
        };
        // 2026-11-24 was a Tuesday: two and three days before were Sunday and Saturday.
        let growth = |day| {
            weekdays
                .share(day, TODAY, 3)
                .zip(weekdays.share(day + 1, TODAY, 3))
                .map(|(b, a)| b - a)
        };
        let tuesday = 20_781 - TODAY;
        assert_eq!(tuesday, 1);
        assert!(growth(1) < growth(3));
    }

    #[test]
    fn a_partition_fills_during_its_month() {
        let month = jiff::civil::date(2026, 11, 1);
        let cases = [
            (jiff::civil::date(2026, 10, 31), 0.0),
            (jiff::civil::date(2026, 11, 1), 0.5 / 30.0),
            (jiff::civil::date(2026, 11, 30), 29.5 / 30.0),
            (jiff::civil::date(2026, 12, 1), 1.0),
        ];
        for (on, expect) in cases {
            assert!((filled(month, on) - expect).abs() < 1e-9, "{on}");
        }
    }
}
