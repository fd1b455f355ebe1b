//! One look: a pulse, now and then the totals of databases, and the volumes alone where the server does not answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::Part;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_postgres::{Limits, Session, VisitError, pulse, rest_of_disk, volumes_without_server};
use plimsoll_store::StoreError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Answered, InstanceDisk, State};

/// How long a pulse may take, connecting included, unless a visit may take less.
const PULSE_LIMIT: Duration = Duration::from_secs(10);
/// How long databases' totals and the rest of the data directory may take.
const FULL_LIMIT: Duration = Duration::from_secs(30);
/// How long this host's volumes may take to answer where the server did not.
pub(super) const VOLUMES_LIMIT: Duration = Duration::from_secs(1);
/// How long a pulse without a connection waits for a visit to lend its own, before it tries to connect again.
const BETWEEN_LIMIT: Duration = Duration::from_millis(500);
/// How often unexplained growth has totals read, at most.
const EARLY_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// Totals are not read again before so many times as long has passed as reading them took.
const COSTS: u32 = 100;

/// What a look asked, and what it could not have.
#[derive(Debug)]
pub struct LookReport {
    /// Why the server did not answer, if it did not.
    pub unreachable: Option<VisitError>,
    /// Statements that the pulse took.
    pub statements: u64,
    /// Whether databases' totals were read.
    pub is_full: bool,
    /// Why they were not, where they were due.
    pub not_full: Option<VisitError>,
    /// Why it could not be kept; none where it was.
    pub not_kept: Option<StoreError>,
}

/// What a look found, before it goes into the memory.
pub(super) enum Observation {
    Pulse(Box<Pulse>, Option<Full>),
    /// With the last pulse as it would be now: the volumes alone; none where it never answered.
    Unreachable(VisitError, Option<Box<Pulse>>),
}

impl Observation {
    /// The pulse, to add to it.
    pub(super) fn pulse(&mut self) -> Option<&mut Pulse> {
        match self {
            Self::Pulse(pulse, _) | Self::Unreachable(_, Some(pulse)) => Some(pulse),
            Self::Unreachable(_, None) => None,
        }
    }
}

/// What a full look read, and what it took; or why it did not come about.
type Full = Result<(Vec<(Place, Part)>, Duration), VisitError>;

impl InstanceDisk {
    /// Asks the server, this host and whoever knows capacities; the memory stays as it is.
    pub(super) async fn observe(
        &self,
        visited_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Observation {
        let is_due = self.state().is_full_due(visited_at, now);
        match self.ask(is_due, now).await {
            Ok((mut pulse, full)) => {
                self.capacities.ask(now).await.apply(&mut pulse);
                Observation::Pulse(Box::new(pulse), full)
            }
            Err(error) => {
                let last = self.state().memory.last_pulse().cloned();
                let Some(mut pulse) = last else {
                    return Observation::Unreachable(error, None);
                };
                pulse.parts = Vec::new();
                pulse.volumes = volumes_without_server(&pulse, &self.volumes, VOLUMES_LIMIT).await;
                // Who else knows what a volume has does not need the server.
                self.capacities.ask(now).await.apply(&mut pulse);
                Observation::Unreachable(error, Some(Box::new(pulse)))
            }
        }
    }

    /// Asks the server on the session that stays open; where none is to be had, on a visit's.
    async fn ask(&self, is_due: bool, now: Timestamp) -> Answered<(Pulse, Option<Full>)> {
        let until = Instant::now() + PULSE_LIMIT.min(self.watched.visit.deadline);
        loop {
            match self.ask_on_own(is_due, until, now).await {
                Err(error) if error.code() == "too_many_connections" && Instant::now() < until => {
                    // A visit has the slot, or its end has not yet given it back.
                    let before = until.min(Instant::now() + BETWEEN_LIMIT);
                    if let Some(answer) = self.ask_between(before, now).await {
                        return Ok((answer?, None));
                    }
                }
                answer => return answer,
            }
        }
    }

    async fn ask_on_own(
        &self,
        is_due: bool,
        until: Instant,
        now: Timestamp,
    ) -> Answered<(Pulse, Option<Full>)> {
        // Held until the session is put back, and let go of where there is none: a visit may be waiting for it.
        let mut own = self.lending.own().await;
        let mut is_kept_open = own.is_some();
        loop {
            let (mut session, is_given_back) = match own.take() {
                Some(session) => (session, false),
                None => {
                    let session = self.open(until).await?;
                    let is_the_only_one = session.is_the_only_one().await;
                    (session, is_the_only_one)
                }
            };
            session.set_deadline(until);
            match pulse(&session, &self.volumes, now).await {
                Ok(seen) => {
                    let full = if is_due {
                        Some(read_full(&mut session, now).await)
                    } else {
                        None
                    };
                    let lives = match &full {
                        Some(Err(error)) => error.session_lives(),
                        _ => true,
                    };
                    match (lives, is_given_back) {
                        (true, false) => *own = Some(session),
                        (true, true) => session.close().await,
                        (false, _) => {}
                    }
                    return Ok((seen, full));
                }
                // The session had ended since the last look: that says nothing of the server now.
                Err(VisitError::Connect(_)) if is_kept_open => is_kept_open = false,
                Err(error) => return Err(error),
            }
        }
    }

    async fn open(&self, until: Instant) -> Answered<Session> {
        let limits = Limits {
            deadline: until,
            ..Limits::from(&self.watched.visit)
        };
        Session::open(&self.watched.url, &limits, &CancellationToken::new()).await
    }

    /// A pulse between two statements of a visit; none where no visit came to that.
    async fn ask_between(&self, until: Instant, now: Timestamp) -> Option<Answered<Pulse>> {
        let volumes = self.volumes.clone();
        self.lending
            .between(until, move |session| {
                Box::pin(async move { pulse(session, &volumes, now).await })
            })
            .await
    }
}

async fn read_full(session: &mut Session, now: Timestamp) -> Full {
    let began = Instant::now();
    session.set_deadline(began + FULL_LIMIT);
    let parts = rest_of_disk(session, now).await?;
    Ok((parts, began.elapsed()))
}

impl State {
    /// Whether databases' totals are to be read: at first, after each visit, and early where much is unexplained.
    fn is_full_due(&self, visited_at: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(last) = self.memory.full_at() else {
            return true;
        };
        let age = now.duration_since(last);
        let costs = SignedDuration::try_from(self.full_took * COSTS).unwrap_or(SignedDuration::MAX);
        let is_early = self.memory.much_is_unexplained() && age >= EARLY_EVERY;
        age >= costs && (is_early || visited_at.is_some_and(|at| at > last))
    }

    /// Takes an observation into the memory.
    pub(super) fn apply(&mut self, seen: Observation, now: Timestamp) -> LookReport {
        match seen {
            Observation::Pulse(pulse, full) => {
                let statements = pulse.statements;
                let (parts, not_full) = match full {
                    Some(Ok((parts, took))) => {
                        self.full_took = took;
                        (Some(parts), None)
                    }
                    Some(Err(error)) => (None, Some(error)),
                    None => (None, None),
                };
                self.memory.observe(*pulse, parts.as_deref());
                LookReport {
                    unreachable: None,
                    statements,
                    is_full: parts.is_some(),
                    not_full,
                    not_kept: None,
                }
            }
            Observation::Unreachable(error, pulse) => {
                let why = error.to_string();
                self.memory.observe_volumes(now, &why, pulse.as_deref());
                LookReport {
                    unreachable: Some(error),
                    statements: 0,
                    is_full: false,
                    not_full: None,
                    not_kept: None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_core::capacity::CapacitySource;
    use plimsoll_core::disk::part::{Kind, Source};
    use plimsoll_core::disk::pulse::Space;
    use plimsoll_core::disk::wal::Limits;
    use plimsoll_core::instance::Figure;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    /// A volume of 50 GB of which so much is used, and a database that a full look read.
    fn look(minute: i64, used: u64, full: Option<Duration>) -> Observation {
        let absent = || "not in this test".to_owned();
        let space = Space {
            mount_point: "/data".into(),
            fs_type: "ext4".into(),
            capacity_bytes: 50 * GB,
            used_bytes: Some(used),
            available_bytes: Some(50 * GB - used),
            inodes_total: None,
            inodes_available: None,
            source: CapacitySource::Statvfs,
            source_at: None,
        };
        let part = Part::measured(Kind::Database, Some("shop"), GB, Source::Files, at(minute));
        let pulse = Pulse {
            at: at(minute),
            position: Figure::Absent(absent()),
            holders: Figure::Absent(absent()),
            limits: Limits::default(),
            max_wal_bytes: Figure::Absent(absent()),
            parts: vec![(
                Place::Data,
                Part::measured(Kind::Wal, None, 0, Source::Files, at(minute)),
            )],
            rewrites: Figure::Absent(absent()),
            writers: Figure::Absent(absent()),
            volumes: [("/dev/sda".to_owned(), Figure::Known(space))].into(),
            found: [(Place::Data, "/dev/sda".to_owned())].into(),
            declared: BTreeMap::new(),
            beneath: BTreeMap::new(),
            problems: Vec::new(),
            tablespaces: Vec::new(),
            directories: BTreeMap::new(),
            host: String::new(),
            lost: BTreeMap::new(),
            not_found: None,
            statements: 9,
        };
        let full = full.map(|took| Ok((vec![(Place::Data, part)], took)));
        Observation::Pulse(Box::new(pulse), full)
    }

    #[test]
    fn totals_are_read_at_first_after_visits_and_early_where_much_is_unexplained() {
        let mut state = State::default();
        assert!(state.is_full_due(None, at(0)), "never read");
        assert!(
            state
                .apply(look(0, 10 * GB, Some(Duration::from_secs(1))), at(0))
                .is_full
        );
        assert!(!state.is_full_due(None, at(60)), "nobody visited it");
        assert!(!state.is_full_due(Some(at(0)), at(60)));
        assert!(state.is_full_due(Some(at(50)), at(60)));
        assert!(
            !state.is_full_due(Some(at(1)), at(1)),
            "a hundred times what it took"
        );
        // Half a gigabyte is what a volume may gain.
        state.apply(look(61, 10 * GB + GB / 2, None), at(61));
        assert!(!state.is_full_due(None, at(62)));
        state.apply(look(62, 12 * GB, None), at(62));
        assert!(state.is_full_due(None, at(62)));
        state.apply(look(63, 12 * GB, Some(Duration::from_secs(1))), at(63));
        state.apply(look(64, 14 * GB, None), at(64));
        assert!(
            !state.is_full_due(None, at(66)),
            "every five minutes at most"
        );
        assert!(state.is_full_due(None, at(68)));
        // One that takes half a minute is read in fifty at the earliest.
        state.apply(look(70, 14 * GB, Some(Duration::from_secs(30))), at(70));
        state.apply(look(71, 20 * GB, None), at(71));
        assert!(!state.is_full_due(Some(at(100)), at(110)));
        assert!(state.is_full_due(None, at(121)));
    }
}
