//! ESS keeps durable event streams and pushes them to very many WebSocket clients.
//!
//! Modules in layer order; each may use the ones above it and none below. `docs/ARCHITECTURE.md`
//! walks through them along the way of an event.

pub mod checksum;
pub mod limits;

pub mod event;

pub mod clock;
pub mod config;
pub mod meter;

pub mod enrich;
pub mod proto;

pub mod net;
pub mod store;
pub mod wait;

#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub mod census;
pub mod hub;
pub mod registry;

pub mod backup;

pub mod doors;

pub mod observe;

pub mod shard;

pub mod cli;
