//! Every bound that is not configuration: value, unit, reason.
//!
//! Each has a test that reaches it. What an operator may want to move is in [`crate::config`].

/// Longest routing key, in bytes of UTF-8: AMQP's short string (AMQP 0.9.1 §4.2.5.3).
pub const STREAM_NAME_BYTES_MAX: usize = 255;

/// Largest ordinal: it must survive a signed 64-bit field (JSON readers, RabbitMQ clients).
pub const ORDINAL_MAX: u64 = i64::MAX as u64;

/// Deepest nesting of a JSON event: the scanner keeps one bit a level and no stack of ours grows
/// with a stranger's input.
pub const JSON_DEPTH_MAX: usize = 512;

/// Longest head of an HTTP request, in bytes: as nginx's largest default header buffers.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header fields of a request.
pub const HTTP_HEADERS_MAX: usize = 100;

/// Longest reason in a close frame, in bytes: a control frame holds 125, the code takes 2
/// (RFC 6455 §5.5).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

// Configuration

/// Most shards: more threads than any machine we know has cores, and each costs a ring.
pub const SHARDS_MAX: usize = 1024;

/// Largest `--event-bytes-max`: an event lies in memory whole, more than once, while it is taken
/// in.
pub const EVENT_BYTES_CEILING: u64 = 1024 * 1024 * 1024;

/// Smallest `--tail-bytes`: below this even small events would be read back from disk.
pub const TAIL_BYTES_FLOOR: u64 = 64 * 1024;

/// Largest `--tail-bytes`: a tail is counted for every stream.
pub const TAIL_BYTES_CEILING: u64 = 64 * 1024 * 1024 * 1024;

/// Shortest timeout or interval, in milliseconds: timers tick every millisecond, and a period of a
/// few ticks is busy waiting.
pub const PERIOD_MILLIS_MIN: u64 = 10;

/// Longest timeout or interval, in milliseconds: a day; more is a mistyped unit.
pub const PERIOD_MILLIS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Longest duration that can be written, in milliseconds: a hundred years.
pub const DURATION_MILLIS_MAX: u64 = 36_500 * 24 * 60 * 60 * 1000;

/// Largest configuration file, in bytes: a hundred times one that sets and explains everything.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Most origins in `--allow-origin`: each handshake compares with all of them.
pub const ORIGINS_MAX: usize = 256;

// Logging

/// Most bytes of log records waiting for the writer thread: 100 ms of the slowest disk we want to
/// ride out at 100 000 records a second.
pub const LOG_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest message of a log record, in bytes; the rest is cut. Longer than any request line we
/// accept half of, and short enough that strangers can't fill the queue with a few records.
pub const LOG_MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// How long a flush of the log may take, in milliseconds: it runs at shutdown and in a panic, and
/// neither may hang on a full disk.
pub const LOG_FLUSH_MILLIS_MAX: u64 = 2_000;

// Command line

/// Most events of one publish request of `ess publish`: a group commit is nearly free per event
/// from a few hundred on (3.2 M events/s at 1,000 a batch).
pub const PUBLISH_BATCH_EVENTS_MAX: usize = 1_000;

/// Most bytes of one such request, a single longer event aside: small enough to be stored within
/// milliseconds, so that a failure names few lines.
pub const PUBLISH_BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Bytes `ess publish` takes from standard input at once; a pipe holds 64 KiB of them.
pub const PUBLISH_INPUT_BYTES: usize = 256 * 1024;

/// How long a client command waits for a connection, in milliseconds.
pub const CLIENT_CONNECT_MILLIS_MAX: u64 = 10_000;

/// How long a client command waits for an answer, in milliseconds: a full group commit on a slow
/// disk, with room.
pub const CLIENT_ANSWER_MILLIS_MAX: u64 = 60_000;

/// Largest answer of the internal API a client command reads, in bytes: a list of 100 000 event
/// streams with the longest routing keys.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Silence after which `ess listen` sends a ping, and after as long again gives the connection up,
/// in milliseconds: a service that pings every 20 s is never silent so long.
pub const LISTEN_SILENCE_MILLIS_MAX: u64 = 30_000;

/// First wait before `ess listen` reconnects, in milliseconds; doubled with each failure.
pub const RECONNECT_MILLIS_MIN: u64 = 250;

/// Longest wait before `ess listen` reconnects, in milliseconds.
pub const RECONNECT_MILLIS_MAX: u64 = 10_000;
