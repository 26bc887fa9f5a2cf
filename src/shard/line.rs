//! What the root of a stream and its branches say to each other.
//!
//! ```text
//!  root (home shard)                          branch (another shard)
//!    places an arrival ── Message::Graft ───▶ takes the consumer in, sends the 101
//!    blocks, or that it has ended ◀── Pull ── "I have all below X"; one at a time
//!    pieces of the history ◀──── History ──── a consumer that is behind the branch's tail
//!    knows how many are there ◀─── Told ───── every sweep
//! ```
//!
//! A branch's requests go through one bounded channel, its *line*. The channel is the branch's
//! identity: a branch that is made anew has another, so nothing that is late reaches the wrong one.
//! There is no queue of events: a branch that is slow is given more with each pull.

use std::sync::Arc;

use async_channel::{Receiver, Sender};

use crate::census::Traffic;
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::net::Parked;
use crate::proto::http::RequestId;
use crate::registry::EventStream;
use crate::store::{Block, ReadError, Reading};

/// A branch's way to its root.
pub(super) type Line = Sender<Request>;

/// What a branch asks of its root, and tells it.
pub(super) enum Request {
    /// The branch has all below `from`: what follows? Answered as soon as there is something.
    Pull { from: Ordinal, reply: Sender<Answer> },
    /// How it stands.
    Told(Told),
    /// Nobody is on the branch any more, of the consumers that were `taken` in: may it go? The root
    /// closes the line unless another is on its way.
    Leave { taken: u64 },
    /// Somebody reads the history from here on.
    History { from: Cursor, asks: Receiver<Ask> },
}

/// What a pull is answered.
pub(super) enum Answer {
    /// The next blocks.
    Blocks(Vec<Block>),
    /// The root's tail begins at `floor` by now; `poison` is the newest POISON before that.
    Gone { floor: Ordinal, poison: Option<Ordinal> },
    /// The stream has ended.
    Ended(Ending),
}

/// How a stream ends for its consumers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// It was deleted.
    Deleted,
    /// It is gone from where it was kept.
    Missing,
}

/// How a branch stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// Consumers that came by graft, ever, also those it refused.
    pub(super) taken: u64,
    /// Consumers that are there.
    pub(super) consumers: usize,
    /// What the slowest of them is owed next.
    pub(super) slowest: Option<Ordinal>,
    /// What passed through.
    pub(super) traffic: Traffic,
}

/// What a reader of the history asks for, one thing at a time.
pub(super) enum Ask {
    /// To be told when reading needs no waiting ([`crate::store::Reader::ready`]).
    Ready { reply: Sender<Result<(), ReadError>> },
    /// The next piece.
    Read { bytes_max: usize, reply: Sender<Answered> },
}

/// A reading, and where it left the reader and the stream.
pub(super) struct Answered {
    pub(super) reading: Result<Reading, ReadError>,
    /// Where the reader stands.
    pub(super) cursor: Cursor,
    /// The oldest event that is retained.
    pub(super) floor: Ordinal,
}

/// Where a consumer was put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) cursor: Cursor,
    /// The stream's ceiling at that moment.
    pub(super) joined: Ordinal,
    pub(super) not_before: Option<Timestamp>,
}

/// A consumer that its root has placed, on its way to a branch.
pub(super) struct Graft {
    pub(super) line: Line,
    pub(super) socket: Parked,
    pub(super) event_stream: Arc<EventStream>,
    pub(super) placement: Placement,
    /// The 101, sent by the branch.
    pub(super) greeting: Vec<u8>,
    pub(super) request: RequestId,
}
