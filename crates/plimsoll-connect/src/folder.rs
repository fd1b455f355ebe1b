//! Which folder on the way to a file may not be entered: to this user nothing in it is there.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// What the system said of a file, with the folder that this user may not enter, where that is why.
pub fn of_file(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    match closed(path) {
        Some(folder) => {
            let text = format!(
                "permission denied: this user may not enter the folder {}",
                folder.display()
            );
            io::Error::new(error.kind(), text)
        }
        None => error,
    }
}

/// The first folder on the way to a file that may not be entered.
fn closed(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.reverse();
    let closed = folders
        .into_iter()
        .find(|folder| folder.is_dir() && access(*folder, Access::EXEC_OK).is_err());
    closed.map(Path::to_owned)
}
