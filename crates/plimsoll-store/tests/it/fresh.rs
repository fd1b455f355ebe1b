//! A store with nothing in it, of either back end, and the macro that runs clauses on both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_store::{Recorded, SampleQuery, Step, Store};
use throwaway_postgres::Server;

use crate::world::World;

/// Runs a statement and returns its rows, every value as text.
type Sql = Box<dyn Fn(&str) -> Vec<Vec<Option<String>>> + Send + Sync>;

/// A store with nothing in it, and a way to ask it in plain SQL.
pub(crate) struct Fresh {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) url: String,
    pub(crate) sql: Sql,
    _folder: Option<tempfile::TempDir>,
}

impl Fresh {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut fresh = Self::at(&folder.path().join("history.db")).await;
        fresh._folder = Some(folder);
        fresh
    }

    /// In a file, which the caller removes.
    pub(crate) async fn at(path: &Path) -> Self {
        let path = path.to_owned();
        let url = format!("sqlite:{}", path.display());
        let store = plimsoll_store::open(&url).unwrap();
        store.migrate().await.unwrap();
        let sql = move |sql: &str| {
            let connection = rusqlite::Connection::open(&path).unwrap();
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns)
                    .map(|at| {
                        use rusqlite::types::ValueRef;
                        Ok(match row.get_ref(at)? {
                            ValueRef::Null => None,
                            ValueRef::Integer(number) => Some(number.to_string()),
                            ValueRef::Real(number) => Some(number.to_string()),
                            ValueRef::Text(text) | ValueRef::Blob(text) => {
                                Some(String::from_utf8(text.to_vec()).unwrap())
                            }
                        })
                    })
                    .collect()
            });
            rows.unwrap().map(Result::unwrap).collect()
        };
        Self {
            store,
            url,
            sql: Box::new(sql),
            _folder: None,
        }
    }

    pub(crate) async fn postgres(server: &'static Server, database: &str) -> Self {
        server
            .sql("postgres", &format!("create database {database}"))
            .unwrap();
        Self::in_database(server, database).await
    }

    /// On a Citus coordinator that keeps the shards itself.
    pub(crate) async fn citus(server: &'static Server, database: &str) -> Self {
        server
            .sql("postgres", &format!("create database {database}"))
            .unwrap();
        // it reaches itself through the socket
        let here = "select citus_set_coordinator_host(
            current_setting('unix_socket_directories'), current_setting('port')::integer)";
        let keeps_shards = "select citus_set_node_property(
            current_setting('unix_socket_directories'), current_setting('port')::integer,
            'shouldhaveshards', true)";
        for sql in ["create extension citus", here, keeps_shards] {
            server.sql(database, sql).unwrap();
        }
        let fresh = Self::in_database(server, database).await;
        fresh.store.distribute(&|_| {}).await.unwrap();
        fresh
    }

    /// On a Citus cluster whose history is distributed already; whatever another clause left there goes. To
    /// make the database anew on each node would take seconds for each clause.
    pub(crate) async fn emptied(coordinator: &'static Server, database: &str) -> Self {
        let fresh = Self::in_database(coordinator, database).await;
        let tables = fresh.sql(
            "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
             where n.nspname = 'plimsoll' and c.relkind in ('r', 'p') and not c.relispartition
                 and c.relname <> 'migrations'",
        );
        // not `truncate`, which takes a lock on each shard of each partition
        for table in tables {
            let table = table[0].as_deref().unwrap();
            fresh.sql(&format!("delete from plimsoll.{table}"));
        }
        fresh
    }

    pub(crate) async fn in_database(server: &'static Server, database: &str) -> Self {
        let url = server.url(database);
        let store = plimsoll_store::open(&url).unwrap();
        store.migrate().await.unwrap();
        let database = database.to_owned();
        let sql = move |sql: &str| {
            server
                .sql(&database, &format!("set search_path = plimsoll; {sql}"))
                .unwrap()
        };
        Self {
            store,
            url,
            sql: Box::new(sql),
            _folder: None,
        }
    }

    /// The rows that a statement answers.
    pub(crate) fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut rows = (self.sql)(sql);
        rows.retain(|row| !row.is_empty());
        rows
    }

    /// What a person reads: one sample's `table_sizes`, as a JSON object.
    pub(crate) fn view(&self, sample: &SampleHeader) -> BTreeMap<String, u64> {
        let rows = (self.sql)(&format!(
            "select table_sizes from storage_samples where id = {}",
            sample.id
        ));
        let json = rows.last().unwrap()[0].clone().unwrap();
        serde_json::from_str(&json).unwrap()
    }

    pub(crate) async fn keep(&self, world: &World, at: Timestamp) -> SampleHeader {
        let recorded = self
            .store
            .record_sample(&world.snapshot(at), SampleKind::Manual, None)
            .await
            .unwrap();
        match recorded {
            Recorded::New(header) => header,
            Recorded::Already(_) => panic!("a sample that nobody took was already there"),
        }
    }

    pub(crate) async fn all(&self, world: &World) -> Vec<SampleHeader> {
        let query = SampleQuery {
            of: world.key(),
            kinds: Vec::new(),
            since: None,
            step: Step::All,
            limit: usize::MAX,
        };
        let page = self.store.samples(&query).await.unwrap();
        assert_eq!(u64::try_from(page.samples.len()).unwrap(), page.total);
        page.samples
    }
}

/// Runs each clause on SQLite, and all of them on PostgreSQL of every major; `on_cluster` runs them where a history
/// is distributed.
macro_rules! contract {
    ($($(#[$meta:meta])* async fn $name:ident($fresh:ident: &Fresh) $body:block)+) => {
        mod clauses {
            use super::*;
            $($(#[$meta])* pub(super) async fn $name($fresh: &Fresh) $body)+
        }

        pub(crate) async fn on_cluster(coordinator: &'static throwaway_postgres::Server, database: &str) {
            $({
                eprintln!("{}", stringify!($name));
                clauses::$name(&Fresh::emptied(coordinator, database).await).await;
            })+
        }

        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { clauses::$name(&Fresh::sqlite().await).await; })+
        }

        throwaway_postgres::on_every_major! {
            async fn postgres(server: &Server) {
                $({
                    eprintln!("{}", stringify!($name));
                    clauses::$name(&Fresh::postgres(server, stringify!($name)).await).await;
                })+
            }
        }
    };
}
