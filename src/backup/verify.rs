//! Reads a backup or a data directory from end to end: every checksum, every link between segments.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::folder::Folder;
use super::manifest::{MANIFEST, Manifest};
use super::{BackupError, DATABASE, Held, Report, STREAMS, fault};
use crate::event::StreamName;
use crate::limits::CLIENT_ANSWER_BYTES_MAX;
use crate::registry::Registry;
use crate::store::log::inspect::{Inspected, Unreadable, inspect};
use crate::store::log::{directory_name, segment_first};

/// Reads all that is in `path`, a backup or a data directory (a service may be running on it), and
/// changes nothing.
///
/// # Errors
///
/// When it can't be read at all. What is lost or damaged is in the report.
pub fn verify(path: &Path) -> Result<Report, BackupError> {
    let folder = Folder::named(path).map_err(fault("open", path))?;
    let mut report = Report::default();
    let mut registered = BTreeSet::new();
    let database = folder.path().join(DATABASE);
    match Registry::open_to_read(&database).and_then(|registry| registry.list()) {
        Ok(event_streams) => {
            report.event_streams = event_streams.len();
            registered.extend(event_streams.into_iter().map(|one| one.routing_key));
        }
        Err(wrong) => report.faults.push(wrong.to_string()),
    }
    match folder.folder(STREAMS) {
        Ok(streams) => all_streams(&streams, &registered, &mut report)?,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(fault("open", &folder.path().join(STREAMS))(cause)),
    }
    compare(&folder, &mut report)?;
    Ok(report)
}

/// What the backup says that it holds, against what it does.
fn compare(folder: &Folder, report: &mut Report) -> Result<(), BackupError> {
    let path = folder.path().join(MANIFEST);
    let mut text = String::new();
    match folder.file(MANIFEST) {
        Ok(file) => {
            let read = file.take(CLIENT_ANSWER_BYTES_MAX).read_to_string(&mut text);
            read.map_err(fault("read", &path))?;
        }
        // A data directory has none.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(fault("open", &path)(cause)),
    }
    match Manifest::read(&text) {
        Ok(manifest) => report.faults.extend(manifest.differences(report)),
        Err(wrong) => report.faults.push(format!("{}: {wrong}", path.display())),
    }
    Ok(())
}

fn all_streams(
    streams: &Folder,
    registered: &BTreeSet<StreamName>,
    report: &mut Report,
) -> Result<(), BackupError> {
    let known: BTreeSet<String> = registered.iter().map(directory_name).collect();
    for name in streams.names().map_err(fault("list", streams.path()))? {
        let path = streams.path().join(&name);
        if name.starts_with('~') {
            report.notes.push(format!("{}: a removal that was begun", path.display()));
            continue;
        }
        let folder = match streams.folder(&name) {
            Ok(folder) => folder,
            Err(cause) => {
                report.faults.push(fault("open", &path)(cause).to_string());
                continue;
            }
        };
        if !known.contains(&name) {
            report.notes.push(format!("{}: no event stream has this log", path.display()));
        }
        one_stream(&folder, &name, report)?;
    }
    report.streams.sort_by(|a, b| a.stream.cmp(&b.stream));
    Ok(())
}

/// Reads one stream's segments, oldest first.
pub(super) fn one_stream(
    folder: &Folder,
    name: &str,
    report: &mut Report,
) -> Result<(), BackupError> {
    let path = folder.path();
    let names = folder.names().map_err(fault("list", path))?;
    let names: Vec<_> = names.into_iter().filter(|name| segment_first(name).is_some()).collect();
    let mut bytes = 0;
    let mut whole: Vec<Inspected> = Vec::new();
    for (index, file_name) in names.iter().enumerate() {
        let path = path.join(file_name);
        let is_last = index + 1 == names.len();
        let file = match folder.file(file_name) {
            Ok(file) => file,
            // Retention, which removes the oldest first: those before it are gone too.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                whole.clear();
                bytes = 0;
                continue;
            }
            Err(cause) => {
                report.faults.push(fault("open", &path)(cause).to_string());
                continue;
            }
        };
        let length = file.metadata().map_err(fault("look at", &path))?.len();
        bytes += length;
        if let Some(found) = one_segment(&file, length, &path, is_last, report)? {
            judge(&found, whole.last(), length, &path, is_last, report);
            whole.push(found);
        }
    }
    if let (Some(first), Some(last)) = (whole.first(), whole.last()) {
        if !StreamName::new(&first.stream).is_ok_and(|stream| directory_name(&stream) == name) {
            report.faults.push(format!(
                "{}: holds the stream {:?}, whose place is elsewhere",
                path.display(),
                first.stream
            ));
        }
        let (first, next) = (first.first.get(), last.next.get());
        report.streams.push(Held { stream: last.stream.clone(), first, next, bytes });
    }
    Ok(())
}

/// Reads one segment; `None` when it can't be one.
fn one_segment(
    file: &File,
    length: u64,
    path: &Path,
    is_last: bool,
    report: &mut Report,
) -> Result<Option<Inspected>, BackupError> {
    let shown = path.display();
    match inspect(file, length).map_err(fault("read", path))? {
        // A service that writes meanwhile makes what isn't whole yet look damaged: once more, up to
        // where it is.
        Ok(found) if is_last && !found.damage.is_empty() => {
            let again = inspect(file, found.end).map_err(fault("read", path))?;
            return Ok(again.ok());
        }
        Ok(found) => return Ok(Some(found)),
        Err(Unreadable::Header) if is_last && length <= HEADER_BYTES => {
            report.notes.push(format!("{shown}: it was being made"));
        }
        Err(Unreadable::Header) => report.faults.push(format!("{shown}: has no readable header")),
        Err(Unreadable::Format(version, wire)) => {
            report.faults.push(format!("{shown}: has format {version}, wire {wire}, not 1, 1"));
        }
    }
    Ok(None)
}

/// What is wrong with a segment that could be read.
fn judge(
    found: &Inspected,
    before: Option<&Inspected>,
    length: u64,
    path: &Path,
    is_last: bool,
    report: &mut Report,
) {
    let shown = path.display();
    for (from, until) in &found.damage {
        let last = until.get() - 1;
        report.faults.push(format!("{shown}: the events {from} to {last} are damaged"));
    }
    // Behind the end of the last one is what a crash leaves, or a service writes now.
    if length > found.end && !is_last {
        report.faults.push(format!("{shown}: damaged from event {} on", found.next));
    }
    if before.is_some_and(|before| !found.follows(before)) {
        report.faults.push(format!("{shown}: does not follow the segment before it"));
    }
}

/// A segment that is not longer holds no event.
const HEADER_BYTES: u64 = crate::store::log::SEGMENT_HEADER_BYTES as u64;
