//! Connections of one purpose, and channels on them.
//!
//! One task makes connections, one attempt at a time: after a failure it waits a while before the
//! next, longer each time, and everybody who waited hears why it failed. A connection lives as long
//! as somebody has a channel on it; a new one is made when the newest has ended or is used up.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};

use amqprs::callbacks::{ChannelCallback, ConnectionCallback};
use amqprs::channel::Channel;
use amqprs::connection::Connection;
use amqprs::{Ack, BasicProperties, Cancel, Close, CloseChannel, Nack, Return};
use async_trait::async_trait;
use log::{debug, info, warn};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::Made;
use super::fault::Fault;
use super::open::open;
use crate::clock::monotonic;
use crate::config::Broker;
use crate::limits::{AMQP_CHANNELS_MAX, AMQP_ORDERS_MAX, BROKER_WATCH_INTERVAL};
use crate::net::{Tls, backoff};

/// The way to the task that makes connections. The connections end when all of these are gone.
#[derive(Clone)]
pub(super) struct Links(mpsc::Sender<Ask>);

enum Ask {
    /// A channel of its own.
    Channel(oneshot::Sender<Result<Opened, Fault>>),
    /// Make sure that there is a connection.
    Reach(oneshot::Sender<Result<(), Fault>>),
}

/// An open channel.
pub(super) struct Opened {
    pub(super) channel: Channel,
    /// What the broker says on it by itself. Ends with the channel.
    pub(super) heard: mpsc::UnboundedReceiver<Said>,
    /// Why the broker closed it.
    closed: Arc<OnceLock<Fault>>,
    link: Arc<Link>,
}

/// What a broker says by itself on a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// This message, or all up to it, is stored.
    Stored { tag: u64, multiple: bool },
    /// It is not.
    NotStored { tag: u64, multiple: bool },
    /// A message had nowhere to go. Its confirm follows.
    Returned,
    /// The consumer's queue is gone.
    Cancelled,
}

/// A connection with its channels.
struct Link {
    connection: Connection,
    /// Numbers in use: those of channels that are open, and of those that the broker closed.
    opened: AtomicU16,
    /// Why the broker closed it.
    closed: Arc<OnceLock<Arc<str>>>,
    /// Counts it while it is here.
    made: Arc<Made>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.made.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Links {
    /// Starts the task. Runs on the runtime that this is called on.
    pub(super) fn start(
        broker: Arc<Broker>,
        tls: Option<Tls>,
        made: Arc<Made>,
        purpose: &'static str,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (asks, asked) = mpsc::channel(AMQP_ORDERS_MAX);
        let maker =
            Maker { broker, tls, made, purpose, newest: None, failures: 0, not_before: None };
        (Self(asks), maker.run(asked))
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> Result<Opened, Fault> {
        self.ask(Ask::Channel).await
    }

    /// Makes sure that the broker can be reached.
    pub(super) async fn reach(&self) -> Result<(), Fault> {
        self.ask(Ask::Reach).await
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Ask,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.0.send(ask(reply)).await.map_err(|_| Fault::Stopping)?;
        answer.await.unwrap_or(Err(Fault::Stopping))
    }
}

/// The task that makes connections.
struct Maker {
    broker: Arc<Broker>,
    tls: Option<Tls>,
    made: Arc<Made>,
    purpose: &'static str,
    newest: Option<Arc<Link>>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Maker {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        loop {
            let ask = match timeout(BROKER_WATCH_INTERVAL, asked.recv()).await {
                Ok(Some(ask)) => ask,
                Ok(None) => break,
                Err(_) => {
                    // Nobody tells when the network takes a connection; it is no longer counted.
                    self.newest.take_if(|link| !link.connection.is_open());
                    continue;
                }
            };
            let link = match self.link().await {
                Ok(link) => link,
                Err(fault) => {
                    ask.refuse(&fault);
                    // Who asked meanwhile waited for this attempt.
                    while let Ok(waiting) = asked.try_recv() {
                        waiting.refuse(&fault);
                    }
                    continue;
                }
            };
            match ask {
                // Whoever asked may have gone.
                Ask::Reach(reply) => drop(reply.send(Ok(()))),
                Ask::Channel(reply) => drop(reply.send(Link::channel(link).await)),
            }
        }
        if let Some(link) = self.newest.take()
            && link.connection.is_open()
        {
            // Its channels are closed: who had them also had this task's address.
            let _ = link.connection.clone().close().await;
        }
    }

    /// A connection with room for a channel.
    async fn link(&mut self) -> Result<Arc<Link>, Fault> {
        if let Some(link) = &self.newest
            && link.usable()
        {
            return Ok(Arc::clone(link));
        }
        if let Some(then) = self.not_before {
            sleep_until(then).await;
        }
        match open(&self.broker, self.tls.as_ref(), self.purpose).await {
            Ok(connection) => {
                self.made.opened.fetch_add(1, Ordering::Relaxed);
                if self.failures > 0 {
                    info!("RabbitMQ: {} is connected again", self.purpose);
                }
                (self.failures, self.not_before) = (0, None);
                let link = Link::new(connection, Arc::clone(&self.made)).await?;
                self.newest = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(fault) => {
                self.made.failed.fetch_add(1, Ordering::Relaxed);
                if self.failures == 0 {
                    warn!("{fault}");
                }
                self.not_before = Some(now() + backoff::wait(self.failures));
                self.failures += 1;
                Err(fault)
            }
        }
    }
}

impl Ask {
    fn refuse(self, fault: &Fault) {
        match self {
            Self::Channel(reply) => drop(reply.send(Err(fault.clone()))),
            Self::Reach(reply) => drop(reply.send(Err(fault.clone()))),
        }
    }
}

impl Link {
    async fn new(connection: Connection, made: Arc<Made>) -> Result<Arc<Self>, Fault> {
        let closed = Arc::new(OnceLock::new());
        let ear = ConnectionEar(Arc::clone(&closed));
        let registered = connection.register_callback(ear).await;
        registered.map_err(|error| Fault::Lost(error.to_string().into()))?;
        made.open.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Self { connection, opened: AtomicU16::new(0), closed, made }))
    }

    fn usable(&self) -> bool {
        let most = match self.connection.channel_max() {
            0 => AMQP_CHANNELS_MAX,
            most => AMQP_CHANNELS_MAX.min(most),
        };
        self.connection.is_open() && self.opened.load(Ordering::Relaxed) < most
    }

    async fn channel(link: Arc<Self>) -> Result<Opened, Fault> {
        let channel = link.connection.open_channel(None).await.map_err(|_| link.lost())?;
        link.opened.fetch_add(1, Ordering::Relaxed);
        let (said, heard) = mpsc::unbounded_channel();
        let closed = Arc::new(OnceLock::new());
        let ear = ChannelEar { said, closed: Arc::clone(&closed) };
        channel.register_callback(ear).await.map_err(|_| link.lost())?;
        Ok(Opened { channel, heard, closed, link })
    }

    /// What an operation fails with once the connection has ended.
    fn lost(&self) -> Fault {
        let why = self.closed.get().cloned();
        Fault::Lost(why.unwrap_or_else(|| "the broker hung up, or was silent".into()))
    }
}

impl Opened {
    /// Whether it can still be used.
    pub(super) fn usable(&self) -> bool {
        self.channel.is_open() && self.channel.is_connection_open()
    }

    /// Why it can't be used any more.
    pub(super) fn fault(&self) -> Fault {
        self.closed.get().cloned().unwrap_or_else(|| self.link.lost())
    }

    /// Closes it in good order.
    pub(super) async fn close(self) {
        let Self { channel, link, .. } = self;
        if channel.is_open() && channel.close().await.is_ok() {
            link.opened.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Hears what concerns a whole connection.
struct ConnectionEar(Arc<OnceLock<Arc<str>>>);

#[async_trait]
impl ConnectionCallback for ConnectionEar {
    async fn close(&mut self, _: &Connection, close: Close) -> Result<(), amqprs::error::Error> {
        debug!("RabbitMQ closes a connection: {close}");
        let _ = self.0.set(close.reply_text().as_str().into());
        Ok(())
    }

    async fn blocked(&mut self, _: &Connection, reason: String) {
        warn!("RabbitMQ takes nothing now: {reason}");
    }

    async fn unblocked(&mut self, _: &Connection) {
        info!("RabbitMQ takes messages again");
    }

    async fn secret_updated(&mut self, _: &Connection) {}
}

/// Hears what concerns a channel. Never waits: amqprs reads nothing else meanwhile.
struct ChannelEar {
    said: mpsc::UnboundedSender<Said>,
    closed: Arc<OnceLock<Fault>>,
}

impl ChannelEar {
    fn say(&self, said: Said) {
        // Whoever had the channel may have gone.
        let _ = self.said.send(said);
    }
}

#[async_trait]
impl ChannelCallback for ChannelEar {
    async fn close(
        &mut self,
        _: &Channel,
        close: CloseChannel,
    ) -> Result<(), amqprs::error::Error> {
        let text = close.reply_text().as_str().into();
        let _ = self.closed.set(Fault::Told { code: close.reply_code(), text });
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), amqprs::error::Error> {
        self.say(Said::Cancelled);
        // An error keeps amqprs from answering, where it would panic when the connection is gone;
        // the channel is closed next.
        Err(amqprs::error::Error::ChannelUseError("the consumer was cancelled".into()))
    }

    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool, amqprs::error::Error> {
        Ok(true)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.say(Said::Stored { tag: ack.delivery_tag(), multiple: ack.mutiple() });
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.say(Said::NotStored { tag: nack.delivery_tag(), multiple: nack.multiple() });
    }

    async fn publish_return(
        &mut self,
        _: &Channel,
        _: Return,
        _: BasicProperties,
        _content: Vec<u8>,
    ) {
        self.say(Said::Returned);
    }
}

/// The moment, for tokio's timers.
pub(super) fn now() -> Instant {
    Instant::from_std(monotonic())
}
