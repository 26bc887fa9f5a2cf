//! One configuration, from flags, environment and an optional TOML file.
//!
//! [`options`] is the table everything is driven by. [`load`] puts the layers over each other
//! (flags > environment > file > defaults), reads every value, checks them against each other and
//! answers a [`Resolved`]: the [`Config`], where each value came from, and every fault and
//! warning as one line a person can act on. [`preflight`] then asks the world whether it could
//! work: ports, folders, files. Nothing here creates, opens for writing or listens on anything.
//!
//! Bounds that no operator should move are in [`crate::limits`].

mod broker;
mod environment;
mod file;
pub mod options;
pub mod preflight;
mod quantity;
#[cfg(test)]
mod readme;
mod resolve;
mod suggest;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

pub use broker::{Broker, BrokerHost, BrokerTls, ExchangeKind, Secret, StoreKind};
pub use quantity::{format_duration, format_size, parse_duration, parse_size};
pub use resolve::{Choice, Flags, Origin, Resolved, load};

/// Everything an operator can say, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients connect (`--public-addr`).
    pub public_addr: SocketAddr,
    /// Where the Account Server calls (`--internal-addr`).
    pub internal_addr: SocketAddr,
    /// Database and logs of the streams (`--data-dir`).
    pub data_dir: PathBuf,
    /// Folder of the rotating log files; `None` for the console only (`--log-dir -`).
    pub log_dir: Option<PathBuf>,
    /// Number of shards, at least 1 (`--shards`).
    pub shards: usize,
    /// Which I/O driver the shards use (`--driver`).
    pub driver: Driver,
    /// `host[:port]` in the locations given out (`ESS_INGRESS_LOCATION`).
    pub ingress_location: String,
    /// Locations are `wss://` (`ESS_INGRESS_SECURE=yes`).
    pub ingress_secure: bool,
    /// One consumer a routing key: a newcomer displaces the one before (`--exclusive`).
    pub exclusive: bool,
    /// Origins a browser may connect from; empty allows all (`--allow-origin`, may be repeated).
    pub allowed_origins: Vec<String>,
    /// Where events are kept (`--store`).
    pub store: StoreKind,
    /// The broker, if the store needs one (`--amqp-url` and what belongs to it).
    pub broker: Option<Broker>,
    /// Readers of older events at the broker at a time, at least 1 (`--catchup-readers-max`).
    pub catchup_readers_max: usize,
    /// When an append counts as stored (`--fsync`).
    pub fsync: Fsync,
    /// What is kept (`--retain-age`, `--retain-bytes`, `--retain-events`).
    pub retain: Retain,
    /// How often retention looks at the streams (`--retain-interval`).
    pub retain_interval: Duration,
    /// Largest event, in bytes (`--event-bytes-max`).
    pub event_bytes_max: usize,
    /// Framed events kept in memory for each stream, in bytes (`--tail-bytes`).
    pub tail_bytes: usize,
    /// Most that is handed to a consumer's socket at once, in bytes (`--send-bytes`).
    pub send_bytes: usize,
    /// Consumers on its home shard from which on a stream spreads over other shards; 0 for never
    /// (`--spread-consumers`).
    pub spread_consumers: u64,
    /// How long a consumer may owe us a byte before it is closed (`--stall-timeout`).
    pub stall_timeout: Duration,
    /// Time between two pings to a consumer (`--ping-interval`).
    pub ping_interval: Duration,
    /// How long stopping may take (`--drain`).
    pub drain: Duration,
    /// A stats line per consumer every so many events; 0 for none (`ESS_MESSAGE_STATS_INTERVAL`).
    pub message_stats_interval: u64,
    /// Streams with labels of their own in `/metrics` (`--metrics-streams-max`).
    pub metrics_streams_max: usize,
    /// How much is logged (`--log-level`).
    pub log_level: LevelFilter,
    /// How a line of the log is written (`--log-format`).
    pub log_format: LogFormat,
    /// Serve `/echo` on the public port, for conformance suites only (`--echo`, hidden).
    pub echo: bool,
}

/// When an append counts as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// After fdatasync: survives a power cut.
    Always,
    /// After the write; fdatasync runs every so often: survives the process, not a power cut.
    Interval(Duration),
    /// After the write; the kernel decides when.
    Never,
}

/// What a stream keeps. `None`: no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retain {
    /// Events younger than this.
    pub age: Option<Duration>,
    /// At most about so many bytes on disk.
    pub bytes: Option<u64>,
    /// The newest so many events.
    pub events: Option<u64>,
}

/// The I/O driver of the shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// io_uring, or epoll where io_uring is refused.
    #[default]
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: `time LEVEL target message`.
    #[default]
    Text,
    /// For programs: a JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let config = Config::with_defaults(3);
        assert_eq!(config.public_addr.to_string(), "0.0.0.0:8080");
        assert_eq!(config.internal_addr.to_string(), "0.0.0.0:8081");
        assert_eq!(config.data_dir, PathBuf::from("./data"));
        assert_eq!(config.log_dir, Some(PathBuf::from("./logs")));
        assert_eq!(config.shards, 3);
        assert_eq!(config.driver, Driver::Auto);
        assert_eq!(config.ingress_location, "localhost:8080");
        assert!(!config.ingress_secure && !config.exclusive && !config.echo);
        assert!(config.allowed_origins.is_empty());
        assert_eq!((config.store, config.broker), (StoreKind::Log, None));
        assert_eq!(config.catchup_readers_max, 64);
        assert_eq!(config.fsync, Fsync::Always);
        assert_eq!(config.retain.age, Some(Duration::from_secs(7 * 24 * 60 * 60)));
        assert_eq!(config.retain.bytes, Some(1024 * 1024 * 1024));
        assert_eq!(config.retain.events, None);
        assert_eq!(config.retain_interval, Duration::from_secs(10));
        assert_eq!(config.event_bytes_max, 32 * 1024 * 1024);
        assert_eq!(config.tail_bytes, 8 * 1024 * 1024);
        assert_eq!(config.send_bytes, 256 * 1024);
        assert_eq!(config.spread_consumers, 0);
        assert_eq!(config.stall_timeout, Duration::from_secs(60));
        assert_eq!(config.ping_interval, Duration::from_secs(20));
        assert_eq!(config.drain, Duration::from_secs(5));
        assert_eq!(config.message_stats_interval, 800);
        assert_eq!(config.metrics_streams_max, 100);
        assert_eq!(config.log_level, LevelFilter::Info);
        assert_eq!(config.log_format, LogFormat::Text);
    }
}
