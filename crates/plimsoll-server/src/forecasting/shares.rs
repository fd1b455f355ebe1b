//! On which volumes a size lies, and what of it on each.

use std::collections::BTreeMap;

use plimsoll_core::Oid;
use plimsoll_core::capacity::Capacity;
use plimsoll_core::instance::{Figure, InstanceFacts};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, Store, StoreError};

use super::reads::{Series, all_of};
use super::room::in_use;
use super::split::{home, split, tables, tablespaces};
use super::{ForecastOf, VisitedSnapshots};

const PG_DEFAULT: Oid = 1663;
const PG_GLOBAL: Oid = 1664;

/// What lies on one volume.
#[derive(Debug)]
pub(super) struct Share {
    /// What of the server lies there: `data`, `wal`, `log`, `tablespace:NAME`.
    pub(super) places: Vec<String>,
    /// What the volume has.
    pub(super) capacity: Figure<Capacity>,
    /// Bytes that the server is known to use there.
    pub(super) in_use: u64,
    /// What of the size lies there; or why that is not in the history.
    pub(super) series: Result<Series, String>,
}

/// A pool; or why it is not known which.
type OnPool = Result<String, String>;

/// The volumes that a size lies on, each with its part of the size. With one, that is all of it.
pub(super) async fn shares(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    whole: &Series,
    seen: VisitedSnapshots<'_>,
) -> Result<Vec<Share>, StoreError> {
    let snapshot = match seen.database {
        Ok(snapshot) => snapshot,
        Err(reason) => {
            return Ok(vec![Share {
                places: Vec::new(),
                capacity: Figure::Absent(reason.to_owned()),
                in_use: 0,
                series: Ok(whole.clone()),
            }]);
        }
    };
    let volumes = Volumes(&snapshot.facts);
    let parts = match what {
        ForecastOf::Tablespace(name) => {
            let mut spaces = snapshot.facts.tablespaces.each().iter();
            let oid = spaces
                .find(|space| space.name == *name)
                .map(|space| space.oid);
            let pool = oid.map_or_else(
                || Err("it is not known where it lies".to_owned()),
                |oid| volumes.pool(oid),
            );
            BTreeMap::from([(pool, whole.clone())])
        }
        ForecastOf::Instance => of_instance(store, of, whole, seen, &volumes).await?,
        _ => of_database(store, of, what, whole, snapshot, &volumes).await?,
    };
    let mut shares: Vec<Share> = parts
        .into_iter()
        .map(|(pool, series)| volumes.share(&pool, Ok(series)))
        .collect();
    if *what == ForecastOf::Instance {
        shares.extend(volumes.without_databases(&shares));
    }
    Ok(shares)
}

async fn of_database(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    whole: &Series,
    snapshot: &Snapshot,
    volumes: &Volumes<'_>,
) -> Result<BTreeMap<OnPool, Series>, StoreError> {
    let tables = tables(snapshot, what);
    let home = home(&tables, what);
    let pool = |oid| volumes.pool(oid);
    split(store, of, &tables, whole.clone(), home, pool).await
}

/// Where only one pool is known all of it lies there; else each database is split by what its latest visit saw.
async fn of_instance(
    store: &dyn Store,
    of: &DatabaseKey,
    whole: &Series,
    seen: VisitedSnapshots<'_>,
    volumes: &Volumes<'_>,
) -> Result<BTreeMap<OnPool, Series>, StoreError> {
    if let Some(only) = volumes.only_pool() {
        return Ok(BTreeMap::from([(only, whole.clone())]));
    }
    let mut parts: BTreeMap<OnPool, Vec<Series>> = BTreeMap::new();
    for (key, series) in super::reads::databases(store, &of.instance).await? {
        let snapshot = if key.database == of.database {
            seen.database.ok()
        } else {
            let mut others = seen.others.iter();
            others
                .find(|other| *other.database == *key.database)
                .map(|other| &**other)
        };
        let split = match snapshot {
            Some(snapshot) => {
                of_database(
                    store,
                    &key,
                    &ForecastOf::Database,
                    &series,
                    snapshot,
                    volumes,
                )
                .await?
            }
            None => BTreeMap::from([(
                Err(format!(
                    "no visit has seen yet where database {} lies",
                    key.database
                )),
                series,
            )]),
        };
        for (pool, series) in split {
            parts.entry(pool).or_default().push(series);
        }
    }
    let sums = parts
        .into_iter()
        .map(|(pool, series)| (pool, all_of(series.iter())));
    Ok(sums.collect())
}

/// Whether databases of the server may lie on more than one volume, as far as a visit saw.
pub fn lies_on_several_volumes(snapshot: &Snapshot) -> bool {
    Volumes(&snapshot.facts).only_pool().is_none()
}

/// What a visit saw of the volumes that a server lies on.
struct Volumes<'a>(&'a InstanceFacts);

impl Volumes<'_> {
    fn capacity(&self, oid: Oid) -> Figure<Capacity> {
        if matches!(oid, PG_DEFAULT | PG_GLOBAL) {
            return self.0.capacity.clone();
        }
        match &self.0.tablespaces {
            Figure::Known(spaces) => spaces.iter().find(|space| space.oid == oid).map_or_else(
                || Figure::Absent("the tablespace is not there any more".to_owned()),
                |space| space.capacity.clone(),
            ),
            Figure::Absent(reason) => Figure::Absent(reason.clone()),
        }
    }

    fn pool(&self, oid: Oid) -> OnPool {
        pool_of(&self.capacity(oid))
    }

    /// The pool of all tablespaces, if it is one.
    fn only_pool(&self) -> Option<OnPool> {
        let data = pool_of(&self.0.capacity);
        let spaces = self.0.tablespaces.known()?;
        spaces
            .iter()
            .all(|space| self.pool(space.oid) == data)
            .then_some(data)
    }

    /// Every place of the server with what is known of it: its capacity, and its bytes.
    fn places(&self) -> Vec<(String, &Figure<Capacity>, &Figure<u64>)> {
        let facts = self.0;
        let mut places = vec![
            ("wal".to_owned(), &facts.wal.capacity, &facts.wal.bytes),
            ("log".to_owned(), &facts.log_capacity, &facts.log_bytes),
        ];
        for space in facts.tablespaces.each() {
            let (name, capacity) = match space.oid {
                PG_DEFAULT => ("data".to_owned(), &facts.capacity),
                PG_GLOBAL => continue,
                _ => (format!("tablespace:{}", space.name), &space.capacity),
            };
            places.push((name, capacity, &space.bytes));
        }
        if facts.tablespaces.known().is_none() {
            places.push(("data".to_owned(), &facts.capacity, &facts.temporary_bytes));
        }
        places
    }

    fn share(&self, pool: &OnPool, series: Result<Series, String>) -> Share {
        let places = self.places();
        let here = || {
            places
                .iter()
                .filter(|(_, capacity, _)| pool_of(capacity) == *pool)
        };
        let capacity = here().next().map_or_else(
            || Figure::Absent(pool.clone().err().unwrap_or_default()),
            |(_, capacity, _)| (*capacity).clone(),
        );
        // As far as it can be seen: of one volume all that the server has, else what is known to lie there.
        let is_all = here().count() == places.len();
        let bytes = || here().filter_map(|(_, _, bytes)| bytes.known()).sum();
        let in_use = if is_all { in_use(self.0) } else { bytes() };
        let mut names: Vec<String> = here().map(|(name, ..)| name.clone()).collect();
        names.sort_unstable();
        Share {
            places: names,
            capacity,
            in_use,
            series,
        }
    }

    /// Volumes that only WAL or logs lie on: those fill, too, and stop the server.
    fn without_databases(&self, shares: &[Share]) -> Vec<Share> {
        let mut pools: Vec<OnPool> = shares
            .iter()
            .map(|share| pool_of(&share.capacity))
            .collect();
        let facts = self.0;
        let mut more = Vec::new();
        for (capacity, bytes, what) in [
            (&facts.wal.capacity, &facts.wal.bytes, "WAL"),
            (&facts.log_capacity, &facts.log_bytes, "logs"),
        ] {
            let pool = pool_of(capacity);
            // Logs that nobody collects lie nowhere.
            let is_of_interest = what == "WAL" || bytes.known().is_some() && pool.is_ok();
            if is_of_interest && !pools.contains(&pool) {
                let reason = format!("the samples do not hold how its {what} grew");
                more.push(self.share(&pool, Err(reason)));
                pools.push(pool);
            }
        }
        more
    }
}

fn pool_of(capacity: &Figure<Capacity>) -> OnPool {
    match capacity {
        Figure::Known(capacity) => Ok(capacity.pool.clone()),
        Figure::Absent(reason) => Err(reason.clone()),
    }
}

/// The tablespace's part of a database: its series, and with it those of the others and of the whole.
pub(super) async fn in_tablespace(
    store: &dyn Store,
    of: &DatabaseKey,
    snapshot: &Snapshot,
    oid: Oid,
    whole: Series,
) -> Result<(Series, Vec<Series>), StoreError> {
    let what = ForecastOf::Database;
    let tables = tables(snapshot, &what);
    let home = home(&tables, &what);
    if oid != home && !tablespaces(&tables).contains(&oid) {
        return Ok((Series::default(), Vec::new()));
    }
    let mut parts = split(store, of, &tables, whole, home, |oid| oid).await?;
    let own = parts.remove(&oid).unwrap_or_default();
    Ok((own, parts.into_values().collect()))
}
