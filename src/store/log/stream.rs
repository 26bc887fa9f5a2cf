//! One stream: its state, and what the layers above ask of it.
//!
//! The state changes only in two hands: the leader of the queue's (commit, retention, close), and,
//! before anyone else sees the stream, recovery's. Readers look at it between their awaits.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, monotonic};
use crate::event::{Cursor, Ordinal, StreamName, Timestamp};
use crate::store::{
    AppendError, Bounds, Located, Observer, Pace, ReadError, Receipt, Skip, StoreError, StreamStore,
};

use super::disk::{Disk, DiskFile};
use super::queue::{Entered, Queue};
use super::reader::LogReader;
use super::segment::Segment;
use super::{LogOptions, Meters, fault};

/// One stream of the embedded log.
pub struct LogStream<D: Disk> {
    pub(super) shared: Rc<Shared<D>>,
}

/// What the stream and its readers share.
pub(super) struct Shared<D: Disk> {
    pub(super) disk: D,
    pub(super) options: LogOptions,
    pub(super) clock: Clock,
    pub(super) name: StreamName,
    pub(super) directory: PathBuf,
    pub(super) observer: Rc<dyn Observer>,
    pub(super) meters: Rc<Meters>,
    pub(super) queue: Queue,
    /// Oldest first, at least one; the last is the active one.
    pub(super) segments: RefCell<VecDeque<Rc<Segment<D>>>>,
    /// The active segment's file; none once the stream is closed.
    pub(super) active_file: RefCell<Option<Rc<D::File>>>,
    pub(super) floor: Cell<Ordinal>,
    pub(super) ceiling: Cell<Ordinal>,
    pub(super) newest: Cell<Timestamp>,
    pub(super) ends_in_poison: Cell<bool>,
    /// Where what was written into the active segment's file ends: at its end, or behind zeros.
    pub(super) written: Cell<u64>,
    /// Check of the active segment's last block.
    pub(super) link: Cell<u32>,
    /// Timestamp of the active segment's first event.
    pub(super) active_since: Cell<Option<Timestamp>>,
    /// Written and visible, but not durable yet (only with `Fsync::Interval` and `Never`).
    pub(super) unsynced: Cell<bool>,
    /// A fence must be written before the next group.
    pub(super) unfenced: Cell<bool>,
    /// The active segment must not grow: a segment after it may already be on disk.
    pub(super) rolling: Cell<bool>,
    pub(super) health: RefCell<Health>,
    /// Events known to be damaged: first ordinal and the one after the last.
    pub(super) damaged: RefCell<BTreeMap<Ordinal, Ordinal>>,
}

/// Whether the stream can be written and read.
#[derive(Clone, Debug)]
pub(super) enum Health {
    Open,
    /// Readable only: what is on disk behind the ceiling isn't known.
    Poisoned(Arc<str>),
    Closed,
}

impl<D: Disk> StreamStore for LogStream<D> {
    type Reader = LogReader<D>;

    fn bounds(&self) -> Bounds {
        let shared = &self.shared;
        let (floor, ceiling) = (shared.floor.get(), shared.ceiling.get());
        Bounds {
            floor,
            ceiling,
            bytes: shared.bytes(),
            newest: shared.newest.get(),
            ends_in_poison: shared.ends_in_poison.get() && floor < ceiling,
        }
    }

    fn kept_for(&self, ordinal: Ordinal, pace: Pace) -> Option<Duration> {
        self.shared.kept_for(ordinal, pace)
    }

    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        assert!(!bodies.is_empty(), "an append has an event");
        match self.shared.queue.enter(bodies).await {
            Entered::Answered(answer) => answer,
            Entered::Leads(turn) => self.shared.commit(&turn).await,
        }
    }

    async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError> {
        self.shared.locate(timestamp).await
    }

    fn reader(&self, from: Cursor) -> LogReader<D> {
        LogReader::new(Rc::clone(&self.shared), from)
    }

    async fn retain(&self) -> Result<u64, StoreError> {
        let _turn = self.shared.queue.lead().await;
        self.shared.refuse_if_poisoned()?;
        self.shared.retain().await
    }

    async fn sync(&self) -> Result<(), StoreError> {
        let _turn = self.shared.queue.lead().await;
        self.shared.refuse_if_poisoned()?;
        self.shared.sync_now().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let _turn = self.shared.queue.lead().await;
        let refused = self.shared.refuse_if_poisoned();
        let synced = match refused {
            Ok(()) if self.shared.is_open() => self.shared.seal().await,
            other => other,
        };
        self.shared.meters.poisoned.borrow_mut().remove(&self.shared.name);
        self.shared.health.replace(Health::Closed);
        self.shared.active_file.replace(None);
        synced
    }
}

impl<D: Disk> Shared<D> {
    pub(super) fn bytes(&self) -> u64 {
        self.segments.borrow().iter().map(|segment| segment.end()).sum()
    }

    pub(super) fn active(&self) -> Rc<Segment<D>> {
        #[expect(clippy::expect_used, reason = "recovery makes one where there is none")]
        Rc::clone(self.segments.borrow().back().expect("a stream has a segment"))
    }

    /// The active segment's file.
    pub(super) fn file(&self) -> Rc<D::File> {
        let file = self.active_file.borrow();
        #[expect(clippy::expect_used, reason = "only closing drops it, and refuses writes first")]
        Rc::clone(file.as_ref().expect("a stream that is written to is open"))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(*self.health.borrow(), Health::Open)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.health.borrow(), Health::Closed)
    }

    /// From now on nothing is written any more.
    pub(super) fn poison(&self, what: Arc<str>) {
        log::error!("stream {}: the log takes no more events: {what}", self.name);
        let mut health = self.health.borrow_mut();
        if matches!(*health, Health::Open) {
            self.meters.poisoned.borrow_mut().insert(self.name.clone(), Arc::clone(&what));
            *health = Health::Poisoned(what);
        }
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        match &*self.health.borrow() {
            Health::Poisoned(what) => Err(StoreError(Arc::clone(what))),
            Health::Open | Health::Closed => Ok(()),
        }
    }

    /// Syncs the active segment's file, and counts how long that took.
    pub(super) async fn sync_file(&self) -> io::Result<()> {
        let file = self.file();
        let begun = monotonic();
        let synced = file.sync_data().await;
        self.meters.syncs.add(monotonic().saturating_duration_since(begun));
        synced
    }

    /// Makes everything visible durable. A failure poisons.
    pub(super) async fn sync_now(&self) -> Result<(), StoreError> {
        if !self.unsynced.get() || !self.is_open() {
            return Ok(());
        }
        if let Err(error) = self.sync_file().await {
            let what = fault("sync", &self.active().path, &error);
            self.poison(Arc::clone(&what));
            return Err(StoreError(what));
        }
        self.unsynced.set(false);
        Ok(())
    }

    /// Takes note of damaged events, and tells the operator once.
    pub(super) fn damage(&self, from: Ordinal, until: Ordinal, what: &str) {
        if from < until && self.damaged.borrow_mut().insert(from, until) != Some(until) {
            self.meters.skipped.add(Skip::Damaged, until.since(from));
            let last = until.get() - 1;
            log::error!("stream {}: events {from} to {last} are damaged: {what}", self.name);
        }
    }
}
