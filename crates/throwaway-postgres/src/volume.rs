//! Small volumes under a temporary server, mounted where this user may: tests of what lies on which volume.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::server::Server;

/// A small volume of its own. Unmounted when it is dropped, also under a server that still runs, and when this process
/// ends, however it does.
#[derive(Debug)]
pub struct Volume {
    path: PathBuf,
    keeper: Child,
}

impl Volume {
    /// A `tmpfs` of so many megabytes, in a new folder of the server's.
    ///
    /// # Errors
    /// With the reason where this user may not mount.
    pub fn tmpfs(server: &Server, name: &str, megabytes: u64) -> Result<Self, String> {
        let size = format!("size={megabytes}m,mode=755");
        Self::mounted(server, name, &["-t", "tmpfs", "-o", &size, "tmpfs"])
    }

    /// A new file system of `fs_type`, in a file of so many megabytes, mounted with these options.
    ///
    /// # Errors
    /// With the reason where it cannot be made, or this user may not mount.
    pub fn of_file(
        server: &Server,
        name: &str,
        fs_type: &str,
        megabytes: u64,
        options: &str,
    ) -> Result<Self, String> {
        let image = server.folder().join(format!("{name}.img"));
        let file = std::fs::File::create(&image);
        file.and_then(|file| file.set_len(megabytes << 20))
            .map_err(|error| format!("{}: {error}", image.display()))?;
        let image = image.to_string_lossy().into_owned();
        run(&format!("mkfs.{fs_type}"), &["-q", &image])?;
        let options = format!("loop,{options}");
        let options = options.trim_end_matches(',');
        Self::mounted(server, name, &["-t", fs_type, "-o", options, &image])
    }

    fn mounted(server: &Server, name: &str, args: &[&str]) -> Result<Self, String> {
        let path = server
            .make_folder(name)
            .map_err(|error| error.to_string())?;
        let mut args = args.to_vec();
        let shown = path.to_string_lossy().into_owned();
        args.push(&shown);
        run("mount", &args)?;
        let volume = Self {
            keeper: keeper(&path, ":")?,
            path,
        };
        // It belongs to whoever the server runs as.
        let owner = format!("--reference={}", server.data_dir().display());
        run("chown", &[&owner, &shown])?;
        Ok(volume)
    }

    /// A file system that does not answer until this is dropped, as a network's does whose server is gone.
    ///
    /// # Errors
    /// With the reason where this user may not mount.
    pub fn hung(server: &Server, name: &str) -> Result<Self, String> {
        let path = server
            .make_folder(name)
            .map_err(|error| error.to_string())?;
        // One in user space whose requests nobody reads.
        let mount = "exec 3<>/dev/fuse && \
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung \"$1\"";
        Ok(Self {
            keeper: keeper(&path, mount)?,
            path,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder on it that belongs to whoever the server runs as.
    ///
    /// # Errors
    /// With the reason.
    pub fn make_folder(&self, server: &Server, name: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let owner = format!("--reference={}", server.data_dir().display());
        run("chown", &[&owner, &path.to_string_lossy()])?;
        Ok(path)
    }

    /// Moves a server's `pg_wal` here as the manual says: the server is stopped, the folder moved and linked, and the
    /// server started.
    ///
    /// # Errors
    /// With the reason.
    pub fn take_wal(&self, server: &Server) -> Result<(), String> {
        self.take(server, &server.data_dir().join("pg_wal"), "pg_wal")
    }

    /// Moves a server's whole data directory here in the same way.
    ///
    /// # Errors
    /// With the reason.
    pub fn take_data(&self, server: &Server) -> Result<(), String> {
        self.take(server, server.data_dir(), "data")
    }

    /// Gives a `tmpfs` another size, in megabytes.
    ///
    /// # Errors
    /// With the reason.
    pub fn resize(&self, megabytes: u64) -> Result<(), String> {
        let size = format!("remount,size={megabytes}m");
        run("mount", &["-o", &size, &self.path.to_string_lossy()])
    }

    fn take(&self, server: &Server, old: &Path, name: &str) -> Result<(), String> {
        let shown = |error: &dyn std::fmt::Display| error.to_string();
        server.stop().map_err(|error| shown(&error))?;
        let new = self.path.join(name);
        run(
            "cp",
            &["-a", &old.to_string_lossy(), &new.to_string_lossy()],
        )?;
        std::fs::remove_dir_all(old).map_err(|error| shown(&error))?;
        std::os::unix::fs::symlink(&new, old).map_err(|error| shown(&error))?;
        server.start_again().map_err(|error| shown(&error))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Starts the shell that unmounts `path` when its standard input closes: that happens however this process ends. What it
/// runs first decides whether there is anything to unmount.
///
/// The server's supervisor cannot do it: where we are root, it is not.
fn keeper(path: &Path, first: &str) -> Result<Child, String> {
    // Whoever waits for a file system in user space is told that nobody is there once it is let go of.
    let script = format!(
        "trap '' HUP INT TERM; {first} && echo ready && read -r _; exec 3>&-; umount -l \"$1\""
    );
    let mut keeper = Command::new("sh")
        .args(["-c", &script, "sh", &path.to_string_lossy()])
        // Else an interrupted test would end it, too.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("sh: {error}"))?;
    let mut said = String::new();
    if let Some(output) = keeper.stdout.as_mut() {
        let _ = BufReader::new(output).read_line(&mut said);
    }
    if said.trim() == "ready" {
        return Ok(keeper);
    }
    drop(keeper.stdin.take());
    let _ = keeper.wait();
    Err("mount: no file system in user space".to_owned())
}

/// Prints whether tests that need a volume of their own ran: the summary of the tests repeats it.
#[expect(
    clippy::print_stderr,
    reason = "a test that did nothing must not look like one that passed"
)]
pub fn report_volumes(what: &str, made: Result<(), &str>) {
    match made {
        Ok(()) => eprintln!("Volumes: {what} tested"),
        Err(reason) => eprintln!("Volumes: {what} not tested: {reason}"),
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program}: {}",
        said.lines().next().unwrap_or("failed")
    ))
}
