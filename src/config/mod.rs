//! One configuration, from flags, environment and an optional TOML file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    /// How long a consumer may owe us a byte before it is closed (`--stall-timeout`).
    pub stall_timeout: Duration,
    /// Time between two pings to a consumer (`--ping-interval`).
    pub ping_interval: Duration,
    /// How long stopping may take (`--drain`).
    pub drain: Duration,
    /// A stats line per consumer every so many events; 0 for none (`ESS_MESSAGE_STATS_INTERVAL`).
    pub message_stats_interval: u64,
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
