//! The service from its start to its end: what happens on the main thread.

use std::fmt;
use std::fs::{File, create_dir_all};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_channel::{Receiver, Sender, bounded};
use log::{error, info, warn};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, WaitOptions, getrlimit, setrlimit, wait};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::backup::RESTORING;
use crate::clock::monotonic;
use crate::config::{Config, StoreKind};
use crate::limits::{DESCRIPTORS_RESERVED_PART, SECOND_SIGNAL_PAUSE};
use crate::net::{Credentials, Sockets, Tls, bind_shards};
use crate::observe::logging;
use crate::registry::{EventStream, Registry};
use crate::store::amqp::Amqp;

use super::mailbox::{Mailboxes, Message, Report};
use super::registrar::Orders;
use super::shard_main::{Access, Boot, InternalPort, shard_main};
use super::threads;

/// Why the service could not start, or did not end well: one line for a person.
#[derive(Debug)]
pub struct ServeError(String);

impl fmt::Display for ServeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
///
/// When it can't start, or a shard fails.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let descriptors = raise_descriptor_limit();
    let sockets = Sockets::new(descriptors - descriptors / DESCRIPTORS_RESERVED_PART);
    let (broker, amqp) = access(&config)?.unzip();
    // Listening comes before anything is created: a second instance must leave no trace.
    let public = listen(config.public_addr, config.shards, "--public-addr")?;
    let internal = listen(config.internal_addr, 1, "--internal-addr")?;
    let addresses = (address(&public)?, address(&internal)?);
    create_dir_all(&config.data_dir).map_err(|fault| {
        let path = config.data_dir.display();
        ServeError(format!("the data directory {path} can't be made: {fault} (see --data-dir)"))
    })?;
    let _lock = lock(&config.data_dir)?;
    refuse_half_restored(&config.data_dir)?;
    let registry = Registry::open(&config.data_dir.join("event-streams.db"))
        .map_err(|fault| ServeError(fault.to_string()))?;
    let event_streams = registry.list().map_err(|fault| ServeError(fault.to_string()))?;
    let removals = registry.pending_removals().map_err(|fault| ServeError(fault.to_string()))?;
    let known: Vec<_> = event_streams.into_iter().map(Arc::new).collect();
    if config.store == StoreKind::Log && known.len() > descriptors - sockets.max() {
        warn!(
            "{} event streams and {descriptors} open files: a stream needs one of the {} that \
             connections leave; raise the hard limit",
            known.len(),
            descriptors - sockets.max(),
        );
    }

    // Three reports a shard, and signals; what doesn't fit is a signal more than anybody needs.
    let (events, heard) = bounded(4 * config.shards + 16);
    watch_signals(events.clone())?;
    let orders = Orders::start(registry)
        .map_err(|fault| ServeError(format!("the registry's thread can't start: {fault}")))?;
    let mut internal_port = internal.into_iter().next().map(|listener| InternalPort {
        listener,
        registry: orders,
        removals,
    });
    let (mailboxes, inboxes) = Mailboxes::new(config.shards);
    let config = Arc::new(config);
    let mut shards = Vec::new();
    for (index, (public, inbox)) in public.into_iter().zip(inboxes).enumerate() {
        let boot = Boot {
            index,
            config: Arc::clone(&config),
            event_streams: known.clone(),
            public,
            internal: internal_port.take(),
            broker: broker.clone(),
            mailboxes: mailboxes.clone(),
            sockets: sockets.clone(),
            inbox,
            events: events.clone(),
        };
        shards.push(start_shard(index, &config, boot, events.clone())?);
    }
    drop(events);
    watch(&heard, &mailboxes, addresses, &known)?;
    for shard in shards {
        // A thread that panicked has said so through the panic hook.
        let _ = shard.join();
    }
    if let Some((access, thread)) = broker.zip(amqp) {
        access.amqp.close();
        let _ = thread.join();
    }
    Ok(())
}

/// How the broker is reached, when there is one, and the thread that speaks AMQP with it.
fn access(config: &Config) -> Result<Option<(Access, JoinHandle<()>)>, ServeError> {
    let broker = match (&config.broker, config.store) {
        (Some(broker), StoreKind::RabbitMq | StoreKind::Exchange) => broker,
        (_, StoreKind::Log) | (None, _) => return Ok(None),
    };
    let tls = match &broker.tls {
        None => None,
        Some(said) => Some(
            Tls::new(&Credentials {
                authorities: said.ca.as_deref(),
                certificate: said.cert.as_deref().zip(said.key.as_deref()),
                name: said.sni.as_deref(),
                unverified: !said.verify,
            })
            .map_err(|wrong| ServeError(format!("TLS to the broker: {wrong}")))?,
        ),
    };
    let broker = Arc::new(broker.clone());
    let (amqp, thread) = Amqp::start(Arc::clone(&broker), tls.clone())
        .map_err(|fault| ServeError(format!("the AMQP thread can't start: {fault}")))?;
    Ok(Some((Access { broker, tls, amqp }, thread)))
}

fn start_shard(
    index: usize,
    config: &Config,
    boot: Boot,
    events: Sender<Report>,
) -> Result<JoinHandle<bool>, ServeError> {
    let guard = EndGuard { events, index, clean: false };
    let main = move |driver| async move {
        let mut guard = guard;
        guard.clean = shard_main(boot, driver).await;
        guard.clean
    };
    threads::start(index, config.driver, main)
        .map_err(|fault| ServeError(format!("shard {index} can't start: {fault}")))
}

/// Tells the main thread that a shard has ended, however it ended.
struct EndGuard {
    events: Sender<Report>,
    index: usize,
    clean: bool,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        let _ = self.events.try_send(Report::Ended(self.index, self.clean));
    }
}

/// What the main thread knows of a shard.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Stage {
    Starting,
    Serving,
    Drained,
    Ended,
}

/// The main thread's life: wait for the shards, then for a signal, then for the shards again.
fn watch(
    heard: &Receiver<Report>,
    mailboxes: &Mailboxes,
    (public, internal): (SocketAddr, SocketAddr),
    known: &[Arc<EventStream>],
) -> Result<(), ServeError> {
    let mut stages = vec![Stage::Starting; mailboxes.len()];
    let (mut clean, mut finishing) = (true, false);
    let mut stopping = None;
    while stages.iter().any(|stage| *stage < Stage::Ended) {
        let Ok(report) = heard.recv_blocking() else { break };
        match report {
            Report::Ready(index) => {
                advance(&mut stages, index, Stage::Serving);
                if stages.iter().all(|stage| *stage == Stage::Serving) {
                    let count = |count: usize, one: &str| match count {
                        1 => format!("1 {one}"),
                        _ => format!("{count} {one}s"),
                    };
                    info!(
                        "ready: {}, {}, clients at ws://{public}/event-stream/, page and internal \
                         API at http://{internal}/",
                        count(known.len(), "event stream"),
                        count(stages.len(), "shard"),
                    );
                }
            }
            Report::Drained(index) => advance(&mut stages, index, Stage::Drained),
            Report::Ended(index, _) if stages.get(index) == Some(&Stage::Starting) => {
                // The others may be waiting for it.
                return Err(ServeError(format!("shard {index} could not start: see above")));
            }
            Report::Ended(index, cleanly) => {
                advance(&mut stages, index, Stage::Ended);
                clean &= cleanly;
                if stopping.is_none() {
                    error!("shard {index} has failed: the service stops");
                    (stopping, clean) = (Some(monotonic()), false);
                    tell_all(mailboxes, || Message::Stop);
                }
            }
            Report::Signal(signal) => match stopping {
                None => {
                    info!("{}: stopping", if signal == SIGINT { "SIGINT" } else { "SIGTERM" });
                    stopping = Some(monotonic());
                    tell_all(mailboxes, || Message::Stop);
                }
                // A supervisor may signal the process and its group: that is one wish.
                Some(since) if monotonic().duration_since(since) < SECOND_SIGNAL_PAUSE => {}
                Some(_) => {
                    warn!("second signal ({signal}): stopping at once");
                    return Err(ServeError("stopped before everything was closed".into()));
                }
            },
        }
        if !finishing && stages.iter().all(|stage| *stage >= Stage::Drained) {
            finishing = true;
            tell_all(mailboxes, || Message::Finish);
        }
    }
    if clean {
        info!("stopped");
        Ok(())
    } else {
        Err(ServeError("not everything was closed cleanly: see the log".into()))
    }
}

fn advance(stages: &mut [Stage], index: usize, stage: Stage) {
    if let Some(one) = stages.get_mut(index) {
        *one = stage;
    }
}

fn tell_all(mailboxes: &Mailboxes, message: impl Fn() -> Message) {
    for index in 0..mailboxes.len() {
        mailboxes.send_blocking(index, message());
    }
}

fn listen(
    address: SocketAddr,
    shards: usize,
    option: &str,
) -> Result<Vec<TcpListener>, ServeError> {
    bind_shards(address, shards).map_err(|fault| {
        let kind = fault.kind();
        let hint = if kind == io::ErrorKind::AddrInUse {
            "another program listens there; stop it or choose another"
        } else if kind == io::ErrorKind::PermissionDenied {
            "ports below 1024 need a privilege; choose another"
        } else {
            "choose another"
        };
        ServeError(format!("can't listen on {address}: {fault}: {hint} with {option}"))
    })
}

fn address(listeners: &[TcpListener]) -> Result<SocketAddr, ServeError> {
    let first = listeners.first().ok_or_else(|| ServeError("no shard to listen on".into()))?;
    first.local_addr().map_err(|fault| ServeError(format!("a listener has no address: {fault}")))
}

/// One service a data directory: two would append to the same logs.
fn lock(data_dir: &Path) -> Result<File, ServeError> {
    let path = data_dir.join("ess.lock");
    let shown = path.display();
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|fault| ServeError(format!("{shown} can't be opened: {fault}")))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        ServeError(format!(
            "another service uses the data directory {} (it holds {shown}); \
             stop it or choose another with --data-dir",
            data_dir.display()
        ))
    })?;
    Ok(file)
}

/// What a restore has not finished must not be served as if it were all.
fn refuse_half_restored(data_dir: &Path) -> Result<(), ServeError> {
    let left = data_dir.join(RESTORING);
    if !left.exists() {
        return Ok(());
    }
    Err(ServeError(format!(
        "a restore was interrupted: {} is there; run the same ess restore again",
        left.display()
    )))
}

/// Every connection and open segment takes a descriptor; the usual soft limit of 1,024 is low.
/// Returns how many there may be.
fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(fault) = setrlimit(Resource::Nofile, limit) {
            warn!("the limit of open files stays low: {fault}");
        }
    }
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}

/// A container's first process inherits whatever is left behind there, by a command that was run
/// beside us: what has ended is taken away. We have no children of our own.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn watch_signals(events: Sender<Report>) -> Result<(), ServeError> {
    let failed = |fault: io::Error| ServeError(format!("signals can't be watched: {fault}"));
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGCHLD]).map_err(failed)?;
    std::thread::Builder::new()
        .name("ess-signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGUSR1 => logging::toggle_debug("SIGUSR1"),
                    SIGCHLD => reap(),
                    _ => drop(events.try_send(Report::Signal(signal))),
                }
            }
        })
        .map_err(failed)?;
    Ok(())
}
