//! The SQL that makes a role for Plimsoll: the least for each level, safe to paste, twice as well.

use std::fmt::Write as _;

use super::{Level, quote};

/// The role's name unless another is asked for.
pub const ROLE: &str = "plimsoll";

/// A script for `psql`, to be run by a superuser, that makes `role` and gives it `level` in
/// `databases`.
///
/// Running it again changes nothing. It sets no password: that would end up in histories and logs.
pub fn grants(level: Level, role: &str, databases: &[String]) -> String {
    let mut script = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(script, "{text}");
    };
    let quoted = quote(role);
    line(&format!(
        "-- A role for Plimsoll, level {}: run this with psql as a superuser.",
        level.as_str()
    ));
    line("-- A password, if it needs one, is set afterwards with psql's \\password.");
    // A name that has the quote's end in it would end it.
    let quote_mark = dollar_quote(role);
    line(&format!("do {quote_mark}"));
    line("begin");
    line(&format!(
        "  if not exists (select from pg_catalog.pg_roles where rolname = {}) then",
        literal(role)
    ));
    line(&format!(
        "    create role {quoted} login nosuperuser nocreatedb nocreaterole noreplication;"
    ));
    line("  end if;");
    line("end");
    line(&format!("{quote_mark};"));
    line(&format!(
        "alter role {quoted} set default_transaction_read_only = on;"
    ));
    for database in databases {
        line(&format!(
            "grant connect on database {} to {quoted};",
            quote(database)
        ));
    }
    if level >= Level::Monitor {
        line(
            "-- Totals of every database and tablespace, WAL, temporary files, logs, settings. No rows of any table.",
        );
        line(&format!("grant pg_monitor to {quoted};"));
    }
    if level >= Level::LockFree {
        line(
            "-- Listing data files and their sizes, not their contents. PostgreSQL keeps these two grants in each",
        );
        line("-- database: they are not in a dump, and a database made later needs them again.");
        for database in databases {
            if database.contains(['\n', '\r']) {
                line(&format!(
                    "-- Connect to the database {database:?} by hand (psql cannot name it) and run there:"
                ));
                for grant in file_grants(&quoted) {
                    line(&format!("--   {grant}"));
                }
                continue;
            }
            line(&connect(database));
            for grant in file_grants(&quoted) {
                line(&grant);
            }
        }
    }
    script
}

fn file_grants(role: &str) -> [String; 2] {
    [
        format!(
            "grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to {role};"
        ),
        format!("grant execute on function pg_catalog.pg_stat_file(text, boolean) to {role};"),
    ]
}

/// A dollar quote that does not occur in the text.
fn dollar_quote(text: &str) -> String {
    let mut mark = "$plimsoll$".to_owned();
    let mut number = 0;
    while text.contains(&mark) {
        number += 1;
        mark = format!("$plimsoll{number}$");
    }
    mark
}

/// psql's `\connect`. A name that could be taken for a connection string is written as one, as
/// `pg_dump` does.
fn connect(database: &str) -> String {
    let is_plain = database
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
    if is_plain {
        return format!("\\connect \"{database}\"");
    }
    let value = database.replace('\\', "\\\\").replace('\'', "\\'");
    let argument = format!("dbname='{value}'").replace('"', "\"\"");
    format!("\\connect -reuse-previous=on \"{argument}\"")
}

/// A string literal that means the same whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_adds_to_the_one_before() {
        let databases = ["app".to_owned()];
        let [read_only, monitor, lock_free] = [Level::ReadOnly, Level::Monitor, Level::LockFree]
            .map(|level| grants(level, ROLE, &databases));
        assert!(read_only.contains("create role \"plimsoll\" login"));
        assert!(read_only.contains("grant connect on database \"app\" to \"plimsoll\";"));
        assert!(!read_only.contains("pg_monitor"));
        assert!(monitor.contains("grant pg_monitor to \"plimsoll\";"));
        assert!(!monitor.contains("\\connect"));
        assert!(lock_free.contains("grant pg_monitor"));
        assert!(lock_free.contains("\\connect \"app\"\ngrant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to \"plimsoll\";\n"));
    }

    #[test]
    fn a_role_cannot_end_the_dollar_quote() {
        let role = "x'$plimsoll$; alter role evil superuser; --$plimsoll1$";
        let script = grants(Level::ReadOnly, role, &[]);
        assert!(script.contains("do $plimsoll2$\n"), "{script}");
        assert_eq!(script.matches("$plimsoll2$").count(), 2, "{script}");
        assert_eq!(dollar_quote("plimsoll"), "$plimsoll$");
    }

    #[test]
    fn names_cannot_break_out() {
        for (name, connects) in [
            ("app", "\\connect \"app\""),
            ("a b", "\\connect -reuse-previous=on \"dbname='a b'\""),
            (
                "dbname=x",
                "\\connect -reuse-previous=on \"dbname='dbname=x'\"",
            ),
            (
                "it's \"x\" \\",
                "\\connect -reuse-previous=on \"dbname='it\\'s \"\"x\"\" \\\\'\"",
            ),
        ] {
            assert_eq!(connect(name), connects);
        }
        let script = grants(
            Level::LockFree,
            "r\"; drop table x; --'",
            &["x\n drop table y; --".to_owned()],
        );
        assert!(script.contains("create role \"r\"\"; drop table x; --'\" login"));
        assert!(script.contains("rolname = 'r\"; drop table x; --'''"));
        assert!(
            script
                .lines()
                .all(|line| !line.starts_with(" drop table y") || line.contains('"')),
            "{script}"
        );
        assert!(!script.contains("\\connect"));
    }
}
