//! The newest part of a stream in memory, already framed.
//!
//! ```text
//!  entries   | 7..9 @0 | 10 POISON | 11..40 @310 | 41..44 @5120 |   one a block, oldest first
//!  chunks    [ 7 8 9 11 12 13 … 40 ][ 41 42 43 44 …          ]      frames, back to back
//!             ^ start                                 ^ end          byte positions, ever growing
//! ```
//!
//! A chunk is contiguous, so whoever stands in it is owed one slice: many events, one write. The
//! oldest chunks leave when the byte budget is used up; a cursor older than that reads the log.
//! Positions count every framed byte since the tail was made and are never reused.

use std::collections::VecDeque;

use crate::event::{Cursor, Ordinal, Timestamp};
use crate::limits::{TAIL_CHUNK_BYTES, TAIL_ENTRIES_MAX};
use crate::proto::websocket::frame::frame_len;
use crate::store::{Block, Kind};

/// The tail of one stream.
#[derive(Debug)]
pub struct Tail {
    entries: VecDeque<Entry>,
    chunks: VecDeque<Chunk>,
    /// Position of the first byte still held.
    start: u64,
    /// Position right after the last byte.
    end: u64,
    /// Ordinal of the first event still held; the ceiling when there is none.
    floor: Ordinal,
    ceiling: Ordinal,
    bytes_max: u64,
}

/// A cursor, and where its bytes lie when the tail has told so before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// Where the consumer stands.
    pub cursor: Cursor,
    /// The tail's position of the next byte: saves a walk over frames, never decides anything.
    hint: Option<u64>,
}

/// What follows a place.
#[derive(Debug, Eq, PartialEq)]
pub enum Next<'a> {
    /// These bytes, contiguous; after all of them the consumer stands at the place.
    Bytes(&'a [u8], Place),
    /// A POISON; behind it the consumer stands at the place.
    Poison(Place),
    /// Nothing yet; the place skips what can't be delivered.
    Nothing(Place),
    /// The place is older than the tail.
    Behind,
}

/// One block's share of the tail, or several blocks of the same kind and timestamp.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Ordinal,
    next: Ordinal,
    timestamp: Timestamp,
    kind: Kind,
    position: u64,
}

#[derive(Debug)]
struct Chunk {
    position: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }
}

impl Place {
    /// A place known by its cursor alone.
    #[must_use]
    pub const fn at(cursor: Cursor) -> Self {
        Self { cursor, hint: None }
    }
}

impl Tail {
    /// An empty tail of a stream whose next ordinal is `ceiling`; holds about `bytes_max` bytes.
    #[must_use]
    pub const fn new(ceiling: Ordinal, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            chunks: VecDeque::new(),
            start: 0,
            end: 0,
            floor: ceiling,
            ceiling,
            bytes_max: bytes_max as u64,
        }
    }

    /// The next ordinal: all below it are visible.
    #[must_use]
    pub const fn ceiling(&self) -> Ordinal {
        self.ceiling
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// Takes in the next block.
    ///
    /// # Panics
    ///
    /// When the block is not the next one: a gap here would be a silent gap at every consumer.
    pub fn push(&mut self, block: &Block) {
        assert!(block.first == self.ceiling, "blocks arrive in order");
        assert!(block.count > 0, "a block has events");
        assert!((block.kind == Kind::Framed) != block.bytes.is_empty(), "frames, or no bytes");
        let position = self.end;
        let new_chunk = self.put(&block.bytes);
        self.ceiling = block.next();
        match self.entries.back_mut() {
            Some(last)
                if last.kind == Kind::Framed
                    && block.kind == Kind::Framed
                    && last.timestamp == block.timestamp
                    && !new_chunk =>
            {
                last.next = block.next();
            }
            _ => self.entries.push_back(Entry {
                first: block.first,
                next: block.next(),
                timestamp: block.timestamp,
                kind: block.kind,
                position,
            }),
        }
        self.trim();
    }

    /// Appends to the newest chunk, or to a new one when they don't fit: then answers true.
    fn put(&mut self, bytes: &[u8]) -> bool {
        self.end += bytes.len() as u64;
        if let Some(chunk) = self.chunks.back_mut()
            && chunk.bytes.len() + bytes.len() <= TAIL_CHUNK_BYTES
        {
            chunk.bytes.extend_from_slice(bytes);
            return false;
        }
        let position = self.end - bytes.len() as u64;
        self.chunks.push_back(Chunk { position, bytes: bytes.to_vec() });
        true
    }

    /// Lets the oldest chunks go while the budget is exceeded, never the newest one.
    fn trim(&mut self) {
        while self.chunks.len() > 1
            && (self.bytes() > self.bytes_max || self.entries.len() > TAIL_ENTRIES_MAX)
        {
            self.chunks.pop_front();
            self.start = self.chunks.front().map_or(self.end, |chunk| chunk.position);
            while let Some(entry) = self.entries.front()
                && entry.position < self.start
            {
                self.floor = entry.next;
                self.entries.pop_front();
            }
        }
        // Withheld events and POISON have no bytes, so chunks alone don't bound their entries.
        while self.entries.len() > TAIL_ENTRIES_MAX
            && let Some(entry) = self.entries.pop_front()
        {
            self.floor = entry.next;
        }
    }

    /// What a consumer at `place` is owed next, at most about `bytes_max` bytes of it.
    #[must_use]
    pub fn next(&self, place: Place, bytes_max: usize) -> Next<'_> {
        let mut place = place;
        if place.cursor.ordinal >= self.ceiling {
            return Next::Nothing(place);
        }
        if place.cursor.ordinal < self.floor {
            return Next::Behind;
        }
        let mut index = self.entry_of(place.cursor.ordinal);
        while let Some(entry) = self.entries.get(index) {
            match entry.kind {
                Kind::Withheld => {
                    place = Place::at(Cursor::before(entry.next));
                    index += 1;
                }
                Kind::Poison => return Next::Poison(Place::at(Cursor::before(entry.next))),
                Kind::Framed => return self.frames(index, *entry, place, bytes_max),
            }
        }
        Next::Nothing(place)
    }

    /// The bytes from `place`, which stands in the framed entry `index`, to the end of its chunk,
    /// the next POISON or `bytes_max`, whichever comes first.
    fn frames(&self, index: usize, entry: Entry, place: Place, bytes_max: usize) -> Next<'_> {
        let position = match place.hint {
            Some(position) => position,
            None => match self.walk(entry, place.cursor) {
                Some(position) => position,
                None => return Next::Behind,
            },
        };
        let chunk = self.chunk_of(position);
        let mut last = index;
        while let Some(following) = self.entries.get(last + 1)
            && following.kind != Kind::Poison
            && following.position < chunk.end()
        {
            last += 1;
            if following.position - position >= bytes_max as u64 {
                break;
            }
        }
        let (stop, end) = self.entry_end(last, chunk);
        let bytes = slice(chunk, position, stop);
        if bytes.len() <= bytes_max {
            return Next::Bytes(bytes, Place { cursor: Cursor::before(end), hint: Some(stop) });
        }
        let cut = position + bytes_max as u64;
        Next::Bytes(slice(chunk, position, cut), self.place_of(cut))
    }

    /// Where entry `index` ends in `chunk`, and the ordinal after it.
    fn entry_end(&self, index: usize, chunk: &Chunk) -> (u64, Ordinal) {
        let stop = self.entries.get(index + 1).map_or(self.end, |entry| entry.position);
        let next = self.entries.get(index).map_or(self.ceiling, |entry| entry.next);
        (stop.min(chunk.end()), next)
    }

    /// Where a consumer stands when only `sent` of the bytes that [`Tail::next`] gave for `from`
    /// went out.
    ///
    /// # Panics
    ///
    /// When `from` is not in the tail, or all of the bytes went out: their end is known.
    #[must_use]
    pub fn after(&self, from: Place, sent: usize) -> Place {
        let position = from.hint.or_else(|| {
            let entry = self.entries.get(self.entry_of(from.cursor.ordinal))?;
            self.walk(*entry, from.cursor)
        });
        let position = position.unwrap_or(u64::MAX);
        assert!((self.start..self.end).contains(&position), "sent from inside the tail");
        self.place_of(position + sent as u64)
    }

    /// How many bytes of the frame at `place` are not sent yet. `None` when it isn't in the tail.
    #[must_use]
    pub fn rest_of_frame(&self, place: Place) -> Option<usize> {
        let entry = self.entries.get(self.entry_of(place.cursor.ordinal))?;
        let position = self.walk(*entry, place.cursor)? - place.cursor.sent;
        let chunk = self.chunk_of(position);
        let frame = frame_len(slice(chunk, position, chunk.end()))?;
        usize::try_from(frame - place.cursor.sent).ok()
    }

    /// The place of the byte at `position`.
    fn place_of(&self, position: u64) -> Place {
        let index = self.entries.partition_point(|entry| entry.position <= position);
        // Entries without bytes share the position of the one after them: the last has the bytes.
        let Some(entry) = index.checked_sub(1).and_then(|index| self.entries.get(index)) else {
            return Place::at(Cursor::before(self.floor));
        };
        assert!(position < self.end, "the end of a slice is known without a walk");
        let chunk = self.chunk_of(entry.position);
        let (mut at, mut ordinal) = (entry.position, entry.first);
        loop {
            let frame = frame_len(slice(chunk, at, chunk.end())).unwrap_or(u64::MAX);
            assert!(frame <= chunk.end() - at, "a chunk holds whole frames");
            if at + frame > position {
                let cursor = Cursor { ordinal, sent: position - at };
                return Place { cursor, hint: Some(position) };
            }
            at += frame;
            ordinal = ordinal.next();
        }
    }

    /// The position of `cursor`, which stands in `entry`, by walking over its frames.
    fn walk(&self, entry: Entry, cursor: Cursor) -> Option<u64> {
        let chunk = self.chunk_of(entry.position);
        let mut at = entry.position;
        for _ in 0..cursor.ordinal.since(entry.first) {
            at += frame_len(slice(chunk, at, chunk.end()))?;
        }
        Some(at + cursor.sent)
    }

    /// The first place at or behind `cursor` whose event is not older than `timestamp`, or the
    /// ceiling.
    #[must_use]
    pub fn first_at(&self, cursor: Cursor, timestamp: Timestamp) -> Place {
        let index = self.entries.partition_point(|entry| entry.timestamp < timestamp);
        let first = self.entries.get(index).map_or(self.ceiling, |entry| entry.first);
        if first > cursor.ordinal { Place::at(Cursor::before(first)) } else { Place::at(cursor) }
    }

    fn entry_of(&self, ordinal: Ordinal) -> usize {
        self.entries.partition_point(|entry| entry.next <= ordinal)
    }

    fn chunk_of(&self, position: u64) -> &Chunk {
        let index = self.chunks.partition_point(|chunk| chunk.end() <= position);
        #[expect(clippy::expect_used, reason = "an invariant of push and trim")]
        self.chunks.get(index).expect("entries with bytes lie in chunks that are held")
    }
}

#[expect(clippy::indexing_slicing, reason = "positions lie inside the chunk, asserted first")]
fn slice(chunk: &Chunk, from: u64, to: u64) -> &[u8] {
    assert!(chunk.position <= from && from <= to && to <= chunk.end(), "inside the chunk");
    #[expect(clippy::cast_possible_truncation, reason = "a chunk's length is a usize")]
    &chunk.bytes[(from - chunk.position) as usize..(to - chunk.position) as usize]
}
