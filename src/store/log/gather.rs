//! From a stretch of a segment to contiguous frames: headers are checked and squeezed out.
//!
//! ```text
//! read    | head | frame frame | head | frame | head (withheld) raw | head | frame fra
//! handed  | frame frame frame |                                                 ^ read again later
//! ```
//!
//! A block counts only as a whole, after its checksum: no byte of a damaged frame is handed out.
//! Pure: bytes in, facts out; the file, and what damage means, are the reader's.

use crate::checksum::crc32c;
use crate::event::{Cursor, Ordinal};
use crate::limits::BLOCK_BYTES_MAX;
use crate::proto::websocket::frame::frame_len;
use crate::store::{Kind, Run};

use super::header::{BLOCK_HEADER_BYTES, BlockHeader, BlockKind};

/// What a stretch of a segment holds for a cursor.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The frames from the cursor on.
    pub(super) bytes: Vec<u8>,
    pub(super) runs: Vec<Run>,
    /// Where the cursor stands behind them.
    pub(super) cursor: Cursor,
    /// How many bytes of the segment are done with; the block at this place is next.
    pub(super) passed: u64,
    /// Ordinal expected there.
    pub(super) next: Ordinal,
    /// Why it ends there.
    pub(super) stop: Stop,
}

/// Why gathering ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// The next block isn't whole in this stretch, or must be looked at alone.
    More,
    /// The last block passed is this POISON; there are no frames before it.
    Poison(Ordinal),
    /// The next block is one frame, larger than the stretch.
    Large(BlockHeader),
    /// There is no block where one begins.
    NoBlock,
    /// The frame that the cursor stands in is missing.
    Cut,
    /// The next block's payload isn't what was written.
    Damaged(BlockHeader),
}

/// Gathers what `stretch` holds from `cursor` on. It begins at `position` of a segment with this
/// salt, where the block of `next` is expected.
pub(super) fn gather(
    stretch: Vec<u8>,
    salt: u32,
    position: u64,
    next: Ordinal,
    cursor: Cursor,
) -> Gathered {
    let (runs, at, filled) = (Vec::new(), 0, 0);
    let mut gathering = Gathering { bytes: stretch, runs, cursor, position, at, next, filled };
    let stop = loop {
        if let Some(stop) = gathering.step(salt) {
            break stop;
        }
    };
    let Gathering { mut bytes, runs, cursor, at, next, filled, .. } = gathering;
    bytes.truncate(filled);
    Gathered { bytes, runs, cursor, passed: at as u64, next, stop }
}

struct Gathering {
    /// Frames up to `filled`, then what was passed, then the blocks from `at` on.
    bytes: Vec<u8>,
    runs: Vec<Run>,
    cursor: Cursor,
    /// Where in the segment the stretch begins.
    position: u64,
    at: usize,
    next: Ordinal,
    filled: usize,
}

impl Gathering {
    /// Takes one block.
    fn step(&mut self, salt: u32) -> Option<Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.len() < BLOCK_HEADER_BYTES {
            return Some(Stop::More);
        }
        let header = match BlockHeader::decode(rest, salt, self.position + self.at as u64) {
            Some((header, _)) if header.first >= self.next => header,
            _ => return Some(Stop::NoBlock),
        };
        if header.first > self.cursor.ordinal && !self.cursor.at_boundary() {
            return Some(Stop::Cut);
        }
        match header.kind {
            BlockKind::Fence | BlockKind::Closing => self.pass(&header),
            _ if header.next() <= self.cursor.ordinal => self.pass(&header),
            BlockKind::Events(Kind::Withheld) => self.pass(&header),
            BlockKind::Events(Kind::Poison) if self.filled > 0 => return Some(Stop::More),
            BlockKind::Events(Kind::Poison) => {
                self.pass(&header);
                return Some(Stop::Poison(header.first));
            }
            BlockKind::Events(Kind::Framed) => return self.take(&header),
        }
        None
    }

    fn pass(&mut self, header: &BlockHeader) {
        self.at += BLOCK_HEADER_BYTES + header.length as usize;
        self.next = header.next();
        if self.next > self.cursor.ordinal {
            self.cursor = Cursor::before(self.next);
        }
    }

    fn take(&mut self, header: &BlockHeader) -> Option<Stop> {
        let start = self.at + BLOCK_HEADER_BYTES;
        let length = header.length as usize;
        let Some(payload) = self.bytes.get(start..start + length) else {
            let large = length > BLOCK_BYTES_MAX && self.filled == 0;
            return Some(if large { Stop::Large(*header) } else { Stop::More });
        };
        if crc32c(payload) != header.payload_crc {
            return Some(Stop::Damaged(*header));
        }
        if self.cursor.ordinal < header.first {
            self.cursor = Cursor::before(header.first);
        }
        let skipped = self.cursor.ordinal.since(header.first);
        let (mut from, mut rest) = (0, payload);
        for _ in 0..skipped {
            let (frame, after) = split_frame(rest);
            from += frame.len();
            rest = after;
        }
        let (frame, _) = split_frame(rest);
        let sent = usize::try_from(self.cursor.sent).unwrap_or(usize::MAX);
        assert!(sent < frame.len(), "a cursor stands inside its frame");
        let frame_rest = frame.len() - sent;
        let (from, timestamp) = (from + sent, header.timestamp);
        self.runs.push(Run { from: self.cursor, position: self.filled, timestamp });
        if sent > 0 && self.cursor.ordinal.next() < header.next() {
            let from = Cursor::before(self.cursor.ordinal.next());
            self.runs.push(Run { from, position: self.filled + frame_rest, timestamp });
        }
        self.bytes.copy_within(start + from..start + length, self.filled);
        self.filled += length - from;
        self.pass(header);
        None
    }
}

/// The first frame of a block's payload, which has passed its check.
fn split_frame(payload: &[u8]) -> (&[u8], &[u8]) {
    let length = frame_len(payload).and_then(|length| usize::try_from(length).ok());
    #[expect(clippy::expect_used, reason = "the payload is what was written, and that was frames")]
    payload.split_at_checked(length.unwrap_or(usize::MAX)).expect("a block holds whole frames")
}
