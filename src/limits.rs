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

/// Largest block of several events, in bytes of frames: a reader checks a whole block before it
/// hands out any of it, so this bounds what a consumer that catches up holds. A larger event is a
/// block of its own.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Largest single write of several blocks, in bytes: their memory is freed as one, so a reader of
/// one block must not hold many.
pub const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of bodies that share one write and one sync (a single append may be larger): about
/// what a disk takes in the time of a sync; who comes later waits for the next.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most events that share one write and one sync (a single append may have more): bounds the time
/// a shard spends on framing them in one go to some milliseconds.
pub const GROUP_EVENTS_MAX: usize = 16 * 1024;

/// Largest segment of a log before it takes no further group, in bytes: a stream's oldest part goes
/// in steps of this, and recovery reads one whole segment.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Smallest such size, in bytes: less than a group would make a file for every append.
pub const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
