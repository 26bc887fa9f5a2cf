//! Copies of a data directory: taken beside a running service or a stopped one, proved, put back.
//!
//! ```text
//!  data directory                      backup, itself a data directory
//!  ├─ event-streams.db ── SQLite ────▶ ├─ event-streams.db      one moment of it
//!  ├─ streams/                         ├─ streams/
//!  │   └─ orders/                      │   └─ orders/
//!  │       ├─ …0001.log ── as it is ─▶ │       ├─ …0001.log
//!  │       └─ …4711.log ── up to its ▶ │       └─ …4711.log     up to the last whole group
//!  └─ ess.lock         last group      └─ backup.json           what it holds; written last
//! ```
//!
//! Why this is consistent beside a running service: segments only grow, so what lies before a
//! file's length stays as it is; an event that was acknowledged before the copy began lies there.
//! The database is copied *first*, and of the streams it knows only: one that is made meanwhile is
//! not in the backup, one that is deleted meanwhile has its event stream and no events. Either is
//! what a backup some moments earlier or later would be.
//!
//! Promises:
//!
//! - a directory with the wanted name is a whole backup: it is made under another name, read back
//!   with every checksum, made durable, and renamed last;
//! - the service isn't asked for anything, and nothing in its directory is changed;
//! - no symbolic link below the data directory is followed.
//!
//! Blocks its thread: this is for commands, and no shard calls it.

mod copy;
mod folder;
mod manifest;
mod restore;
mod take;
mod verify;

use std::fmt;
use std::io;
use std::path::Path;

pub use restore::{RESTORING, restore};
pub use take::take;
pub use verify::verify;

/// The database in a data directory.
const DATABASE: &str = "event-streams.db";
/// The folder of the streams in it.
const STREAMS: &str = "streams";

/// What a backup or data directory holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// How many event streams are registered.
    pub event_streams: usize,
    /// The streams that have a log, by name.
    pub streams: Vec<Held>,
    /// What is unusual and harmless, a line each.
    pub notes: Vec<String>,
    /// What is lost or damaged, a line each.
    pub faults: Vec<String>,
}

/// One stream's log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Its name: the routing key.
    pub stream: String,
    /// Ordinal of the first event that its oldest segment has.
    pub first: u64,
    /// The ordinal after its last event.
    pub next: u64,
    /// Bytes of its segments.
    pub bytes: u64,
}

impl Report {
    /// Bytes of all logs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.streams.iter().map(|held| held.bytes).sum()
    }

    /// Events of all logs.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.streams.iter().map(|held| held.next - held.first).sum()
    }
}

/// Why it could not be done: one line, with what to do where that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupError(String);

impl fmt::Display for BackupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for BackupError {}

/// `can't <operation> <path>: <cause>`.
fn fault<'a>(
    operation: &'a str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> BackupError + use<'a> {
    move |cause| BackupError(format!("can't {operation} {}: {cause}", path.display()))
}

#[cfg(test)]
mod tests;
