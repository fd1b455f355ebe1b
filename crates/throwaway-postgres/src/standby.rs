//! A streaming standby of a temporary server, made by copying its files during a backup.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::copy_folder;
use crate::error::StartError;
use crate::server::{Options, Server};

impl Server {
    /// Starts a hot standby of this server, in a folder of its own, that streams through the socket.
    ///
    /// It has this server's settings, and those given; [`Server::wait_for`] waits until it has
    /// replayed what this one wrote. It holds no replication slot; instead this server keeps 256 MB of WAL
    /// from now on, whatever its settings said.
    pub fn standby(&self, settings: &[(String, String)]) -> Result<Self, StartError> {
        let mut options = Options {
            installation: Some(self.installation().clone()),
            ..self.options.clone()
        };
        options.settings.extend_from_slice(settings);
        let standby = Self::prepare(&options)?;

        let (start, stop) = if self.major() >= 15 {
            (
                "select pg_backup_start('standby', true)",
                "select labelfile from pg_backup_stop(false)",
            )
        } else {
            (
                "select pg_start_backup('standby', true, false)",
                "select labelfile from pg_stop_backup(false, false)",
            )
        };
        // The backup belongs to the session that began it.
        let mut session = self.session("postgres")?;
        session.run("alter system set wal_keep_size = '256MB'")?;
        session.run("select pg_reload_conf()")?;
        session.run(start)?;
        self.copy_data_to(&standby)?;
        let label = session
            .run(stop)?
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .unwrap_or_default();

        standby.write(&standby.data.join("backup_label"), &label)?;
        standby.write(&standby.data.join("standby.signal"), "")?;
        let primary = format!(
            "primary_conninfo = 'host={} port={} user=postgres'\n",
            self.folder.display(),
            self.port()
        );
        standby.write_settings(&primary)?;
        standby.start_on_free_port()
    }

    /// Waits until this standby has replayed everything that `primary` has written so far.
    pub fn wait_for(&self, primary: &Self) -> Result<(), StartError> {
        let first = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().next();
        // The record of a switch to the next segment has the commits before it flushed and sent.
        let written = first(primary.sql(
            "postgres",
            "select pg_switch_wal(); select pg_current_wal_lsn()",
        )?);
        let written = written.unwrap_or_default();
        let question = format!("select pg_last_wal_replay_lsn() >= '{written}'::pg_lsn");
        let has_replayed = || match self.sql("postgres", &question) {
            // Replay cancels whoever is in its way, and that may be this question.
            Err(StartError::Sql { code, .. }) if code == "40001" => Ok(false),
            rows => Ok::<_, StartError>(first(rows?).as_deref() == Some("t")),
        };
        let began = Instant::now();
        while !has_replayed()? {
            if began.elapsed() > Duration::from_secs(30) {
                let (folder, log) = (self.folder().to_path_buf(), self.log());
                return Err(StartError::TooSlow {
                    folder,
                    seconds: 30,
                    log,
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn copy_data_to(&self, standby: &Self) -> Result<(), StartError> {
        let attempt = format!("copying {} for a standby", self.data.display());
        let copy = || {
            // What a base backup leaves out, as the manual's "Making a base backup" says.
            let contents_left_out = [
                "pg_wal",
                "pg_replslot",
                "pg_dynshmem",
                "pg_notify",
                "pg_serial",
                "pg_snapshots",
                "pg_stat_tmp",
                "pg_subtrans",
                "pg_tblspc",
            ];
            let files_left_out = ["postmaster.pid", "postmaster.opts"];
            let skip = |path: &Path| {
                let named = |names: &[&str], path: &Path| {
                    path.file_name()
                        .is_some_and(|name| names.iter().any(|n| name == *n))
                };
                let parent = path.parent().unwrap_or(path);
                (parent == self.data && named(&files_left_out, path))
                    || (parent.parent() == Some(&self.data) && named(&contents_left_out, parent))
            };
            copy_folder(&self.data, &standby.data, &skip)?;
            fs::create_dir_all(standby.data.join("pg_wal/archive_status"))?;
            for entry in fs::read_dir(self.data.join("pg_tblspc"))? {
                let link = entry?;
                let copy = standby
                    .folder
                    .join(format!("tablespace-{}", link.file_name().to_string_lossy()));
                copy_folder(&fs::canonicalize(link.path())?, &copy, &|_| false)?;
                symlink(&copy, standby.data.join("pg_tblspc").join(link.file_name()))?;
                standby
                    .account
                    .map_or(Ok(()), |account| account.chown_tree(&copy))?;
            }
            standby
                .account
                .map_or(Ok(()), |account| account.chown_tree(&standby.data))
        };
        copy().map_err(StartError::io(attempt))
    }
}
