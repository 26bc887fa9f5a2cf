//! A segment seen from outside the service, by a backup or a check: every byte of it is read.
//!
//! What a service may be writing meanwhile is no fault: a group that is not whole yet is what a
//! crash would leave, and what recovery would cut.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::disk::{DiskFile, read_full};
use super::header::{SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader};
use super::scan::scan;
use crate::event::Ordinal;

/// What one segment holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inspected {
    /// The name of its stream.
    pub stream: String,
    /// Ordinal of its first event.
    pub first: Ordinal,
    /// Ordinal of the first event of the segment before; `None` in a stream's first.
    pub previous: Option<Ordinal>,
    /// The ordinal after its last event.
    pub next: Ordinal,
    /// Where its last whole group ends, in bytes; what is behind it is no group.
    pub end: u64,
    /// Damaged events: first ordinal and the one after the last.
    pub damage: Vec<(Ordinal, Ordinal)>,
    /// Check of the last block before it, as its header has it.
    pub(super) link: u32,
    /// Check of its last block; unknown behind damage.
    pub(super) last: Option<u32>,
}

/// Why a segment can't be read at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unreadable {
    /// It has no whole header.
    Header,
    /// It is of a format that this version doesn't know: version, wire format.
    Format(u16, u16),
}

impl Inspected {
    /// Whether this is the segment right behind `before`.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.previous == Some(before.first)
            && self.first == before.next
            && before.last.is_none_or(|last| last == self.link)
    }
}

/// Reads the first `bytes` bytes of a segment's file, and checks all that is in them.
///
/// # Errors
///
/// When reading fails; inside, when what is read is no segment.
pub fn inspect(file: &File, bytes: u64) -> io::Result<Result<Inspected, Unreadable>> {
    let file = Plain(file.try_clone()?);
    let head = at_once(read_full(&file, 0, SEGMENT_HEADER_BYTES))?;
    let (header, check) = match SegmentHeader::decode(&head) {
        Ok(found) => found,
        Err(SegmentFault::Torn) => return Ok(Err(Unreadable::Header)),
        Err(SegmentFault::Foreign { version, wire }) => {
            return Ok(Err(Unreadable::Format(version, wire)));
        }
    };
    let scan = at_once(scan(&file, bytes, &header, check, true))?;
    Ok(Ok(Inspected {
        stream: header.name,
        first: header.first,
        previous: header.previous,
        next: scan.tail.next,
        end: scan.tail.position,
        damage: scan.damage,
        link: header.link,
        last: scan.tail.link,
    }))
}

/// A file on a thread that may block: every operation is done when it is asked for.
struct Plain(File);

impl DiskFile for Plain {
    async fn write_at(&self, bytes: Bytes, _: u64) -> (io::Result<usize>, Bytes) {
        (Err(io::ErrorKind::Unsupported.into()), bytes)
    }

    async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let count = self.0.read_at(&mut bytes, position)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    async fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The outcome of work that never waits, because [`Plain`] doesn't.
fn at_once<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("reading a plain file blocks, it is never pending"),
    }
}
