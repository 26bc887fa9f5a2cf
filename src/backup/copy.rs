//! Bytes from one file to another, durably, with regard for whoever uses the disk too.

use std::fs::{File, OpenOptions, remove_dir_all, remove_file};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, fstatvfs};

use super::folder::Folder;
use super::{BackupError, fault};
use crate::limits::{BACKUP_ROOM_BYTES, BACKUP_SYNC_BYTES};

/// Copies the first `bytes` bytes of `from` to a new file, durable when this returns (its name is
/// the caller's to sync); `owner` gets it.
pub(super) fn copy(from: &File, bytes: u64, to: &Path, owner: Option<Owner>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(to)?;
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(BACKUP_SYNC_BYTES);
        if io::copy(&mut from.take(piece), &mut file)? < piece {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        left -= piece;
        // Small syncs: a large one would hold up the syncs of the service.
        file.sync_data()?;
    }
    if let Some(owner) = owner {
        owner.take(&file)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Whom a file of a data directory should belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// The owner of a folder, when we are root and it isn't root's: whoever restores is often root,
    /// and the service never should be.
    pub(super) fn of(folder: &Path) -> io::Result<Option<Self>> {
        let there = folder.metadata()?;
        let root = rustix::process::geteuid().is_root();
        let owner = Self { user: there.uid(), group: there.gid() };
        Ok((root && owner.user != 0).then_some(owner))
    }

    /// Makes the file theirs.
    pub(super) fn take(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.user), Some(self.group))
    }
}

/// A folder in the making: locked, and gone when it is not wanted after all.
pub(super) struct Draft {
    pub(super) folder: Folder,
    finished: bool,
}

impl Draft {
    /// Makes the folder `path`, empty. What an interrupted attempt left there is removed.
    pub(super) fn begin(path: &Path) -> Result<Self, BackupError> {
        match std::fs::create_dir(path) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(fault("make", path)(cause)),
        }
        let folder = Folder::itself(path).map_err(fault("open", path))?;
        folder.make_private().map_err(fault("make private", path))?;
        flock(folder.descriptor(), FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            BackupError(format!("another ess is at work in {}; wait for it", path.display()))
        })?;
        for name in folder.names().map_err(fault("list", path))? {
            let left = folder.path().join(name);
            remove(&left).map_err(fault("remove", &left))?;
        }
        Ok(Self { folder, finished: false })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// It has become what it was to be: nothing is removed.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // What can't be removed now is removed by the next attempt.
            let _ = remove_dir_all(self.folder.path());
        }
    }
}

/// Removes a file, or a folder with all that is in it; a link itself, not what it leads to.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { remove_dir_all(path) } else { remove_file(path) }
}

/// Refuses when the disk of `folder` has no room for so many bytes.
pub(super) fn check_room(folder: &Folder, bytes: u64) -> Result<(), BackupError> {
    let disk = fstatvfs(folder.descriptor())
        .map_err(|cause| fault("ask for the free space of", folder.path())(cause.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = bytes.saturating_add(BACKUP_ROOM_BYTES);
    if needed > free {
        return Err(BackupError(format!(
            "no room in {}: {needed} bytes are needed, {free} are free; nothing was copied",
            folder.path().parent().unwrap_or_else(|| folder.path()).display()
        )));
    }
    Ok(())
}
