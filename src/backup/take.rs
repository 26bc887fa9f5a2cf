//! Takes a backup.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::copy::{Draft, check_room, copy, remove};
use super::folder::Folder;
use super::manifest::{MANIFEST, Manifest};
use super::verify::verify;
use super::{BackupError, DATABASE, Report, STREAMS, fault};
use crate::clock::Clock;
use crate::event::StreamName;
use crate::limits::BACKUP_LOOKS_MAX;
use crate::registry::{Registry, snapshot};
use crate::store::log::inspect::inspect;
use crate::store::log::{SEGMENT_HEADER_BYTES, directory_name, segment_first};

/// Copies the data directory `data` to the new directory `target`; says what is in it. A service
/// may be running on `data`, or not. Damage in `data` is copied as it is, and reported.
///
/// # Errors
///
/// When there is no whole backup; then there is no `target`, or it is empty as before.
pub fn take(data: &Path, target: &Path, clock: &Clock) -> Result<Report, BackupError> {
    let taken = clock.now();
    let from = Folder::named(data).map_err(fault("open the data directory", data))?;
    let place = place(target)?;
    let draft = Draft::begin(&place.draft)?;
    let mut report = fill(&from, &draft, taken)?;
    let made = draft.path();
    std::fs::rename(&made, &place.target).map_err(fault("rename to", &place.target))?;
    draft.finish();
    let parent = Folder::named(&place.parent).map_err(fault("open", &place.parent))?;
    parent.sync().map_err(fault("sync", &place.parent))?;
    // They were found under the name that nobody will see.
    let (hidden, shown) = (made.display().to_string(), place.target.display().to_string());
    for line in report.faults.iter_mut().chain(&mut report.notes) {
        *line = line.replace(&hidden, &shown);
    }
    Ok(report)
}

/// Where the backup goes, and where it is made.
struct Place {
    parent: PathBuf,
    draft: PathBuf,
    target: PathBuf,
}

fn place(target: &Path) -> Result<Place, BackupError> {
    let name = target.file_name().ok_or_else(|| {
        BackupError(format!("{} is no name for a backup; name a new directory", target.display()))
    })?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let parent = parent.canonicalize().map_err(fault("find", parent))?;
    let target = parent.join(name);
    match target.symlink_metadata() {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(fault("look at", &target)(cause)),
        Ok(there) => {
            let empty = there.is_dir()
                && std::fs::read_dir(&target).map_err(fault("list", &target))?.next().is_none();
            if !empty {
                let shown = target.display();
                return Err(BackupError(format!("{shown} is there already; name a new directory")));
            }
        }
    }
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".partial");
    Ok(Place { draft: parent.join(hidden), parent, target })
}

/// Makes the draft a whole backup, but for its name.
fn fill(
    from: &Folder,
    draft: &Draft,
    taken: crate::event::Timestamp,
) -> Result<Report, BackupError> {
    let to = draft.path();
    let names = registered(from, &to)?;
    let mut notes = Vec::new();
    if let Some(streams) = streams_of(from)? {
        check_room(&draft.folder, needed(&streams, &names)?)?;
        let copies = to.join(STREAMS);
        std::fs::create_dir(&copies).map_err(fault("make", &copies))?;
        for name in &names {
            if !stream(&streams, name, &copies)? {
                notes.push(format!(
                    "stream {:?} has no log: it is new, or in a broker, or was \
                                    deleted meanwhile",
                    name.as_str()
                ));
            }
        }
        Folder::named(&copies).and_then(|copies| copies.sync()).map_err(fault("sync", &copies))?;
    }
    let mut report = verify(&to)?;
    report.notes.splice(..0, notes);
    let manifest = to.join(MANIFEST);
    let written = Manifest::of(&report, taken).text().and_then(|text| {
        let mut file = File::create_new(&manifest)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(fault("write", &manifest))?;
    draft.folder.sync().map_err(fault("sync", &to))?;
    Ok(report)
}

/// Copies the database; the names of the streams that it knows.
fn registered(from: &Folder, to: &Path) -> Result<BTreeSet<StreamName>, BackupError> {
    let (database, copied) = (from.path().join(DATABASE), to.join(DATABASE));
    if let Err(cause) = from.file(DATABASE) {
        let path = from.path().display();
        return Err(BackupError(format!(
            "{path} has no {DATABASE} that can be read ({cause}): is it the data directory? \
             (--data-dir)"
        )));
    }
    let failed = |wrong: crate::registry::RegistryError| BackupError(wrong.to_string());
    snapshot(&database, &copied).map_err(failed)?;
    let event_streams =
        Registry::open_to_read(&copied).and_then(|registry| registry.list()).map_err(failed)?;
    Ok(event_streams.into_iter().map(|one| one.routing_key).collect())
}

fn streams_of(from: &Folder) -> Result<Option<Folder>, BackupError> {
    match from.folder(STREAMS) {
        Ok(streams) => Ok(Some(streams)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => {
            let path = from.path().join(STREAMS);
            Err(BackupError(format!(
                "can't open {}: {cause} (no link is followed)",
                path.display()
            )))
        }
    }
}

/// About how many bytes will be copied.
fn needed(streams: &Folder, names: &BTreeSet<StreamName>) -> Result<u64, BackupError> {
    let mut bytes = 0;
    for name in names {
        let Some(folder) = log_of(streams, name)? else { continue };
        for segment in segments(&folder)? {
            // One that is gone needs no room.
            bytes += folder.file(&segment).and_then(|file| file.metadata()).map_or(0, |m| m.len());
        }
    }
    Ok(bytes)
}

fn log_of(streams: &Folder, name: &StreamName) -> Result<Option<Folder>, BackupError> {
    let directory = directory_name(name);
    match streams.folder(&directory) {
        Ok(folder) => Ok(Some(folder)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => {
            let path = streams.path().join(directory);
            Err(BackupError(format!(
                "can't open {}: {cause} (no link is followed)",
                path.display()
            )))
        }
    }
}

fn segments(folder: &Folder) -> Result<Vec<String>, BackupError> {
    let mut names = folder.names().map_err(fault("list", folder.path()))?;
    names.retain(|name| segment_first(name).is_some());
    Ok(names)
}

/// Copies one stream's log; false when it has none, or it was deleted meanwhile.
fn stream(streams: &Folder, name: &StreamName, copies: &Path) -> Result<bool, BackupError> {
    let copied = copies.join(directory_name(name));
    for _ in 0..BACKUP_LOOKS_MAX {
        let Some(folder) = log_of(streams, name)? else { return Ok(false) };
        std::fs::create_dir(&copied).map_err(fault("make", &copied))?;
        let found = segments_of(&folder, &copied)?;
        let same = streams.still_has(&directory_name(name), &folder);
        if same.map_err(fault("look at", folder.path()))? && found {
            let synced = Folder::named(&copied).and_then(|copied| copied.sync());
            return synced.map(|()| true).map_err(fault("sync", &copied));
        }
        // It was deleted, and perhaps made anew; or retention was faster than we.
        remove(&copied).map_err(fault("remove", &copied))?;
    }
    Err(BackupError(format!(
        "the log of {:?} changes faster than it can be copied: is its retention very short?",
        name.as_str()
    )))
}

/// Copies the segments, oldest first; false when none was there to the end.
fn segments_of(folder: &Folder, copied: &Path) -> Result<bool, BackupError> {
    let mut made: Vec<PathBuf> = Vec::new();
    let names = segments(folder)?;
    for (index, name) in names.iter().enumerate() {
        let (path, target) = (folder.path().join(name), copied.join(name));
        let file = match folder.file(name) {
            Ok(file) => file,
            // Retention removes the oldest first: those before it are gone too.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                for gone in made.drain(..) {
                    remove(&gone).map_err(fault("remove", &gone))?;
                }
                continue;
            }
            Err(cause) => return Err(fault("open", &path)(cause)),
        };
        let bytes = file.metadata().map_err(fault("look at", &path))?.len();
        let is_last = index + 1 == names.len();
        if is_last && bytes < SEGMENT_HEADER_BYTES as u64 && !made.is_empty() {
            // It is being made: nothing is in it.
            continue;
        }
        segment(&file, bytes, &path, &target, is_last)?;
        made.push(target);
    }
    Ok(!made.is_empty())
}

/// Copies one segment, the last one up to its last whole group: what is before that stays as it
/// is, while a service writes behind it, also over zeros that the file has there already.
fn segment(
    from: &File,
    bytes: u64,
    path: &Path,
    target: &Path,
    is_last: bool,
) -> Result<(), BackupError> {
    let mut settled = bytes;
    if is_last && let Ok(found) = inspect(from, bytes).map_err(fault("read", path))? {
        settled = found.end;
    }
    copy(from, settled, target, None).map(drop).map_err(fault("copy", path))
}
