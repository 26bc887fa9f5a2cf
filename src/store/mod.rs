//! The contract of a stream of events, whoever keeps it.
//!
//! A [`Store`] opens streams by name; a [`StreamStore`] is one of them, on its home shard. What a
//! stream holds is [`Block`]s: consecutive events, already enriched and framed as WebSocket text
//! frames, so that live delivery and replay hand out the same bytes.
//!
//! Promises, checked by the conformance suite for every backend:
//!
//! - ordinals are dense, assigned in the order of appends, never reused in a stream's life, also
//!   when nothing is retained and over a restart;
//! - timestamps never decrease, also when the clock does;
//! - `append` answers when its events are durable (as far as the operator asked for durable), and
//!   the observer has seen them before that;
//! - the observer sees every block that is appended while the stream is attended once, in order,
//!   without gap; a store that keeps its events itself attends every open stream;
//! - a reader started at a cursor yields exactly the frames from there to the ceiling, byte for
//!   byte the ones the observer saw;
//! - an append that failed left nothing behind that any reader or later life can see, except when
//!   the answer says that it can't be known.
//!
//! A backend knows no consumer, no socket and no door.

pub mod amqp;
mod attendance;
mod block;
#[cfg(any(test, feature = "sim"))]
pub mod conformance;
mod declaration;
mod error;
pub mod exchange;
mod framing;
mod glance;
pub mod log;
mod memory;
pub mod rabbit;
mod receipts;
mod row;
mod vitals;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::event::{Cursor, Ordinal, StreamName, Timestamp};

pub use block::{Block, Kind, Piece, Run};
pub use declaration::{Declaration, DeclareError, Declared};
use error::nor_at;
pub use error::{AppendError, ReadError, StoreError};
pub use glance::{Glance, Pace};
pub use memory::{MemoryReader, MemoryStore, MemoryStream};
pub use vitals::{BrokerVitals, LinkCounts, Skip, Vitals};

/// Opens and removes streams.
#[expect(async_fn_in_trait, reason = "one thread per shard: nothing here is Send")]
pub trait Store: 'static {
    /// One stream.
    type Stream: StreamStore;

    /// Opens the stream, making it where there is none yet. Every call for the same name must be
    /// awaited before the next: the home shard holds the one handle.
    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<Self::Stream>, StoreError>;

    /// Removes the stream and all its events, durably. Fine when there is none. The handle must
    /// have been closed before.
    async fn remove(&self, name: &StreamName) -> Result<(), StoreError>;

    /// As [`Store::remove`], and where the stream lies with somebody else, it is deleted there too.
    async fn destroy(&self, name: &StreamName) -> Result<(), StoreError> {
        self.remove(name).await
    }

    /// Makes the stream where somebody else keeps it, unless it is there. For stores whose streams
    /// aren't made by [`Store::open`].
    async fn declare(
        &self,
        name: &StreamName,
        declaration: &Declaration,
    ) -> Result<Declared, DeclareError> {
        let _ = (name, declaration);
        Err(DeclareError::Unsupported)
    }

    /// Whether a consumer may begin with events that are there already. A store that doesn't keep
    /// events only has those to come.
    fn keeps_history(&self) -> bool {
        true
    }

    /// Looks after what the store needs from elsewhere, for as long as the shard lives.
    async fn watch(&self) {}

    /// What keeps the store from serving now, one line for an operator, with what to do about it.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// What the store can't do any more and only a restart can repair, one line for an operator.
    fn defect(&self) -> Option<String> {
        None
    }

    /// How it is doing, in numbers.
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    /// Lets go of what the store has from elsewhere, once its streams are closed.
    fn close(&self) {}
}

/// One stream of events, on its home shard.
#[expect(async_fn_in_trait, reason = "one thread per shard: nothing here is Send")]
pub trait StreamStore: 'static {
    /// Reads framed events.
    type Reader: Reader;

    /// What the stream holds now.
    fn bounds(&self) -> Bounds;

    /// What is known of the stream without asking anybody; cheap enough for thousands of streams.
    fn glance(&self) -> Glance {
        let Bounds { floor, bytes, newest, .. } = self.bounds();
        let newest = (newest > Timestamp::EPOCH).then_some(newest);
        Glance { floor: Some(floor), bytes: Some(bytes), newest }
    }

    /// How long the event `ordinal`, which is retained, will be kept at least if events go on
    /// coming at `pace`. `None` when no rule will take it, or that isn't known.
    fn kept_for(&self, ordinal: Ordinal, pace: Pace) -> Option<Duration> {
        let _ = (ordinal, pace);
        None
    }

    /// Attends the stream: from the answer on, and until nobody was here for a while (see
    /// [`StreamStore::tend`]), the observer is shown everything that is appended, and the ceiling
    /// is beyond all that was appended before the call. Called before a consumer is placed.
    async fn attend(&self) -> Result<(), ReadError> {
        Ok(())
    }

    /// Is told again and again how many consumers the stream has, so that a store that watches a
    /// broker doesn't do it for nobody.
    fn tend(&self, _consumers: usize) {}

    /// Appends `bodies`, one event each, as one unit: all or none. Appends may run concurrently
    /// and are stored in the order of their first poll; those that meet share one write and one
    /// sync. The future must be awaited to its end.
    ///
    /// # Panics
    ///
    /// When there is no body: such an append has no place.
    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError>;

    /// Finds the first retained event at `timestamp` or later.
    async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError>;

    /// As [`StreamStore::append`], but at most once for each `key`: a caller that got no answer may
    /// ask again with the same key and the same bodies. What was stored before answers
    /// [`AppendError::Duplicate`]. A store that remembers no keys stores again.
    async fn append_once(&self, key: &str, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        let _ = key;
        self.append(bodies).await
    }

    /// What the stream holds now, also where nobody watches it.
    async fn survey(&self) -> Result<Bounds, ReadError> {
        Ok(self.bounds())
    }

    /// A reader that begins at `from`.
    fn reader(&self, from: Cursor) -> Self::Reader;

    /// Drops what the retention rules no longer keep. Runs on a timer; returns how many events
    /// went.
    async fn retain(&self) -> Result<u64, StoreError>;

    /// Syncs what was appended and isn't durable yet. Runs on a timer where the operator asked for
    /// [`crate::config::Fsync::Interval`]; has nothing to do otherwise.
    async fn sync(&self) -> Result<(), StoreError>;

    /// Syncs what is unsynced and takes no more appends or reads: they answer
    /// [`AppendError::Closed`] and [`ReadError::Closed`]. Fine when it was closed before.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Reads framed events from a stream's history.
#[expect(async_fn_in_trait, reason = "one thread per shard: nothing here is Send")]
pub trait Reader {
    /// Waits for what [`Reader::read`] would have to wait for and that doesn't take its caller's
    /// memory: a caller that bounds how many read at the same time asks for its permit after this.
    async fn ready(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    /// The next piece, with at least one byte and at most `bytes_max` (a piece may end inside a
    /// frame). A cursor below the floor moves up to the floor first, unless it stands inside a
    /// frame: that is [`ReadError::Lost`]. A cursor beyond the ceiling waits there: events below it
    /// are not for this reader.
    ///
    /// # Panics
    ///
    /// When `bytes_max` is 0.
    async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError>;

    /// Where the reader stands: the next event it would hand out.
    fn cursor(&self) -> Cursor;
}

/// Is told of every block the moment it becomes visible, on the stream's home shard.
pub trait Observer {
    /// `block` is durable and becomes visible with this call: [`StreamStore::bounds`] shows it
    /// before the append answers, not earlier. Must not append to the same stream.
    fn visible(&self, block: &Block);

    /// What becomes visible next begins at `ceiling` and doesn't continue what was shown before:
    /// the stream is attended for the first time, or again after nobody was here.
    fn restarted(&self, ceiling: Ordinal) {
        let _ = ceiling;
    }

    /// The stream is gone from where it was kept: nothing more will become visible.
    fn ended(&self) {}
}

/// What a reader found.
#[derive(Debug)]
pub enum Reading {
    /// Framed events.
    Piece(Piece),
    /// The event here is a POISON: nothing to send. The reader already stands behind it.
    Poison(Ordinal),
    /// The reader stands at the ceiling.
    End,
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Oldest retained ordinal; equal to the ceiling when nothing is retained.
    pub floor: Ordinal,
    /// The next ordinal to be assigned; all below it are visible.
    pub ceiling: Ordinal,
    /// Size in the store, in bytes.
    pub bytes: u64,
    /// Timestamp of the newest event ever appended; [`Timestamp::EPOCH`] when there was none.
    pub newest: Timestamp,
    /// The last event is a POISON.
    pub ends_in_poison: bool,
}

/// The answer to an append: where the events are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Ordinal of the first event.
    pub first: Ordinal,
    /// Ordinal of the last event.
    pub last: Ordinal,
    /// Their common timestamp.
    pub timestamp: Timestamp,
    /// Events that were stored but will never be delivered, and why, oldest first.
    pub withheld: Vec<(Ordinal, crate::enrich::Undeliverable)>,
}

/// Where a timestamp stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Located {
    /// The first retained event that is not older.
    At(Ordinal),
    /// Every event below this ceiling is older.
    Beyond(Ordinal),
}
