//! The small shell that owns a server's processes and folder, and outlives us by a moment.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::account::Account;

/// The shell, and the pipe whose closing tells it to clean up.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Supervisor {
    /// Starts the shell, which from now on owns `folder`.
    pub(crate) fn start(
        folder: &Path,
        bin: &Path,
        initdb_options: &[String],
        account: Option<Account>,
    ) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", include_str!("supervisor.sh"), "throwaway-postgres"])
            .arg(folder)
            .arg(bin)
            .args(initdb_options)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: what a terminal or a test runner sends to ours must not stop the cleaning.
            .process_group(0)
            .env("LC_ALL", "C")
            // Else initdb compares the machine's time zone with every known one.
            .env("TZ", "UTC");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        let mut shell = command.spawn()?;
        let orders = shell.stdin.take();
        let answers = shell
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no pipe from the shell"))?;
        Ok(Self {
            shell,
            orders,
            answers: BufReader::new(answers),
            folder: folder.to_path_buf(),
        })
    }

    /// Gives an order, and waits for the number that answers it.
    pub(crate) fn order(&mut self, order: &str) -> io::Result<u32> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the supervising shell has ended");
        let mut orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.write_all(format!("{order}\n").as_bytes())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        answer.trim().parse().map_err(|_| gone())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // What cannot be waited for or removed has nobody left to be told.
        let _ = self.shell.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
