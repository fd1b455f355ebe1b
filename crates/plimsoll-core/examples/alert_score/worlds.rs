//! Made-up servers by the minute: what lies on their volume while something happens, the same on every run.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::forecast::{KnownChange, Point};

use crate::dice::Dice;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The database grows a little, WAL comes and goes between checkpoints.
    Quiet,
    /// A dump at three in the morning, on the same volume for some hours.
    NightlyDump,
    /// WAL of a few times `max_wal_size` that the next checkpoints give back, every other day.
    WalBurst,
    /// Temporary files of big sorts, eight times a day.
    Sorts,
    /// A table fills over each day, and is emptied at three in the morning.
    SawTooth,
    /// A large table is rewritten: its second copy for some minutes, then less than before.
    VacuumFull,
    /// An index is built, a twentieth to a seventh of the database.
    IndexBuild,
    /// A large table is emptied, and filled again within hours or days.
    Truncate,
    /// The database is dropped and restored within hours.
    Restore,
    /// A query writes temporary files until the volume is full, and fails.
    RunawayQuery,
    /// What is not PostgreSQL's fills the volume within 5 to 36 hours.
    ConstantFill,
    /// The database grows ten times as fast as before, and fills the volume within 6 to 14 days.
    SlowFill,
    /// A slot keeps WAL for a day and a half, and is then used again.
    HeldWal,
    /// 30 to 60 % more within hours.
    BulkLoad,
    /// Files of no relation become more and more for some hours.
    StrayFiles,
}

/// Of which nothing is to be told.
pub(crate) const HARMLESS: [Kind; 8] = [
    Kind::Quiet,
    Kind::NightlyDump,
    Kind::WalBurst,
    Kind::Sorts,
    Kind::SawTooth,
    Kind::VacuumFull,
    Kind::Truncate,
    Kind::Restore,
];
pub(crate) const HARMFUL: [Kind; 7] = [
    Kind::RunawayQuery,
    Kind::ConstantFill,
    Kind::SlowFill,
    Kind::HeldWal,
    Kind::IndexBuild,
    Kind::BulkLoad,
    Kind::StrayFiles,
];

/// So many ordinary minutes go before: a week that says what is usual, and the longest window.
pub(crate) const BEFORE: usize = 8 * 1440;
/// Days of which the history has one sample each.
const DAYS_BEFORE: usize = 120;
pub(crate) const MAX_WAL: f64 = 4.0 * GB;
const GB: f64 = 1e9;
/// The rules' own borders are in powers of two.
const GIB: f64 = 1_073_741_824.0;
const HOUR: f64 = 60.0;

/// What lies on the volume at one minute, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// The database, with what follows.
    pub(crate) database: f64,
    /// Of it, what belongs to no relation.
    pub(crate) unattributed: f64,
    /// Of it, what indexes have that are not valid yet.
    pub(crate) invalid: f64,
    pub(crate) wal: f64,
    /// Of it, what a slot keeps.
    pub(crate) held: f64,
    pub(crate) temporary: f64,
    pub(crate) elsewhere: f64,
}

impl Look {
    pub(crate) fn used(&self) -> f64 {
        self.database + self.wal + self.temporary + self.elsewhere
    }
}

/// A rewrite or an index build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rewrite {
    pub(crate) from: usize,
    pub(crate) until: usize,
    pub(crate) needs: f64,
    pub(crate) command: &'static str,
}

/// A made-up server.
pub(crate) struct World {
    pub(crate) kind: Kind,
    /// Each minute.
    pub(crate) looks: Vec<Look>,
    /// The database's size on the days before.
    pub(crate) before: Vec<Point>,
    pub(crate) capacity: f64,
    pub(crate) rewrite: Option<Rewrite>,
    /// When the database was restored.
    pub(crate) restored: Option<usize>,
    /// Tables that were emptied or rewritten: at which minute, by how many bytes.
    pub(crate) known: Vec<(usize, f64)>,
    /// What is to be told, and from which minute on until which.
    pub(crate) dues: Vec<(AlertType, usize, usize)>,
}

/// When the first minute is.
fn begin() -> Timestamp {
    Timestamp::from_second(1_700_000_000 - 1_700_000_000 % 86_400).expect("in range")
}

impl World {
    pub(crate) fn at(&self, minute: usize) -> Timestamp {
        begin() + SignedDuration::from_mins(minute as i64)
    }

    /// The first minute at which the volume is full.
    pub(crate) fn full(&self) -> Option<usize> {
        (0..self.looks.len()).find(|&minute| self.looks[minute].used() >= self.capacity)
    }

    pub(crate) fn changes(&self) -> Vec<KnownChange> {
        let change = |&(minute, bytes): &(usize, f64)| KnownChange {
            at: self.at(minute) - SignedDuration::from_secs(30),
            delta_bytes: Some(bytes as i64),
        };
        self.known.iter().map(change).collect()
    }

    /// One in which this happens.
    pub(crate) fn of(kind: Kind, seed: u64) -> Self {
        let mut dice = Dice::new(7_000_000 + 10_000 * (kind as u64) + seed);
        let days = match kind {
            Kind::SlowFill => 24,
            Kind::Truncate => 14,
            _ => 12,
        };
        let mut world = Self::ordinary(kind, days, &mut dice);
        let onset = BEFORE + dice.below(1440);
        world.happen(onset, &mut dice);
        world
    }

    fn ordinary(kind: Kind, days: usize, dice: &mut Dice) -> Self {
        let size = dice.between(50.0, 300.0) * GB;
        let rate = size * dice.between(0.001, 0.004) / 1440.0;
        let before = (1..=DAYS_BEFORE).rev().map(|day| Point {
            at: begin() - SignedDuration::from_hours(24 * day as i64),
            bytes: (size - rate * 1440.0 * (day as f64 + dice.between(-0.2, 0.2))) as u64,
        });
        let before = before.collect();
        let mut database = size;
        let mut elsewhere = dice.between(10.0, 40.0) * GB;
        let logs = dice.between(0.0, 0.2) * GB / 1440.0;
        let (most, every) = (dice.between(1.0, 3.0) * GB, dice.between(5.0, 30.0));
        let (mut since, mut this) = (0.0, every);
        let looks = (0..days * 1440).map(|_| {
            database += rate * dice.between(0.0, 2.0);
            elsewhere += logs;
            since += 1.0;
            if since >= this {
                since = 0.0;
                this = every * dice.between(0.8, 1.2);
            }
            Look {
                database,
                unattributed: 0.01 * GB,
                wal: 1.0 * GB + most * (since / every).min(1.0),
                elsewhere,
                ..Look::default()
            }
        });
        Self {
            kind,
            looks: looks.collect(),
            before,
            capacity: f64::INFINITY,
            rewrite: None,
            restored: None,
            known: Vec::new(),
            dues: Vec::new(),
        }
    }

    fn happen(&mut self, onset: usize, dice: &mut Dice) {
        let size = self.looks[onset].database;
        match self.kind {
            Kind::Quiet | Kind::HeldWal => {}
            Kind::NightlyDump => self.dump(size, dice),
            Kind::WalBurst => self.wal_bursts(dice),
            Kind::Sorts => self.sorts(dice),
            Kind::SawTooth => self.saw_tooth(size, dice),
            Kind::VacuumFull => self.vacuum_full(onset, size, dice),
            Kind::IndexBuild => self.index_build(onset, size, dice),
            Kind::Truncate => self.truncate(onset, size, dice),
            Kind::Restore => self.restore(onset, size, dice),
            Kind::BulkLoad => self.bulk_load(onset, size, dice),
            Kind::StrayFiles => self.stray_files(onset, size, dice),
            Kind::RunawayQuery | Kind::ConstantFill | Kind::SlowFill => {
                self.capacity = self.looks[onset].used() / dice.between(0.55, 0.8);
            }
        }
        if !self.capacity.is_finite() {
            // Room for all of it: nothing comes near the borders of how full a volume is.
            let most = self.looks.iter().map(Look::used).fold(0.0, f64::max);
            self.capacity = most / dice.between(0.4, 0.7);
        }
        let free = self.capacity - self.looks[onset].used();
        match self.kind {
            Kind::RunawayQuery => self.run_away(onset, free / dice.between(0.6 * HOUR, 8.0 * HOUR)),
            Kind::ConstantFill => self.fill(onset, free / dice.between(5.0 * HOUR, 36.0 * HOUR)),
            Kind::SlowFill => {
                self.fill_slowly(onset, free / dice.between(6.0 * 1440.0, 14.0 * 1440.0));
            }
            Kind::HeldWal => self.hold_wal(onset, dice),
            _ => {}
        }
    }

    fn dump(&mut self, size: f64, dice: &mut Dice) {
        let size = size * dice.between(0.1, 0.3);
        let (writing, staying) = (dice.between(20.0, 90.0), dice.between(60.0, 360.0));
        let begin = 180.0 + dice.between(-30.0, 30.0);
        for day in self.looks.chunks_mut(1440) {
            let (size, begin) = (
                size * dice.between(0.95, 1.05),
                begin + dice.between(-5.0, 5.0),
            );
            for (minute, look) in day.iter_mut().enumerate() {
                let since = minute as f64 - begin;
                if (0.0..writing + staying).contains(&since) {
                    look.elsewhere += size * (since / writing).min(1.0);
                }
            }
        }
    }

    fn wal_bursts(&mut self, dice: &mut Dice) {
        for _ in 0..self.looks.len() / 2880 {
            let begin = dice.below(self.looks.len());
            let most = MAX_WAL * dice.between(1.5, 4.0);
            let (rising, falling) = (dice.between(8.0, 40.0), dice.between(5.0, 30.0));
            for (minute, look) in self.looks[begin..].iter_mut().enumerate() {
                let since = minute as f64;
                let share = (since / rising).min((rising + falling - since) / falling);
                if share < 0.0 {
                    break;
                }
                look.wal = look.wal.max(most * share);
            }
        }
    }

    fn sorts(&mut self, dice: &mut Dice) {
        let rate = dice.between(0.3, 2.0) * GB;
        for _ in 0..8 * self.looks.len() / 1440 {
            let begin = dice.below(self.looks.len());
            let minutes = (dice.between(2.0, 25.0) * GB / rate) as usize + 1;
            for (minute, look) in self.looks[begin..].iter_mut().take(minutes).enumerate() {
                look.temporary += rate * minute as f64;
            }
        }
    }

    fn saw_tooth(&mut self, size: f64, dice: &mut Dice) {
        let tooth = size * dice.between(0.25, 0.6);
        let mut filled = 0.0;
        for minute in 0..self.looks.len() {
            if minute % 1440 == 180 {
                self.known.push((minute, -filled));
                filled = 0.0;
            }
            filled += tooth / 1440.0 * dice.between(0.5, 1.5);
            self.looks[minute].database += filled;
        }
    }

    fn vacuum_full(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        let table = size * dice.between(0.25, 0.5);
        let copy = table * dice.between(0.4, 0.8);
        let minutes = dice.between(10.0, 90.0) as usize;
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            if minute < minutes {
                let written = copy * minute as f64 / minutes as f64;
                look.database += written;
                look.unattributed += written;
            } else {
                look.database -= table - copy;
            }
        }
        self.known.push((onset + minutes, copy - table));
        self.rewrite = Some(Rewrite {
            from: onset,
            until: onset + minutes,
            needs: table,
            command: "VACUUM FULL",
        });
    }

    fn index_build(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        let index = size * dice.between(0.05, 0.15);
        let minutes = dice.between(10.0, 90.0) as usize;
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            let written = index * (minute as f64 / minutes as f64).min(1.0);
            look.database += written;
            if minute < minutes {
                look.invalid += written;
            }
        }
        self.rewrite = Some(Rewrite {
            from: onset,
            until: onset + minutes,
            needs: 1.5 * index,
            command: "CREATE INDEX",
        });
        self.dues
            .push((AlertType::AbnormalGrowth, onset, onset + 3 * 1440));
    }

    fn truncate(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        let table = size * dice.between(0.3, 0.6);
        // Half of them are loaded anew at once, the others by their rows as they come.
        let minutes = if dice.below(2) == 0 {
            dice.between(1.0 * HOUR, 4.0 * HOUR)
        } else {
            dice.between(2.0 * 1440.0, 12.0 * 1440.0)
        };
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            look.database -= table * (1.0 - minute as f64 / minutes).max(0.0);
        }
        self.known.push((onset, -table));
    }

    fn restore(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        let restored = size * dice.between(0.7, 1.0);
        let (gone, minutes) = (
            dice.between(1.0, 30.0),
            dice.between(1.0 * HOUR, 5.0 * HOUR),
        );
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            let written = restored * ((minute as f64 - gone) / minutes).clamp(0.0, 1.0);
            let grown = look.database - size;
            look.database = 0.008 * GB + written + grown.max(0.0) * written / restored;
        }
        self.restored = Some(onset);
    }

    fn run_away(&mut self, onset: usize, rate: f64) {
        for minute in onset..self.looks.len() {
            let look = &mut self.looks[minute];
            let written = rate * (minute - onset) as f64;
            let room = self.capacity - look.used();
            look.temporary += written.min(room);
            if written >= room {
                // It fails with this, and its files go.
                break;
            }
        }
    }

    fn fill(&mut self, onset: usize, rate: f64) {
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            let room = self.capacity - look.used();
            look.elsewhere += (rate * minute as f64).min(room);
        }
    }

    fn fill_slowly(&mut self, onset: usize, rate: f64) {
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            let room = self.capacity - look.used();
            look.database += (rate * minute as f64).min(room);
        }
        self.dues
            .push((AlertType::AbnormalGrowth, onset, onset + 10 * 1440));
    }

    fn hold_wal(&mut self, onset: usize, dice: &mut Dice) {
        let rate = dice.between(0.3, 1.5) * GB / HOUR;
        let minutes = 36 * 60;
        let border = (20.0 * GIB).min(0.05 * self.capacity).max(MAX_WAL);
        let mut due = None;
        for (minute, look) in self.looks[onset..].iter_mut().take(minutes).enumerate() {
            look.held = rate * minute as f64;
            look.wal = look.wal.max(look.held);
            if look.held > border && due.is_none() {
                due = Some(onset + minute);
            }
        }
        self.dues
            .extend(due.map(|due| (AlertType::WalRetention, due, due + 30)));
    }

    fn bulk_load(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        let load = size * dice.between(0.3, 0.6);
        let minutes = dice.between(30.0, 240.0);
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            look.database += load * (minute as f64 / minutes).min(1.0);
        }
        let much = onset + (minutes * 0.2 * size / load) as usize;
        self.dues.push((AlertType::GrowthWarning, much, much + 90));
        self.dues
            .push((AlertType::AbnormalGrowth, onset, onset + 3 * 1440));
    }

    fn stray_files(&mut self, onset: usize, size: f64, dice: &mut Dice) {
        // Less than `growth_warning` is about.
        let most = (dice.between(10.0, 40.0) * GB).min(0.15 * size);
        let hours = dice.between(3.0, 12.0);
        let minutes = hours * HOUR;
        for (minute, look) in self.looks[onset..].iter_mut().enumerate() {
            let more = most * (minute as f64 / minutes).min(1.0);
            look.database += more;
            look.unattributed += more;
        }
        // Five samples are needed, and 5 GB.
        let many = onset + (minutes * 5.0 * GIB / most).max(75.0) as usize;
        self.dues
            .push((AlertType::UnattributedGrowth, many, many + 120));
        self.dues
            .push((AlertType::AbnormalGrowth, onset, onset + 3 * 1440));
    }
}
