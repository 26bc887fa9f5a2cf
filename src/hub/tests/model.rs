//! A stream as a list of events, and the obvious answers to what a consumer is owed.

use bytes::Bytes;
use proptest::prelude::*;

use crate::event::{Cursor, Ordinal, Timestamp};
use crate::hub::tail::{Bounds, Tail};
use crate::proto::websocket::frame::{Opcode, put_header};
use crate::store::{Block, Kind};

/// One event. Its frame is empty unless it is [`Kind::Framed`].
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) ordinal: Ordinal,
    pub(super) timestamp: Timestamp,
    pub(super) kind: Kind,
    pub(super) frame: Vec<u8>,
}

/// All events of a stream, and a tail that was told of them.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) events: Vec<Event>,
    pub(super) tail: Tail,
    pub(super) largest_block: usize,
    first: u64,
    now: u64,
}

/// A block to push: what it is, the payloads' sizes, and how much later than the one before.
#[derive(Clone, Debug)]
pub(super) struct Push(pub(super) Kind, pub(super) Vec<usize>, pub(super) u64);

/// What a reading of the history finds.
#[derive(Debug)]
pub(super) enum Found {
    Bytes(Vec<u8>),
    Poison(Ordinal),
    End(Cursor),
}

impl Stream {
    pub(super) fn new(first: u64, bounds: Bounds) -> Self {
        let tail = Tail::bounded(Ordinal::new(first), bounds);
        Self { events: Vec::new(), tail, largest_block: 0, first, now: 1000 }
    }

    pub(super) fn push(&mut self, Push(kind, payloads, later): &Push) {
        self.now += later;
        let (first, timestamp) = (self.ceiling(), Timestamp::from_millis(self.now));
        let mut bytes = Vec::new();
        for (ordinal, payload) in (first.get()..).zip(payloads) {
            let frame = if *kind == Kind::Framed { frame(ordinal, *payload) } else { Vec::new() };
            bytes.extend_from_slice(&frame);
            let ordinal = Ordinal::new(ordinal);
            self.events.push(Event { ordinal, timestamp, kind: *kind, frame });
        }
        self.largest_block = self.largest_block.max(bytes.len());
        let count = u32::try_from(payloads.len()).unwrap();
        let bytes = Bytes::from(bytes);
        self.tail.push(&Block { first, count, timestamp, kind: *kind, bytes });
    }

    pub(super) fn pushes(&mut self, pushes: &[Push]) {
        for push in pushes {
            self.push(push);
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn ceiling(&self) -> Ordinal {
        Ordinal::new(self.first + self.events.len() as u64)
    }

    /// The events from `ordinal` on.
    pub(super) fn from(&self, ordinal: Ordinal) -> &[Event] {
        let index = ordinal.get().saturating_sub(self.first).min(self.events.len() as u64);
        &self.events[usize::try_from(index).unwrap()..]
    }

    /// What a consumer which stands at `cursor` is owed before the next POISON, in one row: the
    /// first `bytes_max` bytes of it.
    pub(super) fn continuation(&self, cursor: Cursor, bytes_max: usize) -> Vec<u8> {
        let (mut skip, mut bytes) = (usize::try_from(cursor.sent).unwrap(), Vec::new());
        for event in self.from(cursor.ordinal) {
            if event.kind == Kind::Poison || bytes.len() >= bytes_max {
                break;
            }
            bytes.extend_from_slice(&event.frame[skip..]);
            skip = 0;
        }
        bytes.truncate(bytes_max);
        bytes
    }

    /// Where a consumer stands `count` bytes behind `cursor`: inside a frame, or at the first event
    /// behind the last byte that has a frame, is a POISON, or is yet to come.
    pub(super) fn advance(&self, cursor: Cursor, count: u64) -> Cursor {
        let mut left = cursor.sent + count;
        for event in self.from(cursor.ordinal) {
            let length = event.frame.len() as u64;
            if left < length || (left == 0 && event.kind == Kind::Poison) {
                return Cursor { ordinal: event.ordinal, sent: left };
            }
            left -= length;
        }
        assert_eq!(left, 0, "no further than the ceiling");
        Cursor::before(self.ceiling().max(cursor.ordinal))
    }

    /// Reads the history as a store does.
    pub(super) fn read(&self, from: Cursor, bytes_max: usize) -> Found {
        let at = self.advance(from, 0);
        match self.from(at.ordinal).first() {
            None => Found::End(at),
            Some(event) if event.kind == Kind::Poison => Found::Poison(event.ordinal),
            Some(_) => Found::Bytes(self.continuation(at, bytes_max)),
        }
    }
}

/// The frame of the event `ordinal`: a payload that no other event has.
pub(super) fn frame(ordinal: u64, payload: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    put_header(Opcode::Text, payload, &mut frame);
    let mut state = ordinal.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    frame.extend((0..payload).map(|_| {
        state = state.rotate_left(9).wrapping_add(ordinal);
        state.to_le_bytes()[0]
    }));
    frame
}

pub(super) fn framed(payloads: &[usize]) -> Push {
    Push(Kind::Framed, payloads.to_vec(), 1)
}

pub(super) fn withheld(count: usize) -> Push {
    Push(Kind::Withheld, vec![0; count], 1)
}

pub(super) fn poison() -> Push {
    Push(Kind::Poison, vec![0], 1)
}

pub(super) fn before(ordinal: u64) -> Cursor {
    Cursor::before(Ordinal::new(ordinal))
}

/// Small bounds.
pub(super) const fn bounds(bytes_max: usize, chunk_bytes: usize) -> Bounds {
    Bounds { bytes_max, chunk_bytes, entries_max: 1000 }
}

pub(super) fn any_bounds() -> impl Strategy<Value = Bounds> {
    let entries_max = prop_oneof![1_usize..6, Just(1000)];
    (0_usize..1500, 1_usize..400, entries_max).prop_map(|(bytes_max, chunk_bytes, entries_max)| {
        Bounds { bytes_max, chunk_bytes, entries_max }
    })
}

/// Mostly small events; at times both sides of every length form, and larger than any chunk here.
pub(super) fn any_push() -> impl Strategy<Value = Push> {
    let payload = prop_oneof![
        20 => 0_usize..12,
        4 => 12_usize..120,
        2 => Just(125_usize),
        2 => Just(126_usize),
    ];
    let payloads = proptest::collection::vec(payload, 1..6);
    let large = prop_oneof![Just(0xFFFF_usize), Just(0x1_0000), Just(1000)];
    let later = prop_oneof![Just(0_u64), 0_u64..4];
    prop_oneof![
        30 => (payloads, later.clone()).prop_map(|(sizes, later)| Push(Kind::Framed, sizes, later)),
        1 => (large, later.clone()).prop_map(|(size, later)| {
            Push(Kind::Framed, vec![1, size, 1], later)
        }),
        6 => (1_usize..4, later.clone()).prop_map(|(count, later)| {
            Push(Kind::Withheld, vec![0; count], later)
        }),
        2 => later.prop_map(|later| Push(Kind::Poison, vec![0], later)),
    ]
}
