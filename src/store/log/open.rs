//! Opening a stream: recovery of what a crash left; and its removal.
//!
//! ```text
//! list the directory ─► read every segment's header ─► scan the last ─► cut, write again, fence,
//!                                                                       sync ─► floors ─► open
//! ```
//!
//! Segments before the last were durable before their successor was made, so only their headers are
//! read. One that is missing or has no readable header is a gap: it is told, and the rest stays
//! readable. A last one without a whole header was being made when the power failed; it goes, if it
//! holds nothing else.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::event::{Ordinal, StreamName, Timestamp};
use crate::store::{AppendError, Observer, StoreError};

use super::commit::create_segment;
use super::disk::{Disk, DiskFile, Listed, read_full, write_all};
use super::header::{BlockKind, SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader};
use super::naming::{directory_name, removed_name, segment_first, segment_name};
use super::scan::{Scan, Tail, scan};
use super::segment::Segment;
use super::stream::{Health, LogStream, Shared};
use super::{LogStore, store_fault};

/// The segments found, and the last one's blocks.
struct Recovered<D: Disk> {
    segments: VecDeque<Rc<Segment<D>>>,
    file: Rc<D::File>,
    scan: Scan,
    /// Bytes of the last segment's file.
    bytes: u64,
}

impl<D: Disk> LogStore<D> {
    pub(super) async fn open_stream(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<LogStream<D>, StoreError> {
        let directory = self.streams_dir.join(directory_name(name));
        self.sweep(name).await?;
        let recovered = match self.disk.list(&directory).await {
            Ok(listed) => self.recover(name, &directory, listed).await?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.recover(name, &directory, Vec::new()).await?
            }
            Err(error) => return Err(store_fault("list", &directory)(error)),
        };
        let shared = self.assemble(name, directory, observer, &recovered);
        shared.settle(&recovered).await?;
        shared.raise_floor().await?;
        Ok(LogStream { shared: Rc::new(shared) })
    }

    /// Makes the stream's directory durable. That it is there doesn't say that it is.
    async fn create_directories(&self, directory: &Path) -> Result<(), StoreError> {
        let streams = &self.streams_dir;
        self.disk.create_directory(streams).await.map_err(store_fault("create", streams))?;
        if let Some(parent) = streams.parent() {
            self.disk.sync_directory(parent).await.map_err(store_fault("sync", parent))?;
        }
        self.disk.create_directory(directory).await.map_err(store_fault("create", directory))?;
        self.disk.sync_directory(streams).await.map_err(store_fault("sync", streams))
    }

    /// Finds the segments and looks into the last one; makes one where there is none.
    async fn recover(
        &self,
        name: &StreamName,
        directory: &Path,
        listed: Vec<Listed>,
    ) -> Result<Recovered<D>, StoreError> {
        let mut files: Vec<(Ordinal, u64)> = listed
            .iter()
            .filter_map(|file| Some((segment_first(&file.name)?, file.bytes)))
            .collect();
        files.sort_unstable();
        let last = files.last().copied();
        let mut segments = VecDeque::new();
        let mut checks = Vec::new();
        for (first, bytes) in files {
            let path = directory.join(segment_name(first));
            let is_last = last == Some((first, bytes));
            if let Some((header, check)) = self.read_header(name, &path, bytes, is_last).await? {
                report_gap(name, segments.back(), &header);
                segments.push_back(Rc::new(Segment::new(header, path, bytes)));
                checks.push(check);
            }
        }
        let Some((active, check)) = segments.back().cloned().zip(checks.last().copied()) else {
            return self.first_segment(name, directory).await;
        };
        let file = active.file(&self.disk).await.map_err(store_fault("open", &active.path))?;
        let (bytes, chain) = (active.end(), self.options.guards.chain);
        let scan = scan(&*file, bytes, &active.header, check, chain)
            .await
            .map_err(store_fault("read", &active.path))?;
        Ok(Recovered { segments, file, scan, bytes })
    }

    /// A segment's header. `None`: the segment is not part of the stream (any more).
    async fn read_header(
        &self,
        name: &StreamName,
        path: &Path,
        bytes: u64,
        is_last: bool,
    ) -> Result<Option<(SegmentHeader, u32)>, StoreError> {
        let file = self.disk.open(path).await.map_err(store_fault("open", path))?;
        let head =
            read_full(&file, 0, SEGMENT_HEADER_BYTES).await.map_err(store_fault("read", path))?;
        let refuse = |what: String| StoreError(format!("{}: {what}", path.display()).into());
        match SegmentHeader::decode(&head) {
            Ok((header, check)) => {
                let first = path.file_name().and_then(|file| segment_first(file.to_str()?));
                if header.name != name.as_str() || Some(header.first) != first {
                    let (theirs, first) = (header.name, header.first);
                    return Err(refuse(format!("holds the stream {theirs:?} from {first} on")));
                }
                Ok(Some((header, check)))
            }
            Err(SegmentFault::Foreign { version, wire }) => {
                Err(refuse(format!("has format {version}, wire {wire}; this version reads 1, 1")))
            }
            Err(SegmentFault::Torn) if !is_last => {
                log::error!("stream {name}: {} has no readable header", path.display());
                Ok(None)
            }
            Err(SegmentFault::Torn) if bytes > SEGMENT_HEADER_BYTES as u64 => Err(refuse(
                "its header is damaged, so its events can't be read and its ordinals can't be \
                 known; restore the file, or remove the stream"
                    .to_owned(),
            )),
            Err(SegmentFault::Torn) => {
                drop(file);
                self.disk.remove_file(path).await.map_err(store_fault("remove", path))?;
                let parent = path.parent().unwrap_or(path);
                self.disk.sync_directory(parent).await.map_err(store_fault("sync", parent))?;
                Ok(None)
            }
        }
    }

    async fn first_segment(
        &self,
        name: &StreamName,
        directory: &Path,
    ) -> Result<Recovered<D>, StoreError> {
        let header = SegmentHeader {
            salt: (self.options.salt)(),
            first: Ordinal::new(1),
            previous: None,
            newest: Timestamp::EPOCH,
            link: 0,
            after_poison: false,
            name: name.as_str().to_owned(),
        };
        self.create_directories(directory).await?;
        let path = directory.join(segment_name(header.first));
        let created = create_segment(&self.disk, header, path.clone()).await;
        let (segment, file, check) = created.map_err(store_fault("create", &path))?;
        let chain = self.options.guards.chain;
        let scan = scan(&*file, segment.end(), &segment.header, check, chain)
            .await
            .map_err(store_fault("read", &path))?;
        let bytes = segment.end();
        Ok(Recovered { segments: VecDeque::from([Rc::new(segment)]), file, scan, bytes })
    }

    fn assemble(
        &self,
        name: &StreamName,
        directory: PathBuf,
        observer: Rc<dyn Observer>,
        recovered: &Recovered<D>,
    ) -> Shared<D> {
        let tail = &recovered.scan.tail;
        let floor = recovered.segments.front().map_or(tail.next, |oldest| oldest.first());
        Shared {
            disk: self.disk.clone(),
            options: self.options.clone(),
            clock: self.clock.clone(),
            name: name.clone(),
            directory,
            observer,
            meters: Rc::clone(&self.meters),
            queue: super::queue::Queue::default(),
            segments: RefCell::new(recovered.segments.clone()),
            active_file: RefCell::new(Some(Rc::clone(&recovered.file))),
            floor: Cell::new(floor),
            ceiling: Cell::new(tail.next),
            newest: Cell::new(tail.newest),
            ends_in_poison: Cell::new(tail.ends_in_poison),
            written: Cell::new(recovered.bytes),
            link: Cell::new(tail.link.unwrap_or(0)),
            active_since: Cell::new(tail.since),
            unsynced: Cell::new(false),
            unfenced: Cell::new(false),
            rolling: Cell::new(false),
            health: RefCell::new(Health::Open),
            damaged: RefCell::default(),
        }
    }

    /// Removes the stream: first its name in one step, then what it held.
    pub(super) async fn remove_stream(&self, name: &StreamName) -> Result<(), StoreError> {
        self.sweep(name).await?;
        let directory = self.streams_dir.join(directory_name(name));
        let removed = self.streams_dir.join(removed_name(&directory_name(name)));
        match self.disk.rename(&directory, &removed).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(store_fault("rename", &directory)(error)),
        }
        let streams = &self.streams_dir;
        self.disk.sync_directory(streams).await.map_err(store_fault("sync", streams))?;
        self.sweep(name).await
    }

    /// Finishes a removal that was begun.
    async fn sweep(&self, name: &StreamName) -> Result<(), StoreError> {
        let removed = self.streams_dir.join(removed_name(&directory_name(name)));
        let listed = match self.disk.list(&removed).await {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(store_fault("list", &removed)(error)),
        };
        for file in listed {
            let path = removed.join(&file.name);
            self.disk.remove_file(&path).await.map_err(store_fault("remove", &path))?;
        }
        self.disk.remove_directory(&removed).await.map_err(store_fault("remove", &removed))?;
        let streams = &self.streams_dir;
        self.disk.sync_directory(streams).await.map_err(store_fault("sync", streams))
    }
}

impl<D: Disk> Shared<D> {
    /// Makes what was recovered durable, and the place behind it safe to write to.
    async fn settle(&self, recovered: &Recovered<D>) -> Result<(), StoreError> {
        let (tail, guards) = (&recovered.scan.tail, self.options.guards);
        for (from, until) in &recovered.scan.damage {
            self.damage(*from, *until, "found at recovery");
        }
        let active = self.active();
        active.set_end(tail.position);
        if tail.closed && tail.position == recovered.bytes {
            return Ok(());
        }
        if tail.position < recovered.bytes {
            let torn = torn_bytes(&*recovered.file, tail.position, recovered.bytes)
                .await
                .map_err(store_fault("read", &active.path))?;
            if torn > 0 {
                log::warn!("stream {}: {torn} bytes were torn behind {}", self.name, tail.next);
            }
            if guards.cut {
                let cut = recovered.file.truncate(tail.position).await;
                cut.map_err(store_fault("cut", &active.path))?;
                self.written.set(tail.position);
            }
        }
        if guards.rewrite {
            self.write_again(&recovered.file, tail)
                .await
                .map_err(|error| StoreError(super::fault("write again", &active.path, &error)))?;
        }
        if !guards.fence {
            return Ok(());
        }
        match self.put_mark(BlockKind::Fence).await {
            Ok(()) => Ok(()),
            Err(AppendError::NoSpace) => {
                self.unfenced.set(true);
                Ok(())
            }
            Err(error) => Err(StoreError(error.to_string().into())),
        }
    }

    /// Writes the last group as it is once more, or the header where there is no group yet. A sync
    /// that failed in an earlier life may have left it in the page cache only, where it reads well
    /// and no later sync saves it: Linux marks pages clean when it failed to write them.
    async fn write_again(&self, file: &Rc<D::File>, tail: &Tail) -> io::Result<()> {
        let mut position = tail.last_group;
        if position == 0 {
            // From what was read: one of its two copies may be torn.
            let (header, _) = self.active().header.encode();
            position = header.len() as u64;
            write_all(&**file, header.into(), 0).await?;
            // A block behind a header that is lost could never be read again.
            file.sync_data().await?;
        }
        while position < tail.position {
            let rest = usize::try_from(tail.position - position).unwrap_or(usize::MAX);
            let bytes = read_full(&**file, position, rest.min(REWRITE_BYTES)).await?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let length = bytes.len() as u64;
            write_all(&**file, bytes.into(), position).await?;
            position += length;
        }
        self.disk.sync_directory(&self.directory).await
    }
}

/// How many bytes there are behind the last group, up to the last that is no zero: zeros are
/// written ahead.
async fn torn_bytes<F: DiskFile>(file: &F, position: u64, end: u64) -> io::Result<u64> {
    let (mut torn, mut at) = (0, position);
    while at < end {
        let rest = usize::try_from(end - at).unwrap_or(usize::MAX);
        let bytes = read_full(file, at, rest.min(REWRITE_BYTES)).await?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            torn = at - position + last as u64 + 1;
        }
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
    }
    Ok(torn)
}

/// Tells where segments are missing between two that follow each other.
fn report_gap<D: Disk>(name: &StreamName, before: Option<&Rc<Segment<D>>>, header: &SegmentHeader) {
    if let Some(before) = before
        && header.previous != Some(before.first())
    {
        let (from, until) = (before.first(), header.first);
        log::error!("stream {name}: a segment between events {from} and {until} is missing");
    }
}

/// Bytes read or written again at once.
const REWRITE_BYTES: usize = 256 * 1024;
