//! Puts a backup back into an empty data directory.
//!
//! What is copied lies in `restore.partial` inside the data directory until all of it is there,
//! durable: then it gets its names, the database last. A service refuses to start while that folder
//! is there, so a restore that was interrupted can't be taken for an empty service; the same
//! command again begins anew.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::copy::{Draft, Owner, check_room, copy, remove};
use super::folder::Folder;
use super::verify::verify;
use super::{BackupError, DATABASE, Report, STREAMS, fault};
use crate::store::log::segment_first;

/// The folder in a data directory that is there only while a restore is under way or was
/// interrupted.
pub const RESTORING: &str = "restore.partial";

/// Proves the backup and copies it to `data`, a directory that is empty or not there yet; says what
/// is in it. With `damaged`, also one that isn't whole.
///
/// # Errors
///
/// When the backup is not whole, `data` is not empty or in use, or copying fails: then nothing is
/// in `data`, or what [`RESTORING`] marks as unfinished.
pub fn restore(backup: &Path, data: &Path, damaged: bool) -> Result<Report, BackupError> {
    let from = Folder::named(backup).map_err(fault("open the backup", backup))?;
    let report = verify(backup)?;
    if let Some(first) = report.faults.first()
        && !damaged
    {
        let count = report.faults.len();
        return Err(BackupError(format!(
            "the backup is not whole ({first}{}); see ess verify {}, and ess restore --damaged",
            if count > 1 { format!(", and {} more", count - 1) } else { String::new() },
            backup.display()
        )));
    }
    std::fs::create_dir_all(data).map_err(fault("make", data))?;
    let to = Folder::named(data).map_err(fault("open", data))?;
    let _lock = lock(&to)?;
    clear(&to)?;
    let owner = Owner::of(to.path()).map_err(fault("look at", data))?;
    let draft = Draft::begin(&to.path().join(RESTORING))?;
    let database = from.path().join(DATABASE);
    let size = database.metadata().map_err(fault("look at", &database))?.len();
    check_room(&draft.folder, report.bytes().saturating_add(size))?;
    let made = draft.path();
    if let Ok(streams) = from.folder(STREAMS) {
        all_streams(&streams, &made.join(STREAMS), owner)?;
    }
    file(&from, DATABASE, &made, owner)?;
    draft.folder.sync().map_err(fault("sync", &made))?;
    name(&to, &made)?;
    draft.finish();
    Ok(report)
}

/// The lock that a service on this directory would hold.
fn lock(data: &Folder) -> Result<File, BackupError> {
    let path = data.path().join("ess.lock");
    let file = data.own_file("ess.lock").map_err(fault("open", &path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        BackupError(format!("a service uses {}; stop it first", data.path().display()))
    })?;
    if let Some(owner) = Owner::of(data.path()).map_err(fault("look at", data.path()))? {
        owner.take(&file).map_err(fault("change the owner of", &path))?;
    }
    Ok(file)
}

/// Removes what an interrupted restore left; refuses anything else.
fn clear(data: &Folder) -> Result<(), BackupError> {
    let names = data.names().map_err(fault("list", data.path()))?;
    let interrupted = names.iter().any(|name| name == RESTORING);
    for name in names {
        let path = data.path().join(&name);
        match name.as_str() {
            // A file system's own folder, and what we hold ourselves.
            "ess.lock" | "lost+found" | RESTORING => {}
            STREAMS | DATABASE if interrupted => remove(&path).map_err(fault("remove", &path))?,
            _ => {
                let shown = data.path().display();
                return Err(BackupError(format!(
                    "{shown} is not empty (it has {name}); move its contents away, or name another \
                     with --data-dir"
                )));
            }
        }
    }
    Ok(())
}

fn all_streams(streams: &Folder, made: &Path, owner: Option<Owner>) -> Result<(), BackupError> {
    folder(made, owner)?;
    for name in streams.names().map_err(fault("list", streams.path()))? {
        let path = streams.path().join(&name);
        let stream = streams.folder(&name).map_err(fault("open", &path))?;
        let copied = made.join(&name);
        folder(&copied, owner)?;
        for segment in stream.names().map_err(fault("list", &path))? {
            if segment_first(&segment).is_some() {
                file(&stream, &segment, &copied, owner)?;
            }
        }
        sync(&copied)?;
    }
    sync(made)
}

fn folder(path: &Path, owner: Option<Owner>) -> Result<(), BackupError> {
    let made = std::fs::create_dir(path).and_then(|()| match owner {
        Some(owner) => owner.take(&File::open(path)?),
        None => Ok(()),
    });
    made.map_err(fault("make", path))
}

fn file(from: &Folder, name: &str, to: &Path, owner: Option<Owner>) -> Result<(), BackupError> {
    let path: PathBuf = from.path().join(name);
    let copied = from.file(name).and_then(|file| {
        let bytes = file.metadata()?.len();
        copy(&file, bytes, &to.join(name), owner)
    });
    copied.map(drop).map_err(fault("copy", &path))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    Folder::named(path).and_then(|folder| folder.sync()).map_err(fault("sync", path))
}

/// Gives what is whole its names, the database last.
fn name(to: &Folder, made: &Path) -> Result<(), BackupError> {
    for name in [STREAMS, DATABASE] {
        let (from, to) = (made.join(name), to.path().join(name));
        match std::fs::rename(&from, &to) {
            // With a broker there are no logs.
            Err(cause) if name == STREAMS && cause.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(fault("rename to", &to))?,
        }
    }
    to.sync().map_err(fault("sync", to.path()))?;
    std::fs::remove_dir(made).map_err(fault("remove", made))?;
    to.sync().map_err(fault("sync", to.path()))
}
