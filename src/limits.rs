//! Every bound that is not configuration: value, unit, reason.
//!
//! Each has a test that reaches it. What an operator may want to move is in [`crate::config`].

mod amqp;
mod watch;

use std::time::Duration;

pub use amqp::*;
pub use watch::*;

/// Longest routing key, in bytes of UTF-8: AMQP's short string (AMQP 0.9.1 §4.2.5.3).
pub const STREAM_NAME_BYTES_MAX: usize = 255;

/// Largest ordinal: it must survive a signed 64-bit field (JSON readers, RabbitMQ clients).
pub const ORDINAL_MAX: u64 = i64::MAX as u64;

/// Deepest nesting of a JSON event: the scanner keeps one bit a level and no stack of ours grows
/// with a stranger's input.
pub const JSON_DEPTH_MAX: usize = 512;

/// Longest datetime that a consumer may begin at, in bytes: twice the longest that RFC 2822 or ISO
/// 8601 can make, and nothing that takes time to read.
pub const DATETIME_BYTES_MAX: usize = 128;

/// Longest head of an HTTP request, in bytes: as nginx's largest default header buffers.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header fields of a request.
pub const HTTP_HEADERS_MAX: usize = 100;

/// Chunk extensions of one body, in bytes in all: nobody sends any, and bytes that are thrown away
/// must not be free.
pub const HTTP_CHUNK_EXTENSIONS_BYTES_MAX: usize = 16 * 1024;

/// Trailers of one chunked body, in bytes: read and thrown away, as the extensions.
pub const HTTP_TRAILERS_BYTES_MAX: usize = 8 * 1024;

/// Longest message a WebSocket client may send, in bytes. It is checked and thrown away, never
/// kept, so this only ends a client that talks without end; conformance suites send 16 MiB.
pub const WEBSOCKET_MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// Longest payload of a close, ping or pong, in bytes (RFC 6455 §5.5).
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

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

/// Largest `--send-bytes`, what is handed to a socket in one system call: a tail's chunk.
pub const SEND_BYTES_MAX: usize = TAIL_CHUNK_BYTES;

/// Smallest `--send-bytes`: a small event; below this a system call would carry nothing but parts.
pub const SEND_BYTES_FLOOR: u64 = 128;

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

/// Requests of a branch that may wait at its root; whoever asks for more waits.
pub const LINE_REQUESTS_MAX: usize = 64;

/// Most bytes a branch is given with one pull, but at least one block: a tail's chunk.
pub const PULL_BYTES_MAX: usize = TAIL_CHUNK_BYTES;

/// Most blocks a branch is given with one pull: 64 KiB beside their bytes.
pub const PULL_BLOCKS_MAX: usize = 1024;

/// How long a branch stays without consumers: those of a burst that reconnect find it again.
pub const BRANCH_GRACE: Duration = Duration::from_secs(5);

/// Consumers served in a row before sockets and timers get a turn: about 0.6 ms.
pub const FAN_OUT_TURN: usize = 256;

/// Size of a shard's shared read buffer, in bytes.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Buffers read from one client before the others get a turn.
pub const INBOX_READS_MAX: usize = 4;

/// Sockets that a poller tells of at once: 12 bytes each.
pub const POLLER_EVENTS_MAX: usize = 256;

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

/// Shortest time between two lines that say so.
pub const ACCEPT_TOLD_EVERY: Duration = Duration::from_secs(10);

/// How much of a request is read at once, in bytes.
pub const HTTP_READ_BYTES: usize = 64 * 1024;

/// Reads of a connection that nobody had to wait for, before others get a turn.
pub const HTTP_READS_MAX: u32 = 8;

/// Longest time a peer may take to read a response (and a microsecond for each byte).
pub const HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long and how much is read from a peer that is still sending when we have answered and
/// close: cutting it off would take our answer with it.
pub const HTTP_LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// See [`HTTP_LINGER_TIMEOUT`].
pub const HTTP_LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest block of several events, in bytes of frames: a reader checks a whole block before it
/// hands out any of it, so this bounds what a consumer that catches up holds. A larger event is a
/// block of its own.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Most zeros written behind the end of a segment at once, in bytes: thousands of small groups then
/// sync twice to four times as fast, and a stream takes at most so much more disk.
pub const WRITE_AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest single write of several blocks, in bytes: their memory is freed as one, so a reader of
/// one block must not hold many.
pub const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of bodies that share one write and one sync (a single append may be larger): about
/// what a disk takes in the time of a sync; who comes later waits for the next.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most events that share one write and one sync (a single append may have more): bounds the time
/// a shard spends on framing them in one go to some milliseconds.
pub const GROUP_EVENTS_MAX: usize = 16 * 1024;
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

/// Most nodes of a broker in its URL, and as many more that it has told of are remembered.
pub const BROKER_NODES_MAX: usize = 16;

/// Longest URL of the broker, in bytes: three names of 255 and three paths, percent-encoded.
pub const BROKER_URL_BYTES_MAX: usize = 8 * 1024;

/// Longest user, vhost or exchange of the broker, in bytes: AMQP's short string (AMQP 0.9.1
/// §4.2.5.3).
pub const BROKER_NAME_BYTES_MAX: usize = 255;

/// Longest host name, in bytes (RFC 1035 §2.3.4, without the length bytes at both ends).
pub const HOST_BYTES_MAX: usize = 253;

/// Longest heartbeat, in seconds: 16 bits of `connection.tune` (AMQP 0.9.1).
pub const BROKER_HEARTBEAT_SECONDS_MAX: u64 = u16::MAX as u64;

/// Largest `--catchup-readers-max`: each has a subscription at the broker, and 256 fill a
/// connection.
pub const CATCHUP_READERS_MAX: usize = 4096;

// Logging

/// Longest `X-Request-ID` that is taken from a caller, in bytes: four UUIDs; it stands in every
/// line about the request and lives as long as its connection.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// Most bytes of log records waiting for the writer thread: 100 ms of the slowest disk we want to
/// ride out at 100 000 records a second.
pub const LOG_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest message of a log record, in bytes; the rest is cut. Longer than any request line we
/// accept half of, and short enough that strangers can't fill the queue with a few records.
pub const LOG_MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// How long a flush of the log may take, in milliseconds: it runs at shutdown and in a panic, and
/// neither may hang on a full disk.
pub const LOG_FLUSH_MILLIS_MAX: u64 = 2_000;

/// How long the writer of the log leaves lines alone behind those it has written: it is woken at
/// most 200 times a second.
pub const LOG_PAUSE: Duration = Duration::from_millis(5);

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

/// Most consumers of `ess bench`: with the service on the same machine both stay far from the
/// usual 1,024 descriptors times a few.
pub const BENCH_CONSUMERS_MAX: u64 = 1_000;

/// Most events a second of `ess bench`.
pub const BENCH_RATE_MAX: u64 = 10_000;

/// Most consumers times events a second of `ess bench`: about a third of what one core delivers
/// one by one, so that a service that has other work keeps up with both.
pub const BENCH_DELIVERIES_MAX: u64 = 100_000;

/// Largest event of `ess bench`, in bytes.
pub const BENCH_EVENT_BYTES_MAX: u64 = 16 * 1024;

/// Smallest event of `ess bench`, in bytes: room for when it was due.
pub const BENCH_EVENT_BYTES_MIN: u64 = 32;

/// How long `ess bench` publishes at most, in milliseconds.
pub const BENCH_MILLIS_MAX: u64 = 300_000;

/// Silence after which `ess bench` no longer waits for what is missing, in milliseconds.
pub const BENCH_DRAIN_MILLIS_MAX: u64 = 10_000;

/// First wait before `ess listen` reconnects, in milliseconds; doubled with each failure.
pub const RECONNECT_MILLIS_MIN: u64 = 250;

/// Longest wait before `ess listen` reconnects, in milliseconds.
pub const RECONNECT_MILLIS_MAX: u64 = 10_000;

/// Largest segment of a log before it takes no further group, in bytes: a stream's oldest part goes
/// in steps of this, and recovery reads one whole segment.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Smallest such size, in bytes: less than a group would make a file for every append.
pub const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
/// Longest body of a creation, in bytes: a routing key, even if every byte of it is escaped, and
/// members that nobody reads. Bodies where none is expected are read and dropped up to this.
pub const JSON_BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest body of several events, in bytes, unless one event may be longer: a body stands in
/// memory as a whole before its events are stored as one unit.
pub const NDJSON_BODY_BYTES_MAX: usize = 64 << 20;

/// Most events in one request: each costs 32 bytes of bookkeeping however short it is.
pub const PUBLISH_EVENTS_MAX: usize = 100_000;

/// Longest `Idempotency-Key`, in bytes: RabbitMQ's longest producer name
/// (`rabbit_stream_utils:check_publisher_reference`).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Most undeliverable events that the answer to a publish names.
pub const UNDELIVERABLE_TOLD_MAX: usize = 100;

/// Most streams that `GET /status` tells of: more rows than a person reads, and half a megabyte.
pub const STATUS_STREAMS_MAX: usize = 1_000;

/// How long a refused WebSocket may take to answer its close frame.
pub const REFUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client that broke the protocol may take to hang up after our close frame.
pub const FAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest life of a connection to the echo of the conformance suites.
pub const ECHO_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest message the echo sends back; the suites go up to 16 MiB.
pub const WEBSOCKET_ECHO_BYTES_MAX: usize = 64 << 20;
/// How long a change of the registry waits for another process at the same file, in milliseconds:
/// a person's `sqlite3` shell may look into it.
pub const REGISTRY_BUSY_MS_MAX: u64 = 5_000;

/// Looks at a port that is taken before it counts as taken: half a second, where a killed process'
/// rings were seen to hold theirs for up to 11 ms.
pub const PORT_RELEASE_LOOKS: usize = 25;

/// Pause between two of them.
pub const PORT_RELEASE_PAUSE: Duration = Duration::from_millis(20);

/// One of so many descriptors is kept from connections: segments, the database and readers of
/// history need some.
pub const DESCRIPTORS_RESERVED_PART: usize = 8;

/// Connections accepted in a row before those that are there get a turn.
pub const ACCEPT_TURN: usize = 64;

/// Streams that a shard opens at the same time when it starts: as many syncs as a disk takes well.
pub const STREAMS_OPENED_AT_ONCE: usize = 32;

/// How long the removal of a stream waits for consumers that are inside a frame.
pub const FRAMES_TIMEOUT: Duration = Duration::from_secs(2);

/// A signal so soon after the first says the same once more; a later one stops at once.
pub const SECOND_SIGNAL_PAUSE: Duration = Duration::from_secs(1);

// Backup

/// Bytes after which a copy is synced: what is left for later holds up the syncs of a service on
/// the same disk.
pub const BACKUP_SYNC_BYTES: u64 = 4 * 1024 * 1024;

/// Room on the disk that a backup leaves free, beside what it copies, in bytes: the database, and
/// events that arrive meanwhile.
pub const BACKUP_ROOM_BYTES: u64 = 16 * 1024 * 1024;

/// How often a log is looked at anew that changed while it was copied.
pub const BACKUP_LOOKS_MAX: usize = 10;

// RabbitMQ

/// Size of the buffer for what a broker sends, in bytes, while no frame is larger: a few chunks of
/// ordinary events.
pub const BROKER_BUFFER_BYTES: usize = 256 * 1024;

/// Largest frame of a broker that isn't a Deliver, in bytes: its own default limit, which the
/// metadata of a few streams is far from.
pub const BROKER_CONTROL_BYTES_MAX: usize = 1024 * 1024;

/// Largest sub-entry batch when inflated, in bytes: what the Java client takes by default, and room
/// for a 20 MiB event with two neighbours.
pub const SUB_BATCH_BYTES_MAX: usize = 64 << 20;

/// Most bytes that all batches of one chunk may inflate to: 16 of the largest, as the Java client.
/// A chunk is walked in one go, so this bounds how long a shard can be held up by one.
pub const CHUNK_INFLATED_BYTES_MAX: usize = 16 * SUB_BATCH_BYTES_MAX;

/// Memory for inflated batches that is kept from chunk to chunk, in bytes: an ordinary batch comes
/// out of a frame of at most 1 MiB, of which few are full.
pub const SCRATCH_BYTES_KEPT: usize = 1 << 20;

/// Deepest nesting of descriptors in an AMQP 1.0 value: real ones have one level, and none of our
/// stack grows with a stranger's input.
pub const AMQP_DESCRIPTORS_MAX: usize = 8;

/// Largest chunk of a broker that is taken, in bytes; the events of a larger one are named in the
/// log and passed over. A chunk lies in memory whole, and a burst of large events becomes one.
pub const BROKER_CHUNK_BYTES_MAX: usize = 512 * 1024 * 1024;

/// How long a broker may take to answer a request: then the connection is given up.
pub const BROKER_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes that wait to be sent to a broker before a publish waits too.
pub const BROKER_OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes taken from a broker before others get a turn: about a millisecond of framing.
pub const BROKER_READ_TURN_BYTES: usize = 1024 * 1024;

/// Events that can't be read or sent of which the log tells one by one, for each chunk.
pub const BROKER_FAULTS_TOLD_MAX: usize = 8;

/// Connections made through a balancer to find a node that has a stream: then any has to do.
pub const BALANCER_ATTEMPTS_MAX: usize = 8;

/// Chunks that may be on their way to a live subscription: a turn's worth, so that the broker never
/// waits for us while we frame.
pub const BROKER_LIVE_CREDIT: u16 = 16;

/// How long a stream is watched for nobody: who reconnects finds it warm.
pub const BROKER_GRACE: Duration = Duration::from_secs(30);

/// How long a new consumer waits for its stream to be watched, before it is told to come back.
pub const BROKER_ATTEND_TIMEOUT: Duration = Duration::from_secs(15);

/// Times in a row that a damaged chunk is asked for again before its events are skipped.
pub const BROKER_DAMAGES_MAX: u32 = 3;

/// Streams whose damaged chunks are remembered.
pub const BROKER_DAMAGED_STREAMS_MAX: usize = 256;

/// Size of a window over a stream's history, in bytes of frames: what its foremost reader has not
/// read, and about as much behind it for others. A chunk that is larger lies in it alone.
pub const BROKER_WINDOW_BYTES: usize = 2 * 1024 * 1024;

/// Most chunks that may be on their way into a window; and the first ones, whose size isn't known.
pub const BROKER_HISTORY_CREDIT: u16 = 64;
/// See [`BROKER_HISTORY_CREDIT`].
pub const BROKER_HISTORY_CREDIT_FIRST: u16 = 2;

/// How long a window that nobody reads from is kept while nobody else needs its place.
pub const BROKER_WINDOW_IDLE: Duration = Duration::from_secs(5);

/// How long a window may go unread before somebody else gets its place.
pub const BROKER_WINDOW_TURN: Duration = Duration::from_secs(1);

/// Largest Publish frame of several messages, in bytes: RabbitMQ's default limit.
pub const BROKER_PUBLISH_BYTES_MAX: usize = 1024 * 1024;

/// How long a broker may take to confirm a publish, and the live subscription to show it.
pub const BROKER_CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a stream's node may be silent while it has yet to come to the last event that another
/// node had: then it is looked whether the stream was made anew.
pub const BROKER_LAG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a failure that nobody has met again counts as trouble, while the broker can be reached:
/// several times the longest wait between two attempts.
pub const BROKER_TROUBLE_AGE: Duration = Duration::from_secs(60);

/// How often it is made sure that the broker can be reached, also while nobody listens.
pub const BROKER_WATCH_INTERVAL: Duration = Duration::from_secs(2);
