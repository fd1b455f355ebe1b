//! Trap 75: databases made at random, visited with random rights and settings, against what a superuser sums.
//!
//! `PLIMSOLL_FUZZ_ROUNDS` makes more rounds than the few of a usual run, and `PLIMSOLL_FUZZ_SEED` other ones.

use std::collections::BTreeMap;

use plimsoll_core::size::Status;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::sizing::{options, relation_sizes, run, server_sizes, try_visit, url_as};

/// A small generator of even numbers enough (Marsaglia, "Xorshift RNGs", 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
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

/// SQL for a name of the characters that an encoding has, quotes, dots and spaces among them.
fn name(chance: &mut Chance, encoding: &str, n: u64) -> String {
    let mut parts = vec![format!("'t{n}'")];
    for _ in 0..chance.below(5) {
        let code = match encoding {
            "UTF8" => chance.below(0xd7ff - 1) + 1,
            // Bytes that WIN1252 gives no character are left to SQL_ASCII.
            "SQL_ASCII" => chance.below(255) + 1,
            _ => chance
                .one_of(&[
                    "34", "39", "46", "32", "10", "92", "228", "233", "255", "192",
                ])
                .parse()
                .unwrap(),
        };
        parts.push(format!("chr({code})"));
    }
    parts.join(" || ")
}

fn make(server: &Server, database: &str, tablespace: &str, chance: &mut Chance) {
    let encoding = chance.one_of(&["UTF8", "SQL_ASCII", "LATIN1", "WIN1252"]);
    let sql = format!(
        "create database {database} encoding '{encoding}' lc_collate 'C' lc_ctype 'C' template template0"
    );
    run(server, "postgres", &sql);
    for n in 0..3 + chance.below(8) {
        let name = name(chance, encoding, n);
        let place = chance.one_of(&["pg_default", tablespace]);
        let kind = chance.one_of(&["", "", "unlogged"]);
        let rows = chance.below(3) * chance.below(2000);
        let shape = match chance.below(4) {
            0 => format!(
                "execute format('create {kind} table %I (id int primary key, doc text) tablespace {place}', n);
                 execute format('insert into %I select g, repeat(md5(g::text), 200) from generate_series(1, {}) g', n);",
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
                 execute format('insert into %I select generate_series(1, {rows})', left(n, 20) || '_c');"
            ),
            _ => format!(
                "execute format('create materialized view %I tablespace {place} as select g from generate_series(1, {rows}) g', n);
                 execute format('create sequence %I', left(n, 20) || '_s');"
            ),
        };
        run(
            server,
            database,
            &format!("do $$ declare n text := {name}; begin {shape} end $$"),
        );
    }
    if chance.below(2) == 0 {
        run(server, database, "analyze");
    }
}

fn hinder(server: &Server, database: &str, role: &str, chance: &mut Chance) {
    run(server, "postgres", &format!("create role {role} login"));
    for right in chance.some_of(&[
        "select on pg_am",
        "select on pg_inherits",
        "select on pg_stat_database",
        "select on pg_tablespace",
        "select on pg_stat_bgwriter",
        "execute on function pg_database_size(oid)",
        "execute on function pg_table_size(regclass)",
        "execute on function pg_tablespace_databases(oid)",
        "execute on function pg_stat_get_tuples_inserted(oid)",
    ]) {
        run(server, database, &format!("revoke {right} from public"));
    }
    for setting in chance.some_of(&[
        "work_mem = '64kB'",
        "exit_on_error = on",
        "statement_timeout = 60000",
        "lock_timeout = 1",
        "search_path = ''",
        "default_transaction_isolation = serializable",
        "enable_seqscan = off",
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Kathmandu'",
        "bytea_output = escape",
        "lc_messages = 'C'",
    ]) {
        let of = chance.one_of(&["role", "database"]);
        let name = if of == "role" { role } else { database };
        run(
            server,
            "postgres",
            &format!("alter {of} {name} set {setting}"),
        );
    }
    if chance.below(3) == 0 {
        let files = "pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean)";
        run(
            server,
            database,
            &format!("grant execute on function {files} to {role}"),
        );
    }
}

/// Every relation is there, and equal or flagged; nothing is zero that is not.
fn check(sizes: &BTreeMap<u32, plimsoll_core::size::Size>, truth: &BTreeMap<u32, u64>, what: &str) {
    for (oid, bytes) in truth {
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
}

on_every_major! {
    async fn trap_75_databases_made_at_random_are_sized_or_flagged(server: &Server) {
        let place = server.make_folder("trap_75").unwrap();
        run(server, "postgres", &format!("create tablespace trap_75 location '{}'", place.display()));
        let seed = number("PLIMSOLL_FUZZ_SEED", 20_261_130);
        for round in 0..number("PLIMSOLL_FUZZ_ROUNDS", 3) {
            let mut chance = Chance((seed + round).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let (database, role) = (format!("trap_75_{round}"), format!("trap_75_{round}"));
            make(server, &database, "trap_75", &mut chance);
            hinder(server, &database, &role, &mut chance);
            let truth = server_sizes(server, &database);
            let mut memory = Memory::default();
            for method in [MethodChoice::Auto, MethodChoice::Functions, MethodChoice::Changes, MethodChoice::Changes] {
                let what = format!("seed {seed}, round {round} on {}, {method:?}", server.major());
                let visited = try_visit(&url_as(server, &role, &database), &options(method), &mut memory).await;
                let snapshot = visited.unwrap_or_else(|error| panic!("{what}: {error}"));
                check(&relation_sizes(&snapshot), &truth, &what);
            }
            run(server, &database, &format!("drop owned by {role}"));
            run(server, "postgres", &format!("drop database {database}"));
            run(server, "postgres", &format!("drop role {role}"));
        }
    }
}
