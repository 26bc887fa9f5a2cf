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

/// A running service with one event stream. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Ess {
    running: Running,
    created: Created,
    publishers: Vec<Connection>,
    body: Vec<u8>,
    empty: Memory,
    idle: Memory,
    consumers: u64,
}

impl Ess {
    /// Starts the service on the server's core, and creates an event stream.
    pub(crate) fn start(load: &Load, service: &Service) -> io::Result<Self> {
        let cores = Cores { server: load.server_core, client: load.client_core };
        let running = Running::start(service, cores, &[])?;
        let created = running.create("load")?;
        let empty = Memory::of(running.pid())?;
        let publishers = (0..load.in_flight).map(|_| Connection::open(running.internal));
        let publishers = publishers.collect::<io::Result<_>>()?;
        let mut line = event::body(load.bytes as usize);
        line.push(b'\n');
        let per_write = usize::try_from(load.per_write).map_err(io::Error::other)?;
        Ok(Self {
            running,
            created,
            publishers,
            body: line.repeat(per_write),
            empty,
            idle: Memory::default(),
            consumers: load.consumers,
        })
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

impl Source for Ess {
    fn address(&self) -> SocketAddr {
        self.running.public
    }

    fn path(&self) -> String {
        self.created.path.clone()
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
        self.publishers.iter().any(|publisher| !publisher.busy)
    }

    fn publish(&mut self, batches: u64) -> io::Result<()> {
        let path = format!("/event-stream/{}/events", self.created.id);
        let idle = self.publishers.iter_mut().find(|publisher| !publisher.busy);
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
        publisher.ok_or_else(|| fault("no such publisher"))?.read()?;
        Ok(())
    }
}
