//! What the role may do, asked for before it is tried: a refused statement is noise in the
//! server's log.

use crate::error::VisitError;
use crate::session::Session;

/// What the role may do in one database. EXECUTE on a built-in function is stored per database, so
/// the answer holds for that database only.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts, read from one row"
)]
pub struct Privileges {
    /// `current_user`, raw.
    pub role: String,
    /// Whether it is a superuser, who may do everything.
    pub is_superuser: bool,
    /// Member of `pg_monitor`.
    pub monitor: bool,
    /// Member of `pg_read_all_stats`: sizes of every database and tablespace.
    pub read_all_stats: bool,
    /// Member of `pg_read_all_settings`: among them where the data directory is.
    pub read_all_settings: bool,
    /// `pg_database_size(oid)`.
    pub database_size: bool,
    /// `pg_tablespace_size(oid)`.
    pub tablespace_size: bool,
    /// `pg_relation_size(regclass, text)`.
    pub relation_size: bool,
    /// `pg_ls_dir(text, boolean, boolean)`: listing data files.
    pub ls_dir: bool,
    /// `pg_stat_file(text, boolean)`: their sizes.
    pub stat_file: bool,
    /// `pg_control_system()`: the version in the names of tablespace folders.
    pub control_system: bool,
    /// The catalog `pg_tablespace`: which folders there are.
    pub tablespaces: bool,
    /// `pg_ls_waldir()`.
    pub ls_waldir: bool,
    /// `pg_ls_archive_statusdir()`.
    pub ls_archive_statusdir: bool,
    /// `pg_ls_tmpdir(oid)`.
    pub ls_tmpdir: bool,
    /// `pg_ls_logdir()`.
    pub ls_logdir: bool,
    /// The view `pg_backend_memory_contexts`; false before 14, where there is none.
    pub backend_memory: bool,
}

impl Privileges {
    /// Asks the server.
    pub async fn read(session: &Session) -> Result<Self, VisitError> {
        let sql = include_str!("privileges/privileges.sql");
        let row = session.one(sql, &[]).await?;
        let is = |column: &str| session.read::<bool, _>(&row, column);
        Ok(Self {
            role: session.shared_text(&row, "role")?,
            is_superuser: is("is_superuser")?,
            monitor: is("monitor")?,
            read_all_stats: is("read_all_stats")?,
            read_all_settings: is("read_all_settings")?,
            database_size: is("database_size")?,
            tablespace_size: is("tablespace_size")?,
            relation_size: is("relation_size")?,
            ls_dir: is("ls_dir")?,
            stat_file: is("stat_file")?,
            control_system: is("control_system")?,
            tablespaces: is("tablespaces")?,
            ls_waldir: is("ls_waldir")?,
            ls_archive_statusdir: is("ls_archive_statusdir")?,
            ls_tmpdir: is("ls_tmpdir")?,
            ls_logdir: is("ls_logdir")?,
            backend_memory: is("backend_memory")?,
        })
    }

    /// Whether the method *files* is open to the role in this database.
    pub const fn may_read_files(&self) -> bool {
        self.ls_dir && self.stat_file && self.control_system && self.tablespaces
    }
}
