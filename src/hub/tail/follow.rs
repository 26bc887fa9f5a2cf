//! A tail that follows another: the same newest events, held on another thread.
//!
//! The follower says where its own ends and is given what comes next as blocks to push. Where the
//! other no longer holds that, the follower begins anew where the other begins, and carries over
//! the newest POISON in between: a consumer that waits must not miss it.

use std::ops::Range;

use bytes::Bytes;

use super::{Entry, Tail, slice};
use crate::event::{Cursor, Ordinal};
use crate::store::{Block, Kind};

/// What follows an ordinal.
#[derive(Debug, Eq, PartialEq)]
pub enum Follow {
    /// Nothing yet.
    Nothing,
    /// These blocks, gapless.
    Blocks(Vec<Block>),
    /// It isn't held any more: what is held begins at `floor`.
    Gone {
        /// The first event held; the ceiling when there is none.
        floor: Ordinal,
        /// The newest POISON before it that is known.
        poison: Option<Ordinal>,
    },
}

impl Tail {
    /// What a tail that ends right before `from` is missing: at most about `bytes_max` bytes of it
    /// and `blocks_max` blocks, but at least one block; copied once.
    ///
    /// # Panics
    ///
    /// When `from` is beyond the ceiling: nobody has more than this tail was told.
    #[must_use]
    pub fn follow(&self, from: Ordinal, bytes_max: usize, blocks_max: usize) -> Follow {
        assert!(from <= self.ceiling, "a follower has no more than it was given");
        if from == self.ceiling {
            return Follow::Nothing;
        }
        if from < self.floor {
            return Follow::Gone { floor: self.floor, poison: self.poison_gone };
        }
        let index = self.entry_of(from);
        let (mut held, mut end) = (None, 0);
        let mut parts = Vec::new();
        for (at, entry) in self.entries.iter().enumerate().skip(index).take(blocks_max.max(1)) {
            let mut range = end..end;
            if entry.kind == Kind::Framed {
                let first = entry.first.max(from);
                let position = self.walk(*entry, Cursor::before(first));
                let (chunk, begin) = held.unwrap_or_else(|| (self.chunk_of(position), position));
                let (stop, _) = self.entry_end(at, chunk);
                let apart = position >= chunk.end();
                if apart || (!parts.is_empty() && stop - begin > bytes_max as u64) {
                    break;
                }
                (held, range) = (Some((chunk, begin)), position..stop);
            }
            end = range.end;
            parts.push((*entry, range));
        }
        let bytes = held.map_or_else(Bytes::new, |(chunk, begin)| {
            Bytes::copy_from_slice(slice(chunk, begin, end))
        });
        let begin = end - bytes.len() as u64;
        let block = |(entry, range): (Entry, Range<u64>)| block(entry, from, &bytes, begin, range);
        Follow::Blocks(parts.into_iter().map(block).collect())
    }

    /// Lets go of everything and begins anew at `ordinal`: what lies in between was not shown to
    /// this tail, but `poison` is the newest POISON in it that is known.
    ///
    /// # Panics
    ///
    /// When that is not ahead: events would be shown twice.
    pub fn restart(&mut self, ordinal: Ordinal, poison: Option<Ordinal>) {
        assert!(ordinal > self.ceiling, "a tail that begins anew leaves something out");
        let held = self.entries.iter().rfind(|entry| entry.kind == Kind::Poison);
        self.poison_gone = held.map(|entry| entry.first).max(self.poison_gone).max(poison);
        self.entries.clear();
        self.chunks.clear();
        self.start = self.end;
        self.floor = ordinal;
        self.ceiling = ordinal;
    }
}

/// The part of `entry` from `from` on, whose bytes are those at `range`; `bytes` begin at `begin`.
fn block(entry: Entry, from: Ordinal, bytes: &Bytes, begin: u64, range: Range<u64>) -> Block {
    let Entry { timestamp, kind, next, .. } = entry;
    let first = entry.first.max(from);
    #[expect(
        clippy::expect_used,
        reason = "an entry is one block, or frames of two bytes in a chunk"
    )]
    let count = u32::try_from(next.since(first)).expect("a block counts its events in 32 bits");
    let bytes = if kind == Kind::Framed {
        #[expect(clippy::cast_possible_truncation, reason = "positions lie inside of `bytes`")]
        bytes.slice((range.start - begin) as usize..(range.end - begin) as usize)
    } else {
        Bytes::new()
    };
    Block { first, count, timestamp, kind, bytes }
}
