//! Creating and deleting event streams: database, log and every shard's directory, in that order.
//!
//! One change at a time, on shard 0. The database commits first, so a crash between two steps
//! leaves either a registered stream without a log (made when it is opened at the next start) or a
//! log whose removal is on record (done at the next start), never events that come back.

use std::fmt;
use std::sync::Arc;

use async_channel::{Receiver, Sender, bounded};
use log::{error, info};

use crate::event::StreamName;
use crate::limits::REGISTRY_ORDERS_MAX;
use crate::registry::{Deleted, EventStream, Registry, RegistryError};
use crate::store::{Store, StoreError};
use crate::wait::Permits;

use super::context::{Shard, home_of};
use super::mailbox::Message;

/// The one that changes the registry.
pub(super) struct Registrar {
    orders: Sender<Order>,
    /// One change at a time.
    turn: Permits,
}

/// Why a change did not happen.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// The database refused it.
    Registry(RegistryError),
    /// The stream's log could not be made.
    Store(StoreError),
    /// The service is stopping.
    Stopping,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(fault) => fault.fmt(out),
            Self::Store(fault) => fault.fmt(out),
            Self::Stopping => out.write_str("the service is stopping"),
        }
    }
}

impl ChangeError {
    /// The status that answers it: the disk is full, it may work soon, or it is broken.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::Registry(RegistryError::NoSpace { .. }) => 507,
            Self::Registry(RegistryError::RemovalPending { .. }) | Self::Stopping => 503,
            Self::Registry(_) | Self::Store(_) => 500,
        }
    }
}

/// The way to the registry's thread.
pub(super) struct Orders(Sender<Order>);

impl Orders {
    /// Gives `registry` a thread of its own: SQLite waits for the disk. Called on a thread that
    /// isn't pinned, because the new one inherits that.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(super) fn start(registry: Registry) -> std::io::Result<Self> {
        let (orders, queue) = bounded(REGISTRY_ORDERS_MAX);
        std::thread::Builder::new()
            .name("ess-registry".into())
            .spawn(move || work(registry, &queue))?;
        Ok(Self(orders))
    }
}

/// What the registry's thread is asked to do.
enum Order {
    Create { name: StreamName, reply: Sender<Result<EventStream, RegistryError>> },
    Delete { id: i64, reply: Sender<Result<Option<Deleted>, RegistryError>> },
    Removed { name: StreamName, reply: Sender<Result<(), RegistryError>> },
}

impl Registrar {
    /// One that gives its orders to the registry's thread.
    pub(super) fn new(orders: Orders) -> Self {
        Self { orders: orders.0, turn: Permits::new(1) }
    }

    /// Registers a new event stream for `name`; after the answer every shard knows it.
    pub(super) async fn create<S: Store>(
        &self,
        shard: &Shard<S>,
        name: StreamName,
    ) -> Result<Arc<EventStream>, ChangeError> {
        let _turn = self.turn.take().await;
        let event_stream = match self.register(&name).await {
            // Old events must be gone before the name is used again.
            Err(ChangeError::Registry(RegistryError::RemovalPending { .. })) => {
                self.remove_log(shard, &name).await;
                self.register(&name).await?
            }
            other => other?,
        };
        if let Err(fault) = open(shard, &name).await {
            // What can't be opened must not be promised.
            let id = event_stream.id;
            self.order(|reply| Order::Delete { id, reply }).await?;
            return Err(ChangeError::Store(fault));
        }
        let event_stream = Arc::new(event_stream);
        tell_all(shard, |reply| Message::Registered {
            event_stream: Arc::clone(&event_stream),
            reply,
        })
        .await;
        info!("created EventStream {} ({}) for {name:?}", event_stream.id, event_stream.uuid);
        Ok(event_stream)
    }

    async fn register(&self, name: &StreamName) -> Result<EventStream, ChangeError> {
        let name = name.clone();
        self.order(|reply| Order::Create { name, reply }).await
    }

    /// Deletes the event stream `id`; `None` when there is none. After the answer its consumers
    /// are ending, and the log is gone when it was the last one for its routing key.
    pub(super) async fn delete<S: Store>(
        &self,
        shard: &Shard<S>,
        id: i64,
    ) -> Result<Option<Arc<EventStream>>, ChangeError> {
        let _turn = self.turn.take().await;
        let Some(deleted) = self.order(|reply| Order::Delete { id, reply }).await? else {
            return Ok(None);
        };
        let event_stream = Arc::new(deleted.event_stream);
        tell_all(shard, |reply| Message::Deregistered {
            event_stream: Arc::clone(&event_stream),
            reply,
        })
        .await;
        info!("deleted EventStream {id} ({})", event_stream.uuid);
        if deleted.last_of_stream {
            self.remove_log(shard, &event_stream.routing_key).await;
        }
        Ok(Some(event_stream))
    }

    /// Removes the log of a stream that nobody is registered for. A failure is retried before the
    /// name is used again and at the next start: the registry remembers.
    pub(super) async fn remove_log<S: Store>(&self, shard: &Shard<S>, name: &StreamName) {
        let (reply, answer) = bounded(1);
        let index = home_of(name, shard.config.shards);
        shard.mailboxes.send(index, Message::Remove { name: name.clone(), reply }).await;
        match answer.recv().await {
            Ok(Ok(())) => {
                let key = name.clone();
                if let Err(fault) = self.order(|reply| Order::Removed { name: key, reply }).await {
                    error!("the log of {name:?} is removed, but that is not recorded: {fault}");
                }
            }
            Ok(Err(fault)) => error!("the log of {name:?} can't be removed now: {fault}"),
            // The shard has stopped.
            Err(_) => {}
        }
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(Sender<Result<T, RegistryError>>) -> Order,
    ) -> Result<T, ChangeError> {
        let (reply, answer) = bounded(1);
        self.orders.send(order(reply)).await.map_err(|_| ChangeError::Stopping)?;
        let answer = answer.recv().await.map_err(|_| ChangeError::Stopping)?;
        answer.map_err(ChangeError::Registry)
    }
}

/// Opens `name` at its home, making its log.
async fn open<S: Store>(shard: &Shard<S>, name: &StreamName) -> Result<(), StoreError> {
    let (reply, answer) = bounded(1);
    let index = home_of(name, shard.config.shards);
    shard.mailboxes.send(index, Message::Open { name: name.clone(), reply }).await;
    answer.recv().await.unwrap_or_else(|_| Err(StoreError("the service is stopping".into())))
}

/// Sends every shard a message and waits until each has acted on it.
async fn tell_all<S: Store>(shard: &Shard<S>, message: impl Fn(Sender<()>) -> Message) {
    let (reply, acted) = bounded(shard.mailboxes.len());
    for index in 0..shard.mailboxes.len() {
        shard.mailboxes.send(index, message(reply.clone())).await;
    }
    drop(reply);
    for _ in 0..shard.mailboxes.len() {
        // An error means that a shard has stopped: it serves nobody any more.
        if acted.recv().await.is_err() {
            return;
        }
    }
}

/// The registry's thread.
fn work(mut registry: Registry, queue: &Receiver<Order>) {
    while let Ok(order) = queue.recv_blocking() {
        // A requester that is gone has stopped with its shard.
        let _ = match order {
            Order::Create { name, reply } => reply.send_blocking(registry.create(name)).is_ok(),
            Order::Delete { id, reply } => reply.send_blocking(registry.delete(id)).is_ok(),
            Order::Removed { name, reply } => reply.send_blocking(registry.removed(&name)).is_ok(),
        };
    }
}
