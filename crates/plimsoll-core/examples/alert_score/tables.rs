//! Plays many series and servers, and adds up how each rule fared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;

use crate::days::{self, Series};
use crate::minutes::{self, LINEAR};
use crate::score::{Crossing, Due, Score};
use crate::told::{Episode, Told};
use crate::worlds::{BEFORE, Kind, World};

/// Growth is told from so long before its onset, which may be dated a little early, to so long after it.
const EARLY: SignedDuration = SignedDuration::from_hours(2 * 24);
const LATE: SignedDuration = SignedDuration::from_hours(20 * 24);
/// A limit that a forecast tells is to be told so long ahead, and is near within so long.
const FORESEEN: (SignedDuration, SignedDuration) = (
    SignedDuration::from_hours(3 * 24),
    SignedDuration::from_hours(30 * 24),
);
/// The same of a volume that fills at present.
const PACED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(10), SignedDuration::from_hours(8));

/// Of made-up servers it is known to so much from when on something can be told.
const ABOUT: SignedDuration = SignedDuration::from_mins(30);

pub(crate) const GROWTH: [&str; 2] = ["growth_warning", "abnormal_growth"];
/// Either of those.
pub(crate) const EITHER: &str = "either of these two";

/// Scores by rule, in the order in which they are shown.
pub(crate) type Scores = BTreeMap<&'static str, Score>;

/// Does `work` with each of `all`, on two threads.
pub(crate) fn on_two_threads<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (even, odd) = thread::scope(|scope| {
        let odd = scope.spawn(|| all.iter().skip(1).step_by(2).map(&work).collect::<Vec<_>>());
        let even: Vec<R> = all.iter().step_by(2).map(&work).collect();
        (even, odd.join().unwrap_or_default())
    });
    let mut odd = odd.into_iter();
    let mut mixed = Vec::new();
    for one in even {
        mixed.push(one);
        mixed.extend(odd.next());
    }
    mixed
}

/// Of series of days.
pub(crate) fn of_days(all: &[Series]) -> Scores {
    let told = on_two_threads(all, days::play);
    let mut scores = Scores::new();
    for (series, mut told) in all.iter().zip(told) {
        let (first, last) = (
            series.points[0].at,
            series.points[series.points.len() - 1].at,
        );
        let watched = last.duration_since(first);
        let dues: Vec<Due> = series
            .onsets
            .iter()
            .map(|&at| Due {
                at,
                from: at - EARLY,
                until: at + LATE,
            })
            .collect();
        if series.is_scored_for_growth {
            let mut either: Vec<Episode> = Vec::new();
            for rule in GROWTH {
                let episodes = told.remove(rule).unwrap_or_default();
                scores
                    .entry(rule)
                    .or_default()
                    .dues(&dues, &episodes, watched);
                either.extend(episodes);
            }
            either.sort_by_key(|episode| episode.opened);
            // Two that tell the same are one.
            either.dedup_by_key(|episode| episode.opened);
            scores
                .entry(EITHER)
                .or_default()
                .dues(&dues, &either, watched);
        }
        let Some(limit_bytes) = series.limit_bytes else {
            continue;
        };
        let crossing = Crossing {
            at: series
                .points
                .iter()
                .find(|point| point.bytes >= limit_bytes - limit_bytes / 1000)
                .map(|point| point.at),
            ahead: FORESEEN.0,
            soon: FORESEEN.1,
            ends: last,
        };
        let eased: Vec<Timestamp> = series.known.iter().map(|change| change.at).collect();
        for rule in ["time_to_full", days::LINEAR_DAYS, days::STATIC] {
            let episodes = told.remove(rule).unwrap_or_default();
            scores
                .entry(rule)
                .or_default()
                .crossing(crossing, &eased, &episodes, watched);
        }
    }
    scores
}

/// What was told of servers of one kind, or of several.
#[derive(Default)]
pub(crate) struct Played {
    pub(crate) scores: Scores,
    /// By kind and rule: how many episodes, and how many of them were wrong.
    pub(crate) by_kind: BTreeMap<(Kind, &'static str), (usize, usize)>,
    pub(crate) servers: BTreeMap<Kind, usize>,
}

/// Of made-up servers.
pub(crate) fn of_minutes(kinds: &[Kind], seeds: &[u64]) -> Played {
    let all: Vec<(Kind, u64)> = seeds
        .iter()
        .flat_map(|&seed| kinds.iter().map(move |&kind| (kind, seed)))
        .collect();
    let told = on_two_threads(&all, |&(kind, seed)| {
        let world = World::of(kind, seed);
        let told = minutes::play(&world);
        of_world(&world, &told)
    });
    let mut played = Played::default();
    for (&(kind, _), world) in all.iter().zip(told) {
        *played.servers.entry(kind).or_default() += 1;
        for (rule, score) in world {
            let (told, wrong) = played.by_kind.entry((kind, rule)).or_default();
            *told += score.right + score.wrong;
            *wrong += score.wrong;
            played.scores.entry(rule).or_default().add(&score);
        }
    }
    played
}

fn of_world(world: &World, told: &Told) -> Scores {
    let last = world.looks.len() - 1;
    let watched = SignedDuration::from_mins((last - BEFORE) as i64);
    let crossing = |(ahead, soon)| Crossing {
        at: world.full().map(|minute| world.at(minute)),
        ahead,
        soon,
        ends: world.at(last),
    };
    let mut scores = Scores::new();
    let nothing = Vec::new();
    let told = |rule: &str| told.get(rule).unwrap_or(&nothing);
    for alert_type in [
        AlertType::GrowthWarning,
        AlertType::AbnormalGrowth,
        AlertType::UnattributedGrowth,
        AlertType::WalRetention,
    ] {
        let dues: Vec<Due> = world
            .dues
            .iter()
            .filter(|(of, ..)| *of == alert_type)
            .map(|&(_, from, until)| Due {
                at: world.at(from),
                from: world.at(from) - ABOUT,
                until: world.at(until),
            })
            .collect();
        let name = alert_type.as_str();
        scores
            .entry(name)
            .or_default()
            .dues(&dues, told(name), watched);
    }
    // What fills within hours is no forecast's.
    let fills_within_hours = matches!(world.kind, Kind::RunawayQuery | Kind::ConstantFill);
    if !fills_within_hours {
        let score = scores.entry("time_to_full").or_default();
        score.crossing(crossing(FORESEEN), &[], told("time_to_full"), watched);
    }
    let paced = LINEAR.iter().map(|(name, ..)| *name);
    for name in paced.chain(["filling_fast"]) {
        let score = scores.entry(name).or_default();
        score.crossing(crossing(PACED), &[], told(name), watched);
    }
    for name in ["volume_full", minutes::STATIC] {
        let score = scores.entry(name).or_default();
        score.crossing(crossing((PACED.0, FORESEEN.1)), &[], told(name), watched);
    }
    scores
}

/// The head of a table of scores.
pub(crate) const HEAD: &str = "| rule | recall | precision | alarms a series-year | false a series-year | most false in one | opened and ended within an hour | median | 90 % |\n\
     | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";

/// A table of scores: of limits, delays are how long before they were told, and the fewest count.
pub(crate) fn table(text: &mut String, scores: &Scores, order: &[&'static str]) -> fmt::Result {
    *text += HEAD;
    for rule in order {
        let Some(score) = scores.get(rule) else {
            continue;
        };
        let late = if is_of_limits(rule) { 0.1 } else { 0.9 };
        writeln!(text, "| {rule} | {}", score.row(late))?;
    }
    Ok(())
}

fn is_of_limits(rule: &str) -> bool {
    let own = [
        "growth_warning",
        "abnormal_growth",
        EITHER,
        "unattributed_growth",
        "wal_retention",
    ];
    !own.contains(&rule)
}

/// What was told of each kind of servers.
pub(crate) fn kinds_table(text: &mut String, played: &Played) -> fmt::Result {
    let rules: BTreeSet<&str> = played
        .by_kind
        .keys()
        .map(|(_, rule)| *rule)
        .filter(|rule| AlertType::NAMES.contains(rule))
        .collect();
    *text += "| servers |";
    for rule in &rules {
        write!(text, " {rule} |")?;
    }
    *text += " others' |\n| --- |";
    *text += &" --- |".repeat(rules.len() + 1);
    text.push('\n');
    for (kind, servers) in &played.servers {
        write!(text, "| {servers} {kind:?} |")?;
        let told = |of: &dyn Fn(&str) -> bool| {
            let those = played
                .by_kind
                .iter()
                .filter(|((which, rule), _)| which == kind && of(rule));
            those.fold((0, 0), |(told, wrong), (_, (more, more_wrong))| {
                (told + more, wrong + more_wrong)
            })
        };
        for rule in &rules {
            cell(text, told(&|name| name == *rule))?;
        }
        cell(
            text,
            told(&|name| AlertType::NAMES.iter().all(|own| *own != name)),
        )?;
        text.push('\n');
    }
    Ok(())
}

fn cell(text: &mut String, (told, wrong): (usize, usize)) -> fmt::Result {
    match (told, wrong) {
        (0, _) => write!(text, " |"),
        (_, 0) => write!(text, " {told} |"),
        _ => write!(text, " {told}, {wrong} false |"),
    }
}
