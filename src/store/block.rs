//! Consecutive events, framed.

use bytes::Bytes;

use crate::event::{Cursor, Ordinal, Timestamp};
use crate::proto::websocket::frame::frame_len;

/// Consecutive events of one kind and one timestamp.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// Ordinal of the first event.
    pub first: Ordinal,
    /// Number of events, at least 1; exactly 1 for [`Kind::Poison`].
    pub count: u32,
    /// When they were taken in.
    pub timestamp: Timestamp,
    /// What they are.
    pub kind: Kind,
    /// [`Kind::Framed`]: their frames, one after the other. Empty for the other kinds.
    pub bytes: Bytes,
}

/// What the events of a block are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One WebSocket text frame an event.
    Framed,
    /// The one event is POISON: it ends consumers and is never sent.
    Poison,
    /// Events that can't be delivered (not UTF-8, broken JSON): their ordinals are passed over.
    Withheld,
}

/// A stretch of framed events, contiguous in memory, as a reader hands it out. It begins at a
/// cursor, and may begin and end inside a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// What goes to the socket as it is.
    pub bytes: Bytes,
    /// Where which events lie in `bytes`, in order; at least one, the first at position 0.
    /// Ordinals between two runs are withheld or damaged.
    pub runs: Vec<Run>,
    /// Where the reader stands after all of `bytes`.
    pub end: Cursor,
}

/// Consecutive frames inside a [`Piece`]. A run that begins inside a frame holds the rest of that
/// frame and nothing else, because where it ends can't be told without the frame's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The first event, and how many bytes of its frame lie before the run.
    pub from: Cursor,
    /// Where in the piece's bytes the run begins.
    pub position: usize,
    /// When these events were taken in.
    pub timestamp: Timestamp,
}

impl Block {
    /// The ordinal right after the last event.
    #[must_use]
    pub const fn next(&self) -> Ordinal {
        self.first.plus(self.count as u64)
    }
}

impl Piece {
    /// Where a consumer stands that took the first `count` bytes.
    ///
    /// # Panics
    ///
    /// When the piece has fewer bytes: nobody can take those.
    #[must_use]
    pub fn cursor_at(&self, count: usize) -> Cursor {
        if count == self.bytes.len() { self.end } else { self.stand_at(count).cursor }
    }

    /// Cuts off the first `count` bytes as a piece of their own; `self` keeps the rest.
    ///
    /// # Panics
    ///
    /// When one of the two would have no byte.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        assert!(count > 0 && count < self.bytes.len(), "both parts have bytes");
        let stand = self.stand_at(count);
        let mut head_runs = self.runs.clone();
        head_runs.truncate(stand.run + 1);
        let mut runs = Vec::with_capacity(self.runs.len() - stand.run + 1);
        let timestamp = stand.timestamp;
        runs.push(Run { from: stand.cursor, position: 0, timestamp });
        let later = self.runs.get(stand.run + 1..).unwrap_or_default();
        let run_end = later.first().map_or(self.bytes.len(), |run| run.position);
        if stand.cursor.sent > 0 && stand.frame_end < run_end {
            let from = Cursor::before(stand.cursor.ordinal.next());
            runs.push(Run { from, position: stand.frame_end - count, timestamp });
        }
        runs.extend(later.iter().map(|run| Run { position: run.position - count, ..*run }));
        let bytes = self.bytes.split_to(count);
        self.runs = runs;
        Self { bytes, runs: head_runs, end: stand.cursor }
    }

    /// The rest of the frame that the piece begins inside, in bytes: up to its end, or the
    /// piece's. 0 when the piece begins with a whole frame.
    #[must_use]
    pub fn rest_of_frame(&self) -> usize {
        match self.runs.first() {
            Some(run) if run.from.sent > 0 => {
                self.runs.get(1).map_or(self.bytes.len(), |next| next.position)
            }
            _ => 0,
        }
    }

    /// The frame that holds the byte `position`.
    fn stand_at(&self, position: usize) -> Stand {
        assert!(position < self.bytes.len(), "a position inside the piece");
        let run_index = self.runs.partition_point(|run| run.position <= position) - 1;
        #[expect(clippy::indexing_slicing, reason = "the first run stands at position 0")]
        let run = self.runs[run_index];
        let run_end = self.runs.get(run_index + 1).map_or(self.bytes.len(), |next| next.position);
        let mut cursor = run.from;
        let mut start = run.position;
        let mut end = run_end;
        while cursor.sent == 0 {
            let rest = self.bytes.get(start..run_end).unwrap_or_default();
            let length = frame_len(rest).and_then(|length| usize::try_from(length).ok());
            end = length.map_or(run_end, |length| (start + length).min(run_end));
            if position < end {
                break;
            }
            cursor = Cursor::before(cursor.ordinal.next());
            start = end;
        }
        cursor.sent += (position - start) as u64;
        Stand { run: run_index, cursor, frame_end: end, timestamp: run.timestamp }
    }
}

/// A byte of a piece: whose it is.
struct Stand {
    run: usize,
    cursor: Cursor,
    /// Where in the piece that frame ends, or the piece does.
    frame_end: usize,
    timestamp: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::websocket::frame::{Opcode, put_header};

    /// Three frames of different header length with a gap after the second, and every byte's
    /// owner.
    fn piece() -> (Piece, Vec<Cursor>) {
        let mut bytes = Vec::new();
        let mut owners = Vec::new();
        let mut runs = Vec::new();
        for (ordinal, payload) in [(4, 3), (5, 200), (7, 70_000)] {
            let start = bytes.len();
            if ordinal != 5 {
                let from = Cursor::before(Ordinal::new(ordinal));
                runs.push(Run {
                    from,
                    position: start,
                    timestamp: Timestamp::from_millis(ordinal),
                });
            }
            put_header(Opcode::Text, payload, &mut bytes);
            bytes.resize(bytes.len() + payload, b'x');
            let cursor = |sent| Cursor { ordinal: Ordinal::new(ordinal), sent: sent as u64 };
            owners.extend((0..bytes.len() - start).map(cursor));
        }
        let end = Cursor::before(Ordinal::new(8));
        owners.push(end);
        (Piece { bytes: bytes.into(), runs, end }, owners)
    }

    #[test]
    fn every_byte_has_one_cursor() {
        let (piece, owners) = piece();
        for (count, owner) in owners.iter().enumerate() {
            assert_eq!(piece.cursor_at(count), *owner, "after {count}");
        }
    }

    #[test]
    fn a_piece_cut_twice_anywhere_keeps_every_cursor() {
        let (whole, owners) = piece();
        let cuts = [1, 2, 4, 5, 6, 7, 8, 9, 100, 208, 209, 210, 212, 215, 218, 219, 220, 30_000];
        for first in cuts {
            for second in cuts {
                let mut rest = whole.clone();
                let mut position = 0;
                for cut in [first, second] {
                    let head = rest.split_to(cut);
                    check(&head, position, &owners);
                    position += cut;
                }
                check(&rest, position, &owners);
            }
        }
    }

    fn check(piece: &Piece, position: usize, owners: &[Cursor]) {
        assert_eq!(piece.runs[0].position, 0);
        let step = if piece.bytes.len() > 1_000 { 997 } else { 1 };
        for count in (0..piece.bytes.len()).step_by(step).chain([piece.bytes.len()]) {
            // At its very end a piece names where it ends; both names of a boundary are one place.
            assert_eq!(piece.cursor_at(count), owners[position + count], "{position} + {count}");
        }
    }
}
