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

/// Longest body of a creation, in bytes: a routing key, even if every byte of it is escaped, and
/// members that nobody reads. Bodies where none is expected are read and dropped up to this.
pub const JSON_BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest body of several events, in bytes, unless one event may be longer: a body stands in
/// memory as a whole before its events are stored as one unit.
pub const NDJSON_BODY_BYTES_MAX: usize = 64 << 20;

/// Most events in one request: each costs 32 bytes of bookkeeping however short it is.
pub const PUBLISH_EVENTS_MAX: usize = 100_000;

/// Most undeliverable events that the answer to a publish names.
pub const UNDELIVERABLE_TOLD_MAX: usize = 100;

/// How long a change of the registry waits for another process at the same file, in milliseconds:
/// a person's `sqlite3` shell may look into it.
pub const REGISTRY_BUSY_MS_MAX: u64 = 5_000;
