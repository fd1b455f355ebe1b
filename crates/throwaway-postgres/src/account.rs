//! The unprivileged account that a server of root's runs under, and what that account can reach.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use crate::error::StartError;

/// A user and its group, which a server runs as where we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// `postgres`, else `nobody`.
    pub(crate) fn unprivileged() -> Result<Self, StartError> {
        let passwd = fs::read_to_string("/etc/passwd").map_err(StartError::io(
            "reading /etc/passwd to find the account to run as",
        ))?;
        Self::find(&passwd).ok_or(StartError::NoAccount)
    }

    fn find(passwd: &str) -> Option<Self> {
        ["postgres", "nobody"].iter().find_map(|wanted| {
            passwd.lines().find_map(|line| {
                let mut fields = line.split(':');
                if fields.next()? != *wanted {
                    return None;
                }
                let uid = fields.nth(1)?.parse().ok()?;
                let gid = fields.next()?.parse().ok()?;
                (uid != 0).then_some(Self { uid, gid })
            })
        })
    }

    /// Whether it has `bits` of access to `path` itself, and may search every folder above.
    pub(crate) fn may_access(self, bits: u32, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        let allows = |path: &Path, bits: u32| {
            fs::metadata(path).is_ok_and(|meta| {
                let shift = if meta.uid() == self.uid {
                    6
                } else if meta.gid() == self.gid {
                    3
                } else {
                    0
                };
                (meta.mode() >> shift) & bits == bits
            })
        };
        allows(&path, bits) && path.ancestors().skip(1).all(|above| allows(above, 0o1))
    }

    /// Gives a path, and everything below it, to the account.
    pub(crate) fn chown_tree(self, path: &Path) -> io::Result<()> {
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path)? {
                self.chown_tree(&entry?.path())?;
            }
        }
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
    }

    /// Gives one path to the account.
    pub(crate) fn chown(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

/// Copies a folder with everything in it: symbolic links as links, and not what `skip` names.
pub(crate) fn copy_folder(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    match fs::create_dir(to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::set_permissions(to, fs::metadata(from)?.permissions())?,
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if skip(&source) {
            continue;
        }
        let kind = entry.file_type()?;
        let copied = if kind.is_dir() {
            copy_folder(&source, &target, skip)
        } else if kind.is_symlink() {
            fs::read_link(&source).and_then(|aim| symlink(aim, &target))
        } else if kind.is_file() {
            fs::copy(&source, &target).map(drop)
        } else {
            Ok(())
        };
        match copied {
            // A running server drops files while they are copied; its WAL says so to the copy.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {}
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_to_nobody_and_root_is_never_taken() {
        let nobody = "nobody:x:65534:65533:nobody:/:/sbin/nologin\n";
        let postgres = "postgres:x:101:104::/var/lib/postgresql:/bin/bash\n";
        let cases = [
            (
                format!("root:x:0:0::/:/bin/sh\n{nobody}{postgres}"),
                Some((101, 104)),
            ),
            (nobody.to_owned(), Some((65534, 65533))),
            ("postgres:x:0:0::/:/bin/sh\n".to_owned(), None),
            ("root:x:0:0::/:/bin/sh\n".to_owned(), None),
        ];
        for (passwd, expect) in cases {
            let found = Account::find(&passwd).map(|account| (account.uid, account.gid));
            assert_eq!(found, expect, "{passwd}");
        }
    }
}
