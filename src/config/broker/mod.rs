//! Where events are kept, and the RabbitMQ broker when they are kept there.
//!
//! [`Words`] collects what the options said, `settle` makes the [`StoreKind`] and the [`Broker`] of
//! it, or says what doesn't fit. Nothing here connects to anything, and no text that leaves here
//! has a password in it.

mod secret;
mod settle;
mod url;
mod words;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use secret::Secret;
pub(super) use settle::settle;
pub(super) use url::masked;
pub(super) use words::{
    Words, catchup_readers, exchange, exchange_kind, file_or, optional_url, server_name, store,
    stream_host, stream_port,
};

/// Where events are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StoreKind {
    /// In the embedded log.
    #[default]
    Log,
    /// In streams of RabbitMQ.
    RabbitMq,
    /// Nowhere: a classic exchange of RabbitMQ hands them on (version 1).
    Exchange,
}

impl StoreKind {
    /// As it is written in `--store`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::RabbitMq => "rabbitmq",
            Self::Exchange => "exchange",
        }
    }
}

/// How an exchange routes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ExchangeKind {
    /// By the same key.
    #[default]
    Direct,
    /// By patterns.
    Topic,
}

impl ExchangeKind {
    /// As AMQP and `--exchange-type` write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Topic => "topic",
        }
    }
}

/// Where a node of the broker is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerHost {
    /// A name or an address, without brackets.
    pub name: String,
    /// Of AMQP 0.9.1, not of the stream protocol.
    pub port: u16,
}

impl fmt::Display for BrokerHost {
    /// `name:port`, for people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.name, self.port)
    }
}

/// The broker and how it is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broker {
    /// At least one; the nodes of a cluster, tried in this order.
    pub hosts: Vec<BrokerHost>,
    /// The user.
    pub user: String,
    /// Its password; unused with `external`.
    pub password: Secret,
    /// The virtual host.
    pub vhost: String,
    /// Longest silence before each side asks after the other; zero for none.
    pub heartbeat: Duration,
    /// Longest wait for a connection, TLS and login included.
    pub connect_timeout: Duration,
    /// Log in by the client certificate (SASL EXTERNAL) instead of by password.
    pub external: bool,
    /// TLS (`amqps`), on both ports; `None` for none.
    pub tls: Option<BrokerTls>,
    /// Connect for streams here, whatever host the broker advertises (`--stream-host`).
    pub stream_host: Option<String>,
    /// Connect for streams here, whatever port the broker advertises (`--stream-port`).
    pub stream_port: Option<u16>,
    /// Publish through this exchange; `None`: into the stream (`--exchange`). With
    /// [`StoreKind::Exchange`] there is always one.
    pub exchange: Option<String>,
    /// What kind of exchange that is (`--exchange-type`).
    pub exchange_kind: ExchangeKind,
}

impl Broker {
    /// The exchange that the Account Server publishes to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        self.exchange.as_deref().unwrap_or(EVENT_STREAMS)
    }
}

/// TLS towards the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerTls {
    /// Authorities whose certificates are believed, PEM; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The client's certificate, PEM; it comes with its key or not at all.
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate, PEM.
    pub key: Option<PathBuf>,
    /// The name asked for and expected in the certificate; `None`: the host connected to.
    pub sni: Option<String>,
    /// Whether the broker's certificate is checked.
    pub verify: bool,
}

/// The exchange of the Account Server (version 1).
pub(super) const EVENT_STREAMS: &str = "event-streams";
