//! The shard's connections to a broker: made when needed, shared, made anew when lost.
//!
//! Whoever needs one says where to and what for. Live subscriptions, histories and publishes keep
//! apart, so that a long replay is in nobody's way. One attempt at a time for each place; after a
//! failure all wait a while before the next, longer each time, and everybody who waited for the
//! attempt hears why it failed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::connection::{Connection, Opening};
use super::fault::{Fault, of_stream};
use super::places::{Address, Places};
use crate::checksum::crc32c;
use crate::clock::monotonic;
use crate::config::Broker;
use crate::limits::{BALANCER_ATTEMPTS_MAX, BROKER_TROUBLE_AGE};
use crate::meter::Count;
use crate::net::{Destination, Tls, Turnstile, backoff, connect, tls_advice};
use crate::proto::rabbit::handshake::Login;
use crate::proto::rabbit::response::Node;
use crate::proto::rabbit::{Code, Response, request};
use crate::store::LinkCounts;
use crate::wait::Bell;

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Role {
    /// What is published now, and questions.
    Live,
    /// What was published before.
    History,
    /// Publishing.
    Publish,
}

/// The connections of a shard.
pub(super) struct Pool {
    broker: Arc<Broker>,
    tls: Option<Tls>,
    turnstile: Turnstile,
    connections: RefCell<Vec<(Role, Rc<Connection>)>>,
    attempts: RefCell<HashMap<(Role, Address), Attempts>>,
    places: Places,
    /// Rung when an attempt has ended.
    ended: Bell,
    /// What is wrong, for operators, and when that was last met.
    trouble: RefCell<Option<(Fault, Instant)>>,
    opened: Count,
    failed: Count,
    closed: Cell<bool>,
}

/// How connecting to a place has gone.
#[derive(Default)]
struct Attempts {
    under_way: bool,
    /// Attempts that have ended.
    count: u64,
    failures: u32,
    last: Option<Fault>,
    not_before: Option<Instant>,
}

/// A stream's nodes, as clients are to reach them.
pub(super) struct Nodes {
    leader: Option<Node>,
    replicas: Vec<Node>,
}

impl Pool {
    /// No connection yet.
    pub(super) fn new(broker: Arc<Broker>, tls: Option<Tls>, turnstile: Turnstile) -> Self {
        Self {
            places: Places::new(Arc::clone(&broker)),
            broker,
            tls,
            turnstile,
            connections: RefCell::default(),
            attempts: RefCell::default(),
            ended: Bell::default(),
            trouble: RefCell::default(),
            opened: Count::default(),
            failed: Count::default(),
            closed: Cell::new(false),
        }
    }

    /// What keeps us from the broker, for operators.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().as_ref().map(|(fault, _)| fault.to_string())
    }

    /// Whether there is a connection.
    pub(super) fn reached(&self) -> bool {
        self.connections.borrow().iter().any(|(_, connection)| connection.alive())
    }

    /// What was made so far.
    pub(super) fn made(&self) -> LinkCounts {
        let open = self.connections.borrow().iter().filter(|(_, one)| one.alive()).count();
        LinkCounts { opened: self.opened.get(), failed: self.failed.get(), open: open as u64 }
    }

    /// Makes sure that the broker can be reached.
    pub(super) async fn reach(&self) -> Result<(), Fault> {
        self.any().await?;
        let met = self.trouble.borrow().as_ref().map(|(_, met)| *met);
        if met.is_some_and(|met| monotonic().saturating_duration_since(met) > BROKER_TROUBLE_AGE) {
            self.well();
        }
        Ok(())
    }

    /// A connection to a node that has `stream` and can serve one more of `role`.
    pub(super) async fn for_stream(
        &self,
        stream: &str,
        role: Role,
    ) -> Result<Rc<Connection>, Fault> {
        let asked = self.any().await?;
        let nodes = self.nodes(&asked, stream).await?;
        let wanted = nodes.wanted(role, stream);
        if self.broker.stream_host.is_some() {
            // Behind a balancer: which node answers is its choice, so we ask until one fits.
            return self.behind_balancer(role, &wanted).await;
        }
        let here = |node: &Node| match advertises(&asked, node) {
            // The one we are connected to: by the address that works, whatever it calls itself.
            true => asked.address.clone(),
            false => self.places.advertised(node),
        };
        match self.first_of(role, wanted.iter().map(here).collect()).await {
            // Between two leaders.
            None => Err(Fault::Told(Code::STREAM_NOT_AVAILABLE)),
            Some(Ok(connection)) => {
                self.well();
                Ok(connection)
            }
            Some(Err(fault)) => {
                self.ill(&fault);
                Err(fault)
            }
        }
    }

    /// A connection to the first of these places that can be reached; the first one's fault when
    /// none can. `None`: there is no place.
    async fn first_of(
        &self,
        role: Role,
        mut places: Vec<Address>,
    ) -> Option<Result<Rc<Connection>, Fault>> {
        let best = places.first()?.clone();
        // Those that failed a moment ago come last.
        places.sort_by_cached_key(|place| self.wait(&(role, place.clone())));
        let mut tried: Option<Fault> = None;
        for place in &places {
            // To wait makes sense only when there is nothing better to do.
            if tried.is_some() && self.wait(&(role, place.clone())).is_some() {
                continue;
            }
            match self.connection(role, place.clone()).await {
                Ok(connection) => return Some(Ok(connection)),
                Err(Fault::Closed) => return Some(Err(Fault::Closed)),
                Err(fault) => tried = tried.or(Some(fault)),
            }
        }
        // Always the same one, so that the log says it once.
        let fault = self.with(&(role, best.clone()), |attempts| attempts.last.clone()).or(tried)?;
        let others = places.iter().filter(|place| **place != best).map(ToString::to_string);
        Some(Err(fault.nor_at(&others.collect::<Vec<_>>())))
    }

    async fn behind_balancer(&self, role: Role, wanted: &[Node]) -> Result<Rc<Connection>, Fault> {
        let fits = |connection: &Connection| wanted.iter().any(|node| advertises(connection, node));
        for _ in 0..BALANCER_ATTEMPTS_MAX {
            if let Some(connection) = self.usable(role, fits) {
                return Ok(connection);
            }
            let connection = self.attempt(role, self.places.entrance()).await;
            let connection = connection.inspect_err(|fault| self.ill(fault))?;
            if fits(&connection) || wanted.is_empty() {
                return Ok(connection);
            }
        }
        self.connection(role, self.places.entrance()).await
    }

    /// Where `stream` is.
    async fn nodes(&self, asked: &Connection, stream: &str) -> Result<Nodes, Fault> {
        let answer = asked.ask(|correlation| request::metadata(correlation, stream)).await?;
        let Response::Metadata { nodes, streams, .. } = answer else { return Err(Fault::Missing) };
        self.places.remember(&nodes);
        let placement = streams.into_iter().find(|placement| placement.stream == stream);
        let Some(placement) = placement else { return Err(Fault::Missing) };
        if !placement.code.is_ok() {
            return Err(of_stream(placement.code));
        }
        let find = |reference: u16| nodes.iter().find(|node| node.reference == reference).cloned();
        let leader = find(placement.leader);
        let replicas = placement.replicas.iter().filter_map(|one| find(*one)).collect();
        Ok(Nodes { leader, replicas })
    }

    /// A connection that questions can be asked on, also one without room for a subscription.
    pub(super) async fn any(&self) -> Result<Rc<Connection>, Fault> {
        let alive = |(of, one): &&(Role, Rc<Connection>)| *of == Role::Live && one.alive();
        let found = self.connections.borrow().iter().find(alive).map(|(_, one)| Rc::clone(one));
        if let Some(connection) = found {
            return Ok(connection);
        }
        match self.first_of(Role::Live, self.places.all()).await {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(fault)) => {
                self.ill(&fault);
                Err(fault)
            }
            None => unreachable!("a broker has a host"),
        }
    }

    fn usable(&self, role: Role, fits: impl Fn(&Connection) -> bool) -> Option<Rc<Connection>> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|(_, connection)| connection.alive());
        let usable = |of: Role, one: &Connection| {
            of == role && one.subscriptions.free() > 0 && one.publishers.free() > 0 && fits(one)
        };
        let found = connections.iter().find(|(of, connection)| usable(*of, connection));
        found.map(|(_, connection)| Rc::clone(connection))
    }

    /// A connection to `address` with room, made if there is none.
    async fn connection(&self, role: Role, address: Address) -> Result<Rc<Connection>, Fault> {
        match self.usable(role, |connection| connection.address == address) {
            Some(connection) => Ok(connection),
            None => self.attempt(role, address).await,
        }
    }

    /// Makes a connection, or waits for the one that is being made.
    async fn attempt(&self, role: Role, address: Address) -> Result<Rc<Connection>, Fault> {
        let key = (role, address);
        loop {
            if self.closed.get() {
                return Err(Fault::Closed);
            }
            let (under_way, count) = self.with(&key, |a| (a.under_way, a.count));
            if under_way {
                self.ended.rung().await;
                let (ended, last) = self.with(&key, |a| (a.count != count, a.last.clone()));
                match (ended, last) {
                    (true, Some(fault)) => return Err(fault),
                    (true, None) => {
                        let found = self.usable(role, |connection| connection.address == key.1);
                        if let Some(connection) = found {
                            return Ok(connection);
                        }
                    }
                    (false, _) => {}
                }
            } else if let Some(wait) = self.wait(&key) {
                monoio::time::sleep(wait).await;
            } else {
                return self.make(&key).await;
            }
        }
    }

    /// How long the next attempt has to wait.
    fn wait(&self, key: &(Role, Address)) -> Option<Duration> {
        let then = self.with(key, |attempts| attempts.not_before)?;
        then.checked_duration_since(monotonic())
    }

    async fn make(&self, key: &(Role, Address)) -> Result<Rc<Connection>, Fault> {
        self.with(key, |attempts| attempts.under_way = true);
        let guard = UnderWay { pool: self, key };
        let made = self.dial(&key.1).await;
        drop(guard);
        self.with(key, |attempts| {
            attempts.last = made.as_ref().err().cloned();
            if made.is_ok() {
                (attempts.failures, attempts.not_before) = (0, None);
            } else {
                let wait = backoff::wait(attempts.failures);
                attempts.failures += 1;
                attempts.not_before = Some(monotonic() + wait);
            }
        });
        match &made {
            Ok(connection) => {
                self.opened.add(1);
                self.connections.borrow_mut().push((key.0, Rc::clone(connection)));
                self.well();
            }
            Err(_) => self.failed.add(1),
        }
        self.ended.ring();
        made
    }

    async fn dial(&self, address: &Address) -> Result<Rc<Connection>, Fault> {
        let broker = &self.broker;
        let place: Arc<str> = address.to_string().into();
        let to = Destination { host: &address.host, port: address.port, tls: self.tls.as_ref() };
        let channel = match connect(to, broker.connect_timeout).await {
            Ok(channel) => channel,
            Err(fault) => {
                let why = self.explain(address, &fault).await.into();
                return Err(Fault::Unreachable { place, why });
            }
        };
        let login = Login {
            user: &broker.user,
            password: broker.password.expose(),
            external: broker.external,
            virtual_host: &broker.vhost,
            heartbeat: u32::try_from(broker.heartbeat.as_secs()).unwrap_or(u32::MAX),
        };
        match Connection::open(channel, &login, address.clone(), self.turnstile.clone()).await {
            Ok(connection) => Ok(connection),
            Err(Opening::Refused(why)) => {
                let who = if broker.external {
                    format!("our certificate for virtual host {:?}", broker.vhost)
                } else {
                    format!("user {:?} for virtual host {:?}", broker.user, broker.vhost)
                };
                Err(Fault::Refused { place, why, who: who.into() })
            }
            Err(Opening::Broken(why)) => {
                // With TLS 1.3 a certificate that is missing or not liked shows only now.
                let advice = self.tls.as_ref().and_then(|_| tls_advice(&why));
                let why = advice.map_or_else(|| why.clone(), |it| format!("TLS: {why}; {it}"));
                Err(Fault::Unreachable { place, why: why.into() })
            }
        }
    }

    /// What a failed connect means for an operator.
    async fn explain(&self, address: &Address, fault: &std::io::Error) -> String {
        let kind = fault.kind();
        if kind == ErrorKind::ConnectionRefused {
            let hosts = &self.broker.hosts;
            let amqp =
                hosts.iter().find(|host| host.name == *address.host).or_else(|| hosts.first());
            let amqp =
                amqp.map(|host| Destination { host: &host.name, port: host.port, tls: None });
            if let Some(amqp) = amqp
                && connect(amqp, self.broker.connect_timeout).await.is_ok()
            {
                return format!(
                    "{fault}, but AMQP port {} answers: enable streams (rabbitmq-plugins enable \
                     rabbitmq_stream), or say where they are with --stream-host and --stream-port",
                    amqp.port
                );
            }
            return format!("{fault}; is the broker running?");
        }
        if kind == ErrorKind::InvalidData {
            let told = fault.to_string();
            let advice = tls_advice(&told).unwrap_or("is this the broker's TLS port?");
            return format!("TLS: {told}; {advice}");
        }
        if kind == ErrorKind::UnexpectedEof && self.tls.is_some() {
            return "it hung up during the TLS handshake; is this its TLS port, and does it want a \
                    client certificate (--broker-cert)?"
                .into();
        }
        if !self.places.entrances().contains(address) {
            return format!(
                "{fault}; this is where the broker says that clients should connect: set \
                 advertised_host in rabbitmq.conf, or --stream-host"
            );
        }
        fault.to_string()
    }

    fn with<T>(&self, key: &(Role, Address), look: impl FnOnce(&mut Attempts) -> T) -> T {
        let mut attempts = self.attempts.borrow_mut();
        look(attempts.entry(key.clone()).or_default())
    }

    fn well(&self) {
        if self.trouble.borrow_mut().take().is_some() {
            info!("RabbitMQ can be reached again");
        }
    }

    fn ill(&self, fault: &Fault) {
        let told = fault.to_string();
        if self.trouble().as_ref() != Some(&told) {
            warn!("{told}");
        }
        *self.trouble.borrow_mut() = Some((fault.clone(), monotonic()));
    }

    /// Closes all connections for good.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let connections = std::mem::take(&mut *self.connections.borrow_mut());
        for (_, connection) in connections {
            connection.close();
        }
        self.ended.ring();
    }
}

/// Clears the mark of an attempt, also of one that was dropped on its way.
struct UnderWay<'a> {
    pool: &'a Pool,
    key: &'a (Role, Address),
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.pool.with(self.key, |attempts| {
            attempts.under_way = false;
            attempts.count += 1;
        });
        self.pool.ended.ring();
    }
}

impl Nodes {
    /// Who can serve this role, best first: the leader takes publishes, replicas are read from.
    fn wanted(self, role: Role, stream: &str) -> Vec<Node> {
        let Self { leader, replicas } = self;
        if role == Role::Publish {
            return leader.into_iter().collect();
        }
        let mut readable = replicas;
        if !readable.is_empty() {
            // Streams spread over the replicas, each always at the same one.
            let first = crc32c(stream.as_bytes()) as usize % readable.len();
            readable.rotate_left(first);
        }
        readable.extend(leader);
        readable
    }
}

fn advertises(connection: &Connection, node: &Node) -> bool {
    let opened = &connection.opened;
    opened.advertised_host.as_deref() == Some(&node.host)
        && opened.advertised_port.map(u32::from) == Some(node.port)
}
