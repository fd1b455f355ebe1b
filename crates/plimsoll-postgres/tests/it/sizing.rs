//! What every sizing test needs: a visit, and what the server itself says about sizes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use plimsoll_core::size::{Size, Status};
use plimsoll_core::snapshot::{Method, Snapshot, Table};
use plimsoll_postgres::{Memory, MethodChoice, Silent, Target, VisitError, VisitOptions, visit};
use throwaway_postgres::Server;
use tokio_util::sync::CancellationToken;

pub(crate) const BOTH: [MethodChoice; 2] = [MethodChoice::Files, MethodChoice::Functions];

pub(crate) fn options(method: MethodChoice) -> VisitOptions {
    VisitOptions {
        method,
        ..VisitOptions::default()
    }
}

pub(crate) async fn try_visit(
    url: &str,
    options: &VisitOptions,
    memory: &mut Memory,
) -> Result<Snapshot, VisitError> {
    let target = Target {
        instance: "test".into(),
        url: url.parse().unwrap(),
    };
    let now = jiff::Timestamp::now();
    visit(
        &target,
        options,
        memory,
        &Silent,
        &CancellationToken::new(),
        now,
    )
    .await
}

pub(crate) async fn see(server: &Server, database: &str, method: MethodChoice) -> Snapshot {
    see_again(server, database, method, &mut Memory::default()).await
}

pub(crate) async fn see_again(
    server: &Server,
    database: &str,
    method: MethodChoice,
    memory: &mut Memory,
) -> Snapshot {
    try_visit(&server.url(database), &options(method), memory)
        .await
        .unwrap()
}

/// A database of that name with what `sql` makes in it.
pub(crate) fn database(server: &Server, name: &str, sql: &str) {
    server
        .sql("postgres", &format!("create database {name}"))
        .unwrap();
    run(server, name, sql);
}

pub(crate) fn run(server: &Server, database: &str, sql: &str) {
    server.sql(database, sql).unwrap();
}

/// The first column of the first row.
pub(crate) fn ask(server: &Server, database: &str, sql: &str) -> String {
    let mut rows = server.sql(database, sql).unwrap();
    rows.remove(0).remove(0).unwrap_or_default()
}

pub(crate) fn number(server: &Server, database: &str, sql: &str) -> u64 {
    ask(server, database, sql).parse().unwrap()
}

pub(crate) fn table<'a>(snapshot: &'a Snapshot, schema: &str, name: &str) -> &'a Table {
    snapshot
        .tables
        .iter()
        .find(|table| &*table.schema_name == schema && &*table.table_name == name)
        .unwrap_or_else(|| panic!("no {schema}.{name}"))
}

pub(crate) fn bytes(snapshot: &Snapshot, name: &str) -> u64 {
    table(snapshot, "public", name).size().bytes.unwrap()
}

/// `pg_total_relation_size`, by OID.
pub(crate) fn total_size(server: &Server, database: &str, oid: u32) -> u64 {
    number(
        server,
        database,
        &format!("select pg_total_relation_size({oid}::oid)"),
    )
}

/// Every relation's bytes by OID, and every table's name.
pub(crate) fn relation_sizes(snapshot: &Snapshot) -> BTreeMap<u32, Size> {
    let mut tables = snapshot.tables.clone();
    tables
        .iter_mut()
        .flat_map(Table::parts_mut)
        .map(|(oid, size)| (oid, *size))
        .filter(|(oid, _)| *oid != 0)
        .collect()
}

/// What the server says of every relation with storage in a database, all forks, by OID.
pub(crate) fn server_sizes(server: &Server, database: &str) -> BTreeMap<u32, u64> {
    server
        .sql(
            database,
            "select oid, pg_relation_size(oid) + pg_relation_size(oid, 'fsm') \
                 + pg_relation_size(oid, 'vm') + pg_relation_size(oid, 'init') \
             from pg_class where relkind in ('r', 'm', 't', 'i', 'S') and not relisshared",
        )
        .unwrap()
        .into_iter()
        .map(|row| {
            let number = |at: usize| row[at].as_ref().unwrap().parse::<u64>().unwrap();
            (u32::try_from(number(0)).unwrap(), number(1))
        })
        .collect()
}

/// Every relation is measured, has the server's own size, and belongs to one table.
pub(crate) fn assert_exact(server: &Server, database: &str, snapshot: &Snapshot) {
    let seen = relation_sizes(snapshot);
    for (oid, size) in server_sizes(server, database) {
        let found = seen
            .get(&oid)
            .unwrap_or_else(|| panic!("{oid} is missing: {:?}", snapshot.method));
        assert_eq!(found.bytes, Some(size), "{oid} by {:?}", snapshot.method);
    }
    let parts: usize = snapshot
        .tables
        .iter()
        .map(|table| 1 + table.indexes.len() + table.toast.iter().map(|_| 2).sum::<usize>())
        .sum();
    assert_eq!(parts, seen.len(), "a relation has two owners");
    assert_adds_up(snapshot);
}

/// The total is known, and is what its parts add up to.
pub(crate) fn assert_adds_up(snapshot: &Snapshot) {
    let totals = &snapshot.totals;
    let unmeasured = totals.unmeasured_bytes.unwrap();
    // what belongs to no relation cannot be told apart from what could not be read
    let in_no_relation = totals.unattributed_bytes.unwrap_or(0);
    let sum = totals.attributed_bytes + in_no_relation + unmeasured;
    assert_eq!(totals.total_bytes, Some(sum), "{totals:?}");
    let is_unread = |size: &Size| !size.is_measured() && size.status != Status::Dropped;
    let any_unread = snapshot.tables.iter().flat_map(Table::parts).any(is_unread);
    let is_told_apart = totals.unattributed_bytes.is_some();
    assert!(
        snapshot.method == Method::Files || is_told_apart != any_unread,
        "{totals:?}"
    );
}

/// What is flagged: the names of tables whose status is not `ok`.
pub(crate) fn flagged(snapshot: &Snapshot) -> Vec<(String, Status)> {
    let mut flagged: Vec<_> = snapshot
        .tables
        .iter()
        .filter(|table| table.size().status != Status::Ok)
        .map(|table| (table.table_name.to_string(), table.size().status))
        .collect();
    flagged.sort();
    flagged
}

/// Bytes of the files in a database's folders whose names do not begin with a digit or `t` and one.
pub(crate) fn server_files(server: &Server, database: &str) -> u64 {
    let oid = ask(
        server,
        "postgres",
        &format!("select oid from pg_database where datname = '{database}'"),
    );
    let folder = server.data_dir().join("base").join(oid);
    std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|file| {
            let name = file.file_name();
            let name = name.to_str().unwrap();
            name.starts_with(['p', 'P'])
        })
        .map(|file| file.metadata().unwrap().size())
        .sum()
}

/// Does something in the middle of a visit: when the catalog was read and sizing begins.
pub(crate) struct Meanwhile<F>(std::sync::Mutex<Option<F>>);

impl<F: FnOnce()> Meanwhile<F> {
    pub(crate) fn new(act: F) -> Self {
        Self(std::sync::Mutex::new(Some(act)))
    }
}

impl<F: FnOnce() + Send> plimsoll_postgres::Progress for Meanwhile<F> {
    fn at(&self, phase: plimsoll_postgres::Phase) {
        if matches!(phase, plimsoll_postgres::Phase::Sizing(0, _))
            && let Some(act) = self.0.lock().unwrap().take()
        {
            act();
        }
    }
}

/// A visit during which something else happens.
pub(crate) async fn see_while(
    server: &Server,
    database: &str,
    method: MethodChoice,
    act: impl FnOnce() + Send,
) -> Snapshot {
    let target = Target {
        instance: "test".into(),
        url: server.url(database).parse().unwrap(),
    };
    visit(
        &target,
        &options(method),
        &mut Memory::default(),
        &Meanwhile::new(act),
        &CancellationToken::new(),
        jiff::Timestamp::now(),
    )
    .await
    .unwrap()
}

/// The URL of a database as a role without a password (the socket trusts).
pub(crate) fn url_as(server: &Server, role: &str, database: &str) -> String {
    server
        .url(database)
        .replacen("postgres://postgres@", &format!("postgres://{role}@"), 1)
}

/// The folder of a relation's main fork's first file.
pub(crate) fn file_of(server: &Server, database: &str, relation: &str) -> std::path::PathBuf {
    let path = ask(
        server,
        database,
        &format!("select pg_relation_filepath('{relation}')"),
    );
    server.data_dir().join(path)
}
