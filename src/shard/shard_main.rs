//! One shard's life: open its streams, listen, serve its mailbox, drain, close.

use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::IntoIter;

use async_channel::{Receiver, Sender, bounded};
use log::{error, warn};

use crate::census::Driver;
use crate::clock::{Clock, Tick};
use crate::config::{Broker, Config, StoreKind};
use crate::doors::management::metrics::Exporter;
use crate::event::StreamName;
use crate::limits::{
    ACCEPT_PAUSE, ACCEPT_TOLD_EVERY, ACCEPT_TURN, HISTORY_READS_MAX, HTTP_BODIES_BYTES_MAX,
    HTTP_READ_BYTES, STREAMS_OPENED_AT_ONCE,
};
use crate::net::{Listener, Socket, Sockets, Tls, Turnstile};
use crate::registry::{EventStream, Removal};
use crate::store::Store;
use crate::store::amqp::Amqp;
use crate::store::exchange::ExchangeStore;
use crate::store::log::disk::{Io, RealDisk};
use crate::store::log::{LogOptions, LogStore};
use crate::store::rabbit::RabbitStore;
use crate::wait::Permits;

use super::budget::Budget;
use super::census::Taker;
use super::context::Shard;
use super::directory::Directory;
use super::inbox::Inbox;
use super::internal::Desk;
use super::mailbox::{Mailboxes, Message, Report, Troubles};
use super::meters::Meters;
use super::registrar::{Orders, Registrar};
use super::request_ids::RequestIds;
use super::{branch, census, inbox, internal, public, shutdown, sweep};

/// What a shard is given to start with.
pub(super) struct Boot {
    pub(super) index: usize,
    pub(super) config: Arc<Config>,
    pub(super) event_streams: Vec<Arc<EventStream>>,
    pub(super) public: TcpListener,
    /// For shard 0.
    pub(super) internal: Option<InternalPort>,
    /// Where the events are kept, when not in the embedded log.
    pub(super) broker: Option<Access>,
    pub(super) mailboxes: Mailboxes,
    pub(super) sockets: Sockets,
    pub(super) inbox: Receiver<Message>,
    pub(super) events: Sender<Report>,
}

/// A broker, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) broker: Arc<Broker>,
    pub(super) tls: Option<Tls>,
    pub(super) amqp: Amqp,
}

/// What serves the internal API.
pub(super) struct InternalPort {
    pub(super) listener: TcpListener,
    pub(super) registry: Orders,
    /// Streams that have still to be removed.
    pub(super) removals: Vec<Removal>,
}

/// Runs the shard on the store that is configured; true when it ended cleanly.
pub(super) async fn shard_main(boot: Boot, driver: Driver) -> bool {
    let turnstile = match Turnstile::start() {
        Ok(turnstile) => turnstile,
        Err(fault) => {
            error!("shard {} can't start: {fault}", boot.index);
            return false;
        }
    };
    match (boot.config.store, boot.broker.clone()) {
        (StoreKind::Log, _) | (_, None) => {
            let store = log_store(&boot.config, driver);
            run(boot, driver, store, turnstile).await
        }
        (StoreKind::RabbitMq, Some(Access { broker, tls, amqp })) => {
            let histories = boot.config.catchup_readers_max / boot.config.shards;
            let store = RabbitStore::new(broker, tls, amqp, histories, turnstile.clone());
            run(boot, driver, store, turnstile).await
        }
        (StoreKind::Exchange, Some(Access { broker, amqp, .. })) => {
            let store = ExchangeStore::new(amqp, broker, turnstile.clone());
            run(boot, driver, store, turnstile).await
        }
    }
}

/// Runs the shard to its end; true when it ended cleanly.
async fn run<S: Store>(boot: Boot, driver: Driver, store: S, turnstile: Turnstile) -> bool {
    let Boot { index, config, event_streams, public, internal, .. } = boot;
    let Boot { mailboxes, sockets, inbox: mail, events, .. } = boot;
    let consumers = match Inbox::new() {
        Ok(consumers) => consumers,
        Err(fault) => {
            error!("shard {index} can't start: {fault}");
            return false;
        }
    };
    let shard = Rc::new(Shard {
        index,
        store,
        directory: RefCell::new(Directory::new(event_streams)),
        homes: RefCell::default(),
        branches: RefCell::default(),
        leaving: RefCell::default(),
        mailboxes,
        sockets,
        turnstile,
        inbox: consumers,
        history_permits: Permits::new(HISTORY_READS_MAX),
        body_budget: Rc::new(Budget::new(HTTP_BODIES_BYTES_MAX)),
        request_ids: Rc::new(RequestIds::new()),
        http_buffer: Rc::new(RefCell::new(vec![0; HTTP_READ_BYTES])),
        requests: Cell::new(0),
        stopping: Cell::new(false),
        coarse_now: Cell::new(Tick::now()),
        driver,
        meters: Meters::default(),
        config,
    });
    open_all(&shard).await;
    let (stop, stopped) = bounded(1);
    let (finish, finished) = bounded(1);
    monoio::spawn(read_mailbox(Rc::clone(&shard), mail, stop, finish));
    monoio::spawn(inbox::run(Rc::clone(&shard)));
    monoio::spawn(sweep::sessions(Rc::clone(&shard)));
    monoio::spawn(sweep::retention(Rc::clone(&shard)));
    monoio::spawn(sweep::syncs(Rc::clone(&shard)));
    monoio::spawn({
        let shard = Rc::clone(&shard);
        async move { shard.store.watch().await }
    });
    let listeners = match listen(&shard, public, internal).await {
        Ok(listeners) => listeners,
        Err(fault) => {
            error!("shard {index} can't listen: {fault}");
            return false;
        }
    };
    let _ = events.send(Report::Ready(index)).await;

    let _ = stopped.recv().await;
    shard.stopping.set(true);
    for listener in &listeners {
        listener.close();
    }
    shutdown::drain(&shard).await;
    let _ = events.send(Report::Drained(index)).await;
    let _ = finished.recv().await;
    shutdown::close(&shard).await
}

fn log_store(config: &Config, driver: Driver) -> LogStore<RealDisk> {
    let disk = RealDisk::new(match driver {
        Driver::IoUring => Io::Ring,
        Driver::Epoll => Io::Pool,
    });
    let options = LogOptions::new(config.fsync, config.retain);
    LogStore::new(disk, config.data_dir.join("streams"), options, Clock::System)
}

/// Opens every registered stream whose home is here, some at a time: after a kill each has to be
/// recovered, and waits for its disk. One that can't be opened keeps only itself from being served.
async fn open_all<S: Store>(shard: &Rc<Shard<S>>) {
    let mut names = shard.directory.borrow().names();
    names.retain(|name| shard.home_of(name) == shard.index);
    let names = Rc::new(RefCell::new(names.into_iter()));
    let opener = |_| monoio::spawn(open_next(Rc::clone(shard), Rc::clone(&names)));
    let openers: Vec<_> = (0..STREAMS_OPENED_AT_ONCE).map(opener).collect();
    for opener in openers {
        opener.await;
    }
}

/// Opens one stream after the other, until there is none left.
async fn open_next<S: Store>(shard: Rc<Shard<S>>, names: Rc<RefCell<IntoIter<StreamName>>>) {
    loop {
        let next = names.borrow_mut().next();
        let Some(name) = next else { return };
        if let Err(fault) = shard.open(&name).await {
            error!("{}: {fault}", super::reasons::unavailable(&name));
        }
    }
}

/// Accepts on the public port, and on shard 0 on the internal one.
async fn listen<S: Store>(
    shard: &Rc<Shard<S>>,
    public: TcpListener,
    internal: Option<InternalPort>,
) -> std::io::Result<Vec<Rc<Listener>>> {
    let mut listeners = Vec::new();
    if let Some(InternalPort { listener, registry, removals }) = internal {
        let exporter = Exporter::new(shard.config.metrics_streams_max);
        let registrar = Registrar::new(registry);
        let desk = Rc::new(Desk { registrar, taker: Taker::new(), exporter });
        for removal in &removals {
            desk.registrar.remove_log(shard, removal).await;
        }
        let listener = Rc::new(Listener::new(listener)?);
        listeners.push(Rc::clone(&listener));
        let here = Rc::clone(shard);
        let shard = Rc::clone(shard);
        monoio::spawn(accept(here, listener, move |socket| {
            monoio::spawn(internal::serve(Rc::clone(&shard), Rc::clone(&desk), socket));
        }));
    }
    let listener = Rc::new(Listener::new(public)?);
    listeners.push(Rc::clone(&listener));
    let here = Rc::clone(shard);
    let shard = Rc::clone(shard);
    monoio::spawn(accept(here, listener, move |socket| {
        monoio::spawn(public::serve(Rc::clone(&shard), socket));
    }));
    Ok(listeners)
}

/// Hands every connection to `serve` until the listener is closed. While the process is short of
/// descriptors, connections wait in the kernel: the log needs some too.
async fn accept<S: Store>(shard: Rc<Shard<S>>, listener: Rc<Listener>, serve: impl Fn(Socket)) {
    let mut accepted = 0;
    let mut told: Option<Tick> = None;
    while !shard.stopping.get() {
        if shard.sockets.full() {
            warn!("{} connections are open: no more are accepted", shard.sockets.open());
            while shard.sockets.full() && !shard.stopping.get() {
                monoio::time::sleep(ACCEPT_PAUSE).await;
            }
            continue;
        }
        accepted += 1;
        if accepted % ACCEPT_TURN == 0 {
            shard.turnstile.next().await;
        }
        match listener.accept(&shard.sockets).await {
            Ok(socket) => serve(socket),
            Err(_) if shard.stopping.get() => return,
            // Died in the queue.
            Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(fault) => {
                // It is tried again and again, and told now and then.
                let now = shard.now();
                if told.is_none_or(|then| now.since(then) >= ACCEPT_TOLD_EVERY) {
                    warn!("a connection can't be accepted: {fault}");
                    told = Some(now);
                }
                monoio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes every message at once; longer work gets a task of its own.
async fn read_mailbox<S: Store>(
    shard: Rc<Shard<S>>,
    inbox: Receiver<Message>,
    stop: Sender<()>,
    finish: Sender<()>,
) {
    while let Ok(message) = inbox.recv().await {
        let shard = Rc::clone(&shard);
        match message {
            Message::Adopt(arrival) => {
                monoio::spawn(public::adopt(shard, arrival));
            }
            Message::Graft(graft) => {
                monoio::spawn(branch::take_in(shard, graft));
            }
            Message::Append { name, publication, reply } => {
                monoio::spawn(async move {
                    let _ = reply.send(shard.append_here(&name, publication).await).await;
                });
            }
            Message::Describe { event_stream, reply } => {
                monoio::spawn(async move {
                    let _ = reply.try_send(shard.describe(&event_stream).await);
                });
            }
            Message::Count { name, uuid, reply } => {
                let branch = shard.branch(&name);
                let _ = reply.try_send(branch.map_or(0, |branch| branch.consumers_of(&uuid)));
            }
            Message::Open { name, reply } => {
                monoio::spawn(async move {
                    let _ = reply.send(shard.open(&name).await).await;
                });
            }
            Message::Remove { removal, reply } => {
                monoio::spawn(async move {
                    let _ = reply.send(shard.remove(&removal).await).await;
                });
            }
            Message::Registered { event_stream, reply } => {
                shard.directory.borrow_mut().insert(event_stream);
                let _ = reply.try_send(());
            }
            Message::Deregistered { event_stream, reply } => {
                shard.directory.borrow_mut().remove(&event_stream);
                shard.end_consumers_of(&event_stream);
                let _ = reply.try_send(());
            }
            Message::Trouble { reply } => {
                let (passing, lasting) = (shard.store.trouble(), shard.store.defect());
                let _ = reply.try_send(Troubles { passing, lasting });
            }
            Message::Census { reply } => {
                monoio::spawn(async move {
                    let _ = reply.try_send(census::count(&shard).await);
                });
            }
            Message::Look { names, reply } => census::tell(&shard, names, reply),
            Message::Stop => {
                let _ = stop.try_send(());
            }
            Message::Finish => {
                let _ = finish.try_send(());
            }
        }
    }
}
