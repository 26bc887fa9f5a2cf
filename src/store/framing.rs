//! From bodies to blocks: every event is framed once, here, for the store and every socket.
//!
//! Bodies take consecutive ordinals in the order they come, also those that can't be delivered.
//! Framed events that follow each other share a block up to [`BLOCK_BYTES_MAX`]; a larger one, a
//! POISON and a body that can't be delivered are blocks of their own. Blocks share *sheets*, the
//! buffers of a store's writes:
//!
//! ```text
//! sheet  +------+---------------------+------+---------+------+------------------+
//!        | room | frame, frame, frame | room | POISON  | room | frame, frame, …  |
//!        +------+---------------------+------+---------+------+------------------+
//! ```
//!
//! `room` is left free for the header of a store that keeps blocks as bytes, so that what is
//! written and what is sent are the same memory.
//!
//! Nothing here knows how a store lays out a header, or whether it keeps the raw body of an event
//! that is never sent.

use bytes::Bytes;

use crate::enrich::{Shape, Stamp, Undeliverable, classify, classify_unchanged};
use crate::event::{Ordinal, Timestamp};
use crate::limits::{BLOCK_BYTES_MAX, WRITE_BYTES_MAX};
use crate::proto::websocket::frame::{Opcode, header_len, put_header};

use super::{Block, Kind};

/// Blocks one after the other in one buffer, each behind its room.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The buffer.
    pub(crate) bytes: Vec<u8>,
    /// What lies in it, in order.
    pub(crate) drafts: Vec<Draft>,
}

/// A block that is not published yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Draft {
    pub(crate) first: Ordinal,
    pub(crate) count: u32,
    pub(crate) kind: Kind,
    /// Where in the sheet its payload begins; its room ends there.
    pub(crate) start: usize,
    /// Where its payload ends.
    pub(crate) end: usize,
}

/// What became of some bodies.
#[derive(Debug)]
pub(crate) struct Framed {
    /// The blocks; none when there was no body.
    pub(crate) sheets: Vec<Sheet>,
    /// Bodies that took an ordinal but will never be sent, oldest first.
    pub(crate) withheld: Vec<(Ordinal, Undeliverable)>,
    /// The ordinal after the last.
    pub(crate) next: Ordinal,
}

/// Frames `bodies` as the events from `first` on, with `room` free bytes before every block, and
/// keeps the raw bodies of events that are never sent.
pub(crate) fn frame<'a>(
    bodies: impl Iterator<Item = &'a Bytes> + Clone,
    first: Ordinal,
    timestamp: Timestamp,
    room: usize,
) -> Framed {
    let expected_bytes = bodies.clone().map(|body| body.len() + ADDED_BYTES_EXPECTED).sum();
    let stamp = Stamp::new(first, timestamp);
    let framer = Framer { room, stamp, expected_bytes, raw: true, sheets: Vec::new() };
    let mut framing = Framing { framer, withheld: Vec::new(), next: first };
    for body in bodies {
        framing.event(body);
    }
    framing.finish()
}

/// Events on their way into blocks, one after the other.
pub(crate) struct Framing {
    framer: Framer,
    withheld: Vec<(Ordinal, Undeliverable)>,
    next: Ordinal,
}

impl Framing {
    /// For blocks that are only delivered: no room, and nothing kept of what is never sent.
    /// `body_bytes` and `count` say about how much will come.
    pub(crate) fn to_deliver(
        first: Ordinal,
        timestamp: Timestamp,
        body_bytes: usize,
        count: usize,
    ) -> Self {
        let expected_bytes = body_bytes.saturating_add(count.saturating_mul(ADDED_BYTES_EXPECTED));
        let stamp = Stamp::new(first, timestamp);
        let framer = Framer { room: 0, stamp, expected_bytes, raw: false, sheets: Vec::new() };
        Self { framer, withheld: Vec::new(), next: first }
    }

    /// The next event.
    pub(crate) fn event(&mut self, body: &[u8]) {
        self.classified(body, classify(body));
    }

    /// The next event, to be sent as it is.
    pub(crate) fn event_unchanged(&mut self, body: &[u8]) {
        self.classified(body, classify_unchanged(body));
    }

    fn classified(&mut self, body: &[u8], shape: Result<Shape, Undeliverable>) {
        match shape {
            Ok(Shape::Poison) => self.framer.put_raw(Kind::Poison, body, self.next),
            Ok(shape) => self.framer.put_framed(&shape, body, self.next),
            Err(why) => {
                self.framer.put_raw(Kind::Withheld, body, self.next);
                self.withheld.push((self.next, why));
            }
        }
        self.next = self.next.next();
    }

    /// The next `count` ordinals belong to events that nobody can be sent.
    pub(crate) fn pass_over(&mut self, count: u32) {
        if count > 0 {
            let sheet = self.framer.sheet_for(Kind::Withheld, self.next, 0);
            #[expect(clippy::expect_used, reason = "`sheet_for` made it")]
            let draft = sheet.drafts.last_mut().expect("a block was begun");
            draft.count += count;
            self.next = self.next.plus(u64::from(count));
        }
    }

    /// The ordinal that the next event takes.
    pub(crate) const fn next(&self) -> Ordinal {
        self.next
    }

    /// What became of them.
    pub(crate) fn finish(self) -> Framed {
        Framed { sheets: self.framer.sheets, withheld: self.withheld, next: self.next }
    }
}

impl Sheet {
    /// The sheet's bytes, now immutable, and its blocks, whose bytes are slices of them.
    pub(crate) fn publish(self, timestamp: Timestamp) -> (Bytes, Vec<Block>) {
        let bytes = Bytes::from(self.bytes);
        let publish = |draft: &Draft| Block {
            first: draft.first,
            count: draft.count,
            timestamp,
            kind: draft.kind,
            bytes: match draft.kind {
                Kind::Framed => bytes.slice(draft.start..draft.end),
                Kind::Poison | Kind::Withheld => Bytes::new(),
            },
        };
        let blocks = self.drafts.iter().map(publish).collect();
        (bytes, blocks)
    }
}

struct Framer {
    room: usize,
    /// Of the event that was framed last.
    stamp: Stamp,
    /// About what is still to come; only a hint, so that a buffer rarely moves.
    expected_bytes: usize,
    /// Bodies that are never sent are kept.
    raw: bool,
    sheets: Vec<Sheet>,
}

impl Framer {
    fn put_framed(&mut self, shape: &Shape, body: &[u8], ordinal: Ordinal) {
        self.stamp.move_to(ordinal);
        let text_bytes = shape.stamped_len(body, &self.stamp);
        let frame_bytes = header_len(text_bytes) + text_bytes;
        self.sheet_for(Kind::Framed, ordinal, frame_bytes);
        #[expect(clippy::expect_used, reason = "`sheet_for` made it")]
        let sheet = self.sheets.last_mut().expect("there is a sheet");
        let start = sheet.bytes.len();
        put_header(Opcode::Text, text_bytes, &mut sheet.bytes);
        shape.stamp(body, &self.stamp, &mut sheet.bytes);
        self.end_event(start + frame_bytes);
    }

    fn put_raw(&mut self, kind: Kind, body: &[u8], ordinal: Ordinal) {
        let body = if self.raw { body } else { &[] };
        let sheet = self.sheet_for(kind, ordinal, body.len());
        let end = sheet.bytes.len() + body.len();
        sheet.bytes.extend_from_slice(body);
        self.end_event(end);
    }

    /// The last sheet, ending in a block that takes `payload_bytes` more of this kind.
    fn sheet_for(&mut self, kind: Kind, ordinal: Ordinal, payload_bytes: usize) -> &mut Sheet {
        let room = self.room;
        let last = self.sheets.last();
        let mergeable = kind == Kind::Framed || kind == Kind::Withheld && !self.raw;
        let merges = mergeable
            && last.and_then(|sheet| sheet.drafts.last()).is_some_and(|draft| {
                draft.kind == kind && draft.end - draft.start + payload_bytes <= BLOCK_BYTES_MAX
            });
        // A block that merges may grow past the write by less than a block.
        let needed = if merges { 0 } else { room + payload_bytes };
        if last.is_none_or(|sheet| sheet.bytes.len() + needed > WRITE_BYTES_MAX) && !merges {
            let expected = room + self.expected_bytes.min(WRITE_BYTES_MAX - room);
            let bytes = Vec::with_capacity(expected.max(room + payload_bytes));
            self.sheets.push(Sheet { bytes, drafts: Vec::new() });
        }
        #[expect(clippy::expect_used, reason = "one was pushed where there was none")]
        let sheet = self.sheets.last_mut().expect("there is a sheet");
        if !merges {
            let start = sheet.bytes.len() + room;
            sheet.bytes.resize(start, 0);
            sheet.drafts.push(Draft { first: ordinal, count: 0, kind, start, end: start });
        }
        sheet
    }

    /// Counts the event that was just written into the last block.
    fn end_event(&mut self, end: usize) {
        #[expect(clippy::expect_used, reason = "`sheet_for` made them")]
        let sheet = self.sheets.last_mut().expect("an event was written into a sheet");
        #[expect(clippy::expect_used, reason = "`sheet_for` made them")]
        let draft = sheet.drafts.last_mut().expect("an event was written into a block");
        assert_eq!(sheet.bytes.len(), end, "an event has the length it was said to have");
        let event_bytes = end - draft.end;
        self.expected_bytes = self.expected_bytes.saturating_sub(event_bytes);
        draft.count += 1;
        draft.end = end;
    }
}

/// What enrichment and framing add to an ordinary event, in bytes: a frame header of 4 and some 50
/// of text.
const ADDED_BYTES_EXPECTED: usize = 54;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::websocket::frame::frame_len;

    fn framed(bodies: &[Bytes], room: usize) -> Vec<(Draft, Vec<u8>)> {
        let framed = frame(bodies.iter(), Ordinal::new(7), Timestamp::from_millis(5), room);
        assert_eq!(framed.next, Ordinal::new(7 + bodies.len() as u64));
        let payload = |sheet: &Sheet, draft: &Draft| sheet.bytes[draft.start..draft.end].to_vec();
        let drafts = |sheet: &Sheet| {
            let mut end = 0;
            for draft in &sheet.drafts {
                assert_eq!(draft.start, end + room, "room before every block");
                assert!(sheet.bytes[end..draft.start].iter().all(|byte| *byte == 0));
                end = draft.end;
            }
            assert_eq!(sheet.bytes.len(), end);
            sheet.drafts.iter().map(|draft| (*draft, payload(sheet, draft))).collect::<Vec<_>>()
        };
        framed.sheets.iter().flat_map(drafts).collect()
    }

    #[test]
    fn events_that_follow_each_other_share_a_block() {
        let bodies = [Bytes::from("a"), Bytes::from("bc")];
        let blocks = framed(&bodies, 3);
        assert_eq!(blocks.len(), 1);
        assert_eq!((blocks[0].0.first, blocks[0].0.count), (Ordinal::new(7), 2));
        assert_eq!(
            blocks[0].1,
            b"\x81\x19a|ordinal: 7|timestamp: 5\x81\x1Abc|ordinal: 8|timestamp: 5"
        );
    }

    #[test]
    fn what_is_never_sent_takes_an_ordinal_and_a_block() {
        let bodies = ["x", "POISON", "", "y"].map(Bytes::from);
        let blocks = framed(&bodies, 0);
        let seen: Vec<_> =
            blocks.iter().map(|(draft, _)| (draft.first.get(), draft.kind)).collect();
        let expected =
            [(7, Kind::Framed), (8, Kind::Poison), (9, Kind::Withheld), (10, Kind::Framed)];
        assert_eq!(seen, expected);
        assert_eq!(blocks[1].1, b"POISON");
        let framed = frame(bodies.iter(), Ordinal::new(1), Timestamp::EPOCH, 0);
        assert_eq!(framed.withheld, [(Ordinal::new(3), Undeliverable::Empty)]);
        for sheet in framed.sheets {
            let (_, blocks) = sheet.publish(Timestamp::EPOCH);
            assert!(blocks[1].bytes.is_empty() && blocks[2].bytes.is_empty());
        }
    }

    #[test]
    fn a_block_takes_events_up_to_its_limit_and_larger_ones_stand_alone() {
        let probe = |bytes: usize| {
            let blocks = framed(&[vec![b'a'; bytes].into(), Bytes::from("b")], 0);
            (blocks[0].1.len(), blocks.len())
        };
        let (small, _) = probe(60_000);
        let fits = 60_000 + BLOCK_BYTES_MAX - small;
        assert_eq!(probe(fits).1, 1);
        assert_eq!(probe(fits + 1).1, 2);
        assert_eq!(probe(3 * WRITE_BYTES_MAX).1, 2);
    }

    #[test]
    fn to_deliver_only_what_is_sent_has_bytes() {
        let mut framing = Framing::to_deliver(Ordinal::new(7), Timestamp::from_millis(5), 9, 9);
        framing.pass_over(0);
        for body in ["a", "POISON", "", "\u{1}"] {
            framing.event(body.as_bytes());
        }
        framing.event(b"\xFF");
        framing.pass_over(70_000);
        framing.event(b"");
        framing.event(b"b");
        assert_eq!(framing.next(), Ordinal::new(70_014));
        let framed = framing.finish();
        let ordinals: Vec<_> = framed.withheld.iter().map(|(at, _)| at.get()).collect();
        assert_eq!(ordinals, [9, 11, 70_012], "what is passed over is its caller's to tell");
        let mut blocks = Vec::new();
        for sheet in framed.sheets {
            blocks.extend(sheet.publish(Timestamp::from_millis(5)).1);
        }
        let seen: Vec<_> = blocks.iter().map(|b| (b.first.get(), b.count, b.kind)).collect();
        let expected = [
            (7, 1, Kind::Framed),
            (8, 1, Kind::Poison),
            (9, 1, Kind::Withheld),
            (10, 1, Kind::Framed),
            (11, 70_002, Kind::Withheld),
            (70_013, 1, Kind::Framed),
        ];
        assert_eq!(seen, expected);
        assert!(blocks.iter().all(|b| b.bytes.is_empty() == (b.kind != Kind::Framed)));
    }

    #[test]
    fn writes_are_bounded_and_lose_nothing() {
        let bodies: Vec<Bytes> = (0..700).map(|n| vec![b'x'; n * 20].into()).collect();
        let framed = frame(bodies.iter(), Ordinal::new(1), Timestamp::EPOCH, 9);
        assert!(framed.sheets.len() > 3);
        let mut next = 1;
        for sheet in framed.sheets {
            assert!(sheet.bytes.len() <= WRITE_BYTES_MAX + BLOCK_BYTES_MAX);
            for block in sheet.publish(Timestamp::EPOCH).1 {
                assert_eq!(block.first.get(), next);
                next += u64::from(block.count);
                let mut rest = &block.bytes[..];
                let mut count = 0;
                while let Some(length) = frame_len(rest) {
                    rest = &rest[usize::try_from(length).unwrap()..];
                    count += 1;
                }
                assert!(rest.is_empty());
                assert_eq!(count, if block.kind == Kind::Framed { block.count } else { 0 });
            }
        }
        assert_eq!(next, 701);
    }
}
