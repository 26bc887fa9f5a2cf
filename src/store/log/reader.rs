//! Reads a stream from a cursor on: a few large reads, in order, each checked.
//!
//! A reader keeps its segment's file open and its place in it, so going on costs one read. What
//! lies in one read comes out as contiguous frames; what the caller has no room for is kept for the
//! next call. A block larger than the read, always a single frame, is handed out in parts while its
//! checksum is computed, the last part only when it is right: no damaged frame ever completes.
//!
//! Damaged events are passed over and told once, with their ordinals. Nothing at or behind the
//! ceiling is ever looked at, and a segment that retention drops stays readable for whoever is in
//! it.

use std::rc::Rc;

use crate::checksum::crc32c_append;
use crate::event::{Cursor, Ordinal};
use crate::limits::BLOCK_BYTES_MAX;
use crate::store::{Piece, ReadError, Reader, Reading, Run};

use super::disk::{Disk, read_full};
use super::fault;
use super::gather::{Stop, gather};
use super::header::{BLOCK_HEADER_BYTES, BlockHeader, SEGMENT_HEADER_BYTES};
use super::segment::Segment;
use super::stream::Shared;
use super::window::{Found, Window};

/// Reads one stream of the embedded log.
pub struct LogReader<D: Disk> {
    shared: Rc<Shared<D>>,
    /// Behind everything read so far.
    cursor: Cursor,
    /// Read, but not handed out yet; ends at the cursor.
    ready: Option<Piece>,
    place: Option<Place<D>>,
}

/// Where a reader stands in a file.
struct Place<D: Disk> {
    segment: Rc<Segment<D>>,
    file: Rc<D::File>,
    /// Where a block begins.
    position: u64,
    /// The ordinal expected there.
    next: Ordinal,
    /// That block, when it is handed out in parts.
    large: Option<Large>,
}

/// A block on its way out in parts.
#[derive(Clone, Copy)]
struct Large {
    header: BlockHeader,
    /// How much of its payload was read, and the checksum of that.
    read: u64,
    crc: u32,
}

impl<D: Disk> LogReader<D> {
    pub(super) const fn new(shared: Rc<Shared<D>>, cursor: Cursor) -> Self {
        Self { shared, cursor, ready: None, place: None }
    }

    /// Moves up to the floor; false at the ceiling.
    fn settle(&mut self) -> Result<bool, ReadError> {
        let (floor, ceiling) = (self.shared.floor.get(), self.shared.ceiling.get());
        if self.cursor.ordinal < floor {
            if !self.cursor.at_boundary() {
                return Err(ReadError::Lost);
            }
            self.cursor = Cursor::before(floor);
            self.place = None;
        }
        Ok(self.cursor.ordinal < ceiling)
    }

    /// Hands out what fits.
    fn hand_out(&mut self, mut piece: Piece, bytes_max: usize) -> Reading {
        if piece.bytes.len() > bytes_max {
            let head = piece.split_to(bytes_max);
            self.ready = Some(piece);
            piece = head;
        }
        Reading::Piece(piece)
    }

    /// One step on; `None` when there was nothing to hand out in it.
    async fn advance(&mut self, bytes_max: usize) -> Result<Option<Reading>, ReadError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => match self.find().await? {
                Some(place) => place,
                None => return Ok(None),
            },
        };
        if place.position >= place.segment.end() {
            return self.next_segment(&place).await.map(|()| None);
        }
        match place.large {
            Some(large) => self.read_large(place, large, bytes_max).await,
            None => self.read_blocks(place, bytes_max).await,
        }
    }

    /// Finds the cursor's block; `None` when the floor or the cursor moved instead.
    async fn find(&mut self) -> Result<Option<Place<D>>, ReadError> {
        let ordinal = self.cursor.ordinal;
        let segment = self.segment_of(ordinal);
        let entry = segment.entry_for_ordinal(ordinal);
        let wanted = |found: &Found| found.header.next() > ordinal;
        let dropped = |shared: &Shared<D>| segment.first() < shared.oldest();
        let found = match self.shared.walk(&segment, entry, wanted).await {
            Err(_) if dropped(&self.shared) => return Ok(None),
            other => other?,
        };
        let file = match segment.file(&self.shared.disk).await {
            Err(_) if dropped(&self.shared) => return Ok(None),
            other => other.map_err(|error| failed(&segment, &error))?,
        };
        let (position, next) = match found {
            Some(found) => (found.position, found.header.first),
            None => (segment.end(), ordinal),
        };
        self.skip_to(next)?;
        Ok(Some(Place { segment, file, position, next, large: None }))
    }

    /// The segment that holds `ordinal`, which is retained.
    fn segment_of(&self, ordinal: Ordinal) -> Rc<Segment<D>> {
        let segments = self.shared.segments.borrow();
        let after = segments.partition_point(|segment| segment.first() <= ordinal);
        #[expect(clippy::indexing_slicing, reason = "a stream has a segment")]
        Rc::clone(&segments[after.saturating_sub(1)])
    }

    /// Goes on at the segment after this one, which has no more blocks.
    async fn next_segment(&mut self, place: &Place<D>) -> Result<(), ReadError> {
        let this = place.segment.first();
        let next = {
            let segments = self.shared.segments.borrow();
            let after = segments.partition_point(|segment| segment.first() <= this);
            segments.get(after).cloned()
        };
        let first = next.as_ref().map_or_else(|| self.shared.ceiling.get(), |next| next.first());
        if self.cursor.ordinal < first {
            self.shared.damage(self.cursor.ordinal, first, "their blocks are missing");
            self.skip_to(first)?;
        }
        let Some(segment) = next else { return Ok(()) };
        let file = match segment.file(&self.shared.disk).await {
            Err(_) if segment.first() < self.shared.oldest() => return Ok(()),
            other => other.map_err(|error| failed(&segment, &error))?,
        };
        let position = SEGMENT_HEADER_BYTES as u64;
        self.place = Some(Place { segment, file, position, next: first, large: None });
        Ok(())
    }

    async fn read_blocks(
        &mut self,
        mut place: Place<D>,
        bytes_max: usize,
    ) -> Result<Option<Reading>, ReadError> {
        let rest = place.segment.end() - place.position;
        let wanted = bytes_max.max(BLOCK_BYTES_MAX) + BLOCK_HEADER_BYTES;
        let length = usize::try_from(rest).unwrap_or(wanted).min(wanted);
        let stretch = read_full(&*place.file, place.position, length).await;
        let stretch = stretch.map_err(|error| failed(&place.segment, &error))?;
        let (salt, position) = (place.segment.header.salt, place.position);
        let gathered = gather(stretch, salt, position, place.next, self.cursor);
        self.cursor = gathered.cursor;
        place.position += gathered.passed;
        place.next = gathered.next;
        if !gathered.bytes.is_empty() {
            self.place = Some(place);
            let (bytes, runs) = (gathered.bytes.into(), gathered.runs);
            return Ok(Some(self.hand_out(Piece { bytes, runs, end: self.cursor }, bytes_max)));
        }
        match gathered.stop {
            Stop::More if gathered.passed > 0 => self.place = Some(place),
            // A file that is shorter than it was.
            Stop::More | Stop::NoBlock => self.resume(place).await?,
            Stop::Cut => return Err(damaged(self.cursor.ordinal)),
            Stop::Poison(ordinal) => {
                self.place = Some(place);
                return Ok(Some(Reading::Poison(ordinal)));
            }
            Stop::Damaged(header) => self.pass_damaged(place, &header)?,
            Stop::Large(header) => self.begin_large(place, header).await?,
        }
        Ok(None)
    }

    /// Finds the way on behind bytes that are no block.
    async fn resume(&mut self, mut place: Place<D>) -> Result<(), ReadError> {
        let (end, salt) = (place.segment.end(), place.segment.header.salt);
        let mut window = Window::new(&*place.file, end);
        match self.shared.resume(&mut window, place.position, salt, place.next).await? {
            Some(found) => {
                place.position = found.position;
                place.next = found.header.first;
                self.skip_to(place.next)?;
            }
            None => place.position = end,
        }
        self.place = Some(place);
        Ok(())
    }

    fn pass_damaged(&mut self, mut place: Place<D>, header: &BlockHeader) -> Result<(), ReadError> {
        self.shared.damage(header.first, header.next(), "wrong checksum");
        self.skip_to(header.next())?;
        place.position += header.block_bytes();
        place.next = header.next();
        self.place = Some(place);
        Ok(())
    }

    /// Passes over events that can't be read, up to `ordinal`. A frame that was begun can't be
    /// passed over.
    fn skip_to(&mut self, ordinal: Ordinal) -> Result<(), ReadError> {
        if ordinal <= self.cursor.ordinal {
            return Ok(());
        }
        if !self.cursor.at_boundary() {
            return Err(damaged(self.cursor.ordinal));
        }
        self.cursor = Cursor::before(ordinal);
        Ok(())
    }

    /// Begins a block that is handed out in parts, at the cursor.
    async fn begin_large(
        &mut self,
        mut place: Place<D>,
        header: BlockHeader,
    ) -> Result<(), ReadError> {
        assert_eq!(header.count, 1, "a block beyond the limit holds one event");
        if self.shared.damaged.borrow().contains_key(&header.first) {
            return self.pass_damaged(place, &header);
        }
        let mut large = Large { header, read: 0, crc: 0 };
        if self.cursor.ordinal < header.first {
            self.cursor = Cursor::before(header.first);
        }
        assert!(self.cursor.sent < u64::from(header.length), "a cursor stands inside its frame");
        while large.read < self.cursor.sent {
            let rest = usize::try_from(self.cursor.sent - large.read).unwrap_or(BLOCK_BYTES_MAX);
            large.read_on(&place, rest.min(BLOCK_BYTES_MAX)).await?;
        }
        place.large = Some(large);
        self.place = Some(place);
        Ok(())
    }

    async fn read_large(
        &mut self,
        mut place: Place<D>,
        mut large: Large,
        bytes_max: usize,
    ) -> Result<Option<Reading>, ReadError> {
        let header = large.header;
        let length = u64::from(header.length);
        let rest = usize::try_from(length - large.read).unwrap_or(bytes_max);
        let bytes = large.read_on(&place, rest.min(bytes_max)).await?;
        let from = self.cursor;
        let whole = large.read == length;
        if whole && large.crc != header.payload_crc {
            place.large = None;
            return self.pass_damaged(place, &header).map(|()| None);
        }
        if whole {
            place.position += header.block_bytes();
            place.next = header.next();
            place.large = None;
            self.cursor = Cursor::before(header.next());
        } else {
            place.large = Some(large);
            self.cursor.sent = large.read;
        }
        self.place = Some(place);
        let run = Run { from, position: 0, timestamp: header.timestamp };
        let piece = Piece { bytes: bytes.into(), runs: vec![run], end: self.cursor };
        Ok(Some(Reading::Piece(piece)))
    }
}

impl<D: Disk> Reader for LogReader<D> {
    fn cursor(&self) -> Cursor {
        let held = self.ready.as_ref().and_then(|piece| piece.runs.first());
        held.map_or(self.cursor, |run| run.from)
    }

    async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        assert!(bytes_max > 0, "a read has room for a byte");
        loop {
            if self.shared.is_closed() {
                return Err(ReadError::Closed);
            }
            if let Some(piece) = self.ready.take() {
                return Ok(self.hand_out(piece, bytes_max));
            }
            if !self.settle()? {
                return Ok(Reading::End);
            }
            if let Some(reading) = self.advance(bytes_max).await? {
                return Ok(reading);
            }
        }
    }
}

impl Large {
    /// Reads the next `length` bytes of the payload.
    async fn read_on<D: Disk>(
        &mut self,
        place: &Place<D>,
        length: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let position = place.position + BLOCK_HEADER_BYTES as u64 + self.read;
        let bytes = read_full(&*place.file, position, length).await;
        let bytes = bytes.map_err(|error| failed(&place.segment, &error))?;
        if bytes.len() < length {
            return Err(damaged(self.header.first));
        }
        self.crc = crc32c_append(self.crc, &bytes);
        self.read += bytes.len() as u64;
        Ok(bytes)
    }
}

fn damaged(ordinal: Ordinal) -> ReadError {
    ReadError::Damaged(format!("event {ordinal}").into())
}

fn failed<D: Disk>(segment: &Segment<D>, error: &std::io::Error) -> ReadError {
    ReadError::Failed(fault("read", &segment.path, error))
}
