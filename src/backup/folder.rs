//! A folder that stays the one it was: opened once, and what is in it through its descriptor.
//!
//! Whoever may write to the data directory must not be able to make a backup (which an operator
//! may run as root) read files from elsewhere, so no link is followed.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, statat};

/// An open folder.
pub(super) struct Folder {
    file: File,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that a person named, who may name a link to it.
    pub(super) fn named(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(open(&path, flags, Mode::empty())?);
        Ok(Self { file, path })
    }

    /// Opens a folder that must be one itself, not a link to one.
    pub(super) fn itself(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(open(path, flags, Mode::empty())?);
        Ok(Self { file, path: path.to_owned() })
    }

    /// Opens a folder in this one.
    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(openat(&self.file, name, flags, Mode::empty())?);
        Ok(Self { file, path: self.path.join(name) })
    }

    /// Opens a regular file in this folder to read it.
    pub(super) fn file(&self, name: &str) -> io::Result<File> {
        // A FIFO would make opening wait.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(openat(&self.file, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(file)
    }

    /// Opens a file in this folder to write to it, made where there is none.
    pub(super) fn own_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Lets nobody but its owner in.
    pub(super) fn make_private(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.file, Mode::RWXU)?)
    }

    /// The names in this folder, in order; those that are no UTF-8 are nobody's of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether `name` in this folder still is `other`.
    pub(super) fn still_has(&self, name: &str, other: &Self) -> io::Result<bool> {
        let now = match statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(now) => now,
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            Err(fault) => return Err(fault.into()),
        };
        let then = rustix::fs::fstat(&other.file)?;
        let is_folder = FileType::from_raw_mode(now.st_mode) == FileType::Directory;
        Ok(is_folder && (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino))
    }

    /// Where it was when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Its descriptor.
    pub(super) fn descriptor(&self) -> impl AsFd + '_ {
        &self.file
    }
}
