//! A subscription to a stream, and the first chunk that one would begin with.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::connection::Connection;
use super::fault::{Fault, of_stream};
use super::ids::{Id, Sink};
use super::pool::{Pool, Role};
use crate::event::StreamName;
use crate::proto::rabbit::chunk::Head;
use crate::proto::rabbit::request::{self, Offset};

/// A subscription; it ends when dropped.
pub(super) struct Subscription {
    connection: Rc<Connection>,
    id: Id,
}

impl Subscription {
    /// Subscribes: `sink` is given the chunks from `from` on, at first `credit` of them.
    pub(super) async fn open(
        connection: Rc<Connection>,
        stream: &StreamName,
        from: Offset,
        credit: u16,
        sink: Weak<dyn Sink>,
    ) -> Result<Self, Fault> {
        let name = stream.as_str();
        let Some(id) = connection.subscriptions.take(name, sink) else {
            return Err(Fault::Lost("all its subscriptions are in use".into()));
        };
        // From here on the id is given back, whatever happens.
        let this = Self { connection, id };
        let code = this
            .connection
            .command(|correlation| request::subscribe(correlation, id.number, name, from, credit))
            .await?;
        if code.is_ok() { Ok(this) } else { Err(of_stream(code)) }
    }

    /// Lets the broker send so many chunks more, with the next flush of the connection.
    pub(super) fn credit(&self, chunks: u16) {
        self.connection.queue(&request::credit(self.id.number, chunks));
    }

    /// As [`Subscription::credit`], at once.
    pub(super) fn credit_now(&self, chunks: u16) {
        self.credit(chunks);
        self.connection.flush();
    }

    /// Waits until the broker has done what was asked before: a node answers in order, and sends
    /// the chunks that are there when it subscribes us before it answers anything else.
    pub(super) async fn settled(&self, stream: &StreamName) -> Result<(), Fault> {
        self.connection.ask(|correlation| request::metadata(correlation, stream.as_str())).await?;
        Ok(())
    }

    /// Gives the connection up: what came over it can't be trusted.
    pub(super) fn distrust(&self, why: &str) {
        self.connection.end(why);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.connection.unsubscribe(self.id);
    }
}

/// The head of the first chunk that a subscription of `role` from `from` is given; `None` when
/// there is none yet, as far as the node knows what most of the stream's nodes have.
pub(super) async fn first_chunk(
    pool: &Pool,
    stream: &StreamName,
    role: Role,
    from: Offset,
) -> Result<Option<Head>, Fault> {
    let probe = Rc::new(Probe::default());
    let sink: Rc<dyn Sink> = Rc::clone(&probe) as _;
    let connection = pool.for_stream(stream.as_str(), role).await?;
    let subscription =
        Subscription::open(connection, stream, from, 1, Rc::downgrade(&sink)).await?;
    subscription.settled(stream).await?;
    if probe.lost.get() {
        return Err(Fault::Lost("the subscription ended".into()));
    }
    Ok(probe.head.take())
}

/// Remembers the first chunk's head.
#[derive(Default)]
struct Probe {
    head: RefCell<Option<Head>>,
    lost: Cell<bool>,
}

impl Sink for Probe {
    fn chunk(&self, chunk: &[u8]) {
        self.oversized(chunk, chunk.len());
    }

    fn oversized(&self, head: &[u8], _bytes: usize) {
        if self.head.borrow().is_none() {
            *self.head.borrow_mut() = Head::read(head).ok();
        }
    }

    fn lost(&self) {
        self.lost.set(true);
    }
}
