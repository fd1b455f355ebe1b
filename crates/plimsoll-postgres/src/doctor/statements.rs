//! Makes every statement that a visit makes, so that what is refused then is known now, and what it lacks.

use tokio_postgres::types::Type;

use super::{Check, Level, quote};
use crate::changes;
use crate::error::VisitError;
use crate::functions::sizes_sql;
use crate::privileges::Privileges;
use crate::raw_text::RawText;
use crate::session::{Session, title};

const PG_DEFAULT: u32 = 1663;
/// `pg_class` itself: every database has it.
const PG_CLASS: u32 = 1259;

/// What a statement is asked with.
#[derive(Debug, Clone, Copy)]
enum Arguments {
    Alone,
    /// With a database's OID.
    OfDatabase,
    /// With a tablespace's OID.
    OfTablespace,
    /// With what is counted of each table.
    Counting,
    /// With the OIDs of relations.
    OfRelations,
    /// With relations, and what is known of each.
    Sizing,
}

/// One statement of a visit.
struct Statement {
    sql: String,
    asked: Arguments,
    /// What is lost without it; nothing is sized at all without what has none.
    gives: Option<&'static str>,
}

/// Those that every visit makes, in its order. What [`super::server_items`] and the functions that are looked at
/// one by one tell already is not tried again.
fn statements(session: &Session, may: &Privileges) -> Vec<Statement> {
    let of = |sql: &str, asked, gives| Statement {
        sql: sql.to_owned(),
        asked,
        gives,
    };
    // A whole pass over the catalog tells no more than its first row.
    let first_row = |sql: &str, asked, gives| Statement {
        sql: format!(
            "{}\nselect * from (\n{sql}\n) as everything limit 1",
            first_line(sql)
        ),
        asked,
        gives,
    };
    let mut statements = vec![
        of(
            include_str!("../session/databases.sql"),
            Arguments::Alone,
            Some("names of databases"),
        ),
        of(include_str!("../locks/locks.sql"), Arguments::Alone, None),
        of(include_str!("../catalog/place.sql"), Arguments::Alone, None),
        first_row(
            include_str!("../catalog/relations.sql"),
            Arguments::Counting,
            None,
        ),
        first_row(
            include_str!("../catalog/indexes.sql"),
            Arguments::Alone,
            None,
        ),
        of(
            include_str!("../catalog/parents.sql"),
            Arguments::Alone,
            Some("sets of tables by plain inheritance"),
        ),
        of(
            include_str!("../catalog/schemas.sql"),
            Arguments::Alone,
            None,
        ),
        of(
            include_str!("../catalog/access_methods.sql"),
            Arguments::Alone,
            Some("names of access methods that extensions bring"),
        ),
        first_row(
            include_str!("../catalog/filenodes.sql"),
            Arguments::Alone,
            None,
        ),
        of(
            include_str!("../catalog/relations_by_oid.sql"),
            Arguments::OfRelations,
            None,
        ),
        of(
            &changes::stamps_sql(session),
            Arguments::Alone,
            Some("the method changes"),
        ),
        of(
            include_str!("../databases/databases.sql"),
            Arguments::Alone,
            Some("totals of databases"),
        ),
        of(
            include_str!("../facts/settings.sql"),
            Arguments::Alone,
            Some("capacity and WAL settings"),
        ),
        of(
            include_str!("../facts/slots.sql"),
            Arguments::Alone,
            Some("what keeps WAL"),
        ),
        of(
            include_str!("../facts/tablespaces.sql"),
            Arguments::Alone,
            Some("tablespaces"),
        ),
        of(
            include_str!("../facts/tablespace_location.sql"),
            Arguments::OfTablespace,
            Some("where tablespaces lie, and so the capacity of their volumes"),
        ),
        of(
            include_str!("../transactions/transactions.sql"),
            Arguments::Alone,
            Some("which files belong to no relation"),
        ),
    ];
    if may.relation_size {
        statements.push(of(&sizes_sql(session), Arguments::Sizing, None));
    }
    if may.database_size {
        statements.push(of(
            include_str!("../functions/database.sql"),
            Arguments::OfDatabase,
            None,
        ));
    }
    for (ok, sql, asked) in [
        (
            may.ls_waldir,
            include_str!("../facts/waldir.sql"),
            Arguments::Alone,
        ),
        (
            may.ls_archive_statusdir,
            include_str!("../facts/archive.sql"),
            Arguments::Alone,
        ),
        (
            may.ls_tmpdir,
            include_str!("../facts/tmpdir.sql"),
            Arguments::OfTablespace,
        ),
    ] {
        if ok {
            statements.push(of(sql, asked, Some("this figure")));
        }
    }
    statements
}

/// What is refused, each with the grants that it lacks; and whether sizes can be had all the same.
pub(super) async fn refused(
    session: &Session,
    may: &Privileges,
) -> Result<(Vec<Check>, bool), VisitError> {
    let (mut items, mut can_size) = (Vec::new(), true);
    for statement in statements(session, may) {
        let error = match statement.make(session).await {
            Ok(()) => continue,
            Err(error) if error.session_lives() => error,
            Err(error) => return Err(error),
        };
        can_size &= statement.gives.is_some();
        items.push(Check {
            name: title(&statement.sql).to_owned(),
            gives: statement.gives.unwrap_or("every size"),
            level: statement.gives.is_none().then_some(Level::ReadOnly),
            ok: false,
            grant: statement.grant(session, may, &error).await?,
            detail: Some(error.to_string()),
        });
    }
    Ok((items, can_size))
}

impl Statement {
    async fn make(&self, session: &Session) -> Result<(), VisitError> {
        let oids = [PG_CLASS].as_slice();
        let not = [false].as_slice();
        let database = session.database_oid();
        let params: &[_] = match self.asked {
            Arguments::Alone => &[],
            Arguments::OfDatabase => &[(&database as _, Type::OID)],
            Arguments::OfTablespace => &[(&PG_DEFAULT as _, Type::OID)],
            Arguments::Counting => &[(&true as _, Type::BOOL), (&true as _, Type::BOOL)],
            Arguments::OfRelations => &[(&oids as _, Type::OID_ARRAY)],
            Arguments::Sizing => &[
                (&oids as _, Type::OID_ARRAY),
                (&not as _, Type::BOOL_ARRAY),
                (&not as _, Type::BOOL_ARRAY),
            ],
        };
        session.stream(&self.sql, params, |_| Ok(())).await
    }

    /// The grants of what the statement names and the role may not use. None where that is not why it failed.
    async fn grant(
        &self,
        session: &Session,
        may: &Privileges,
        error: &VisitError,
    ) -> Result<Option<String>, VisitError> {
        if !matches!(error, VisitError::PermissionDenied { .. }) {
            return Ok(None);
        }
        let words = words(&self.sql);
        let missing = session
            .rows(include_str!("missing.sql"), &[(&words, Type::NAME_ARRAY)])
            .await;
        let rows = match missing {
            Ok(rows) => rows,
            Err(error) if error.session_lives() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut grants = Vec::with_capacity(rows.len());
        for row in &rows {
            let RawText(privilege) = session.read(row, 0)?;
            let object = session.text(row, 1)?;
            grants.push(format!(
                "grant {} pg_catalog.{object} to {};",
                String::from_utf8_lossy(privilege),
                quote(&may.role)
            ));
        }
        Ok((!grants.is_empty()).then(|| grants.join(" ")))
    }
}

fn first_line(sql: &str) -> &str {
    sql.lines().next().unwrap_or_default()
}

/// Every word of a statement: among them are the names of all that it uses.
fn words(sql: &str) -> Vec<&str> {
    let code = sql
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let mut words: Vec<&str> = code
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_statement_are_what_it_uses() {
        assert_eq!(
            words(
                "-- sizing t: no locks\nselect pg_table_size(t.oid) from pg_class t -- all\nwhere x = $1::oid[]"
            ),
            [
                "from",
                "oid",
                "pg_class",
                "pg_table_size",
                "select",
                "t",
                "where",
                "x"
            ]
        );
    }

    /// A statement that is new is made here too, or somebody said why not.
    #[test]
    fn every_statement_of_a_visit_is_made() {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let here = std::fs::read_to_string(src.join("doctor/statements.rs")).unwrap();
        let elsewhere = [
            // asked when the session opens, or before: doctor would not have come here
            "session/server.sql",
            "session/control.sql",
            "session/stats_reset.sql",
            "privileges/privileges.sql",
            // looked at one by one, and asked only of who may
            "session/memory.sql",
            "session/may_read_memory.sql",
            "databases/size.sql",
            "facts/tablespace_size.sql",
            "facts/logdir.sql",
            "files/directories.sql",
            "files/list.sql",
            "files/list_some.sql",
            // through the function that completes them
            "functions/sizes.sql",
            "changes/stamps.sql",
            // the pulse's, and done without where the role may not
            "session/connection_limit.sql",
            // done without where the role may not
            "functions/folders.sql",
            "functions/may_look.sql",
            "cross_check/doubted.sql",
            // instead of another
            "catalog/partition_parents.sql",
            // only where TimescaleDB is, and names tell nearly as much
            "catalog/timescaledb/layout.sql",
            "catalog/timescaledb/by_chunk_id.sql",
            "catalog/timescaledb/by_relid.sql",
        ];
        let mut folders = vec![src.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
                // The looks of each minute are not a visit: each of their facts is on its own anyway.
                let is_ours = name.starts_with("doctor/") || name.starts_with("pulse/");
                if name.ends_with(".sql") && !is_ours && !elsewhere.contains(&name) {
                    assert!(
                        here.contains(&format!("include_str!(\"../{name}\")")),
                        "{name}"
                    );
                }
            }
        }
    }
}
