//! A file that a command writes: whole before it has its name, its owner's only, and in the place of another
//! only when that was asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plimsoll_connect::folder::of_file;
use tempfile::NamedTempFile;

/// What becomes of a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfExists {
    /// It stays, and that it is there is an error with this remark.
    Fail(&'static str),
    /// It is replaced.
    Replace,
}

/// A file on its way to its name. Dropped before [`NewFile::keep`], it leaves nothing.
pub(crate) struct NewFile {
    path: PathBuf,
    if_exists: IfExists,
    partial: NamedTempFile,
}

impl NewFile {
    /// Begins one.
    pub(crate) fn begin(path: &Path, if_exists: IfExists) -> anyhow::Result<Self> {
        if let IfExists::Fail(remark) = if_exists
            && path.symlink_metadata().is_ok()
        {
            bail!("{} exists already: {remark}", path.display());
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // Such files may be read and written by their owner only.
        let partial = tempfile::Builder::new()
            .prefix(".plimsoll-")
            .suffix(".partial")
            .tempfile_in(folder)
            .map_err(|error| of_file(&folder.join("it"), error))
            .with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(Self {
            path: path.to_owned(),
            if_exists,
            partial,
        })
    }

    /// Where it is until it has its name.
    pub(crate) fn partial_path(&self) -> &Path {
        self.partial.path()
    }

    /// Gives it its name, and returns its size.
    pub(crate) fn keep(self) -> anyhow::Result<u64> {
        let context = || format!("cannot write {}", self.path.display());
        self.partial.as_file().sync_all().with_context(context)?;
        let kept = match self.if_exists {
            IfExists::Replace => self.partial.persist(&self.path),
            IfExists::Fail(_) => self.partial.persist_noclobber(&self.path),
        };
        kept.with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(fs::metadata(&self.path)?.len())
    }
}

/// Where a command's data goes.
pub(crate) enum Sink {
    /// Standard output, or a pipe or device that has a name: written to as it comes.
    Stream(BufWriter<Box<dyn Write + Send>>),
    /// A file.
    File(BufWriter<File>, NewFile),
}

impl Sink {
    /// Standard output for no path and for `-`.
    pub(crate) fn open(path: Option<&Path>, if_exists: IfExists) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stream(BufWriter::new(Box::new(io::stdout()))));
        };
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let stream = OpenOptions::new()
                .write(true)
                .open(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(Self::Stream(BufWriter::new(Box::new(stream))));
        }
        let file = NewFile::begin(path, if_exists)?;
        let writer = BufWriter::with_capacity(1 << 16, file.partial.as_file().try_clone()?);
        Ok(Self::File(writer, file))
    }

    /// What to write to.
    pub(crate) fn writer(&mut self) -> &mut (dyn Write + Send) {
        match self {
            Self::Stream(writer) => writer,
            Self::File(writer, _) => writer,
        }
    }

    /// Keeps what was written.
    pub(crate) fn keep(self) -> anyhow::Result<()> {
        match self {
            Self::Stream(mut writer) => writer.flush()?,
            Self::File(mut writer, file) => {
                let context = || format!("cannot write {}", file.path.display());
                writer.flush().with_context(context)?;
                file.keep()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const STAYS: IfExists = IfExists::Fail("so it is");

    #[test]
    fn a_file_is_its_owners_only_and_replaces_another_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let write = |text: &str, if_exists| -> anyhow::Result<()> {
            let mut sink = Sink::open(Some(&path), if_exists)?;
            sink.writer().write_all(text.as_bytes())?;
            sink.keep()
        };
        write("first", STAYS).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(write("second", STAYS).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        // Whoever could read what was there cannot read what takes its place.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write("third", IfExists::Replace).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        // Given up, it leaves what was there, and nothing beside it.
        drop(Sink::open(Some(&path), IfExists::Replace).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // A device is written to, not replaced.
        let mut sink = Sink::open(Some(Path::new("/dev/null")), STAYS).unwrap();
        sink.writer().write_all(b"x").unwrap();
        sink.keep().unwrap();
    }
}
