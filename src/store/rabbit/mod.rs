//! RabbitMQ Streams: events lie in the broker, others publish them, we read.
//!
//! ```text
//!              ┌──────────── one shard ────────────────────────────────────┐
//!  broker ═════╪═ live ═════▶ feed (one a stream) ─▶ observer ─▶ the tail  │
//!  nodes  ═════╪═ history ══▶ windows ─▶ readers of consumers behind it    │
//!         ◀════╪═ publish ══ publisher ◀─ append                           │
//!              │  connections: a pool, 256 streams on each                 │
//!              └───────────────────────────────────────────────────────────┘
//! ```
//!
//! Ordinals are the stream's offsets and timestamps its chunks', both the broker's. A stream is
//! watched while it has consumers (`feed`); who is behind the tail reads the history through a
//! window that others may share (`history`). A broker that is away is waited for: consumers stay,
//! and go on with the next ordinal.
//!
//! Retention, durability and replication are the broker's. Streams are the Account Server's: they
//! are made and deleted here only where that is asked for (`declaring`).

mod connection;
mod damages;
mod declaring;
mod delivery;
mod fault;
mod feed;
mod history;
mod ids;
mod places;
mod pool;
mod publisher;
mod slots;
mod stream;
mod subscription;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use damages::Damages;
use fault::Fault;
use pool::Pool;
use slots::Slots;

use super::amqp::Amqp;
use super::{
    BrokerVitals, Declaration, DeclareError, Declared, Observer, Skip, Store, StoreError, Vitals,
};
use crate::config::Broker;
use crate::event::StreamName;
use crate::limits::BROKER_WATCH_INTERVAL;
use crate::meter::Tally;
use crate::net::{Tls, Turnstile};
use crate::proto::rabbit::chunk::Scratch;

pub use stream::{RabbitReader, RabbitStream};

/// A broker's streams, on one shard.
pub struct RabbitStore {
    shared: Rc<Shared>,
}

/// What the streams of a shard share.
struct Shared {
    broker: Arc<Broker>,
    pool: Pool,
    amqp: Amqp,
    slots: Rc<Slots>,
    scratch: RefCell<Scratch>,
    damages: Damages,
    /// Events that could not be read or sent.
    skipped: Tally<Skip>,
}

impl RabbitStore {
    /// Connects when first needed. At most `histories` are read at the same time.
    #[must_use]
    pub fn new(
        broker: Arc<Broker>,
        tls: Option<Tls>,
        amqp: Amqp,
        histories: usize,
        turnstile: Turnstile,
    ) -> Self {
        Self {
            shared: Rc::new(Shared {
                pool: Pool::new(Arc::clone(&broker), tls, turnstile),
                broker,
                amqp,
                slots: Slots::new(histories.max(1)),
                scratch: RefCell::default(),
                damages: Damages::default(),
                skipped: Tally::default(),
            }),
        }
    }
}

impl Store for RabbitStore {
    type Stream = RabbitStream;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<RabbitStream>, StoreError> {
        Ok(Rc::new(RabbitStream::new(name.clone(), observer, Rc::clone(&self.shared))))
    }

    async fn remove(&self, _name: &StreamName) -> Result<(), StoreError> {
        // The stream is the Account Server's, and others may read it.
        Ok(())
    }

    async fn destroy(&self, name: &StreamName) -> Result<(), StoreError> {
        self.shared.destroy(name).await
    }

    async fn declare(
        &self,
        name: &StreamName,
        declaration: &Declaration,
    ) -> Result<Declared, DeclareError> {
        self.shared.declare(name, declaration).await
    }

    async fn watch(&self) {
        // So that an operator learns at once what is wrong, also while nobody listens.
        loop {
            if let Err(Fault::Closed) = self.shared.pool.reach().await {
                return;
            }
            monoio::time::sleep(BROKER_WATCH_INTERVAL).await;
        }
    }

    fn trouble(&self) -> Option<String> {
        self.shared.pool.trouble()
    }

    fn vitals(&self) -> Vitals {
        let Shared { pool, amqp, skipped, .. } = &*self.shared;
        let broker = BrokerVitals {
            up: pool.reached() && pool.trouble().is_none(),
            streams: pool.made(),
            amqp: amqp.made(),
        };
        Vitals { skipped: skipped.get(), broker: Some(broker), ..Vitals::default() }
    }

    fn close(&self) {
        self.shared.pool.close();
    }
}
