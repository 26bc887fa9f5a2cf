//! One measurement: publish, read, notice when the last consumer has a batch.
//!
//! One thread does all of it with one epoll, for every kind of server. Closed loop: a batch is
//! published when fewer than `in_flight` lack a consumer. Open loop: what is due is published when
//! the source can take it, and latency counts from when it was due.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use crate::arguments::Load;
use crate::consumers::{Consumers, fault};
use crate::ledger::Ledger;
use crate::outcome::{Latency, Outcome};
use crate::process::{Worker, machine_cpu, now};

/// Nothing has arrived for so long: the server lost something.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Tokens from here on belong to the source.
pub(crate) const SOURCE_TOKEN: u64 = 1 << 32;

/// What a server is made to publish with.
pub(crate) trait Source {
    /// Where consumers connect.
    fn address(&self) -> SocketAddr;
    /// The path of the stream.
    fn path(&self) -> String;
    /// Who does the server's work.
    fn worker(&self) -> Worker;
    /// All consumers are connected.
    fn begin(&mut self, epoll: &OwnedFd) -> io::Result<()>;
    /// Can take a batch now.
    fn ready(&self) -> bool;
    /// Publishes so many batches.
    fn publish(&mut self, batches: u64) -> io::Result<()>;
    /// Something arrived at its `index`-th descriptor.
    fn arrived(&mut self, index: u64) -> io::Result<()>;
}

/// The first moment that counts.
struct Mark {
    at: Duration,
    bytes: u64,
    published: usize,
    server: Duration,
    client: Duration,
    machine: Duration,
}

struct Run<'a> {
    load: &'a Load,
    source: &'a mut dyn Source,
    consumers: Consumers,
    ledger: Ledger,
    epoll: OwnedFd,
    started: Instant,
    mark: Option<Mark>,
    latency: Histogram<u64>,
}

/// Connects the consumers and measures.
pub(crate) fn measure(load: &Load, source: &mut dyn Source) -> io::Result<Outcome> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let count = usize::try_from(load.consumers).map_err(io::Error::other)?;
    let consumers = Consumers::connect(source.address(), &source.path(), count, &epoll)?;
    source.begin(&epoll)?;
    let ledger = Ledger::new(load.bytes as usize, load.per_write, count);
    let latency = Latency::histogram()?;
    let started = now();
    Run { load, source, consumers, ledger, epoll, started, mark: None, latency }.through()
}

impl Run<'_> {
    fn through(mut self) -> io::Result<Outcome> {
        let mut events = Vec::with_capacity(1024);
        let batches_max = self.load.events.div_ceil(self.load.per_write);
        loop {
            let now = self.started.elapsed();
            // Something has to be counted, however slow the server is.
            let publishing = (now < self.load.seconds || self.mark.is_none())
                && (self.ledger.published() as u64) < batches_max;
            if publishing {
                self.publish(now, batches_max)?;
            } else if self.ledger.completed() == self.ledger.published() {
                return self.finish(now);
            }
            let wait = self.due().filter(|_| publishing && self.source.ready());
            let wait = wait.map_or(SILENCE_MAX, |due| due.saturating_sub(now)).min(SILENCE_MAX);
            let timeout = Timespec::try_from(wait).map_err(io::Error::other)?;
            events.clear();
            let spare = rustix::buffer::spare_capacity(&mut events);
            if epoll::wait(&self.epoll, spare, Some(&timeout))? == 0 && wait == SILENCE_MAX {
                return Err(fault("nothing arrived for a long time"));
            }
            for event in &events {
                match event.data.u64().checked_sub(SOURCE_TOKEN) {
                    Some(index) => self.source.arrived(index)?,
                    None => self.read(event.data.u64())?,
                }
            }
        }
    }

    /// When the next batch is due, in an open loop.
    fn due(&self) -> Option<Duration> {
        let events = self.ledger.published() as u64 * self.load.per_write;
        self.load.rate.map(|rate| Duration::from_secs_f64(events as f64 / rate as f64))
    }

    fn publish(&mut self, now: Duration, batches_max: u64) -> io::Result<()> {
        while self.source.ready() {
            self.notice_mark(now, batches_max)?;
            let mut batches = 0;
            if self.load.rate.is_some() {
                while let Some(due) = self.due().filter(|due| *due <= now)
                    && (self.ledger.published() as u64) < batches_max
                {
                    self.ledger.publish(due);
                    batches += 1;
                }
            } else {
                let under_way = self.ledger.published() - self.ledger.completed();
                if under_way < self.load.in_flight as usize
                    && (self.ledger.published() as u64) < batches_max
                {
                    self.ledger.publish(self.started.elapsed());
                    batches = 1;
                }
            }
            if batches == 0 {
                break;
            }
            self.source.publish(batches)?;
        }
        Ok(())
    }

    /// After a tenth of the time or of the events, what comes counts.
    fn notice_mark(&mut self, now: Duration, batches_max: u64) -> io::Result<()> {
        let warm = now >= self.load.seconds / 10
            || self.ledger.completed() as u64 >= batches_max.div_ceil(10);
        let under_way = self.ledger.published() - self.ledger.completed();
        let next = self.load.rate.is_some() || under_way < self.load.in_flight as usize;
        if self.mark.is_none() && warm && next {
            self.mark = Some(self.moment(self.started.elapsed())?);
        }
        Ok(())
    }

    fn moment(&self, at: Duration) -> io::Result<Mark> {
        Ok(Mark {
            at,
            bytes: self.consumers.bytes(),
            published: self.ledger.published(),
            server: self.source.worker().cpu()?,
            client: Worker::here().cpu()?,
            machine: machine_cpu()?,
        })
    }

    fn read(&mut self, token: u64) -> io::Result<()> {
        let index = usize::try_from(token).map_err(io::Error::other)?;
        let (bytes, place) = self.consumers.read(index)?;
        let counted_from = self.mark.as_ref().map_or(usize::MAX, |mark| mark.published);
        let (started, latency) = (self.started, &mut self.latency);
        let known = self.ledger.received(place, bytes, |batch, intended| {
            if batch >= counted_from {
                let taken = started.elapsed().saturating_sub(intended).as_nanos();
                latency.saturating_record(u64::try_from(taken).unwrap_or(u64::MAX));
            }
        });
        if known { Ok(()) } else { Err(fault("more bytes came than were published")) }
    }

    fn finish(self, now: Duration) -> io::Result<Outcome> {
        let mark = self.mark.as_ref().ok_or_else(|| fault("too short to measure anything"))?;
        let end = self.moment(now)?;
        let events = self.ledger.published() as u64 * self.load.per_write;
        let sampled = self.consumers.check_whole(self.ledger.end(), events + 1)?;
        // All events are as long as each other, but for the digits of their ordinals.
        let part = (end.bytes - mark.bytes) as f64 / end.bytes as f64;
        let deliveries = part * (events * self.load.consumers) as f64;
        let seconds = (end.at - mark.at).as_secs_f64();
        let server = (end.server - mark.server).as_secs_f64();
        let client = (end.client - mark.client).as_secs_f64();
        let machine = (end.machine - mark.machine).as_secs_f64();
        Ok(Outcome {
            events,
            sampled,
            seconds,
            deliveries_per_second: deliveries / seconds,
            server_cpu_seconds_per_million: server / deliveries * 1e6,
            server_busy: server / seconds,
            client_busy: client / seconds,
            others_busy: ((machine - server - client) / seconds).max(0.0),
            latency: Latency::of(&self.latency),
            memory: None,
        })
    }
}
