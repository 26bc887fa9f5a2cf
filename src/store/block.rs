//! Consecutive events, framed.

use bytes::Bytes;

use crate::event::{Cursor, Ordinal, Timestamp};

/// Consecutive events of one kind and one timestamp.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// Ordinal of the first event.
    pub first: Ordinal,
    /// Number of events, at least 1.
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

impl Block {
    /// The ordinal right after the last event.
    #[must_use]
    pub const fn next(&self) -> Ordinal {
        self.first.plus(self.count as u64)
    }
}

/// A stretch of framed events, contiguous in memory, as a reader hands it out. It begins at a
/// cursor, and may begin and end inside a frame.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What goes to the socket as it is.
    pub bytes: Bytes,
    /// Where which events lie in `bytes`, in order; at least one. Ordinals between two runs are
    /// withheld or damaged.
    pub runs: Vec<Run>,
    /// Where the reader stands after all of `bytes`.
    pub end: Cursor,
}

/// Consecutive frames inside a [`Piece`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The first event, and how many bytes of its frame lie before the run.
    pub from: Cursor,
    /// Where in the piece's bytes the run begins.
    pub position: usize,
    /// When these events were taken in.
    pub timestamp: Timestamp,
}
