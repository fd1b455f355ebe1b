//! Small volumes under a temporary server, mounted where this user may: tests of what lies on which volume.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::server::Server;

/// A small volume of its own. Unmounted when it is dropped, also under a server that still runs; the server's
/// supervisor unmounts what is left.
#[derive(Debug)]
pub struct Volume {
    path: PathBuf,
    /// What holds a mount that never answers.
    holder: Option<Child>,
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
        let volume = Self { path, holder: None };
        // It belongs to whoever the server runs as.
        let owner = format!("--reference={}", server.data_dir().display());
        run("chown", &[&owner, &shown])?;
        Ok(volume)
    }

    /// A file system that never answers, as one of a network whose server is gone: until this is dropped.
    ///
    /// # Errors
    /// With the reason where this user may not mount.
    pub fn hung(server: &Server, name: &str) -> Result<Self, String> {
        let path = server
            .make_folder(name)
            .map_err(|error| error.to_string())?;
        // One in user space whose requests nobody reads.
        let script = "exec 3<>/dev/fuse && \
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung \"$1\" && echo mounted && read -r _";
        let mut holder = Command::new("sh")
            .args(["-c", script, "sh", &path.to_string_lossy()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        let mut said = String::new();
        if let Some(output) = holder.stdout.as_mut() {
            let _ = BufReader::new(output).read_line(&mut said);
        }
        if said.trim() != "mounted" {
            let _ = holder.wait();
            return Err("mount: no file system in user space".to_owned());
        }
        Ok(Self {
            path,
            holder: Some(holder),
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

    /// Moves a server's `pg_wal` here as the manual tells: stopped, moved, linked.
    ///
    /// # Errors
    /// With the reason.
    pub fn take_wal(&self, server: &Server) -> Result<(), String> {
        self.take(server, &server.data_dir().join("pg_wal"), "pg_wal")
    }

    /// Moves a server's whole data directory here.
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
        if let Some(mut holder) = self.holder.take() {
            // Whoever waits for it is told that nobody is there.
            let _ = holder.kill();
            let _ = holder.wait();
        }
        let _ = run("umount", &["-l", &self.path.to_string_lossy()]);
    }
}

/// Says whether tests of volumes of their own ran: the summary of the tests repeats it.
#[expect(
    clippy::print_stderr,
    reason = "a test that did nothing must not look like one that passed"
)]
pub fn say_volumes(what: &str, made: Result<(), &str>) {
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
