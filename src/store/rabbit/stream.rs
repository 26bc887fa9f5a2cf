//! One stream of a broker, as the store contract wants it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use super::Shared;
use super::fault::Fault;
use super::feed::Feed;
use super::history::History;
use super::pool::Role;
use super::publisher::{Published, Publisher};
use super::subscription::first_chunk;
use crate::enrich::classify;
use crate::event::{Cursor, Ordinal, StreamName, Timestamp};
use crate::limits::BROKER_WINDOW_IDLE;
use crate::proto::amqp10;
use crate::proto::rabbit::request::Offset;
use crate::store::amqp::Message;
use crate::store::receipts::Marks;
use crate::store::{
    AppendError, Bounds, Glance, Located, Observer, ReadError, Reader, Reading, Receipt,
    StoreError, StreamStore,
};

/// A stream of a broker.
pub struct RabbitStream {
    name: StreamName,
    shared: Rc<Shared>,
    feed: Rc<Feed>,
    history: Rc<History>,
    publisher: RefCell<Option<Rc<Publisher>>>,
    closed: Rc<Cell<bool>>,
}

/// Reads a stream of a broker.
pub struct RabbitReader {
    feed: Rc<Feed>,
    history: Rc<History>,
    closed: Rc<Cell<bool>>,
    cursor: Cursor,
}

impl RabbitStream {
    pub(super) fn new(name: StreamName, observer: Rc<dyn Observer>, shared: Rc<Shared>) -> Self {
        Self {
            feed: Feed::new(name.clone(), observer, Rc::clone(&shared)),
            history: Rc::new(History::new(name.clone(), Rc::clone(&shared))),
            name,
            shared,
            publisher: RefCell::default(),
            closed: Rc::default(),
        }
    }

    /// A connection to where publishes go.
    async fn publisher(&self, reference: Option<&str>) -> Result<Rc<Publisher>, Fault> {
        if reference.is_none()
            && let Some(publisher) = &*self.publisher.borrow()
            && publisher.usable()
        {
            return Ok(Rc::clone(publisher));
        }
        let connection = self.shared.pool.for_stream(self.name.as_str(), Role::Publish).await?;
        let declared = Publisher::declare(connection, &self.name, reference).await?;
        let publisher = Rc::new(declared);
        if reference.is_none() {
            *self.publisher.borrow_mut() = Some(Rc::clone(&publisher));
        }
        Ok(publisher)
    }

    async fn publish(&self, key: Option<&str>, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        assert!(!bodies.is_empty(), "an append has an event");
        if self.closed.get() {
            return Err(AppendError::Closed);
        }
        // Watched before anything is sent, so that it can be seen where the events come out.
        self.feed.attend().await.map_err(|fault| fault.appending())?;
        if let Some(exchange) = &self.shared.broker.exchange {
            return self.publish_through(exchange, key, bodies).await;
        }
        let publisher = self.publisher(key).await.map_err(|fault| fault.appending())?;
        let stored = match key {
            None => 0,
            Some(key) => {
                let asked = publisher.sequence(&self.name, key).await;
                let stored = asked.map_err(|fault| fault.appending())?;
                publisher.begin_after(stored);
                usize::try_from(stored).unwrap_or(usize::MAX)
            }
        };
        let Some(bodies) = bodies.get(stored..).filter(|left| !left.is_empty()) else {
            return Err(AppendError::Duplicate);
        };
        let sent = Sent::new(bodies);
        let limit = publisher.message_bytes_max();
        if let Some(length) = sent.lengths.iter().find(|length| **length > limit) {
            let limit = format!(
                "the {limit} that this broker takes in a frame (stream.frame_max in rabbitmq.conf; \
                 with --exchange, larger ones are taken)"
            );
            return Err(AppendError::TooLarge { bytes: *length, limit: limit.into() });
        }
        let expected = sent.marks.expect(&self.feed.receipts);
        let write = |index: usize, out: &mut Vec<u8>| sent.write(index, out);
        match publisher.publish(&sent.lengths, write).await {
            Published::Stored => {}
            Published::Refused(code) => {
                return Err(AppendError::Failed(format!("RabbitMQ refused it: {code}").into()));
            }
            Published::Unknown(fault) => {
                return Err(AppendError::Unknown(fault.to_string().into()));
            }
        }
        expected.shown("it is stored, but has not come out of the stream yet").await
    }

    /// Publishes as the Account Server does: to an exchange, by AMQP 0.9.1. A message-id there is
    /// one in the stream.
    async fn publish_through(
        &self,
        exchange: &str,
        key: Option<&str>,
        bodies: Vec<Bytes>,
    ) -> Result<Receipt, AppendError> {
        if key.is_some() {
            return Err(AppendError::Unsupported(
                "Idempotency-Key: an exchange remembers no keys; publish without one, or run ess \
                 without --exchange"
                    .into(),
            ));
        }
        let marks = Marks::new(&bodies, |body| classify(body).err());
        let message = |(index, body)| Message { id: marks.id(index), body };
        let messages = bodies.into_iter().enumerate().map(message).collect();
        let expected = marks.expect(&self.feed.receipts);
        let published = self.shared.amqp.publish(exchange, self.name.as_str(), messages).await;
        published.map_err(|fault| fault.appending())?;
        let missing = "it is stored, but has not come out of the stream yet; is the stream bound \
                       to the exchange?";
        expected.shown(missing).await
    }
}

/// Messages on their way, the ones whose ordinals are wanted with an id.
struct Sent<'a> {
    bodies: &'a [Bytes],
    lengths: Vec<usize>,
    marks: Marks,
}

impl<'a> Sent<'a> {
    fn new(bodies: &'a [Bytes]) -> Self {
        let marks = Marks::new(bodies, |body| classify(body).err());
        let length =
            |(index, body): (usize, &Bytes)| amqp10::message_len(marks.id(index).as_deref(), body);
        let lengths = bodies.iter().enumerate().map(length).collect();
        Self { bodies, lengths, marks }
    }

    fn write(&self, index: usize, out: &mut Vec<u8>) {
        let body = self.bodies.get(index).map_or(&[][..], |body| body);
        amqp10::put_message(self.marks.id(index).as_deref(), body, out);
    }
}

impl StreamStore for RabbitStream {
    type Reader = RabbitReader;

    fn bounds(&self) -> Bounds {
        self.feed.bounds()
    }

    fn glance(&self) -> Glance {
        let newest = Some(self.bounds().newest).filter(|newest| *newest > Timestamp::EPOCH);
        Glance { floor: None, bytes: None, newest }
    }

    async fn attend(&self) -> Result<(), ReadError> {
        self.feed.attend().await.map_err(|fault| fault.reading())
    }

    fn tend(&self, consumers: usize) {
        self.feed.tend(consumers);
        self.history.tend(BROKER_WINDOW_IDLE);
    }

    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        self.publish(None, bodies).await
    }

    async fn append_once(&self, key: &str, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        self.publish(Some(key), bodies).await
    }

    async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError> {
        if self.closed.get() {
            return Err(ReadError::Closed);
        }
        self.attend().await?;
        // Before the broker is asked: what is published meanwhile is not older.
        let Bounds { ceiling, newest, .. } = self.bounds();
        let since = Offset::Since(i64::try_from(timestamp.millis()).unwrap_or(i64::MAX));
        let head = first_chunk(&self.shared.pool, &self.name, Role::History, since).await;
        match head.map_err(|fault| fault.reading())? {
            // A node that was cut off a moment ago shows nothing of what it has.
            None if newest >= timestamp && ceiling > Ordinal::default() => {
                Err(Fault::Lost("the stream's node doesn't show what is there".into()).reading())
            }
            None => Ok(Located::Beyond(ceiling)),
            Some(head) => Ok(Located::At(Ordinal::checked(head.first_offset).unwrap_or(ceiling))),
        }
    }

    async fn survey(&self) -> Result<Bounds, ReadError> {
        let probe = async |from| {
            let found = first_chunk(&self.shared.pool, &self.name, Role::History, from).await;
            found.map_err(|fault| fault.reading())
        };
        let mut bounds = self.bounds();
        if let Some(first) = probe(Offset::First).await? {
            bounds.floor = Ordinal::checked(first.first_offset).unwrap_or(bounds.floor);
            let end = Ordinal::checked(first.next_offset()).unwrap_or(bounds.ceiling);
            bounds.ceiling = bounds.ceiling.max(end);
        }
        if let Some(last) = probe(Offset::Last).await? {
            let end = Ordinal::checked(last.next_offset()).unwrap_or(bounds.ceiling);
            bounds.ceiling = bounds.ceiling.max(end);
            let newest = u64::try_from(last.timestamp_ms).unwrap_or(0);
            bounds.newest = bounds.newest.max(Timestamp::from_millis(newest));
        }
        Ok(bounds)
    }

    fn reader(&self, from: Cursor) -> RabbitReader {
        RabbitReader {
            feed: Rc::clone(&self.feed),
            history: Rc::clone(&self.history),
            closed: Rc::clone(&self.closed),
            cursor: from,
        }
    }

    async fn retain(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.closed.set(true);
        self.feed.close();
        self.history.close();
        self.publisher.take();
        Ok(())
    }
}

impl Reader for RabbitReader {
    async fn ready(&mut self) -> Result<(), ReadError> {
        if self.closed.get() {
            return Err(ReadError::Closed);
        }
        if self.feed.ceiling().is_some_and(|ceiling| self.cursor.ordinal >= ceiling) {
            return Ok(());
        }
        self.history.ready(self.cursor).await.map_err(|fault| fault.reading())
    }

    async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        assert!(bytes_max > 0, "a read has room for a byte");
        self.ready().await?;
        self.history.read(&mut self.cursor, bytes_max)
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }
}
