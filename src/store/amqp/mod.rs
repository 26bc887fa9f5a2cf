//! AMQP 0.9.1 to RabbitMQ: publish to an exchange, consume from one, declare what that needs.
//!
//! ```text
//!  shards                          the AMQP thread (tokio, one thread)
//!  Amqp::publish ── lane of the routing key ──▶ lane ─┐ publishing connection ═══▶ broker
//!  Amqp::declare… ─ orders ───────────────────▶ task ─┘
//!  Amqp::consume ── orders ───────────────────▶ task ── consuming connections ◀═══ broker
//!       Consuming::next ◀── one batch at a time ──┘
//! ```
//!
//! Publishing and consuming keep apart, because a broker that is short of memory stops reading from
//! a connection that publishes, acknowledgements included.
//!
//! `amqprs` speaks the protocol; it needs tokio, so it has a thread of its own. What its source
//! (2.1.5) asks of whoever uses it, with the evidence in `docs/DECISIONS.md`:
//!
//! - *It panics where it is not expected to*, and a panic ends this process. So: no future of its
//!   synchronous methods is dropped before it is done (who waits gives up instead), one such method
//!   at a time on a channel, a channel isn't used after one has failed, names are checked to fit
//!   short strings, and its queue of 8,192 outgoing frames is never full.
//! - *It reads without end*: only prefetch and acknowledgements bound what it holds.
//! - *It never flushes*, so the end of a publish may stay inside TLS until the next frame: lanes
//!   send frames until the broker has confirmed.
//! - *A heartbeat of 0 or 1 s* makes it close the connection or send without a pause.
//! - *A channel that the broker closes* takes its number along until the connection ends.
//! - *Dropping* a channel or a connection spawns a task, which needs the runtime.
//!
//! Nothing here knows a stream or an event.

mod consumer;
mod fault;
mod lane;
mod links;
mod open;
mod topology;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use async_channel::{Receiver, Sender, bounded};
use log::debug;
use tokio::task::JoinSet;

use consumer::Source;
use lane::Batch;
use links::Links;
use topology::Wanted;

use crate::checksum::crc32c;
use crate::config::{Broker, ExchangeKind};
use crate::limits::{
    AMQP_CLOSE_TIMEOUT, AMQP_LANE_BATCHES_MAX, AMQP_LANES, AMQP_ORDERS_MAX, BROKER_CONFIRM_TIMEOUT,
    BROKER_NAME_BYTES_MAX,
};
use crate::net::Tls;
use crate::store::LinkCounts;

pub use consumer::Consuming;
pub use fault::Fault;
pub use lane::Message;

/// The way to the AMQP thread, from any shard. The thread ends when all of these are gone, or one
/// has been told to close.
#[derive(Clone)]
pub struct Amqp {
    orders: Sender<Order>,
    lanes: Arc<[Sender<Batch>]>,
    made: Arc<Made>,
}

/// Connections made, and attempts that failed: counted on the AMQP thread, read on shards.
#[derive(Default)]
struct Made {
    opened: AtomicU64,
    failed: AtomicU64,
    /// Connections that are there now.
    open: AtomicU64,
}

enum Order {
    Reach(Sender<Result<(), Fault>>),
    Declare(Wanted, Sender<Result<(), Fault>>),
    Consume(Source, Sender<Result<Consuming, Fault>>),
}

impl Amqp {
    /// Starts the thread; it connects when first needed. Call it on a thread that isn't pinned,
    /// because the new one inherits that.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(broker: Arc<Broker>, tls: Option<Tls>) -> io::Result<(Self, JoinHandle<()>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, asked) = bounded(AMQP_ORDERS_MAX);
        let (lanes, batches): (Vec<_>, Vec<_>) =
            (0..AMQP_LANES).map(|_| bounded(AMQP_LANE_BATCHES_MAX)).unzip();
        let made = Arc::<Made>::default();
        let counted = Arc::clone(&made);
        let thread = Builder::new().name("ess-amqp".into()).spawn(move || {
            runtime.block_on(work(broker, tls, asked, batches, counted));
            // A resolver that hangs must not keep the service from ending.
            runtime.shutdown_timeout(AMQP_CLOSE_TIMEOUT);
        })?;
        Ok((Self { orders, lanes: lanes.into(), made }, thread))
    }

    /// The connections made so far.
    #[must_use]
    pub fn made(&self) -> LinkCounts {
        let Made { opened, failed, open } = &*self.made;
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LinkCounts { opened: now(opened), failed: now(failed), open: now(open) }
    }

    /// Makes sure that the broker can be reached.
    ///
    /// # Errors
    ///
    /// Why it can't.
    pub async fn reach(&self) -> Result<(), Fault> {
        self.order(Order::Reach).await
    }

    /// Publishes to `exchange` with `routing_key`, persistent; answers when the broker has stored
    /// all of it. Publishes with one routing key are sent in the order of their first poll.
    ///
    /// # Errors
    ///
    /// [`Fault::NoRoute`] when nothing is bound there; [`Fault::Unknown`] when some may be stored.
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        messages: Vec<Message>,
    ) -> Result<(), Fault> {
        let ids = messages.iter().filter_map(|message| message.id.as_deref());
        check([exchange, routing_key].into_iter().chain(ids))?;
        let index = crc32c(routing_key.as_bytes()) as usize % AMQP_LANES;
        let Some(lane) = self.lanes.get(index) else { return Err(Fault::Stopping) };
        let (reply, answer) = bounded(1);
        let (exchange, routing_key) = (exchange.into(), routing_key.into());
        let batch = Batch { exchange, routing_key, messages, reply };
        let given_up = Fault::Unknown("the broker takes too long".into());
        ask(lane, batch, &answer, given_up).await
    }

    /// Declares a durable exchange. Fine when there is such a one.
    ///
    /// # Errors
    ///
    /// When there is another of that name, or it can't be done.
    pub async fn declare_exchange(&self, name: &str, kind: ExchangeKind) -> Result<(), Fault> {
        check([name])?;
        self.order(|reply| Order::Declare(Wanted::Exchange { name: name.into(), kind }, reply))
            .await
    }

    /// Binds a queue, which a stream is too. Fine when it is bound.
    ///
    /// # Errors
    ///
    /// When one of them isn't there, or it can't be done.
    pub async fn bind(&self, exchange: &str, queue: &str, routing_key: &str) -> Result<(), Fault> {
        check([exchange, queue, routing_key])?;
        let (exchange, queue, routing_key) = (exchange.into(), queue.into(), routing_key.into());
        let wanted = Wanted::Binding { exchange, queue, routing_key };
        self.order(|reply| Order::Declare(wanted, reply)).await
    }

    /// Consumes what is published to `exchange` with `routing_key` from now on, by a queue that is
    /// nobody else's. The exchange is made when it isn't there.
    ///
    /// # Errors
    ///
    /// When it can't be done.
    pub async fn consume(
        &self,
        exchange: &str,
        kind: ExchangeKind,
        routing_key: &str,
    ) -> Result<Consuming, Fault> {
        check([exchange, routing_key])?;
        let (exchange, routing_key) = (exchange.into(), routing_key.into());
        self.order(|reply| Order::Consume(Source { exchange, kind, routing_key }, reply)).await
    }

    /// Takes no more orders from anybody; the thread ends when the ones under way are done.
    pub fn close(&self) {
        self.orders.close();
        for lane in &*self.lanes {
            lane.close();
        }
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(Sender<Result<T, Fault>>) -> Order,
    ) -> Result<T, Fault> {
        let (reply, answer) = bounded(1);
        let given_up = Fault::Lost("the broker takes too long".into());
        ask(&self.orders, order(reply), &answer, given_up).await
    }
}

/// Brings something to the thread and waits for what becomes of it, but not for ever.
async fn ask<O, T>(
    to: &Sender<O>,
    order: O,
    answer: &Receiver<Result<T, Fault>>,
    given_up: Fault,
) -> Result<T, Fault> {
    let asking = async {
        to.send(order).await.map_err(|_| Fault::Stopping)?;
        answer.recv().await.unwrap_or(Err(Fault::Stopping))
    };
    monoio::time::timeout(2 * BROKER_CONFIRM_TIMEOUT, asking).await.unwrap_or(Err(given_up))
}

/// Whether these fit short strings.
fn check<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), Fault> {
    match names.into_iter().find(|name| name.len() > BROKER_NAME_BYTES_MAX) {
        None => Ok(()),
        Some(name) => {
            let text = format!("a name of {} bytes is too long: at most 255", name.len()).into();
            Err(Fault::Told { code: 0, text })
        }
    }
}

/// The thread's life: serves orders and lanes until nobody can bring more.
async fn work(
    broker: Arc<Broker>,
    tls: Option<Tls>,
    asked: Receiver<Order>,
    batches: Vec<Receiver<Batch>>,
    made: Arc<Made>,
) {
    let mut tasks = JoinSet::new();
    let nudged = tls.is_some();
    let (publishing, maker) =
        Links::start(Arc::clone(&broker), tls.clone(), Arc::clone(&made), "ess publishes");
    tasks.spawn(maker);
    let (consuming, maker) = Links::start(broker, tls, made, "ess consumes");
    tasks.spawn(maker);
    for batches in batches {
        tasks.spawn(lane::run(batches, publishing.clone(), nudged));
    }
    while let Ok(order) = asked.recv().await {
        // What is done leaves no trace.
        while tasks.try_join_next().is_some() {}
        let (publishing, consuming) = (publishing.clone(), consuming.clone());
        match order {
            Order::Reach(reply) => tasks.spawn(async move {
                let _ = reply.try_send(consuming.reach().await);
            }),
            Order::Declare(wanted, reply) => tasks.spawn(async move {
                let _ = reply.try_send(topology::declare(&wanted, &publishing).await);
            }),
            Order::Consume(source, reply) => tasks.spawn(consumer::run(source, consuming, reply)),
        };
    }
    drop((publishing, consuming));
    let closed = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(AMQP_CLOSE_TIMEOUT, closed).await.is_err() {
        debug!("AMQP: not everything was closed in time");
    }
    tasks.detach_all();
}
