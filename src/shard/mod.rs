//! Where everything meets: pinned threads, each with its streams, sockets and buffers.
//!
//! Nothing is shared between shards but bounded mailboxes and immutable bytes. Every shard accepts
//! public connections; a consumer moves to the home shard of its stream, and from there to a branch
//! when the stream has more consumers than one shard should serve. The internal API lives on
//! shard 0.

mod branch;
mod budget;
mod census;
mod context;
mod directory;
mod fan_out;
mod farewell;
mod home;
mod http;
mod inbox;
mod internal;
mod join;
mod line;
mod mailbox;
mod meters;
mod public;
mod pump;
mod reading;
mod reasons;
mod registrar;
mod request_ids;
mod seat;
mod service;
mod session;
mod shard_main;
mod shutdown;
mod spread;
mod status;
mod sweep;
#[cfg(test)]
mod tests;
mod threads;

pub use service::{ServeError, serve};
