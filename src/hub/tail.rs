//! The newest part of a stream in memory, already framed.
//!
//! ```text
//!  entries   | 7..9 @0 | 10 POISON | 11..42 @310 | 43..44 @3520 |   where some lie, oldest first
//!  chunks    [ 7 8 9 11 12 13 … 42 ][ 43 44 …                ]      frames, back to back
//!             ^ start                                 ^ end          byte positions, ever growing
//! ```
//!
//! A chunk is contiguous, so whoever stands in it is owed one slice: many events, one write. The
//! oldest chunks leave when the byte budget is used up; a cursor older than that reads the log.
//! Positions count every framed byte since the tail was made and are never reused.

mod follow;

use std::collections::VecDeque;

use crate::event::{Cursor, Ordinal, Timestamp};
use crate::limits::{TAIL_CHUNK_BYTES, TAIL_ENTRIES_MAX};
use crate::proto::websocket::frame::frame_len;
use crate::store::{Block, Kind};

pub use follow::Follow;

/// The tail of one stream.
#[derive(Debug)]
pub struct Tail {
    entries: VecDeque<Entry>,
    chunks: VecDeque<Chunk>,
    /// Empty: what the chunk that left last was in.
    spare: Option<Vec<u8>>,
    /// Position of the first byte still held.
    start: u64,
    /// Position right after the last byte.
    end: u64,
    /// Ordinal of the first event still held; the ceiling when there is none.
    floor: Ordinal,
    ceiling: Ordinal,
    /// The newest POISON that is no longer held.
    poison_gone: Option<Ordinal>,
    bounds: Bounds,
}

/// How much a tail may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of all chunks; the newest chunk stays even when it alone is larger.
    pub(super) bytes_max: usize,
    /// Bytes of a chunk that holds more than one block.
    pub(super) chunk_bytes: usize,
    /// Entries.
    pub(super) entries_max: usize,
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

/// Some events of the same kind and timestamp, one after the other; of those that are sent so few
/// that walking over their frames costs little.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Ordinal,
    next: Ordinal,
    timestamp: Timestamp,
    kind: Kind,
    position: u64,
}

/// Where a place stands in the tail.
enum Stand {
    /// Right before, or inside of, bytes of the entry `index`: from `position` on.
    Bytes {
        index: usize,
        place: Place,
        position: u64,
    },
    Poison(Place),
    Ceiling(Place),
    Behind,
}

/// Whole frames, back to back.
#[derive(Debug)]
struct Chunk {
    position: u64,
    bytes: Vec<u8>,
}

/// Frames of an entry.
const ENTRY_FRAMES_MAX: u64 = 32;

/// A full chunk may have this part of a chunk to spare.
const SPARE_SHARE: usize = 16;

impl Entry {
    /// The entry of a block's event `first`, which lies at `position`; it holds nothing yet.
    const fn beginning(block: &Block, first: Ordinal, position: u64) -> Self {
        let Block { timestamp, kind, .. } = *block;
        Self { first, next: first, timestamp, kind, position }
    }
}

impl Chunk {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// Length of the frame that begins at `position`.
    fn frame_at(&self, position: u64) -> u64 {
        let frame = frame_len(slice(self, position, self.end())).unwrap_or(u64::MAX);
        assert!(frame <= self.end() - position, "a chunk holds whole frames");
        frame
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
        let (chunk_bytes, entries_max) = (TAIL_CHUNK_BYTES, TAIL_ENTRIES_MAX);
        Self::bounded(ceiling, Bounds { bytes_max, chunk_bytes, entries_max })
    }

    /// As [`Tail::new`]; tests reach every boundary with small bounds.
    pub(super) const fn bounded(ceiling: Ordinal, bounds: Bounds) -> Self {
        Self {
            entries: VecDeque::new(),
            chunks: VecDeque::new(),
            spare: None,
            start: 0,
            end: 0,
            floor: ceiling,
            ceiling,
            poison_gone: None,
            bounds,
        }
    }

    /// Ordinal of the first event held; the ceiling when there is none.
    #[must_use]
    pub const fn floor(&self) -> Ordinal {
        self.floor
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
    /// When the block is not the next one (a gap here would be a silent gap at every consumer), or
    /// its bytes are not as many whole frames as it has events: consumers are counted along them.
    pub fn push(&mut self, block: &Block) {
        assert!(block.first == self.ceiling, "blocks arrive in order");
        assert!(block.count > 0, "a block has events");
        assert!(block.kind != Kind::Poison || block.count == 1, "a POISON stands alone");
        let position = self.end;
        let new_chunk = self.put(&block.bytes);
        self.ceiling = block.next();
        if block.kind == Kind::Framed {
            self.note_frames(block, position, new_chunk);
        } else {
            assert!(block.bytes.is_empty(), "what isn't sent has no bytes");
            let entry = Entry::beginning(block, block.first, position);
            self.entries.push_back(Entry { next: block.next(), ..entry });
        }
        self.trim();
    }

    /// Notes where the frames of a block lie that begins at `position`.
    fn note_frames(&mut self, block: &Block, position: u64, new_chunk: bool) {
        let (mut rest, mut at, mut next) = (&*block.bytes, position, block.first);
        let joins = |last: &&mut Entry| {
            last.kind == Kind::Framed && last.timestamp == block.timestamp && !new_chunk
        };
        let mut room = match self.entries.back_mut().filter(joins) {
            Some(last) => ENTRY_FRAMES_MAX.saturating_sub(last.next.since(last.first)),
            None => 0,
        };
        while !rest.is_empty() {
            if room == 0 {
                self.entries.push_back(Entry::beginning(block, next, at));
                room = ENTRY_FRAMES_MAX;
            }
            let begun = next;
            while next.since(begun) < room && !rest.is_empty() {
                let frame = frame_len(rest).and_then(|frame| usize::try_from(frame).ok());
                let behind = frame.and_then(|frame| rest.get(frame..));
                #[expect(clippy::expect_used, reason = "a caller's fault, told by `push`")]
                let behind = behind.expect("a frame an event");
                at += (rest.len() - behind.len()) as u64;
                (rest, next) = (behind, next.next());
            }
            if let Some(last) = self.entries.back_mut() {
                last.next = next;
            }
            room = 0;
        }
        assert!(next == block.next(), "a frame an event");
    }

    /// Appends to the newest chunk, or to a new one when they don't fit: then answers true.
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return false;
        }
        let position = self.end;
        self.end += bytes.len() as u64;
        if let Some(Chunk { bytes: chunk, .. }) = self.chunks.back_mut() {
            let needed = chunk.len() + bytes.len();
            if needed <= self.bounds.chunk_bytes {
                if needed > chunk.capacity() {
                    // Doubling, but never past what a chunk may hold.
                    let capacity = needed.max(2 * chunk.capacity()).min(self.bounds.chunk_bytes);
                    chunk.reserve_exact(capacity - chunk.len());
                }
                chunk.extend_from_slice(bytes);
                return false;
            }
            // Nothing is added to it any more: what it holds is what the budget counts.
            if chunk.capacity() - chunk.len() > self.bounds.chunk_bytes / SPARE_SHARE {
                chunk.shrink_to_fit();
            }
        }
        let mut chunk = self.fresh_chunk(bytes.len());
        chunk.extend_from_slice(bytes);
        self.chunks.push_back(Chunk { position, bytes: chunk });
        true
    }

    /// Room for a chunk that begins with so many bytes: who has filled one fills the next.
    fn fresh_chunk(&mut self, bytes: usize) -> Vec<u8> {
        match self.spare.take() {
            Some(spare) if spare.capacity() >= bytes => spare,
            _ if self.chunks.is_empty() => Vec::with_capacity(bytes),
            _ => Vec::with_capacity(bytes.max(self.bounds.chunk_bytes)),
        }
    }

    /// Lets the oldest chunks go while a bound is exceeded, never the newest one.
    fn trim(&mut self) {
        let Bounds { bytes_max, entries_max, .. } = self.bounds;
        while self.chunks.len() > 1
            && (self.bytes() > bytes_max as u64 || self.entries.len() > entries_max)
        {
            let left = self.chunks.pop_front().map(|Chunk { bytes, .. }| bytes);
            // The memory of a full one serves again: fresh pages cost more than what is put there.
            self.spare = left.filter(|chunk| chunk.capacity() == self.bounds.chunk_bytes);
            if let Some(spare) = &mut self.spare {
                spare.clear();
            }
            self.start = self.chunks.front().map_or(self.end, |chunk| chunk.position);
            while self.entries.front().is_some_and(|entry| entry.position < self.start) {
                self.forget_entry();
            }
        }
        // Withheld events and POISON have no bytes, so chunks alone don't bound their entries.
        while self.entries.len() > entries_max {
            self.forget_entry();
        }
    }

    /// Lets the oldest entry go.
    fn forget_entry(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.floor = entry.next;
            if entry.kind == Kind::Poison {
                self.poison_gone = Some(entry.first);
            }
        }
    }

    /// What a consumer at `place` is owed next, at most `bytes_max` bytes of it: whole frames, or a
    /// part of one that is more.
    ///
    /// # Panics
    ///
    /// When `bytes_max` is 0: that would never come to an end.
    #[must_use]
    pub fn next(&self, place: Place, bytes_max: usize) -> Next<'_> {
        assert!(bytes_max > 0, "at least one byte is asked for");
        match self.stand(place) {
            Stand::Bytes { index, place, position } => {
                self.frames(index, place.cursor, position, bytes_max)
            }
            Stand::Poison(behind) => Next::Poison(behind),
            Stand::Ceiling(place) => Next::Nothing(place),
            Stand::Behind => Next::Behind,
        }
    }

    /// Where `place` stands once it has passed over what can't be delivered.
    fn stand(&self, mut place: Place) -> Stand {
        if place.cursor.ordinal >= self.ceiling {
            return Stand::Ceiling(place);
        }
        if place.cursor.ordinal < self.floor {
            return Stand::Behind;
        }
        let mut index = self.entry_of(place.cursor.ordinal);
        while let Some(entry) = self.entries.get(index) {
            match entry.kind {
                Kind::Withheld => place = Place::at(Cursor::before(entry.next)),
                Kind::Poison => return Stand::Poison(Place::at(Cursor::before(entry.next))),
                Kind::Framed => {
                    let position = place.hint.unwrap_or_else(|| self.walk(*entry, place.cursor));
                    return Stand::Bytes { index, place, position };
                }
            }
            index += 1;
        }
        Stand::Ceiling(place)
    }

    /// The bytes from `from`, at `position` in the framed entry `index`, to the end of its chunk,
    /// the next POISON or `bytes_max`, whichever comes first; whole frames, unless one is more.
    fn frames(&self, index: usize, from: Cursor, position: u64, bytes_max: usize) -> Next<'_> {
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
        let mut place = self.place_of(position + bytes_max as u64, from, position);
        let mut cut = position + bytes_max as u64;
        if cut - place.cursor.sent > position {
            cut -= place.cursor.sent;
            place = Place { cursor: Cursor::before(place.cursor.ordinal), hint: Some(cut) };
        }
        Next::Bytes(slice(chunk, position, cut), place)
    }

    /// Where entry `index` ends in `chunk`, and the ordinal after it.
    fn entry_end(&self, index: usize, chunk: &Chunk) -> (u64, Ordinal) {
        let stop = self.entries.get(index + 1).map_or(self.end, |entry| entry.position);
        let next = self.entries.get(index).map_or(self.ceiling, |entry| entry.next);
        (stop.min(chunk.end()), next)
    }

    /// Where a consumer stands when only `sent` of the bytes that [`Tail::next`] gave for `from`
    /// went out, before the next push.
    ///
    /// # Panics
    ///
    /// When `from` is not in the tail, or `sent` leads out of it: the end of all of the bytes is
    /// told by [`Tail::next`].
    #[must_use]
    pub fn after(&self, from: Place, sent: usize) -> Place {
        let stand = self.stand(from);
        let Stand::Bytes { place, position, .. } = stand else {
            panic!("sent from inside the tail");
        };
        self.place_of(position + sent as u64, place.cursor, position)
    }

    /// How many bytes of the frame at `place` are not sent yet. `None` when it isn't in the tail.
    #[must_use]
    pub fn rest_of_frame(&self, place: Place) -> Option<usize> {
        let Stand::Bytes { place, position, .. } = self.stand(place) else { return None };
        let sent = place.cursor.sent;
        let frame = self.chunk_of(position).frame_at(position - sent);
        usize::try_from(frame - sent).ok()
    }

    /// The place of the byte at `target`, not before `from`, which lies at `position`.
    fn place_of(&self, target: u64, from: Cursor, position: u64) -> Place {
        assert!(position <= target && target < self.end, "inside the tail, and forward");
        // Entries without bytes share the position of the one after them: the last has the bytes.
        let index = self.entries.partition_point(|entry| entry.position <= target);
        let entry = index.checked_sub(1).and_then(|index| self.entries.get(index));
        let (mut at, mut ordinal) = match entry {
            Some(entry) if entry.position > position => (entry.position, entry.first),
            _ => (position - from.sent, from.ordinal),
        };
        let chunk = self.chunk_of(target);
        loop {
            let frame = chunk.frame_at(at);
            if at + frame > target {
                let cursor = Cursor { ordinal, sent: target - at };
                return Place { cursor, hint: Some(target) };
            }
            at += frame;
            ordinal = ordinal.next();
        }
    }

    /// The position of `cursor`, which stands in `entry`, by walking over its frames.
    fn walk(&self, entry: Entry, cursor: Cursor) -> u64 {
        let chunk = self.chunk_of(entry.position);
        let mut at = entry.position;
        for _ in 0..cursor.ordinal.since(entry.first) {
            at += chunk.frame_at(at);
        }
        at + cursor.sent
    }

    /// The first place at or behind `cursor` whose event may be not older than `timestamp`, or the
    /// ceiling. Exact from the floor on; a cursor below it stays, as its events aren't known here.
    #[must_use]
    pub fn first_at(&self, cursor: Cursor, timestamp: Timestamp) -> Place {
        if cursor.ordinal < self.floor {
            return Place::at(cursor);
        }
        let index = self.entries.partition_point(|entry| entry.timestamp < timestamp);
        let first = self.entries.get(index).map_or(self.ceiling, |entry| entry.first);
        if first > cursor.ordinal { Place::at(Cursor::before(first)) } else { Place::at(cursor) }
    }

    /// Whether a POISON was pushed at `from` or behind it, before `to`. Of those no longer held
    /// only the newest counts.
    #[must_use]
    pub fn poison_between(&self, from: Ordinal, to: Ordinal) -> bool {
        let range = from..to;
        let held = self.entries.range(self.entry_of(from)..);
        self.poison_gone.is_some_and(|poison| range.contains(&poison))
            || held
                .take_while(|entry| entry.first < to)
                .any(|entry| entry.kind == Kind::Poison && range.contains(&entry.first))
    }

    /// Memory that the chunks take, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum()
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
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
