//! Publishing into a stream, with confirms.
//!
//! A publisher without a name lives as long as its stream is published to, and its ids go up. One
//! with a name is made for one append: its ids count that append's events, so the broker stores
//! each of them once however often the append is tried.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use monoio::time::timeout;

use super::connection::Connection;
use super::fault::{Fault, of_stream};
use super::ids::{Id, Publishes};
use crate::event::StreamName;
use crate::limits::{BROKER_CONFIRM_TIMEOUT, BROKER_PUBLISH_BYTES_MAX};
use crate::proto::rabbit::request::{self, Publish};
use crate::proto::rabbit::{Code, Response};
use crate::wait::Bell;

/// A publisher on a connection to the stream's leader.
pub(super) struct Publisher {
    connection: Rc<Connection>,
    id: Id,
    state: Rc<Confirms>,
}

/// What the broker has said of messages.
#[derive(Default)]
struct Confirms {
    next: Cell<u64>,
    batches: RefCell<Vec<Rc<Batch>>>,
    lost: Cell<bool>,
    changed: Bell,
}

/// Messages that are confirmed together.
struct Batch {
    ids: Range<u64>,
    left: Cell<u64>,
    refused: Cell<Option<Code>>,
}

/// How a publish ended.
pub(super) enum Published {
    /// All are stored.
    Stored,
    /// Some are refused.
    Refused(Code),
    /// What became of them can't be known.
    Unknown(Fault),
}

impl Publisher {
    /// Declares a publisher; with a `reference`, messages are stored once for each id.
    pub(super) async fn declare(
        connection: Rc<Connection>,
        stream: &StreamName,
        reference: Option<&str>,
    ) -> Result<Self, Fault> {
        let state = Rc::new(Confirms::default());
        state.next.set(1);
        let hears: Rc<dyn Publishes> = Rc::clone(&state) as _;
        let Some(id) = connection.publishers.take(stream.as_str(), Rc::downgrade(&hears)) else {
            return Err(Fault::Lost("all its publishers are in use".into()));
        };
        let this = Self { connection, id, state };
        let declare = |correlation| {
            request::declare_publisher(correlation, id.number, reference, stream.as_str())
        };
        let code = this.connection.command(declare).await?;
        if code.is_ok() { Ok(this) } else { Err(of_stream(code)) }
    }

    /// The last id that the stream has of this reference; 0 when there is none.
    pub(super) async fn sequence(
        &self,
        stream: &StreamName,
        reference: &str,
    ) -> Result<u64, Fault> {
        let query = |correlation| {
            request::query_publisher_sequence(correlation, reference, stream.as_str())
        };
        let answer = self.connection.ask(query).await?;
        if let Response::Sequence { code: Code::OK, sequence, .. } = answer {
            return Ok(sequence);
        }
        Err(of_stream(answer.answers().map_or(Code::INTERNAL_ERROR, |(_, code)| code)))
    }

    /// Whether it can still be used.
    pub(super) fn usable(&self) -> bool {
        !self.state.lost.get() && self.connection.alive()
    }

    /// Largest message that can be published here, in bytes.
    pub(super) fn message_bytes_max(&self) -> usize {
        let most = self.connection.opened.frame_max;
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap_or(usize::MAX) };
        most.saturating_sub(Publish::HEAD_BYTES + Publish::MESSAGE_BYTES)
    }

    /// Passes over ids that are stored already.
    pub(super) fn begin_after(&self, sequence: u64) {
        self.state.next.set(sequence + 1);
    }

    /// Publishes messages of these lengths, which `write` appends by their index, and waits for
    /// their confirms.
    pub(super) async fn publish(
        &self,
        lengths: &[usize],
        write: impl Fn(usize, &mut Vec<u8>),
    ) -> Published {
        let first = self.state.next.get();
        let count = lengths.len() as u64;
        self.state.next.set(first + count);
        let batch = Rc::new(Batch {
            ids: first..first + count,
            left: Cell::new(count),
            refused: Cell::new(None),
        });
        self.state.batches.borrow_mut().push(Rc::clone(&batch));
        let sent = self.send(first, lengths, write).await;
        let published = match sent {
            Ok(()) => self.confirmed(&batch).await,
            Err(fault) => Published::Unknown(fault),
        };
        self.state.batches.borrow_mut().retain(|one| !Rc::ptr_eq(one, &batch));
        published
    }

    async fn send(
        &self,
        first: u64,
        lengths: &[usize],
        write: impl Fn(usize, &mut Vec<u8>),
    ) -> Result<(), Fault> {
        let frame_bytes_max = match self.connection.opened.frame_max {
            0 => BROKER_PUBLISH_BYTES_MAX,
            most => BROKER_PUBLISH_BYTES_MAX.min(most as usize),
        };
        let mut frame = Publish::new(self.id.number);
        for (index, (length, id)) in lengths.iter().zip(first..).enumerate() {
            let grown = frame.frame_bytes() + Publish::MESSAGE_BYTES + length;
            if frame.count() > 0 && grown > frame_bytes_max {
                self.connection.send_large(&frame.finish()).await?;
                frame = Publish::new(self.id.number);
            }
            frame.message(id, *length, |out| write(index, out));
        }
        self.connection.send_large(&frame.finish()).await
    }

    async fn confirmed(&self, batch: &Batch) -> Published {
        let waiting = async {
            while batch.left.get() > 0 && !self.state.lost.get() {
                self.state.changed.rung().await;
            }
        };
        let in_time = timeout(BROKER_CONFIRM_TIMEOUT, waiting).await.is_ok();
        match (batch.left.get(), batch.refused.get()) {
            (0, None) => Published::Stored,
            (0, Some(code)) => Published::Refused(code),
            _ if in_time => Published::Unknown(self.connection.lost()),
            _ => Published::Unknown(Fault::Lost("the broker doesn't confirm".into())),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.connection.unpublish(self.id);
    }
}

impl Confirms {
    fn answered(&self, id: u64, refused: Option<Code>) {
        let batches = self.batches.borrow();
        if let Some(batch) = batches.iter().find(|batch| batch.ids.contains(&id)) {
            batch.left.set(batch.left.get().saturating_sub(1));
            if refused.is_some() {
                batch.refused.set(refused);
            }
        }
    }
}

impl Publishes for Confirms {
    fn confirmed(&self, ids: &[u64]) {
        ids.iter().for_each(|id| self.answered(*id, None));
        self.changed.ring();
    }

    fn refused(&self, ids: &[(u64, Code)]) {
        ids.iter().for_each(|(id, code)| self.answered(*id, Some(*code)));
        self.changed.ring();
    }

    fn lost(&self) {
        self.lost.set(true);
        self.changed.ring();
    }
}
