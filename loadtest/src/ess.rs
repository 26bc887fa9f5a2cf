//! The service as it is shipped: its own process, its embedded log, published to over HTTP.

use std::io;
use std::net::SocketAddr;

use rustix::event::epoll;
use rustix::fd::OwnedFd;

use crate::arguments::{Load, Service};
use crate::consumers::fault;
use crate::event;
use crate::http::Connection;
use crate::outcome::Footprint;
use crate::process::{Cores, Memory, Worker};
use crate::run::{SOURCE_TOKEN, Source};
use crate::service::{Created, Running};

/// Most connections that publish: with very many streams they take turns.
const PUBLISHERS_MAX: u64 = 1_024;

/// A running service with its event streams. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Ess {
    running: Running,
    created: Vec<Created>,
    publishers: Vec<Connection>,
    /// Those of them that have no request under way.
    idle_publishers: Vec<usize>,
    body: Vec<u8>,
    empty: Memory,
    idle: Memory,
    consumers: u64,
}

impl Ess {
    /// Starts the service on the server's core, and creates its event streams.
    pub(crate) fn start(load: &Load, service: &Service) -> io::Result<Self> {
        Self::start_beside(load, service, 0)
    }

    /// The same with other streams before, each with one event, that nothing more happens to.
    pub(crate) fn start_beside(load: &Load, service: &Service, others: u64) -> io::Result<Self> {
        let cores = Cores { server: load.server_core, client: load.client_core };
        let running = Running::start(service, cores, &at_most_a_batch(load))?;
        for stream in 0..others {
            let created = running.create(&format!("other-{stream}"))?;
            running.fill(&created, load.bytes as usize, 1, 1)?;
        }
        let created = (0..load.streams).map(|stream| running.create(&format!("load-{stream}")));
        let created = created.collect::<io::Result<_>>()?;
        let empty = Memory::of(running.pid())?;
        let count = (load.streams * u64::from(load.in_flight)).min(PUBLISHERS_MAX);
        let publishers = (0..count).map(|_| Connection::open(running.internal));
        let publishers = publishers.collect::<io::Result<Vec<_>>>()?;
        let mut line = event::body(load.bytes as usize);
        line.push(b'\n');
        let per_write = usize::try_from(load.per_write).map_err(io::Error::other)?;
        Ok(Self {
            running,
            created,
            idle_publishers: (0..publishers.len()).collect(),
            publishers,
            body: line.repeat(per_write),
            empty,
            idle: Memory::default(),
            consumers: load.consumers * load.streams,
        })
    }

    /// The service itself.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// The service without its publishers.
    pub(crate) fn into_running(self) -> Running {
        self.running
    }

    /// Memory so far.
    pub(crate) fn footprint(&self) -> io::Result<Footprint> {
        let added = self.idle.anonymous.saturating_sub(self.empty.anonymous);
        Ok(Footprint {
            resident_idle: self.idle.resident,
            resident_end: Memory::of(self.running.pid())?.resident,
            per_consumer: added as f64 / self.consumers as f64,
        })
    }
}

/// What makes the service send no more than a batch at a time, where more may be there.
fn at_most_a_batch(load: &Load) -> Vec<(&'static str, String)> {
    // Frames grow with the digits of their ordinals: room for a batch of long ones, not for one more.
    let frame = event::frame_bytes(load.bytes as usize, LONG_ORDINAL);
    let bytes = load.per_write as usize * frame + DIGITS;
    if (load.writes == 1 && load.in_flight == 1) || bytes > SEND_BYTES_MAX {
        return Vec::new();
    }
    vec![("ESS_SEND_BYTES", bytes.to_string())]
}

/// One that most events of a measurement have as many digits as, or a few less.
const LONG_ORDINAL: u64 = 9_999_999;

/// More digits, of a single frame.
const DIGITS: usize = 8;

/// As many the service sends at a time unless it is told otherwise, and at most.
const SEND_BYTES_MAX: usize = 256 << 10;

impl Source for Ess {
    fn address(&self) -> SocketAddr {
        self.running.public
    }

    fn path(&self, stream: usize) -> String {
        self.created.get(stream).map(|created| created.path.clone()).unwrap_or_default()
    }

    fn worker(&self) -> Worker {
        Worker::Process(self.running.pid())
    }

    fn begin(&mut self, epoll: &OwnedFd) -> io::Result<()> {
        self.idle = Memory::of(self.running.pid())?;
        for (index, publisher) in (SOURCE_TOKEN..).zip(&self.publishers) {
            let data = epoll::EventData::new_u64(index);
            epoll::add(epoll, &publisher.stream, data, epoll::EventFlags::IN)?;
        }
        Ok(())
    }

    fn ready(&self) -> bool {
        !self.idle_publishers.is_empty()
    }

    fn publish(&mut self, stream: usize, batches: u64) -> io::Result<()> {
        let created = self.created.get(stream).ok_or_else(|| fault("no such stream"))?;
        let path = created.events();
        let idle = self.idle_publishers.pop().and_then(|index| self.publishers.get_mut(index));
        let publisher = idle.ok_or_else(|| fault("no idle connection to publish on"))?;
        let times = usize::try_from(batches).map_err(io::Error::other)?;
        if times == 1 {
            publisher.post(&path, "application/x-ndjson", &self.body)
        } else {
            publisher.post(&path, "application/x-ndjson", &self.body.repeat(times))
        }
    }

    fn arrived(&mut self, index: u64) -> io::Result<()> {
        let index = usize::try_from(index).map_err(io::Error::other)?;
        let publisher = self.publishers.get_mut(index);
        if publisher.ok_or_else(|| fault("no such publisher"))?.read()?.is_some() {
            self.idle_publishers.push(index);
        }
        Ok(())
    }
}
