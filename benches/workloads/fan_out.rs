//! Delivery without sockets: a block goes into the tail, every consumer is driven to the ceiling,
//! and a socket that takes everything is told how much.

use std::hint::black_box;

use bytes::Bytes;
use ess::event::{Cursor, Ordinal};
use ess::hub::{Consumer, Outcome, Step, Tail};
use ess::limits::SEND_BYTES_MAX;
use ess::store::{Block, Kind};

use super::{NOW, splice, text};

/// A stream's tail and its consumers, all at the ceiling.
pub(crate) struct FanOut {
    /// Where blocks go.
    pub(crate) tail: Tail,
    consumers: Vec<Consumer>,
    /// The frames of every block.
    bytes: Bytes,
    count: u32,
}

impl FanOut {
    /// So many consumers; blocks of `count` events of 256 bytes.
    pub(crate) fn new(consumers: usize, count: u32) -> Self {
        let first = Ordinal::new(1);
        let body = text(256);
        let mut bytes = Vec::new();
        for _ in 0..count {
            splice(body.get(..256).unwrap_or_default().as_bytes(), 123_456, &mut bytes);
        }
        Self {
            tail: Tail::new(first, 8 << 20),
            consumers: (0..consumers)
                .map(|_| Consumer::new(Cursor::before(first), first, None))
                .collect(),
            bytes: bytes.into(),
            count,
        }
    }

    /// The next block becomes visible.
    pub(crate) fn push(&mut self) {
        let (first, bytes) = (self.tail.ceiling(), self.bytes.clone());
        let block = Block { first, count: self.count, timestamp: NOW, kind: Kind::Framed, bytes };
        self.tail.push(&block);
    }

    /// Drives everybody to the ceiling; how many bytes the sockets took.
    pub(crate) fn serve(&mut self) -> usize {
        let mut sum = 0;
        for consumer in &mut self.consumers {
            loop {
                match consumer.step(&self.tail, SEND_BYTES_MAX) {
                    Step::Tail(bytes, end) => {
                        sum += black_box(bytes).len();
                        consumer.sent_tail(&self.tail, Outcome::Whole, end);
                    }
                    Step::Idle => break,
                    Step::Control(_) | Step::History(_) | Step::Poisoned | Step::Closed => {
                        panic!("everybody keeps up");
                    }
                }
            }
        }
        sum
    }
}
