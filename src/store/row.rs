//! Reading from blocks that lie in memory, in a row.

use bytes::Bytes;

use super::{Block, Kind, Piece, Reading, Run};
use crate::event::{Cursor, Ordinal};
use crate::proto::websocket::frame::frame_len;

/// What a reader at `cursor` is handed next from `blocks`, which are in order and begin at or
/// before it: frames of as many blocks as fit into `bytes_max`, or a POISON. The cursor moves
/// along.
pub(super) fn read<'a>(
    blocks: impl Iterator<Item = &'a Block>,
    cursor: &mut Cursor,
    bytes_max: usize,
) -> Reading {
    let from = cursor.ordinal;
    let mut gathered = Gathered { cursor: *cursor, bytes: Vec::new(), runs: Vec::new() };
    let mut blocks = blocks.filter(|block| block.next() > from).peekable();
    while let Some(block) = blocks.next() {
        match block.kind {
            Kind::Withheld => {}
            Kind::Poison if !gathered.bytes.is_empty() => break,
            Kind::Poison => {
                *cursor = Cursor::before(block.next());
                return Reading::Poison(block.first);
            }
            Kind::Framed => {
                let whole = gathered.bytes.is_empty()
                    && gathered.cursor <= Cursor::before(block.first)
                    && block.bytes.len() <= bytes_max
                    && (block.bytes.len() >= COPY_BYTES_MAX || blocks.peek().is_none());
                if whole {
                    *cursor = Cursor::before(block.next());
                    return Reading::Piece(piece_of(block));
                }
                if !gathered.take(block, bytes_max) {
                    break;
                }
            }
        }
        gathered.cursor = Cursor::before(block.next());
    }
    *cursor = gathered.cursor;
    if gathered.bytes.is_empty() {
        return Reading::End;
    }
    let end = gathered.cursor;
    Reading::Piece(Piece { bytes: gathered.bytes.into(), runs: gathered.runs, end })
}

/// A whole block as it lies.
fn piece_of(block: &Block) -> Piece {
    let from = Cursor::before(block.first);
    Piece {
        bytes: Bytes::clone(&block.bytes),
        runs: vec![Run { from, position: 0, timestamp: block.timestamp }],
        end: Cursor::before(block.next()),
    }
}

struct Gathered {
    cursor: Cursor,
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

impl Gathered {
    /// Takes what fits of the block's frames from the cursor on; false when some of it did not.
    fn take(&mut self, block: &Block, bytes_max: usize) -> bool {
        let frames = Frames { rest: &block.bytes };
        let mut follows = false;
        for (frame, ordinal) in frames.zip(block.first.get()..).map(|(f, n)| (f, Ordinal::new(n))) {
            if ordinal < self.cursor.ordinal {
                continue;
            }
            if ordinal > self.cursor.ordinal {
                self.cursor = Cursor::before(ordinal);
            }
            let sent = usize::try_from(self.cursor.sent).unwrap_or(usize::MAX);
            let rest = frame.get(sent..).unwrap_or_default();
            let fits = rest.get(..bytes_max - self.bytes.len()).unwrap_or(rest);
            if !fits.is_empty() {
                if !follows {
                    let (from, position) = (self.cursor, self.bytes.len());
                    self.runs.push(Run { from, position, timestamp: block.timestamp });
                }
                self.bytes.extend_from_slice(fits);
            }
            if fits.len() < rest.len() {
                self.cursor.sent += fits.len() as u64;
                return false;
            }
            // A run that begins inside a frame holds the rest of that frame only.
            follows = sent == 0;
        }
        true
    }
}

/// The whole frames of a block.
struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(frame_len(self.rest)?).ok()?;
        let (frame, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(frame)
    }
}

/// Blocks of at least so many bytes are handed out as they lie; smaller ones are gathered, because
/// a system call costs more than copying them.
const COPY_BYTES_MAX: usize = 16 * 1024;
