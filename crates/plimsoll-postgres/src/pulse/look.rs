//! One pulse's shared means: what the role may do, the settings, and a fact that costs only itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::instance::Figure;
use plimsoll_core::name;
use tokio_postgres::Row;

use crate::error::VisitError;
use crate::raw_text::RawText;
use crate::session::{Param, Session};

/// More entries than this are not counted.
pub(super) const MOST_ENTRIES: i64 = 50_000;

/// Why the walk over files is closed to the role.
pub(super) const NO_FILES: &str =
    "the role needs EXECUTE on pg_ls_dir(text, boolean, boolean) and pg_stat_file(text, boolean)";

/// A statement that looks into the folder of each tablespace in which databases lie.
pub(super) fn in_tablespaces(sql: &str) -> String {
    sql.replace(
        "{tablespace_folders}",
        include_str!("tablespace_folders.sql"),
    )
}

/// Where the server is, and what the role may do there.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts, read from one row"
)]
pub(super) struct ServerNow {
    pub(super) in_recovery: bool,
    pub(super) position: Option<u64>,
    pub(super) replayed: Option<u64>,
    pub(super) replayed_at: Option<Timestamp>,
    pub(super) is_paused: bool,
    pub(super) summarized: Option<u64>,
    pub(super) may_files: bool,
    pub(super) may_waldir: bool,
    pub(super) may_tmpdir: bool,
    pub(super) may_logdir: bool,
    pub(super) may_replslotdir: bool,
    pub(super) may_control: bool,
}

impl ServerNow {
    pub(super) async fn read(session: &Session) -> Result<Self, VisitError> {
        let summarized = if session.server().major() >= 17 {
            "(select pg_wal_lsn_diff(w.summarized_lsn, '0/0')::int8 from pg_get_wal_summarizer_state() w)"
        } else {
            "null::int8"
        };
        let sql = include_str!("server.sql").replace("{summarized}", summarized);
        let row = session.one(&sql, &[]).await?;
        let is = |column: &str| session.read::<bool, _>(&row, column);
        Ok(Self {
            in_recovery: is("in_recovery")?,
            position: unsigned(session, &row, "position")?,
            replayed: unsigned(session, &row, "replayed")?,
            replayed_at: session.read(&row, "replayed_at")?,
            is_paused: is("is_paused")?,
            summarized: unsigned(session, &row, "summarized")?,
            may_files: is("files")?,
            may_waldir: is("ls_waldir")? && is("ls_archive_statusdir")?,
            may_tmpdir: is("ls_tmpdir")?,
            may_logdir: is("ls_logdir")?,
            may_replslotdir: is("ls_replslotdir")?,
            may_control: is("control_checkpoint")?,
        })
    }
}

/// Settings by name, with their units; those that the role may not see are missing.
pub(super) struct Settings(BTreeMap<String, (String, Option<String>)>);

impl Settings {
    pub(super) async fn read(session: &Session) -> Result<Self, VisitError> {
        let mut settings = BTreeMap::new();
        for row in session.rows(include_str!("settings.sql"), &[]).await? {
            // A path need not be UTF-8.
            let RawText(text) = session.read(&row, "setting")?;
            settings.insert(
                session.read(&row, "name")?,
                (
                    name::of_bytes(text).into_owned(),
                    session.read(&row, "unit")?,
                ),
            );
        }
        Ok(Self(settings))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(text, _)| text.as_str())
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text != "off")
    }

    /// A setting in its base unit, bytes or milliseconds; none where it is negative, which means "no limit".
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (text, unit) = self.0.get(name)?;
        let unit = match unit.as_deref().unwrap_or_default() {
            "kB" => 1 << 10,
            "8kB" => 8 << 10,
            "MB" => 1 << 20,
            "s" => 1_000,
            "min" => 60_000,
            "" | "B" | "ms" => 1,
            _ => return None,
        };
        text.parse::<u64>().ok()?.checked_mul(unit)
    }
}

/// What one statement tells, or why not. Only what ends the session is an error.
pub(super) async fn fact<T>(
    session: &Session,
    sql: &str,
    params: &[Param<'_>],
    read: impl Fn(&[Row]) -> Result<T, VisitError>,
) -> Result<Figure<T>, VisitError> {
    match session.rows(sql, params).await {
        Ok(rows) => read(&rows).map(Figure::Known),
        Err(error) if error.session_lives() => Ok(Figure::Absent(error.to_string())),
        Err(error) => Err(error),
    }
}

/// A part that one row tells: `bytes`, and `entries` that may be more than are counted.
pub(super) async fn part(
    session: &Session,
    kind: Kind,
    source: Source,
    sql: &str,
    params: &[Param<'_>],
    now: Timestamp,
) -> Result<(Part, Option<Row>), VisitError> {
    let row = match session.one(sql, params).await {
        Ok(row) => row,
        Err(error) if error.session_lives() => {
            return Ok((Part::unknown(kind, None, error.to_string()), None));
        }
        Err(error) => return Err(error),
    };
    let bytes = unsigned(session, &row, "bytes")?.unwrap_or(0);
    let part = Part::measured(kind, None, bytes, source, now);
    let entries: i64 = session.read(&row, "entries")?;
    Ok((
        if entries > MOST_ENTRIES {
            part.at_least(too_many())
        } else {
            part
        },
        Some(row),
    ))
}

pub(super) fn too_many() -> String {
    format!("there are more than {MOST_ENTRIES} entries")
}

/// A column of a `bigint` that is never negative.
pub(super) fn unsigned(
    session: &Session,
    row: &Row,
    column: &str,
) -> Result<Option<u64>, VisitError> {
    let value: Option<i64> = session.read(row, column)?;
    Ok(value.and_then(|value| u64::try_from(value).ok()))
}
