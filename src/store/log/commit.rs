//! A group of appends on its way to the disk.
//!
//! One timestamp, consecutive ordinals, one row of blocks, a write for each bounded sheet of them,
//! one sync; then the observer sees the blocks, the ceiling moves, and everyone is answered. What
//! fails leaves no trace: the file is cut back to where the group began, and that is made durable
//! before anything else is written. Where even this fails, or a sync did, the log is poisoned.
//!
//! Runs only in the hands of the queue's leader.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::checksum::crc32c;
use crate::config::Fsync;
use crate::event::{Ordinal, Timestamp};
use crate::store::framing::{Framed, Sheet, frame};
use crate::store::{AppendError, Block, Kind, Receipt, Skip, StoreError};

use super::disk::{Disk, DiskFile, write_all};
use super::fault;
use super::header::{BLOCK_HEADER_BYTES, BlockHeader, BlockKind, SegmentHeader};
use super::naming::segment_name;
use super::queue::{Answer, Ticket, Turn};
use super::segment::{Entry, Segment};
use super::stream::{Health, Shared};

/// A group that is on disk but not visible yet.
struct Written {
    blocks: Vec<Block>,
    timestamp: Timestamp,
    withheld: Vec<(Ordinal, crate::enrich::Undeliverable)>,
    /// Where the last block ends, and its check.
    end: u64,
    link: u32,
}

impl<D: Disk> Shared<D> {
    /// Commits the group in front of the line and answers it; returns the leader's own answer.
    pub(super) async fn commit(&self, turn: &Turn<'_>) -> Answer {
        let group = turn.take_group();
        let mut abandoned = Abandoned { shared: self, group, finished: false };
        let written = self.write_group(&abandoned.group).await;
        abandoned.finished = true;
        let group = std::mem::take(&mut abandoned.group);
        match written {
            Ok(written) => self.publish(written, &group),
            Err(error) => group.iter().for_each(|ticket| ticket.answer(Err(error.clone()))),
        }
        let own = group.into_iter().next().and_then(Ticket::into_answer);
        #[expect(clippy::expect_used, reason = "the line above answered the whole group")]
        own.expect("a leader is in its group")
    }

    async fn write_group(&self, group: &[Rc<Ticket>]) -> Result<Written, AppendError> {
        self.refuse_unless_open()?;
        if self.unfenced.get() {
            self.put_mark(BlockKind::Fence).await?;
            self.unfenced.set(false);
        }
        let timestamp = self.clock.now().max(self.newest.get());
        if self.rolling.get() || self.is_full(timestamp) {
            self.roll().await?;
        }
        let bodies = group.iter().flat_map(|ticket| ticket.bodies());
        let framed = frame(bodies, self.ceiling.get(), timestamp, BLOCK_HEADER_BYTES);
        self.write_blocks(framed, timestamp).await
    }

    /// Writes the blocks behind the active segment's end, which does not move yet.
    async fn write_blocks(
        &self,
        mut framed: Framed,
        timestamp: Timestamp,
    ) -> Result<Written, AppendError> {
        let group = self.active().end();
        let link = self.put_headers(&mut framed.sheets, timestamp, group);
        let mut end = group;
        let mut blocks = Vec::new();
        for sheet in framed.sheets {
            let (bytes, sheet_blocks) = sheet.publish(timestamp);
            let length = bytes.len() as u64;
            self.write(bytes, end).await?;
            blocks.extend(sheet_blocks);
            end += length;
        }
        self.write_ahead(group, end).await;
        if self.options.fsync == Fsync::Always {
            self.sync_group().await?;
        }
        Ok(Written { blocks, timestamp, withheld: framed.withheld, end, link })
    }

    /// Fills the room before every block; returns the last one's check.
    fn put_headers(&self, sheets: &mut [Sheet], timestamp: Timestamp, group: u64) -> u32 {
        let salt = self.active().header.salt;
        let mut link = self.link.get();
        let mut sheet_start = group;
        let mut left: usize = sheets.iter().map(|sheet| sheet.drafts.len()).sum();
        for sheet in sheets {
            for draft in &sheet.drafts {
                left -= 1;
                let payload = sheet.bytes.get(draft.start..draft.end).unwrap_or_default();
                #[expect(clippy::expect_used, reason = "configuration bounds an event far below")]
                let length = u32::try_from(payload.len()).expect("a block is below 4 GiB");
                let header = BlockHeader {
                    kind: BlockKind::Events(draft.kind),
                    last: left == 0,
                    link,
                    first: draft.first,
                    timestamp,
                    group,
                    length,
                    count: draft.count,
                    payload_crc: crc32c(payload),
                };
                let position = sheet_start + (draft.start - BLOCK_HEADER_BYTES) as u64;
                let (bytes, check) = header.encode(salt, position);
                let (before, _) = sheet.bytes.split_at_mut(draft.start);
                let (_, room) = before.split_at_mut(draft.start - BLOCK_HEADER_BYTES);
                room.copy_from_slice(&bytes);
                link = check;
            }
            sheet_start += sheet.bytes.len() as u64;
        }
        link
    }

    /// Writes at the end of the active segment, or cuts it back and says why not.
    async fn write(&self, bytes: Bytes, position: u64) -> Result<(), AppendError> {
        let file = self.file();
        match write_all(&*file, bytes, position).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.undo("write", &error).await),
        }
    }

    pub(super) async fn sync_group(&self) -> Result<(), AppendError> {
        if let Err(error) = self.sync_file().await {
            let what = fault("sync", &self.active().path, &error);
            self.poison(Arc::clone(&what));
            return Err(AppendError::Poisoned(what));
        }
        self.unsynced.set(false);
        Ok(())
    }

    /// Takes back a write that failed: cuts the segment to its end, durably.
    async fn undo(&self, operation: &str, error: &io::Error) -> AppendError {
        let active = self.active();
        let file = self.file();
        let what = fault(operation, &active.path, error);
        let cut = match file.truncate(active.end()).await {
            Ok(()) => file.sync_data().await,
            failed @ Err(_) => failed,
        };
        if let Err(cut_error) = cut {
            let what: Arc<str> = format!("{what}; taking it back: {cut_error}").into();
            self.poison(Arc::clone(&what));
            return AppendError::Poisoned(what);
        }
        self.unsynced.set(false);
        self.written.set(active.end());
        refused(what, error)
    }

    fn publish(&self, written: Written, group: &[Rc<Ticket>]) {
        let first = self.ceiling.get();
        let timestamp = written.timestamp;
        // One entry for a group: whoever walks from it adds what is missing.
        self.active().note(Entry { position: self.active().end(), first, timestamp });
        for block in &written.blocks {
            self.observer.visible(block);
        }
        let next = written.blocks.last().map_or(first, Block::next);
        let last_kind = written.blocks.last().map(|block| block.kind);
        self.active().set_end(written.end);
        self.ceiling.set(next);
        self.newest.set(written.timestamp);
        self.ends_in_poison.set(last_kind == Some(Kind::Poison));
        self.link.set(written.link);
        self.unsynced.set(self.options.fsync != Fsync::Always);
        if self.active_since.get().is_none() {
            self.active_since.set(Some(written.timestamp));
        }
        for (_, why) in &written.withheld {
            self.meters.skipped.add(Skip::from(why), 1);
        }
        let mut withheld = written.withheld.into_iter().peekable();
        let mut from = first;
        for ticket in group {
            let until = from.plus(ticket.bodies().len() as u64);
            let mut own = Vec::new();
            while let Some(event) = withheld.next_if(|(ordinal, _)| *ordinal < until) {
                own.push(event);
            }
            let last = Ordinal::new(until.get() - 1);
            ticket.answer(Ok(Receipt { first: from, last, timestamp, withheld: own }));
            from = until;
        }
        assert_eq!(from, next, "every event of the group is in a block");
    }

    /// Whether the active segment takes no further group.
    fn is_full(&self, now: Timestamp) -> bool {
        let active = self.active();
        let events = self.ceiling.get().since(active.first());
        let age = self.active_since.get().map(|since| now.millis().saturating_sub(since.millis()));
        let old = self
            .options
            .segment_age_max
            .zip(age)
            .is_some_and(|(max, age)| Duration::from_millis(age) >= max.max(SEGMENT_AGE_MIN));
        let many = self.options.segment_events_max.is_some_and(|max| events >= max);
        events > 0 && (old || many || active.end() >= self.options.segment_bytes_max)
    }

    /// Begins a new segment after the active one, which is durable from then on.
    pub(super) async fn roll(&self) -> Result<(), AppendError> {
        self.refuse_unless_open()?;
        if self.unsynced.get() {
            self.sync_group().await?;
        }
        // What is behind a segment's end is looked at in the last one only.
        self.cut_ahead().await?;
        self.rolling.set(true);
        let previous = self.active();
        let header = SegmentHeader {
            salt: (self.options.salt)(),
            first: self.ceiling.get(),
            previous: Some(previous.first()),
            newest: self.newest.get(),
            link: self.link.get(),
            after_poison: self.ends_in_poison.get(),
            name: self.name.as_str().to_owned(),
        };
        let path = self.directory.join(segment_name(header.first));
        let (segment, file, check) = match create_segment(&self.disk, header, path.clone()).await {
            Ok(created) => created,
            Err(error) => return Err(refused(fault("create", &path, &error), &error)),
        };
        self.written.set(segment.end());
        self.segments.borrow_mut().push_back(Rc::new(segment));
        self.active_file.replace(Some(file));
        self.link.set(check);
        self.active_since.set(None);
        self.rolling.set(false);
        Ok(())
    }

    /// Writes a block without events behind the end and makes everything durable.
    pub(super) async fn put_mark(&self, kind: BlockKind) -> Result<(), AppendError> {
        let active = self.active();
        let header = BlockHeader {
            kind,
            last: true,
            link: self.link.get(),
            first: self.ceiling.get(),
            timestamp: self.newest.get(),
            group: active.end(),
            length: 0,
            count: 0,
            payload_crc: 0,
        };
        let (bytes, check) = header.encode(active.header.salt, active.end());
        self.write(Bytes::copy_from_slice(&bytes), active.end()).await?;
        self.sync_group().await?;
        active.set_end(active.end() + BLOCK_HEADER_BYTES as u64);
        self.link.set(check);
        Ok(())
    }

    /// Makes all durable and says so on disk, so that the next life need not doubt the end.
    pub(super) async fn seal(&self) -> Result<(), StoreError> {
        self.sync_now().await?;
        if self.unfenced.get() || self.rolling.get() {
            return Ok(());
        }
        self.cut_ahead_or_tell().await;
        match self.put_mark(BlockKind::Closing).await {
            Err(AppendError::Poisoned(what)) => Err(StoreError(what)),
            // Without the mark the next life looks twice; nothing is lost.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn refuse_unless_open(&self) -> Result<(), AppendError> {
        match &*self.health.borrow() {
            Health::Open => Ok(()),
            Health::Poisoned(what) => Err(AppendError::Poisoned(Arc::clone(what))),
            Health::Closed => Err(AppendError::Closed),
        }
    }
}

/// Makes a segment's file, durable with its name. Making the same one again is fine.
pub(super) async fn create_segment<D: Disk>(
    disk: &D,
    header: SegmentHeader,
    path: PathBuf,
) -> io::Result<(Segment<D>, Rc<D::File>, u32)> {
    let (bytes, check) = header.encode();
    let end = bytes.len() as u64;
    let file = Rc::new(disk.create(&path).await?);
    write_all(&*file, bytes.into(), 0).await?;
    file.sync_data().await?;
    if let Some(directory) = path.parent() {
        disk.sync_directory(directory).await?;
    }
    let segment = Segment::new(header, path, end);
    segment.keep(&file);
    Ok((segment, file, check))
}

/// Whether the disk is full, or something else went wrong.
pub(super) fn refused(what: Arc<str>, error: &io::Error) -> AppendError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let full = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    if full { AppendError::NoSpace } else { AppendError::Failed(what) }
}

/// Answers a group whose leader was dropped while it wrote: nobody knows what is on disk then.
struct Abandoned<'a, D: Disk> {
    shared: &'a Shared<D>,
    group: Vec<Rc<Ticket>>,
    finished: bool,
}

impl<D: Disk> Drop for Abandoned<'_, D> {
    fn drop(&mut self) {
        if !self.finished {
            let what: Arc<str> = "an append was dropped while it wrote".into();
            self.shared.poison(Arc::clone(&what));
            for ticket in &self.group {
                ticket.answer(Err(AppendError::Poisoned(Arc::clone(&what))));
            }
        }
    }
}

/// Shortest life of a segment that is rolled for its age: with an age of a second to keep, a file
/// every eighth of it would cost more than it frees.
const SEGMENT_AGE_MIN: Duration = Duration::from_secs(1);
