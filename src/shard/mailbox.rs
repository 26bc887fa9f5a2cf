//! What shards say to each other.
//!
//! One bounded mailbox a shard. Its task takes each message at once and gives longer work to a task
//! of its own, so a full mailbox always drains and waiting for room can't become a deadlock. Work
//! in flight is bounded by the connections that wait for an answer.

use std::sync::Arc;

use async_channel::{Receiver, Sender, bounded};

use crate::census::{ShardCensus, StreamCensus};
use crate::doors::management::Publication;
use crate::event::{Start, StreamName};
use crate::limits::MAILBOX_MESSAGES_MAX;
use crate::net::Parked;
use crate::proto::http::RequestId;
use crate::registry::{EventStream, Removal};
use crate::store::{AppendError, Bounds, ReadError, Receipt, StoreError};

use super::line::Graft;

/// A message to a shard.
pub(super) enum Message {
    /// A consumer whose stream lives here.
    Adopt(Arrival),
    /// A consumer that its stream's home has placed, for the branch here.
    Graft(Graft),
    /// Events for a stream that lives here.
    Append {
        name: StreamName,
        publication: Publication,
        reply: Sender<Result<Receipt, AppendError>>,
    },
    /// What does this stream hold, and how many consumers came through the event stream?
    Describe { event_stream: Arc<EventStream>, reply: Sender<Result<(Bounds, usize), ReadError>> },
    /// How many consumers of the branch here came through the event stream `uuid`?
    Count { name: StreamName, uuid: String, reply: Sender<usize> },
    /// Open a stream that lives here.
    Open { name: StreamName, reply: Sender<Result<(), StoreError>> },
    /// Remove a stream that lives here.
    Remove { removal: Removal, reply: Sender<Result<(), StoreError>> },
    /// An event stream was created.
    Registered { event_stream: Arc<EventStream>, reply: Sender<()> },
    /// An event stream was deleted: its consumers end now.
    Deregistered { event_stream: Arc<EventStream>, reply: Sender<()> },
    /// What is wrong with your store?
    Trouble { reply: Sender<Troubles> },
    /// What do you have, and what do you do?
    Census { reply: Sender<ShardCensus> },
    /// What do you have of these streams?
    Look { names: Vec<StreamName>, reply: Sender<Vec<StreamCensus>> },
    /// The service stops: drain.
    Stop,
    /// Every shard is drained: close the streams and end.
    Finish,
}

/// What is wrong with a shard's store, if anything.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// It passes with its cause.
    pub(super) passing: Option<String>,
    /// Only a restart helps.
    pub(super) lasting: Option<String>,
}

/// What the main thread hears.
pub(super) enum Report {
    /// This shard has opened its streams and listens.
    Ready(usize),
    /// This shard has sent its consumers away.
    Drained(usize),
    /// This shard's thread has ended; whether cleanly.
    Ended(usize, bool),
    /// SIGTERM or SIGINT.
    Signal(i32),
}

/// A consumer on its way to the home of its stream.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: Parked,
    pub(super) event_stream: Arc<EventStream>,
    pub(super) start: Start,
    /// The 101, sent by the home once nothing can be missed any more.
    pub(super) greeting: Vec<u8>,
    /// The handshake's name, and so the connection's.
    pub(super) request: RequestId,
}

/// The senders of all mailboxes.
#[derive(Clone)]
pub(super) struct Mailboxes(Arc<[Sender<Message>]>);

impl Mailboxes {
    /// A mailbox for each of `shards`, and who reads them.
    pub(super) fn new(shards: usize) -> (Self, Vec<Receiver<Message>>) {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..shards).map(|_| bounded(MAILBOX_MESSAGES_MAX)).unzip();
        (Self(senders.into()), receivers)
    }

    /// Puts `message` into the mailbox of shard `index`, waiting for room.
    pub(super) async fn send(&self, index: usize, message: Message) {
        // A shard that is gone has stopped: whoever waits for its answer sees that.
        if let Some(mailbox) = self.0.get(index) {
            let _ = mailbox.send(message).await;
        }
    }

    /// As [`Mailboxes::send`], from a thread that may block.
    pub(super) fn send_blocking(&self, index: usize, message: Message) {
        if let Some(mailbox) = self.0.get(index) {
            let _ = mailbox.send_blocking(message);
        }
    }

    /// Messages that wait in each.
    pub(super) fn depths(&self) -> Vec<usize> {
        self.0.iter().map(Sender::len).collect()
    }

    /// How many shards there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
