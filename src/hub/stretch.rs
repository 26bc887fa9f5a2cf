//! What consumers that stand at the same place are owed: found once, sent to each of them.
//!
//! Nearly all consumers of a stream stand at its ceiling. When a block becomes visible they are
//! all owed the same bytes, and asking the tail for each of them costs as much as a good part of
//! the send.

use crate::hub::{Consumer, Next, Outcome, Place, Tail};

/// The bytes from one place to another.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    from: Place,
    bytes: &'a [u8],
    end: Place,
}

impl<'a> Stretch<'a> {
    /// What follows `from` in `tail`, at most `bytes_max` bytes of it. `None` when it isn't bytes.
    #[must_use]
    pub fn of(tail: &'a Tail, from: Place, bytes_max: usize) -> Option<Self> {
        match tail.next(from, bytes_max) {
            Next::Bytes(bytes, end) => Some(Self { from, bytes, end }),
            Next::Poison(_) | Next::Nothing(_) | Next::Behind => None,
        }
    }

    /// Where it begins.
    #[must_use]
    pub const fn from(&self) -> Place {
        self.from
    }

    /// The bytes; never none.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where whoever was sent all of it stands.
    #[must_use]
    pub const fn end(&self) -> Place {
        self.end
    }

    /// How many events whoever was sent all of it has had that it hadn't before.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.end.cursor.ordinal.since(self.from.cursor.ordinal)
    }

    /// So many of the bytes went out to `consumer`, which stands where they begin. How many events
    /// it has now had that it hadn't before.
    ///
    /// # Panics
    ///
    /// When it doesn't stand there.
    pub fn sent(&self, consumer: &mut Consumer, tail: &Tail, outcome: Outcome) -> u64 {
        assert!(consumer.owed_tail_only() == Some(self.from), "sent to who stands at its begin");
        consumer.sent_tail(tail, outcome, self.end);
        consumer.cursor().ordinal.since(self.from.cursor.ordinal)
    }
}
