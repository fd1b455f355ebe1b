//! Trap 75: databases made at random, visited with random rights and settings, against what a superuser sums.
//!
//! `PLIMSOLL_FUZZ_ROUNDS` makes more rounds than the few of a usual run, and `PLIMSOLL_FUZZ_SEED` other ones.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::fuzz_names::Encoding;
use crate::sizing::{
    assert_adds_up, number as number_of, options, relation_sizes, run, server_sizes, try_visit,
    url_as,
};

/// A small generator of even numbers enough (Marsaglia, "Xorshift RNGs", 2003).
pub(crate) struct Chance(u64);

impl Chance {
    /// Another one on each major.
    fn of(round: u64, major: u32) -> Self {
        let mixed = (round << 8 | u64::from(major)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(mixed ^ mixed >> 32 | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(crate) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    fn some_of<'a>(&mut self, choices: &[&'a str]) -> Vec<&'a str> {
        let mut chosen = choices.to_vec();
        chosen.retain(|_| self.below(3) == 0);
        chosen
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap())
}

fn make(server: &Server, database: &str, tablespace: &str, chance: &mut Chance) {
    let encoding = Encoding::any(chance);
    let sql = format!(
        "create database {database} encoding '{}' lc_collate 'C' lc_ctype 'C' template template0",
        encoding.name
    );
    run(server, "postgres", &sql);
    for n in 0..3 + chance.below(8) {
        let name = encoding.name(chance, &format!("t{n}"));
        let schema = encoding.name(chance, &format!("s{n}"));
        let in_schema = [
            "",
            "execute format('create schema %I', s); execute format('set local search_path = %I', s);",
        ];
        let in_schema = chance.one_of(&in_schema);
        let place = chance.one_of(&["pg_default", tablespace]);
        let elsewhere = chance.one_of(&["pg_default", tablespace]);
        let kind = chance.one_of(&["", "", "unlogged"]);
        let rows = chance.below(3) * chance.below(2000);
        let shape = match chance.below(5) {
            0 => format!(
                "execute format('create {kind} table %I (id int primary key, doc text) tablespace {place}', n);
                 execute format('create index on %I (doc) tablespace {elsewhere}', n);
                 execute format('insert into %I select g, repeat(md5(g::text), 80) from generate_series(1, {}) g', n);",
                rows / 20
            ),
            1 => format!(
                "execute format('create table %I (id int) partition by range (id)', n);
                 execute format('create table %I partition of %I default tablespace {place}', left(n, 20) || '_d', n);
                 execute format('create index on %I (id)', n);
                 execute format('insert into %I select generate_series(1, {rows})', n);"
            ),
            2 => format!(
                "execute format('create table %I (id int)', n);
                 execute format('create table %I () inherits (%I) tablespace {place}', left(n, 20) || '_c', n);
                 execute format('create table %I () inherits (%I)', left(n, 20) || '_g', left(n, 20) || '_c');
                 execute format('insert into %I select generate_series(1, {rows})', left(n, 20) || '_c');"
            ),
            3 => format!(
                "execute format('create table %I (id int) partition by range (id)', n);
                 execute format('create table %I partition of %I for values from (0) to (1000) partition by list (id)', left(n, 20) || '_p', n);
                 execute format('create table %I partition of %I default tablespace {place}', left(n, 20) || '_q', left(n, 20) || '_p');
                 execute format('insert into %I select g %% 1000 from generate_series(1, {rows}) g', n);"
            ),
            _ => format!(
                "execute format('create materialized view %I tablespace {place} as select g from generate_series(1, {rows}) g', n);
                 execute format('create sequence %I', left(n, 20) || '_s');"
            ),
        };
        let sql = format!(
            "do $$ declare n text := {name}; s text := {schema}; begin {in_schema} {shape} end $$"
        );
        run(server, database, &sql);
    }
    if chance.below(2) == 0 {
        run(server, database, "analyze");
    }
}

/// What no size needs.
const DISPENSABLE: [&str; 17] = [
    "select on pg_am",
    "select on pg_inherits",
    "select on pg_stat_database",
    "select on pg_tablespace",
    "select on pg_stat_bgwriter",
    "select on pg_replication_slots",
    "select on pg_settings",
    "select on pg_roles",
    "execute on function pg_database_size(oid)",
    "execute on function pg_table_size(regclass)",
    "execute on function pg_tablespace_databases(oid)",
    "execute on function pg_tablespace_location(oid)",
    "execute on function pg_tablespace_size(oid)",
    "execute on function pg_stat_get_tuples_inserted(oid)",
    "execute on function pg_stat_get_live_tuples(oid)",
    "execute on function pg_stat_get_vacuum_count(oid)",
    "execute on function pg_control_system()",
];

/// Without these nothing can be sized, which is said.
const NEEDED: [&str; 4] = [
    "select on pg_class",
    "select on pg_namespace",
    "select on pg_index",
    "select on pg_locks",
];

const SETTINGS: [&str; 31] = [
    "work_mem = '64kB'",
    "exit_on_error = on",
    "statement_timeout = 60000",
    "lock_timeout = 1",
    "idle_in_transaction_session_timeout = 1000",
    "search_path = ''",
    "search_path = 'pg_temp, pg_toast, pg_catalog'",
    "default_transaction_isolation = serializable",
    "default_transaction_read_only = on",
    "default_transaction_deferrable = on",
    "default_tablespace = 'pg_default'",
    "enable_seqscan = off",
    "enable_indexscan = off",
    "enable_hashjoin = off",
    "jit_above_cost = 0",
    "plan_cache_mode = force_generic_plan",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "timezone = 'Asia/Kathmandu'",
    "bytea_output = escape",
    "lc_messages = 'C'",
    "extra_float_digits = -15",
    "standard_conforming_strings = off",
    "quote_all_identifiers = on",
    "transform_null_equals = on",
    "array_nulls = off",
    "row_security = off",
    "track_counts = off",
    "client_encoding = 'SJIS'",
    "client_encoding = 'LATIN1'",
    "client_encoding = 'SQL_ASCII'",
];

/// Whether what cannot be done without was taken away.
fn hinder(server: &Server, database: &str, role: &str, chance: &mut Chance) -> bool {
    run(server, "postgres", &format!("create role {role} login"));
    let needed = match chance.below(8) {
        0 => Some(chance.one_of(&NEEDED)),
        _ => None,
    };
    for right in chance.some_of(&DISPENSABLE).into_iter().chain(needed) {
        run(server, database, &format!("revoke {right} from public"));
    }
    if chance.below(3) == 0 {
        let files = "pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean)";
        run(
            server,
            database,
            &format!("grant execute on function {files} to {role}"),
        );
    }
    for setting in chance.some_of(&SETTINGS) {
        // of the database it would be our own as well, and not each converts to each
        let of = match setting.starts_with("client_encoding") {
            true => "role",
            false => chance.one_of(&["role", "database"]),
        };
        let name = if of == "role" { role } else { database };
        run(
            server,
            "postgres",
            &format!("alter {of} {name} set {setting}"),
        );
    }
    needed.is_some()
}

/// What a superuser's SQL says of a database.
struct Truth {
    sizes: BTreeMap<u32, u64>,
    parents: BTreeMap<u32, u32>,
    total_bytes: u64,
}

impl Truth {
    fn of(server: &Server, database: &str) -> Self {
        let pairs = server.sql(
            database,
            "select inhrelid, inhparent from pg_inherits where inhseqno = 1",
        );
        let pair = |row: Vec<Option<String>>| {
            let number = |at: usize| row[at].as_ref().unwrap().parse::<u32>().unwrap();
            (number(0), number(1))
        };
        Self {
            sizes: server_sizes(server, database),
            parents: pairs.unwrap().into_iter().map(pair).collect(),
            total_bytes: number_of(
                server,
                database,
                "select pg_database_size(current_database())",
            ),
        }
    }

    /// Every relation is there, and equal or flagged, under a name of its own; nothing is zero that is not, and all
    /// adds up to the server's total.
    fn check(&self, snapshot: &Snapshot, what: &str) {
        let sizes = relation_sizes(snapshot);
        for (oid, bytes) in &self.sizes {
            let size = sizes
                .get(oid)
                .unwrap_or_else(|| panic!("{what}: {oid} is not there"));
            if size.status == Status::Ok {
                assert_eq!(size.bytes, Some(*bytes), "{what}: {oid}");
            } else {
                assert!(
                    size.bytes != Some(0) && !size.is_measured(),
                    "{what}: {oid} {size:?}"
                );
            }
        }
        let mut names = BTreeSet::new();
        for table in &snapshot.tables {
            let name = (&table.schema_name, &table.table_name);
            assert!(names.insert(name), "{what}: two are called {name:?}");
            let parent = table.parent_oid;
            let truth = self.parents.get(&table.oid).copied();
            assert!(
                parent.is_none() || parent == truth,
                "{what}: {name:?} below {parent:?}, {truth:?}"
            );
        }
        let totals = snapshot.totals;
        let Some(total) = totals.total_bytes else {
            return;
        };
        assert_adds_up(snapshot);
        // A backend's cache files come and go beside the relations.
        let apart = total.abs_diff(self.total_bytes);
        assert!(
            apart < 512 * 1024,
            "{what}: {total} and {}",
            self.total_bytes
        );
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

on_every_major! {
    async fn trap_75_databases_made_at_random_are_sized_or_flagged(server: &Server) {
        let place = server.make_folder("trap_75").unwrap();
        run(server, "postgres", &format!("create tablespace trap_75 location '{}'", place.display()));
        let seed = number("PLIMSOLL_FUZZ_SEED", 20_261_130);
        for round in 0..number("PLIMSOLL_FUZZ_ROUNDS", 3) {
            let mut chance = Chance::of(seed + round, server.major());
            let (database, role) = (format!("trap_75_{round}"), format!("trap_75_{round}"));
            make(server, &database, "trap_75", &mut chance);
            let is_hopeless = hinder(server, &database, &role, &mut chance);
            let truth = Truth::of(server, &database);
            let mut memory = Memory::default();
            for method in [MethodChoice::Auto, MethodChoice::Functions, MethodChoice::Changes, MethodChoice::Changes] {
                let what = format!("seed {seed}, round {round} on {}, {method:?}", server.major());
                match try_visit(&url_as(server, &role, &database), &options(method), &mut memory).await {
                    Ok(snapshot) => truth.check(&snapshot, &what),
                    Err(error) => {
                        let is_expected = is_hopeless && error.to_string().contains("permission denied");
                        assert!(is_expected, "{what}: {error}\n{}", last_lines(&server.log()));
                    }
                }
            }
            run(server, "postgres", &format!("drop database {database} with (force)"));
            run(server, "postgres", &format!("drop role {role}"));
        }
    }
}
