//! Compares what was told with what happened.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::told::Episode;

/// What opened and ended within this told nobody anything.
const BRIEF: SignedDuration = SignedDuration::from_hours(1);
const DAY: f64 = 86_400.0;

/// Something that should be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// From when on it could be told: delays count from here.
    pub(crate) at: Timestamp,
    /// An alert from so early on is of this,
    pub(crate) from: Timestamp,
    /// and until then.
    pub(crate) until: Timestamp,
}

/// A limit that is reached, or is not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossing {
    /// When it is reached.
    pub(crate) at: Option<Timestamp>,
    /// It is to be told so long before.
    pub(crate) ahead: SignedDuration,
    /// What was told so long before was right.
    pub(crate) soon: SignedDuration,
    /// When the series ends: what was told shortly before is neither right nor wrong.
    pub(crate) ends: Timestamp,
}

/// How a rule fared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Score {
    pub(crate) happened: usize,
    pub(crate) found: usize,
    pub(crate) right: usize,
    pub(crate) wrong: usize,
    /// The most wrong ones in one series.
    pub(crate) most_wrong: usize,
    pub(crate) years: f64,
    /// Days from when it could be told until it was; of limits, days from telling until they were reached.
    pub(crate) delays: Vec<f64>,
    /// Those that opened and ended within an hour.
    pub(crate) brief: usize,
}

impl Score {
    /// What was told of what was to be told.
    pub(crate) fn dues(&mut self, dues: &[Due], episodes: &[Episode], watched: SignedDuration) {
        let is_of = |episode: &Episode, due: &Due| (due.from..=due.until).contains(&episode.opened);
        for due in dues {
            self.happened += 1;
            if let Some(episode) = episodes.iter().find(|episode| is_of(episode, due)) {
                self.found += 1;
                let delay = episode.opened.duration_since(due.at);
                self.delays
                    .push(delay.max(SignedDuration::ZERO).as_secs_f64() / DAY);
            }
        }
        let is_right = |episode: &&Episode| dues.iter().any(|due| is_of(episode, due));
        let right = episodes.iter().filter(is_right).count();
        self.count(right, episodes.len() - right);
        self.watched(episodes, watched);
    }

    /// What was told of a limit before it was reached. What was told shortly before it was `eased`, because a table was
    /// emptied or written anew, is neither right nor wrong.
    pub(crate) fn crossing(
        &mut self,
        crossing: Crossing,
        eased: &[Timestamp],
        episodes: &[Episode],
        watched: SignedDuration,
    ) {
        let before: Vec<&Episode> = episodes
            .iter()
            .filter(|episode| crossing.at.is_none_or(|at| episode.opened < at))
            .collect();
        let is_right = |episode: &Episode| {
            let left = crossing.at.map(|at| at.duration_since(episode.opened));
            left.is_some_and(|left| left <= crossing.soon)
        };
        let is_soon = |at: Timestamp, episode: &Episode| {
            (SignedDuration::ZERO..crossing.soon).contains(&at.duration_since(episode.opened))
        };
        let is_open_end = |episode: &Episode| {
            crossing.at.is_none() && is_soon(crossing.ends, episode)
                || eased.iter().any(|&at| is_soon(at, episode))
        };
        if let Some(at) = crossing.at {
            self.happened += 1;
            // One that was open then, whenever it opened.
            let told = before.iter().find(|episode| {
                episode.opened <= at - crossing.ahead
                    && episode
                        .ended
                        .is_none_or(|ended| ended >= at - crossing.ahead)
            });
            if let Some(episode) = told {
                self.found += 1;
                self.delays
                    .push(at.duration_since(episode.opened).as_secs_f64() / DAY);
            }
        }
        let right = before.iter().filter(|episode| is_right(episode)).count();
        let unknown = before
            .iter()
            .filter(|episode| !is_right(episode) && is_open_end(episode))
            .count();
        self.count(right, before.len() - right - unknown);
        self.watched(episodes, watched);
    }

    fn count(&mut self, right: usize, wrong: usize) {
        self.right += right;
        self.wrong += wrong;
        self.most_wrong = self.most_wrong.max(wrong);
    }

    fn watched(&mut self, episodes: &[Episode], watched: SignedDuration) {
        self.years += watched.as_secs_f64() / DAY / 365.25;
        let brief = episodes.iter().filter(|episode| {
            let ended = episode.ended;
            ended.is_some_and(|ended| ended.duration_since(episode.opened) < BRIEF)
        });
        self.brief += brief.count();
    }

    /// With those of other series.
    pub(crate) fn add(&mut self, other: &Self) {
        self.happened += other.happened;
        self.found += other.found;
        self.right += other.right;
        self.wrong += other.wrong;
        self.most_wrong = self.most_wrong.max(other.most_wrong);
        self.years += other.years;
        self.delays.extend(&other.delays);
        self.brief += other.brief;
    }

    pub(crate) fn recall(&self) -> f64 {
        self.found as f64 / self.happened as f64
    }

    pub(crate) fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    pub(crate) fn wrong_a_year(&self) -> f64 {
        self.wrong as f64 / self.years
    }

    fn quantile(&self, share: f64) -> Option<f64> {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        let last = delays.len().checked_sub(1)?;
        delays.get((share * last as f64).round() as usize).copied()
    }

    /// Its row of a table; `late` is the quantile of the delays that stands beside their median.
    pub(crate) fn row(&self, late: f64) -> String {
        format!(
            "{self} | {} | {} |",
            of_days(self.quantile(0.5)),
            of_days(self.quantile(late))
        )
    }
}

fn of_days(days: Option<f64>) -> String {
    match days {
        None => "-".to_owned(),
        Some(days) if days < 1.0 / 24.0 => format!("{:.0} min", days * 1440.0),
        Some(days) if days < 2.0 => format!("{:.1} h", days * 24.0),
        Some(days) => format!("{days:.1} d"),
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |share: f64, part: usize, whole: usize| match whole {
            0 => "-".to_owned(),
            _ => format!("{share:.2} ({part} of {whole})"),
        };
        let told = self.right + self.wrong;
        write!(
            f,
            "{} | {} | {:.2} | {:.2} | {} | {}",
            share(self.recall(), self.found, self.happened),
            share(self.precision(), self.right, told),
            told as f64 / self.years,
            self.wrong_a_year(),
            self.most_wrong,
            self.brief,
        )
    }
}
