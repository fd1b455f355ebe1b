//! Which pool of free space a directory lies on, by the kernel's table of mounts (`/proc/self/mountinfo`).
//!
//! A device number is no pool: two subvolumes of one btrfs have two and one free space, and so have two datasets of one
//! ZFS pool. A bind mount has the number of what it shows.

use std::path::{Path, PathBuf};

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub mount_point: PathBuf,
    /// `ext4`, `btrfs`, ...
    pub fs_type: String,
    /// What free space it has a share of: equal for all mounts of one pool of this host.
    pub pool: String,
}

/// Every mount of a mountinfo table, in its order; lines that are none are left out.
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

/// The mount that a path without links lies on: the longest mount point above it, the last of those mounted there.
pub fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts
        .iter()
        .enumerate()
        .filter(|(_, mount)| path.starts_with(&mount.mount_point))
        .max_by_key(|(i, mount)| (mount.mount_point.components().count(), *i))
        .map(|(_, mount)| mount)
}

/// `36 35 98:0 /root /mount/point options optional... - type source super-options` (proc(5)).
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let device = left.nth(2)?;
    let mount_point = unescaped(left.nth(1)?);
    let mut right = right.split(' ');
    let fs_type = right.next()?.to_owned();
    let source = unescaped(right.next()?);
    let pool = match fs_type.as_str() {
        "zfs" => source.split('/').next().unwrap_or(&source).to_owned(),
        "btrfs" => source,
        // The name of a device, or of a server's export, is one file system's; "tmpfs" or "overlay" is anyone's.
        _ if source.starts_with('/') || source.contains(":/") => source,
        _ => format!("{source} {device}"),
    };
    Some(Mount {
        mount_point: PathBuf::from(mount_point),
        fs_type,
        pool,
    })
}

/// Blanks, tabs, line ends and backslashes are written as octal numbers.
fn unescaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        result.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 4)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (shown, skipped) = code.map_or(('\\', 1), |code| (char::from(code), 4));
        result.push(shown);
        rest = &rest[at + skipped..];
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
30 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw
31 22 0:26 / /dev/shm rw,nosuid shared:2 - tmpfs tmpfs rw
40 22 0:50 /data /var/lib/postgresql rw - btrfs /dev/sdb rw,compress=zstd
41 22 0:51 /wal /wal rw - btrfs /dev/sdb rw
42 22 0:60 / /tank/pg rw - zfs tank/pg rw
43 22 0:61 / /tank/log rw - zfs tank/log rw
44 22 259:2 /srv /bound\\040here rw - ext4 /dev/nvme0n1p2 rw
45 22 0:70 / /nfs rw - nfs4 filer:/export rw
46 22 0:71 / /wal rw - ext4 /dev/sdc rw
not a line";

    #[test]
    fn a_directory_lies_on_the_pool_of_the_last_mount_above_it() {
        let mounts = mounts(TABLE);
        for (path, pool, fs_type) in [
            ("/var/lib/other", "/dev/nvme0n1p2", "ext4"),
            ("/var/lib/postgresql/15/main", "/dev/sdb", "btrfs"),
            ("/var/lib/postgresql", "/dev/sdb", "btrfs"),
            ("/var/lib/postgresql2", "/dev/nvme0n1p2", "ext4"),
            ("/wal/x", "/dev/sdc", "ext4"),
            ("/tank/pg/base", "tank", "zfs"),
            ("/tank/log", "tank", "zfs"),
            ("/bound here/x", "/dev/nvme0n1p2", "ext4"),
            ("/dev/shm/x", "tmpfs 0:26", "tmpfs"),
            ("/run/x", "tmpfs 0:25", "tmpfs"),
            ("/nfs/x", "filer:/export", "nfs4"),
        ] {
            let mount = mount_of(&mounts, Path::new(path)).unwrap();
            assert_eq!(
                (mount.pool.as_str(), mount.fs_type.as_str()),
                (pool, fs_type),
                "{path}"
            );
        }
        assert_eq!(mount_of(&[], Path::new("/x")), None);
    }

    #[test]
    fn names_are_unescaped_and_broken_escapes_stay() {
        for (text, shown) in [
            ("a\\040b", "a b"),
            ("\\134", "\\"),
            ("a\\", "a\\"),
            ("\\9", "\\9"),
            ("ü\\011", "ü\t"),
        ] {
            assert_eq!(unescaped(text), shown);
        }
    }
}
