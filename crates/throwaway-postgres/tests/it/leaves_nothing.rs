//! Neither a process nor a folder stays, however the process that started the server ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use throwaway_postgres::{Options, Server, Volume, report_volumes};

/// A server of another process.
struct Other {
    child: Child,
    folder: PathBuf,
    postmaster: u32,
}

fn other(program: &Path, prepare: impl Fn(&mut Command)) -> Other {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    prepare(&mut command);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let (_url, folder, pid) = (line(), line(), line());
    let other = Other {
        child,
        folder: folder.into(),
        postmaster: pid.parse().unwrap(),
    };
    assert!(other.folder.join("data/PG_VERSION").exists());
    assert!(is_running(other.postmaster));
    other
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_throwaway-postgres"))
}

fn is_running(pid: u32) -> bool {
    // A zombie has no command line.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn is_gone(other: &Other) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if !other.folder.exists() && !is_running(other.postmaster) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .unwrap();
    assert!(status.success());
}

fn am_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn after_drop_both_are_gone_at_once() {
    let server = Server::start(&Options::default()).unwrap();
    let (folder, pid) = (
        server.folder().to_path_buf(),
        server.postmaster_pid().unwrap(),
    );
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    drop(server);
    assert!(!folder.exists());
    assert!(!is_running(pid));
}

#[test]
fn after_a_signal_both_are_gone() {
    for name in ["INT", "TERM", "HUP", "KILL"] {
        let mut other = other(program(), |_| {});
        signal(other.child.id(), name);
        other.child.wait().unwrap();
        assert!(is_gone(&other), "after {name}: {}", other.folder.display());
    }
}

#[test]
fn after_a_panic_both_are_gone() {
    let mut other = other(program(), |_| {});
    let mut input = other.child.stdin.take().unwrap();
    input.write_all(b"panic\n").unwrap();
    drop(input);
    assert_eq!(other.child.wait().unwrap().code(), Some(101));
    assert!(!other.folder.exists());
    assert!(!is_running(other.postmaster));
}

#[test]
fn after_the_postmaster_was_killed_its_folder_and_memory_are_gone() {
    let server = Server::start(&Options::default()).unwrap();
    let folder = server.folder().to_path_buf();
    // Key and id of the one segment of System V shared memory that each postmaster has.
    let lock = fs::read_to_string(server.data_dir().join("postmaster.pid")).unwrap();
    let segment = lock
        .lines()
        .nth(6)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned();
    let has_segment = || {
        let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines()
            .any(|line| line.split_whitespace().nth(1) == Some(segment.as_str()))
    };
    assert!(has_segment());
    signal(server.postmaster_pid().unwrap(), "KILL");
    drop(server);
    assert!(!folder.exists());
    // the segment is marked for removal; it goes when the killed postmaster's children have noticed
    for _ in 0..3000 {
        if !has_segment() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("its shared memory stays");
}

/// Root's servers run as somebody else; a user's run as that user. Both clean up.
#[test]
fn an_ordinary_user_can_run_one_too() {
    let server = Server::start(&Options::default()).unwrap();
    let owner = fs::metadata(server.data_dir()).unwrap().uid();
    assert_ne!(owner, 0);
    if !am_root() {
        return;
    }
    // `nobody` cannot reach a checkout below /root.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = place.path().join("throwaway-postgres");
    fs::copy(program(), &copy).unwrap();
    let mut other = other(&copy, |command| {
        command
            .uid(65534)
            .gid(65534)
            .current_dir("/")
            .env_remove("HOME")
            .env("TMPDIR", "/tmp");
    });
    assert_eq!(fs::metadata(&other.folder).unwrap().uid(), 65534);
    signal(other.child.id(), "KILL");
    other.child.wait().unwrap();
    assert!(is_gone(&other));
}

/// Root's binaries may lie where the account it drops to cannot go, such as below /root.
#[test]
fn binaries_behind_a_closed_folder_are_copied() {
    if !am_root() {
        return;
    }
    let cache = PathBuf::from("/var/cache/plimsoll/postgres");
    let newest = throwaway_postgres::SUPPORTED_MAJORS
        .map(|major| cache.join(major.to_string()).join("native"));
    // A distribution's installation finds its files by absolute path and is never closed.
    let Some(native) = newest.iter().rev().find(|path| path.exists()) else {
        return;
    };
    let closed = tempfile::tempdir().unwrap();
    let status = Command::new("cp")
        .arg("-a")
        .arg(native)
        .arg(closed.path())
        .status()
        .unwrap();
    assert!(status.success());
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut other = other(program(), |command| {
        command.env("PLIMSOLL_PG_BIN", closed.path().join("native/bin"));
    });
    assert!(other.folder.join("installation/bin/postgres").exists());
    signal(other.child.id(), "TERM");
    other.child.wait().unwrap();
    assert!(is_gone(&other));
}

#[test]
fn after_a_kill_volumes_are_unmounted() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["leaves_nothing::with_volumes", "--exact", "--ignored"])
        .args(["--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    let mut next = |word: &str| {
        let mut found = lines
            .by_ref()
            .filter_map(|line| line.strip_prefix(word).map(str::to_owned));
        found.next().unwrap()
    };
    let folder = PathBuf::from(next("folder "));
    let volumes = next("volumes ");
    signal(child.id(), "KILL");
    child.wait().unwrap();
    let what = "volumes of a killed process";
    if let Some(reason) = volumes.strip_prefix("none: ") {
        report_volumes(what, Err(reason));
        return;
    }
    report_volumes(what, Ok(()));
    let is_mounted = || {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        mounts.contains(&*folder.to_string_lossy())
    };
    let began = Instant::now();
    while is_mounted() || folder.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{}",
            folder.display()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// What that test kills: a server with a volume that answers and one that does not.
#[test]
#[ignore = "run by the test that kills it"]
fn with_volumes() {
    let server = Server::start(&Options::default()).unwrap();
    let own = Volume::tmpfs(&server, "own", 16);
    let volumes = own.and_then(|own| Volume::hung(&server, "hung").map(|hung| (own, hung)));
    println!("\nfolder {}", server.folder().display());
    match &volumes {
        Ok(_) => println!("volumes mounted"),
        Err(reason) => println!("volumes none: {reason}"),
    }
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}
