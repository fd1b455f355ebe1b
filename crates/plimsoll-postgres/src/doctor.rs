//! What the role can and cannot see on a server, which method of sizing follows, and what would help.

mod disk;
mod grants;
mod statements;

use plimsoll_connect::{ConnectError, DatabaseUrl};
use plimsoll_core::Oid;
use plimsoll_core::name::shown;
use plimsoll_core::snapshot::Method;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::VisitError;
use crate::options::{Target, VisitOptions};
use crate::privileges::Privileges;
use crate::session::{Limits, Session};

pub use grants::{ROLE, grants};

/// How much a role may see. Each level holds the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It may connect: sizes of relations, and of databases that it may connect to.
    ReadOnly,
    /// And `pg_monitor`: every database, tablespaces, WAL, temporary files, logs, capacity.
    #[default]
    Monitor,
    /// And two functions in each database: the method *files*, which takes no lock on any table.
    LockFree,
}

impl Level {
    /// The name that answers and the command line carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Monitor => "monitor",
            Self::LockFree => "lock_free",
        }
    }
}

/// What a role may see on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The configured name of the instance.
    pub instance: String,
    /// `host:port`, or the socket's path.
    pub server: String,
    /// `server_version_num`.
    pub version_num: u32,
    /// The role, raw.
    pub role: String,
    /// Whether it is a superuser: it sees everything, and could do everything.
    pub is_superuser: bool,
    /// The level that was asked for.
    pub wanted: Level,
    /// The level that it has in every database; null when one of them is closed to it.
    pub level: Option<Level>,
    /// Whether nothing is missing up to the level that was asked for.
    pub is_complete: bool,
    /// What holds for the whole server.
    pub items: Vec<Check>,
    /// What holds in each database.
    pub databases: Vec<DatabaseDiagnosis>,
}

/// What a role may see in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseDiagnosis {
    /// `pg_database.datname`, raw.
    pub database: String,
    /// The method of sizing that follows; null when sizes cannot be read.
    pub method: Option<Method>,
    /// The level that the role has here; null when it cannot even read sizes.
    pub level: Option<Level>,
    /// What was looked at, most needed first.
    pub items: Vec<Check>,
}

/// One thing that the role may or may not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name in PostgreSQL: a function, a view, a role or a privilege; or what a refused statement is for.
    pub name: String,
    /// What Plimsoll shows because of it.
    pub gives: &'static str,
    /// The level that it belongs to; null for what no level needs.
    pub level: Option<Level>,
    /// Whether the role may.
    pub ok: bool,
    /// More about it, such as the server's refusal.
    pub detail: Option<String>,
    /// The SQL that grants it, to be run in this database by a superuser; null when it is there
    /// already, or when no grant gives it.
    pub grant: Option<String>,
}

impl Check {
    fn is_missing(&self, wanted: Level) -> bool {
        !self.ok && self.level.is_some_and(|level| level <= wanted)
    }
}

/// Looks at what the role of a target may do: in the databases named, or, when none is, in every
/// database that takes connections and is no template. Changes nothing.
///
/// A database that does not let the role in is part of the diagnosis.
///
/// # Errors
/// When the server cannot be reached, or lets the role in nowhere.
pub async fn doctor(
    target: &Target,
    names: &[String],
    wanted: Level,
    options: &VisitOptions,
    cancel: &CancellationToken,
) -> Result<Diagnosis, VisitError> {
    let open = async |url: &DatabaseUrl| {
        let limits = Limits::from(options);
        Session::open(url, &limits, cancel).await
    };
    let mut first = None;
    // Each as it is shown, and as it is asked for.
    let mut names: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), name.clone()))
        .collect();
    if names.is_empty() {
        let session = open(&target.url).await?;
        names = databases_to_visit(&session).await?;
        first = Some(session);
    }
    let (mut about, mut found) = (None, Vec::with_capacity(names.len()));
    let mut refusal = None;
    for (name, connect_name) in names {
        let session = match first.take_if(|session| session.database() == name) {
            Some(session) => Ok(session),
            None => open(&target.url.with_database(&connect_name)).await,
        };
        match session {
            Ok(session) => {
                let may = Privileges::read(&session).await?;
                found.push(database(&session, &may).await?);
                about.get_or_insert((
                    session.host_text().to_owned(),
                    session.server().clone(),
                    may,
                ));
                session.close().await;
            }
            Err(error) if is_about_the_database(&error) => {
                found.push(closed(name, &error, target.url.user()));
                refusal = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(session) = first {
        // Its own database was a template, or not among those named: it still knows the server.
        if about.is_none() {
            let may = Privileges::read(&session).await?;
            about = Some((
                session.host_text().to_owned(),
                session.server().clone(),
                may,
            ));
        }
        session.close().await;
    }
    let Some((host, server, may)) = about else {
        return Err(refusal.unwrap_or_else(|| {
            ConnectError::UnknownDatabase {
                server: target.url.host_text(),
                database: "to look at".to_owned(),
                reason: "the server has only templates".to_owned(),
            }
            .into()
        }));
    };
    let mut items = server_items(&may);
    items.extend(disk::parts(&may, server.major()));
    let level = found
        .iter()
        .map(|database| database.level)
        .min()
        .flatten()
        .map(|level| level.min(highest(&items)));
    let is_complete = !items
        .iter()
        .chain(found.iter().flat_map(|database| &database.items))
        .any(|item| item.is_missing(wanted));
    Ok(Diagnosis {
        instance: target.instance.to_string(),
        server: host,
        version_num: server.version_num,
        role: may.role,
        is_superuser: may.is_superuser,
        wanted,
        level,
        is_complete,
        items,
        databases: found,
    })
}

/// The databases that take connections and are no templates, in alphabetical order: each name as it is shown,
/// and as it is asked for.
async fn databases_to_visit(session: &Session) -> Result<Vec<(String, String)>, VisitError> {
    let names = session.database_names().await?;
    let rows = session
        .rows(include_str!("doctor/databases.sql"), &[])
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let oid: Oid = session.read(row, "oid")?;
        // One that was created between the two statements is not looked at.
        if let Some((_, bytes, shown)) = names.iter().find(|(named, ..)| *named == oid) {
            found.push((
                shown.clone(),
                plimsoll_core::name::of_bytes(bytes).into_owned(),
            ));
        }
    }
    Ok(found)
}

const fn is_about_the_database(error: &VisitError) -> bool {
    matches!(
        error,
        VisitError::Connect(
            ConnectError::PermissionDenied { .. }
                | ConnectError::UnknownDatabase { .. }
                | ConnectError::AuthenticationFailed { .. }
        )
    )
}

/// What a role has that is not tied to a database.
fn server_items(may: &Privileges) -> Vec<Check> {
    let role = quote(&may.role);
    let member = |name: &str, gives, ok: bool| Check {
        name: name.to_owned(),
        gives,
        level: Some(Level::Monitor),
        ok,
        detail: None,
        grant: (!ok).then(|| format!("grant {name} to {role};")),
    };
    vec![
        member(
            "pg_read_all_stats",
            "totals of every database and tablespace",
            may.read_all_stats,
        ),
        member(
            "pg_read_all_settings",
            "where the data directory is, and so the capacity of its volume",
            may.read_all_settings,
        ),
    ]
}

async fn database(session: &Session, may: &Privileges) -> Result<DatabaseDiagnosis, VisitError> {
    let role = quote(&may.role);
    let connect = Check {
        name: "CONNECT".to_owned(),
        gives: "everything about this database",
        level: Some(Level::ReadOnly),
        ok: true,
        detail: None,
        grant: None,
    };
    let function = |name: &str, gives, level, ok: bool, signature: &str| Check {
        name: name.to_owned(),
        gives,
        level,
        ok,
        detail: None,
        grant: (!ok)
            .then(|| format!("grant execute on function pg_catalog.{signature} to {role};")),
    };
    let monitor = |name: &str, gives, ok: bool| Check {
        name: name.to_owned(),
        gives,
        level: Some(Level::Monitor),
        ok,
        detail: None,
        grant: (!ok).then(|| {
            // A member that may not has lost the grant that initdb made in this database.
            if may.monitor {
                format!("grant execute on function pg_catalog.{name} to pg_monitor;")
            } else {
                format!("grant pg_monitor to {role};")
            }
        }),
    };
    let (read_only, lock_free) = (Some(Level::ReadOnly), Some(Level::LockFree));
    let mut items = vec![
        connect,
        function(
            "pg_relation_size",
            "sizes of relations (method functions)",
            read_only,
            may.relation_size,
            "pg_relation_size(regclass, text)",
        ),
        function(
            "pg_database_size",
            "totals of databases",
            read_only,
            may.database_size,
            "pg_database_size(oid)",
        ),
        monitor("pg_ls_waldir()", "bytes of WAL", may.ls_waldir),
        monitor(
            "pg_ls_archive_statusdir()",
            "segments waiting to be archived",
            may.ls_archive_statusdir,
        ),
        monitor(
            "pg_ls_tmpdir(oid)",
            "bytes of temporary files",
            may.ls_tmpdir,
        ),
        monitor(
            "pg_ls_logdir()",
            "bytes of the server's logs",
            may.ls_logdir,
        ),
        function(
            "pg_ls_dir",
            "sizes without any lock on a table (method files)",
            lock_free,
            may.ls_dir,
            "pg_ls_dir(text, boolean, boolean)",
        ),
        function(
            "pg_stat_file",
            "sizes without any lock on a table (method files)",
            lock_free,
            may.stat_file,
            "pg_stat_file(text, boolean)",
        ),
        function(
            "pg_control_system",
            "files of further tablespaces (method files)",
            lock_free,
            may.control_system,
            "pg_control_system()",
        ),
        column_statistics(session, &role).await?,
    ];
    if session.server().major() >= 14 {
        items.push(Check {
            name: "pg_backend_memory_contexts".to_owned(),
            gives: "what a visit costs the server in memory",
            level: None,
            ok: may.backend_memory,
            detail: None,
            grant: (!may.backend_memory).then(|| {
                if session.server().major() >= 15 && !may.read_all_stats {
                    format!("grant pg_read_all_stats to {role};")
                } else {
                    format!(
                        "grant select on pg_catalog.pg_backend_memory_contexts to {role}; \
                         grant execute on function pg_catalog.pg_get_backend_memory_contexts() to {role};"
                    )
                }
            }),
        });
    }
    let (refused, can_see) = statements::refused(session, may).await?;
    items.extend(refused);
    let can_size = can_see && may.relation_size && may.database_size;
    Ok(DatabaseDiagnosis {
        database: session.database().to_owned(),
        method: match (can_see, may.may_read_files()) {
            (false, _) => None,
            (true, true) => Some(Method::Files),
            (true, false) => may.relation_size.then_some(Method::Functions),
        },
        level: can_size.then(|| highest(&items)),
        items,
    })
}

/// Column statistics are shown of tables that the role may select from, and only of those.
async fn column_statistics(session: &Session, role: &str) -> Result<Check, VisitError> {
    let read = async {
        let sql = include_str!("doctor/statistics.sql");
        let row = session.one(sql, &[]).await?;
        let tables: i64 = session.read(&row, "tables")?;
        let visible: i64 = session.read(&row, "visible")?;
        Ok((tables, visible))
    };
    let (ok, detail) = match read.await {
        Ok((tables, visible)) => (
            visible == tables,
            format!(
                "statistics of {visible} of {tables} tables; the rest needs SELECT on them, which also shows their rows"
            ),
        ),
        Err(error) => {
            let error: VisitError = error;
            if !error.session_lives() {
                return Err(error);
            }
            (false, error.to_string())
        }
    };
    let has_group = session.server().major() >= 14;
    Ok(Check {
        name: "pg_stats".to_owned(),
        gives: "widths of columns and estimates of bloat in explain",
        level: None,
        ok,
        detail: Some(detail),
        grant: (!ok && has_group).then(|| format!("grant pg_read_all_data to {role};")),
    })
}

fn closed(name: String, error: &VisitError, user: Option<&str>) -> DatabaseDiagnosis {
    let grant = match (error, user) {
        (VisitError::Connect(ConnectError::PermissionDenied { .. }), Some(user)) => Some(format!(
            "grant connect on database {} to {};",
            quote(&name),
            quote(user)
        )),
        _ => None,
    };
    DatabaseDiagnosis {
        database: name,
        method: None,
        level: None,
        items: vec![Check {
            name: "CONNECT".to_owned(),
            gives: "everything about this database",
            level: Some(Level::ReadOnly),
            ok: false,
            detail: Some(error.to_string()),
            grant,
        }],
    }
}

/// The highest level of which nothing is missing.
fn highest(items: &[Check]) -> Level {
    [Level::LockFree, Level::Monitor]
        .into_iter()
        .find(|level| !items.iter().any(|item| item.is_missing(*level)))
        .unwrap_or(Level::ReadOnly)
}

/// Quoted whatever the name is: what is pasted on one version must hold on every other.
fn quote(name: &str) -> String {
    let shown = shown(name);
    if shown.ends_with('"') {
        shown.into_owned()
    } else {
        format!("\"{shown}\"")
    }
}
