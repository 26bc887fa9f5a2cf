//! Creating and deleting event streams: database, log and every shard's directory, in that order.
//!
//! One change at a time, on shard 0. The database commits first, so a crash between two steps
//! leaves either a registered stream without a log (made when it is opened at the next start) or a
//! log whose removal is on record (done at the next start), never events that come back.

use std::fmt;
use std::sync::Arc;

use async_channel::{Receiver, Sender, bounded};
use log::{error, info};

use crate::doors::management::Creation;
use crate::event::StreamName;
use crate::limits::REGISTRY_ORDERS_MAX;
use crate::proto::http::RequestId;
use crate::registry::{Deleted, EventStream, Registry, RegistryError, Removal};
use crate::store::{DeclareError, Declared, Store, StoreError};
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
    /// The stream could not be declared where it is to lie.
    Declare(DeclareError),
    /// The service is stopping.
    Stopping,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(fault) => fault.fmt(out),
            Self::Store(fault) => fault.fmt(out),
            Self::Declare(fault) => fault.fmt(out),
            Self::Stopping => out.write_str("the service is stopping"),
        }
    }
}

impl ChangeError {
    /// The status that answers it: the disk is full, it may work soon, or it is broken.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::Registry(RegistryError::NoSpace { .. }) => 507,
            Self::Declare(DeclareError::Unsupported | DeclareError::Differs) => 409,
            Self::Registry(RegistryError::RemovalPending { .. })
            | Self::Declare(DeclareError::Unreachable(_))
            | Self::Stopping => 503,
            Self::Registry(_) | Self::Store(_) | Self::Declare(DeclareError::Failed(_)) => 500,
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
    Declared { name: StreamName, reply: Sender<Result<(), RegistryError>> },
    Withdraw { id: i64, reply: Sender<Result<(), RegistryError>> },
    Delete { id: i64, force: bool, reply: Sender<Result<Option<Deleted>, RegistryError>> },
    Pending { reply: Sender<Result<Vec<Removal>, RegistryError>> },
    Removed { name: StreamName, reply: Sender<Result<(), RegistryError>> },
}

impl Registrar {
    /// One that gives its orders to the registry's thread.
    pub(super) fn new(orders: Orders) -> Self {
        Self { orders: orders.0, turn: Permits::new(1) }
    }

    /// Registers a new event stream, and declares its stream if that is wanted; after the answer
    /// every shard knows it.
    pub(super) async fn create<S: Store>(
        &self,
        shard: &Shard<S>,
        creation: Creation,
        request: &RequestId,
    ) -> Result<(Arc<EventStream>, Option<Declared>), ChangeError> {
        let Creation { routing_key: name, declaration } = creation;
        let _turn = self.turn.take().await;
        let event_stream = match self.register(&name).await {
            // Old events must be gone before the name is used again.
            Err(ChangeError::Registry(RegistryError::RemovalPending { .. })) => {
                self.resume_removals(shard, &name).await?;
                self.register(&name).await?
            }
            other => other?,
        };
        let declared = match declaration {
            None => None,
            Some(declaration) => match shard.store.declare(&name, &declaration).await {
                Ok(declared) => Some(self.note(&name, declared).await?),
                Err(fault) => {
                    let id = event_stream.id;
                    self.order(|reply| Order::Withdraw { id, reply }).await?;
                    return Err(ChangeError::Declare(fault));
                }
            },
        };
        if let Err(fault) = open(shard, &name).await {
            // What can't be opened must not be promised.
            let id = event_stream.id;
            self.order(|reply| Order::Delete { id, force: false, reply }).await?;
            return Err(ChangeError::Store(fault));
        }
        let event_stream = Arc::new(event_stream);
        tell_all(shard, |reply| Message::Registered {
            event_stream: Arc::clone(&event_stream),
            reply,
        })
        .await;
        let EventStream { id, uuid, .. } = &*event_stream;
        info!(request_id:% = request; "created EventStream {id} ({uuid}) for {name:?}");
        Ok((event_stream, declared))
    }

    /// Notes that a stream was made for us, so that it goes with its last event stream.
    async fn note(&self, name: &StreamName, declared: Declared) -> Result<Declared, ChangeError> {
        if declared.created {
            let name = name.clone();
            self.order(|reply| Order::Declared { name, reply }).await?;
        }
        Ok(declared)
    }

    async fn register(&self, name: &StreamName) -> Result<EventStream, ChangeError> {
        let name = name.clone();
        self.order(|reply| Order::Create { name, reply }).await
    }

    /// Deletes the event stream `id`; `None` when there is none. After the answer its consumers
    /// are ending, and the log is gone when it was the last one for its routing key; with `force`
    /// also where somebody else keeps it.
    pub(super) async fn delete<S: Store>(
        &self,
        shard: &Shard<S>,
        id: i64,
        force: bool,
        request: &RequestId,
    ) -> Result<Option<Arc<EventStream>>, ChangeError> {
        let _turn = self.turn.take().await;
        let Some(deleted) = self.order(|reply| Order::Delete { id, force, reply }).await? else {
            return Ok(None);
        };
        let event_stream = Arc::new(deleted.event_stream);
        tell_all(shard, |reply| Message::Deregistered {
            event_stream: Arc::clone(&event_stream),
            reply,
        })
        .await;
        let uuid = &event_stream.uuid;
        info!(request_id:% = request; "deleted EventStream {id} ({uuid})");
        if let Some(removal) = &deleted.removal {
            self.remove_log(shard, removal).await;
        }
        Ok(Some(event_stream))
    }

    /// Does what is on record for `name`.
    async fn resume_removals<S: Store>(
        &self,
        shard: &Shard<S>,
        name: &StreamName,
    ) -> Result<(), ChangeError> {
        let pending = self.order(|reply| Order::Pending { reply }).await?;
        for removal in pending.iter().filter(|removal| removal.routing_key == *name) {
            self.remove_log(shard, removal).await;
        }
        Ok(())
    }

    /// Removes the log of a stream that nobody is registered for. A failure is retried before the
    /// name is used again and at the next start: the registry remembers.
    pub(super) async fn remove_log<S: Store>(&self, shard: &Shard<S>, removal: &Removal) {
        let (reply, answer) = bounded(1);
        let name = &removal.routing_key;
        let index = home_of(name, shard.config.shards);
        shard.mailboxes.send(index, Message::Remove { removal: removal.clone(), reply }).await;
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
            Order::Declared { name, reply } => {
                reply.send_blocking(registry.declared(&name)).is_ok()
            }
            Order::Withdraw { id, reply } => reply.send_blocking(registry.withdraw(id)).is_ok(),
            Order::Delete { id, force, reply } => {
                reply.send_blocking(registry.delete(id, force)).is_ok()
            }
            Order::Pending { reply } => reply.send_blocking(registry.pending_removals()).is_ok(),
            Order::Removed { name, reply } => reply.send_blocking(registry.removed(&name)).is_ok(),
        };
    }
}
