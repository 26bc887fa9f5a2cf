//! The embedded log: a stream is a directory of segments, a segment a row of blocks.
//!
//! `FORMAT.md` beside this file has every byte and every rule of recovery. The parts:
//!
//! ```text
//! stream     one stream: its state, and what others ask of it
//! queue      who may write: group commit by one of those who wait
//! commit     a group on its way to the disk; rolling
//! ahead      zeros written in advance, so that a sync is one flush
//! retention  what goes, and where a timestamp stands
//! reader     blocks on their way back: contiguous frames
//! open, scan what a crash left
//! segment, window, header, naming   files, bytes and names
//! inspect    a segment seen from outside, by a backup
//! disk       the seam to the filesystem
//! ```
//!
//! Every stream belongs to one shard: nothing here is shared between threads, no task is spawned,
//! and no timer runs; [`StreamStore::retain`] and [`StreamStore::sync`] are called from outside.
//!
//! [`StreamStore::retain`]: crate::store::StreamStore::retain
//! [`StreamStore::sync`]: crate::store::StreamStore::sync

mod ahead;
mod commit;
pub mod disk;
mod gather;
mod header;
pub mod inspect;
mod naming;
mod open;
mod queue;
mod reader;
mod retention;
mod scan;
mod segment;
mod stream;
#[cfg(test)]
mod tests;
mod walk;
mod window;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Fsync, Retain};
use crate::event::StreamName;
use crate::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, WRITE_AHEAD_BYTES_MAX};
use crate::meter::{Durations, Tally};

use super::{Observer, Skip, Store, StoreError, Vitals};

use disk::Disk;
pub(crate) use header::SEGMENT_HEADER_BYTES;
pub(crate) use naming::{directory_name, segment_first};
pub use reader::LogReader;
pub use stream::LogStream;

/// Streams in the directories of a folder.
pub struct LogStore<D> {
    disk: D,
    streams_dir: PathBuf,
    options: LogOptions,
    clock: Clock,
    meters: Rc<Meters>,
}

/// What a log counts, for all its streams.
#[derive(Default)]
struct Meters {
    syncs: Durations,
    skipped: Tally<Skip>,
    /// Those that take no more events, and why.
    poisoned: RefCell<BTreeMap<StreamName, Arc<str>>>,
}

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// When an append counts as stored.
    pub fsync: Fsync,
    /// What is kept.
    pub retain: Retain,
    /// A segment with so many bytes takes no further group.
    pub segment_bytes_max: u64,
    /// Most zeros written behind the end of a segment at once, in bytes; none when 0.
    pub write_ahead_bytes_max: u64,
    /// A segment whose first event is so old takes no further group.
    pub segment_age_max: Option<Duration>,
    /// A segment with so many events takes no further group.
    pub segment_events_max: Option<u64>,
    /// Gives every segment a number that strangers can't know.
    pub salt: fn() -> u32,
    pub(crate) guards: Guards,
}

/// Recovery's guards against what a crash left. All are needed; the simulation switches them off
/// to prove that it would see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Guards {
    /// A block counts only right after the block it links to.
    pub(crate) chain: bool,
    /// Recovery writes and syncs a fence before it takes an append.
    pub(crate) fence: bool,
    /// Recovery cuts off what lies behind the last whole group.
    pub(crate) cut: bool,
    /// Recovery writes the last group once more, since a failed sync may have lost it unseen.
    pub(crate) rewrite: bool,
}

impl LogOptions {
    /// The options for these rules: a stream is about eight segments or more, so that dropping
    /// whole segments is fine enough.
    #[must_use]
    pub fn new(fsync: Fsync, retain: Retain) -> Self {
        let eighth =
            retain.bytes.map_or(SEGMENT_BYTES_MAX, |bytes| bytes / u64::from(SEGMENTS_KEPT));
        Self {
            fsync,
            retain,
            segment_bytes_max: eighth.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            write_ahead_bytes_max: WRITE_AHEAD_BYTES_MAX,
            segment_age_max: retain.age.map(|age| age / SEGMENTS_KEPT),
            segment_events_max: retain
                .events
                .map(|events| (events / u64::from(SEGMENTS_KEPT)).max(1)),
            salt: random_salt,
            guards: Guards { chain: true, fence: true, cut: true, rewrite: true },
        }
    }
}

impl<D: Disk> LogStore<D> {
    /// A store in `streams_dir`, which is made when the first stream is; its parent must exist.
    #[must_use]
    pub fn new(disk: D, streams_dir: PathBuf, options: LogOptions, clock: Clock) -> Self {
        Self { disk, streams_dir, options, clock, meters: Rc::default() }
    }
}

impl<D: Disk> Store for LogStore<D> {
    type Stream = LogStream<D>;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<LogStream<D>>, StoreError> {
        self.open_stream(name, observer).await.map(Rc::new)
    }

    async fn remove(&self, name: &StreamName) -> Result<(), StoreError> {
        self.remove_stream(name).await
    }

    fn defect(&self) -> Option<String> {
        let poisoned = self.meters.poisoned.borrow();
        let (name, what) = poisoned.first_key_value()?;
        let more = match poisoned.len() {
            1 => String::new(),
            count => format!(" (and {} more streams)", count - 1),
        };
        Some(format!("stream {name}{more}: the log takes no more events until a restart: {what}"))
    }

    fn vitals(&self) -> Vitals {
        let Meters { syncs, skipped, .. } = &*self.meters;
        Vitals { skipped: skipped.get(), syncs: syncs.get(), broker: None }
    }
}

/// `operation path: cause`, for a person.
fn fault(operation: &str, path: &Path, error: &io::Error) -> Arc<str> {
    format!("{operation} {}: {error}", path.display()).into()
}

fn store_fault<'a>(
    operation: &'a str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |error| StoreError(fault(operation, path, &error))
}

fn random_salt() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

/// About how many segments a stream is kept in, where retention bounds it.
const SEGMENTS_KEPT: u32 = 8;
