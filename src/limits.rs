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

/// Longest datetime that a consumer may begin at, in bytes: twice the longest that RFC 2822 or ISO
/// 8601 can make, and nothing that takes time to read.
pub const DATETIME_BYTES_MAX: usize = 128;

/// Longest head of an HTTP request, in bytes: as nginx's largest default header buffers.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most header fields of a request.
pub const HTTP_HEADERS_MAX: usize = 100;

/// Longest reason in a close frame, in bytes: a control frame holds 125, the code takes 2
/// (RFC 6455 §5.5).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;
