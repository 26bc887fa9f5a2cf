//! The public door: `GET /event-stream/{uuid}` becomes a WebSocket.
//!
//! Pure: a request's head goes in, what to do with the connection comes out. Who the consumer is
//! and where its stream lives is decided by the shard.

mod admission;
mod start;

pub use admission::{Admission, admit};
pub use start::start;
