//! Measurements of one thing each, by one command each.
//!
//! ```text
//! replay    history to 1 and to many, beside pread + send of the same bytes
//! publish   durable publishing over HTTP, beside write + fdatasync
//! idle      what a connection costs that receives nothing, and what a handshake costs
//! connect   from connect to the first replayed event
//! stalled   what a consumer that stops reading does to the others
//! spread    one shard and two: many streams, and one stream with very many consumers
//! growth    how cost grows with consumers, event size, streams, history
//! soak      a long run with comings and goings: does memory stay flat
//! ```

pub(crate) mod connect;
pub(crate) mod growth;
pub(crate) mod idle;
pub(crate) mod publish;
pub(crate) mod replay;
pub(crate) mod soak;
pub(crate) mod spread;
pub(crate) mod stalled;

use std::io;
use std::time::Duration;

use clap::Args;

use crate::arguments::{Load, Rounds, Service};
use crate::process::{Cores, pin};
use crate::service::Running;

/// What all of them are asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) rounds: Rounds,
    /// Core of the server.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// Core of publishers and consumers.
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
}

impl Common {
    fn cores(&self) -> Cores {
        Cores { server: self.server_core, client: self.client_core }
    }

    /// A service of its own, with these flags; this thread is pinned to the client's core.
    fn start(&self, flags: &[&'static str]) -> io::Result<Running> {
        pin(self.client_core)?;
        Running::start(&self.service.with(flags), self.cores(), &[])
    }

    /// A load of one event a batch on one stream, to be changed.
    fn load(&self, consumers: u64, seconds: Duration) -> Load {
        Load {
            consumers,
            streams: 1,
            per_write: 1,
            writes: 1,
            events: u64::MAX,
            seconds,
            bytes: EVENT_BYTES,
            in_flight: 1,
            rate: None,
            server_core: self.server_core,
            client_core: self.client_core,
        }
    }
}

/// Bytes of an event, unless they are what is looked at.
const EVENT_BYTES: u32 = 256;

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
