//! The RabbitMQ stream protocol, sans-IO: bytes in, facts out (`PROTOCOL.adoc` of RabbitMQ's
//! stream plugin).
//!
//! ```text
//!  bytes ─ frames ─▶ Deliver { subscription, chunk } ─ chunk ─▶ messages, each with its offset
//!              └───▶ Response ─ handshake ─▶ what to send next, until the connection is open
//! ```
//!
//! Requests are encoded by `rabbitmq-stream-protocol`. What a broker sends is read here, because
//! that crate's decoders index without looking and a panic would stop a shard; and because its
//! Deliver hides the chunk's timestamp and copies every message.

pub mod chunk;
mod code;
pub mod frames;
pub mod handshake;
mod reader;
pub mod request;
pub mod response;

pub use code::Code;
pub use response::Response;
