//! From a chunk to blocks: what a broker delivers becomes what consumers are sent.
//!
//! Every ordinal of the chunk comes out exactly once, framed, as a POISON, or passed over; so do
//! the ordinals between what was had before and the chunk, which the broker doesn't have. What is
//! passed over because it can't be read or sent is told in the log, with its ordinal.

use std::fmt;
use std::ops::Range;

use log::{debug, warn};

use crate::event::{Ordinal, StreamName, Timestamp};
use crate::limits::{BROKER_FAULTS_TOLD_MAX, ORDINAL_MAX};
use crate::meter::{Tallied, Tally};
use crate::proto::amqp10;
use crate::proto::rabbit::chunk::{Chunk, Fault, Found, Head, Scratch};
use crate::store::framing::{Framed, Framing};
use crate::store::{Block, Skip};

/// A chunk, ready to be sent.
#[derive(Debug)]
pub(super) struct Delivery {
    /// In order, from the first ordinal that was wanted.
    pub(super) blocks: Vec<Block>,
    /// The ordinals of the chunk.
    pub(super) ordinals: Range<Ordinal>,
    /// The chunk's.
    pub(super) timestamp: Timestamp,
    /// Events that can't be read or sent, by why.
    pub(super) skipped: Tallied<Skip>,
}

/// Frames the events of `chunk` from `wanted` on. `seen` is shown each message and its ordinal.
///
/// # Errors
///
/// When the chunk is damaged, or none.
pub(super) fn deliver(
    name: &StreamName,
    chunk: &[u8],
    wanted: Ordinal,
    scratch: &mut Scratch,
    seen: &mut dyn FnMut(Ordinal, &[u8]),
) -> Result<Delivery, Fault> {
    let chunk = Chunk::parse(chunk)?;
    let (ordinals, timestamp) = place(&chunk.head)?;
    let from = ordinals.start.max(wanted);
    let count = usize::try_from(ordinals.end.since(from)).unwrap_or(0);
    let bytes = usize::try_from(chunk.head.data_bytes).unwrap_or(0);
    let mut framing = Framing::to_deliver(wanted, timestamp, bytes, count);
    pass_over(name, &mut framing, from);
    let mut tell = Tell { name, left: BROKER_FAULTS_TOLD_MAX, skipped: Tally::default() };
    chunk.walk_from(from.get(), scratch, &mut |found| match found {
        Found::Message { offset, message } => {
            let ordinal = Ordinal::new(offset);
            seen(ordinal, message);
            match amqp10::body(message) {
                Ok(body) => framing.event(&body),
                Err(fault) => {
                    tell.skip(ordinal, 1, Skip::Unreadable, &fault);
                    framing.pass_over(1);
                }
            }
        }
        Found::Malformed { offset, count, fault } => {
            tell.skip(Ordinal::new(offset), count, Skip::Unreadable, &fault);
            framing.pass_over(count);
        }
    });
    assert!(framing.next() == ordinals.end.max(wanted), "every ordinal of a chunk comes out once");
    let Framed { sheets, withheld, .. } = framing.finish();
    for (ordinal, why) in &withheld {
        tell.skip(*ordinal, 1, Skip::from(why), why);
    }
    let skipped = tell.finish();
    let blocks = sheets.into_iter().flat_map(|sheet| sheet.publish(timestamp).1).collect();
    Ok(Delivery { blocks, ordinals, timestamp, skipped })
}

/// As [`deliver`], of a chunk that isn't taken, by its head: all of it is passed over.
///
/// # Errors
///
/// When it is the head of no chunk.
pub(super) fn pass_by(
    name: &StreamName,
    head: &[u8],
    bytes: usize,
    wanted: Ordinal,
    why: Skip,
) -> Result<Delivery, Fault> {
    let head = Head::read(head)?;
    let (ordinals, timestamp) = place(&head)?;
    let mut framing = Framing::to_deliver(wanted, timestamp, 0, 0);
    pass_over(name, &mut framing, ordinals.end);
    let skipped = ordinals.end.since(ordinals.start.max(wanted));
    if skipped > 0 {
        let what = if why == Skip::TooLarge { "too large" } else { "damaged" };
        warn!(
            "{name}: {skipped} events from {} are skipped: a chunk of {bytes} bytes is {what}",
            ordinals.start
        );
    }
    let sheets = framing.finish().sheets;
    let blocks = sheets.into_iter().flat_map(|sheet| sheet.publish(timestamp).1).collect();
    Ok(Delivery { blocks, ordinals, timestamp, skipped: vec![(why, skipped)] })
}

/// Where a chunk stands in its stream.
fn place(head: &Head) -> Result<(Range<Ordinal>, Timestamp), Fault> {
    let (first, end) = (head.first_offset, head.next_offset());
    if end > ORDINAL_MAX {
        return Err(Fault::Offsets { first, records: head.records });
    }
    let timestamp = Timestamp::from_millis(u64::try_from(head.timestamp_ms).unwrap_or(0));
    Ok((Ordinal::new(first)..Ordinal::new(end), timestamp))
}

/// Passes over what the broker doesn't have: no longer retained, or taken by its own bookkeeping
/// (tracking chunks take offsets).
fn pass_over(name: &StreamName, framing: &mut Framing, to: Ordinal) {
    let gap = to.since(framing.next());
    if gap > 0 {
        debug!("{name}: nothing is there from {} to before {to}", framing.next());
    }
    let mut left = gap;
    while left > 0 {
        let part = u32::try_from(left).unwrap_or(u32::MAX);
        framing.pass_over(part);
        left -= u64::from(part);
    }
}

/// Tells what is skipped, but not without end.
struct Tell<'a> {
    name: &'a StreamName,
    left: usize,
    skipped: Tally<Skip>,
}

impl Tell<'_> {
    fn skip(&mut self, ordinal: Ordinal, count: u32, kind: Skip, why: &dyn fmt::Display) {
        self.skipped.add(kind, u64::from(count));
        if self.left > 0 {
            self.left -= 1;
            match count {
                1 => warn!("{}: event {ordinal} is skipped: {why}", self.name),
                _ => warn!("{}: {count} events from {ordinal} are skipped: {why}", self.name),
            }
        }
    }

    fn finish(self) -> Tallied<Skip> {
        let skipped = self.skipped.get();
        let all: u64 = skipped.iter().map(|(_, count)| count).sum();
        if self.left == 0 && all > BROKER_FAULTS_TOLD_MAX as u64 {
            warn!("{}: {all} events of this chunk are skipped in all", self.name);
        }
        skipped
    }
}
