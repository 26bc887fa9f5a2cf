//! Version 1: a classic exchange of RabbitMQ. Events are passed on as they come and kept nowhere.
//!
//! ```text
//!  AS ─ publish ─▶ exchange ─ routing key ─▶ a queue of ours (one a stream with consumers)
//!                                                  │ bodies, unchanged
//!                                            feed ─▶ observer ─▶ the tail ─▶ consumers
//! ```
//!
//! Who is here receives what is published from now on; a start is refused
//! ([`Store::keeps_history`]). Ordinals and timestamps are ours, only so that delivery can count;
//! nobody is sent them. The stream's floor is its ceiling: who is slower than the tail is long
//! loses what lies between, and what is published while the broker is away, or nobody is here, is
//! lost to all. Both are told in the log.
//!
//! Nothing is removed or made in the broker on an event stream's account but that queue, and the
//! exchange where it is missing.

mod feed;
mod stream;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::amqp::{Amqp, Fault};
use super::{BrokerVitals, Observer, Skip, Store, StoreError, Vitals};
use crate::config::Broker;
use crate::event::StreamName;
use crate::limits::BROKER_WATCH_INTERVAL;
use crate::meter::Tally;
use crate::net::Turnstile;

pub use stream::{ExchangeReader, ExchangeStream};

/// An exchange's routing keys as streams, on one shard.
pub struct ExchangeStore {
    shared: Rc<Shared>,
}

/// What the streams of a shard share.
struct Shared {
    amqp: Amqp,
    broker: Arc<Broker>,
    turnstile: Turnstile,
    /// What keeps us from the broker.
    trouble: RefCell<Option<Fault>>,
    /// Events that could not be sent.
    skipped: Tally<Skip>,
}

impl ExchangeStore {
    /// The streams behind `broker`'s exchange.
    #[must_use]
    pub fn new(amqp: Amqp, broker: Arc<Broker>, turnstile: Turnstile) -> Self {
        let (trouble, skipped) = (RefCell::new(None), Tally::default());
        Self { shared: Rc::new(Shared { amqp, broker, turnstile, trouble, skipped }) }
    }
}

impl Store for ExchangeStore {
    type Stream = ExchangeStream;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<ExchangeStream>, StoreError> {
        Ok(Rc::new(ExchangeStream::new(name.clone(), observer, Rc::clone(&self.shared))))
    }

    async fn remove(&self, _name: &StreamName) -> Result<(), StoreError> {
        // Nothing is kept; its queue goes with the last consumer.
        Ok(())
    }

    fn keeps_history(&self) -> bool {
        false
    }

    async fn watch(&self) {
        // So that an operator learns at once what is wrong, also while nobody listens.
        loop {
            let reached = self.shared.amqp.reach().await;
            if matches!(reached, Err(Fault::Stopping)) {
                return;
            }
            *self.shared.trouble.borrow_mut() = reached.err();
            monoio::time::sleep(BROKER_WATCH_INTERVAL).await;
        }
    }

    fn vitals(&self) -> Vitals {
        let Shared { amqp, trouble, skipped, .. } = &*self.shared;
        let amqp = amqp.made();
        let up = amqp.opened > 0 && trouble.borrow().is_none();
        let broker = BrokerVitals { up, amqp, ..BrokerVitals::default() };
        Vitals { skipped: skipped.get(), broker: Some(broker), ..Vitals::default() }
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble.borrow().as_ref().map(ToString::to_string)
    }
}
