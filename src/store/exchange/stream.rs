//! One routing key of an exchange, as the store contract wants it.

use std::rc::Rc;

use bytes::Bytes;

use super::Shared;
use super::feed::Feed;
use crate::enrich::classify_unchanged;
use crate::event::{Cursor, StreamName, Timestamp};
use crate::store::amqp::Message;
use crate::store::receipts::Marks;
use crate::store::{
    AppendError, Bounds, Located, Observer, ReadError, Reader, Reading, Receipt, StoreError,
    StreamStore,
};

/// A stream that is live only.
pub struct ExchangeStream {
    name: StreamName,
    pub(super) feed: Rc<Feed>,
}

/// Reads what isn't there any more: it moves up to the ceiling.
pub struct ExchangeReader {
    feed: Rc<Feed>,
    cursor: Cursor,
}

impl ExchangeStream {
    pub(super) fn new(name: StreamName, observer: Rc<dyn Observer>, shared: Rc<Shared>) -> Self {
        Self { feed: Feed::new(name.clone(), observer, shared), name }
    }
}

impl StreamStore for ExchangeStream {
    type Reader = ExchangeReader;

    fn bounds(&self) -> Bounds {
        self.feed.bounds()
    }

    async fn attend(&self) -> Result<(), ReadError> {
        self.feed.attend().await.map_err(|fault| fault.reading())
    }

    fn tend(&self, consumers: usize) {
        self.feed.tend(consumers);
    }

    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        assert!(!bodies.is_empty(), "an append has an event");
        // Consumed before anything is sent, so that it can be seen where the events come out.
        self.feed.attend().await.map_err(|fault| fault.appending())?;
        let marks = Marks::new(&bodies, |body| classify_unchanged(body).err());
        let message = |(index, body)| Message { id: marks.id(index), body };
        let messages = bodies.into_iter().enumerate().map(message).collect();
        let expected = marks.expect(&self.feed.receipts);
        let Shared { amqp, broker, .. } = &*self.feed.shared;
        let published = amqp.publish(broker.exchange(), self.name.as_str(), messages).await;
        published.map_err(|fault| fault.appending())?;
        expected.shown("it is published, but has not come out of the queue yet").await
    }

    async fn append_once(&self, _key: &str, _bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        Err(AppendError::Unsupported(
            "Idempotency-Key: an exchange remembers no keys; publish without one".into(),
        ))
    }

    async fn locate(&self, _timestamp: Timestamp) -> Result<Located, ReadError> {
        Ok(Located::Beyond(self.bounds().ceiling))
    }

    fn reader(&self, from: Cursor) -> ExchangeReader {
        ExchangeReader { feed: Rc::clone(&self.feed), cursor: from }
    }

    async fn retain(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.feed.close();
        Ok(())
    }
}

impl Reader for ExchangeReader {
    async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        assert!(bytes_max > 0, "a read has room for a byte");
        if self.feed.closed() {
            return Err(ReadError::Closed);
        }
        let ceiling = self.feed.bounds().ceiling;
        let lost = ceiling.since(self.cursor.ordinal);
        if lost > 0 {
            self.feed.too_slow(lost);
            if !self.cursor.at_boundary() {
                return Err(ReadError::Lost);
            }
            self.cursor = Cursor::before(ceiling);
        }
        Ok(Reading::End)
    }

    fn cursor(&self) -> Cursor {
        self.cursor
    }
}
