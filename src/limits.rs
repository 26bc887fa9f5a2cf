//! Every bound that is not configuration: value, unit, reason.
//!
//! Each has a test that reaches it. What an operator may want to move is in [`crate::config`].

use std::time::Duration;

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

/// Size of a chunk of a stream's tail, in bytes: what one send hands over at the most, and large
/// beside what a socket takes at once.
pub const TAIL_CHUNK_BYTES: usize = 256 * 1024;

/// Most blocks a tail remembers (40 bytes each): bounds streams of very small events.
pub const TAIL_ENTRIES_MAX: usize = 32 * 1024;

/// Connections the kernel holds for a shard that is busy: a burst of thousands loses none.
pub const LISTEN_BACKLOG: i32 = 4096;

/// Most bytes handed to a socket in one system call: a tail's chunk.
pub const SEND_BYTES_MAX: usize = TAIL_CHUNK_BYTES;

/// Most bytes one consumer is sent before others get a turn: about 0.3 ms of copying.
pub const TURN_BYTES_MAX: usize = 1024 * 1024;

/// How long an ending connection may take to read its close frame and answer it: a client that
/// stopped reading and comes back within it still learns why it was closed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Most and least bytes of history read at once for one consumer.
pub const HISTORY_READ_BYTES_MAX: usize = 256 * 1024;
/// See [`HISTORY_READ_BYTES_MAX`]: below a page cluster a read costs the same.
pub const HISTORY_READ_BYTES_MIN: usize = 16 * 1024;

/// Histories read at the same time on a shard: bounds their buffers to 16 MiB.
pub const HISTORY_READS_MAX: usize = 64;

/// Consumers served in a row before sockets and timers get a turn: about 0.6 ms.
pub const FAN_OUT_TURN: usize = 256;

/// Size of a shard's shared read buffer, in bytes.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Messages that may wait in a shard's mailbox; whoever sends more waits.
pub const MAILBOX_MESSAGES_MAX: usize = 1024;

/// Changes of the registry that may wait; whoever asks for more waits.
pub const REGISTRY_ORDERS_MAX: usize = 256;

/// How often a shard looks after its consumers: the precision of pings, stalls and deadlines.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// Pings a consumer may leave unanswered.
pub const PINGS_UNANSWERED_MAX: u8 = 2;

/// Least time between two stats lines of a consumer: thousands of them must not fill the log.
pub const STATS_PAUSE: Duration = Duration::from_secs(10);

/// Entries of a shard's submission ring: 256 cost a quarter of the throughput, more than 4,096
/// bring nothing.
pub const RING_ENTRIES: u32 = 1024;

/// Threads beside each shard for what a ring can't do (truncate, list, remove), and for all file
/// work where there is no ring.
pub const DISK_THREADS: usize = 2;

/// Pace of closing consumers when the service stops.
pub const DRAIN_TICK: Duration = Duration::from_millis(10);

/// How long consumers may take to answer their close frame after the drain.
pub const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Longest wait for the head of a request, from its first byte or the connection's start.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for more of a request's body.
pub const HTTP_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for the next request on an open connection.
pub const HTTP_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Memory that the bodies of requests may hold together while they arrive, in bytes.
pub const HTTP_BODIES_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Pause after an accept that failed for want of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
