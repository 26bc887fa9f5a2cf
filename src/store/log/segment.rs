//! One segment: a file of consecutive blocks, and a sparse index of it in memory.
//!
//! The index is a hint and nothing else: it says where to begin to walk. It grows while blocks are
//! appended and while somebody walks; it is never stored and never evidence about the log.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use crate::event::{Ordinal, Timestamp};

use super::disk::Disk;
use super::header::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// A segment that is part of a stream.
pub(super) struct Segment<D: Disk> {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
    /// Where its last visible block ends.
    end: Cell<u64>,
    index: RefCell<Vec<Entry>>,
    /// Open as long as anybody uses it.
    file: RefCell<Weak<D::File>>,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) first: Ordinal,
    pub(super) timestamp: Timestamp,
}

impl<D: Disk> Segment<D> {
    pub(super) fn new(header: SegmentHeader, path: PathBuf, end: u64) -> Self {
        let position = SEGMENT_HEADER_BYTES as u64;
        let start = Entry { position, first: header.first, timestamp: header.newest };
        let index = RefCell::new(vec![start]);
        Self { header, path, end: Cell::new(end), index, file: RefCell::default() }
    }

    pub(super) const fn first(&self) -> Ordinal {
        self.header.first
    }

    pub(super) fn end(&self) -> u64 {
        self.end.get()
    }

    pub(super) fn set_end(&self, end: u64) {
        self.end.set(end);
    }

    /// The segment's file, opened unless somebody has it open.
    pub(super) async fn file(&self, disk: &D) -> io::Result<Rc<D::File>> {
        let open = self.file.borrow().upgrade();
        match open {
            Some(file) => Ok(file),
            None => {
                let file = Rc::new(disk.open(&self.path).await?);
                self.keep(&file);
                Ok(file)
            }
        }
    }

    /// Lets others use the file too.
    pub(super) fn keep(&self, file: &Rc<D::File>) {
        self.file.replace(Rc::downgrade(file));
    }

    /// Takes note of a block, if the index has a gap here. Blocks come in any order.
    pub(super) fn note(&self, entry: Entry) {
        let mut index = self.index.borrow_mut();
        let after = index.partition_point(|known| known.position <= entry.position);
        let before = after.checked_sub(1).and_then(|before| index.get(before));
        let near = |known: &Entry| known.position.abs_diff(entry.position) < INDEX_BYTES;
        if !before.is_some_and(near) && !index.get(after).is_some_and(near) {
            index.insert(after, entry);
        }
    }

    /// Where to begin to walk to the event `ordinal`.
    pub(super) fn entry_for_ordinal(&self, ordinal: Ordinal) -> Entry {
        self.entry_before(|entry| entry.first <= ordinal)
    }

    /// Where to begin to walk to the first event that is not older than `timestamp`.
    pub(super) fn entry_for_timestamp(&self, timestamp: Timestamp) -> Entry {
        self.entry_before(|entry| entry.timestamp < timestamp)
    }

    fn entry_before(&self, holds: impl Fn(&Entry) -> bool) -> Entry {
        let index = self.index.borrow();
        let after = index.partition_point(holds);
        let entry = index.get(after.saturating_sub(1)).copied();
        #[expect(clippy::expect_used, reason = "`new` puts the first block's entry in")]
        entry.expect("an index has an entry")
    }
}

/// Distance of two entries of the index, in bytes of file: 24 bytes of memory for each.
const INDEX_BYTES: u64 = 64 * 1024;
