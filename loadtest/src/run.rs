//! One measurement: publish, read, notice when the last consumer has a batch.
//!
//! One thread does all of it with one epoll, for every kind of server. Closed loop: a stream's next
//! publish goes when fewer than `in_flight` of its publishes lack a consumer. Open loop: what
//! is due is published when the source can take it, and latency counts from when it was due.

use std::collections::VecDeque;
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

/// Most events that go into one request of an open loop that fell behind.
const REQUEST_EVENTS_MAX: u64 = 20_000;

/// What a server is made to publish with.
pub(crate) trait Source {
    /// Where consumers connect.
    fn address(&self) -> SocketAddr;
    /// The path of a stream.
    fn path(&self, stream: usize) -> String;
    /// Who does the server's work.
    fn worker(&self) -> Worker;
    /// All consumers are connected.
    fn begin(&mut self, epoll: &OwnedFd) -> io::Result<()>;
    /// Can take a batch now.
    fn ready(&self) -> bool;
    /// Publishes so many batches to a stream.
    fn publish(&mut self, stream: usize, batches: u64) -> io::Result<()>;
    /// Something arrived at its `index`-th descriptor.
    fn arrived(&mut self, index: u64) -> io::Result<()>;
}

/// The first moment that counts.
struct Mark {
    at: Duration,
    bytes: u64,
    segments: u64,
    /// Batches published by then, of each stream.
    published: Vec<usize>,
    server: Duration,
    client: Duration,
    machine: Duration,
}

struct Run<'a> {
    load: &'a Load,
    source: &'a mut dyn Source,
    consumers: Consumers,
    /// One a stream.
    ledgers: Vec<Ledger>,
    /// Streams that may publish, with how many batches; each is here once at most in an open
    /// loop, once for each publish that may be under way in a closed one.
    queue: VecDeque<usize>,
    /// Batches that are due and not published yet, of each stream (open loop).
    owed: Vec<u64>,
    /// Batches that were due so far, of all streams (open loop).
    due: u64,
    /// Batches of all streams.
    published: u64,
    completed: u64,
    epoll: OwnedFd,
    started: Instant,
    mark: Option<Mark>,
    latency: Histogram<u64>,
    /// When publishing ended.
    ended: Option<Duration>,
}

/// Connects the consumers and measures.
pub(crate) fn measure(load: &Load, source: &mut dyn Source) -> io::Result<Outcome> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let each = usize::try_from(load.consumers).map_err(io::Error::other)?;
    let streams = usize::try_from(load.streams).map_err(io::Error::other)?;
    let paths: Vec<String> = (0..streams).map(|stream| source.path(stream)).collect();
    let consumers = Consumers::connect(source.address(), &paths, each, &epoll)?;
    source.begin(&epoll)?;
    let ledger = || Ledger::new(load.bytes as usize, load.per_write, each);
    let closed = if load.rate.is_none() { load.in_flight as usize } else { 0 };
    Run {
        load,
        source,
        consumers,
        ledgers: (0..streams).map(|_| ledger()).collect(),
        queue: (0..closed).flat_map(|_| 0..streams).collect(),
        owed: vec![0; streams],
        due: 0,
        published: 0,
        completed: 0,
        epoll,
        started: now(),
        mark: None,
        latency: Latency::histogram()?,
        ended: None,
    }
    .through()
}

impl Run<'_> {
    fn through(mut self) -> io::Result<Outcome> {
        let mut events = Vec::with_capacity(1024);
        // Whole publishes, and one at least.
        let writes = self.load.writes;
        let batches_max = (self.load.events / self.load.per_write / writes).max(1) * writes;
        loop {
            let now = self.started.elapsed();
            // Something has to be counted, however slow the server is.
            let publishing =
                (now < self.load.seconds || self.mark.is_none()) && self.published < batches_max;
            if publishing {
                self.publish(now, batches_max)?;
            } else {
                self.ended.get_or_insert(now);
                if self.completed == self.published {
                    return self.finish(now);
                }
            }
            let wait = self.next_due().filter(|_| publishing && self.source.ready());
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

    /// When the `batch`-th batch of all is due, in an open loop.
    fn due_at(&self, batch: u64) -> Option<Duration> {
        let events = batch * self.load.per_write;
        self.load.rate.map(|rate| Duration::from_secs_f64(events as f64 / rate as f64))
    }

    /// When the next batch is due that isn't yet.
    fn next_due(&self) -> Option<Duration> {
        self.due_at(self.due)
    }

    fn publish(&mut self, now: Duration, batches_max: u64) -> io::Result<()> {
        self.notice_mark(now, batches_max)?;
        // The streams take turns.
        while self.next_due().is_some_and(|due| due <= now) && self.due < batches_max {
            let stream = usize::try_from(self.due % self.load.streams).unwrap_or_default();
            self.due += 1;
            if let Some(owed) = self.owed.get_mut(stream) {
                *owed += 1;
                if *owed == 1 {
                    self.queue.push_back(stream);
                }
            }
        }
        while self.published < batches_max
            && self.source.ready()
            && let Some(stream) = self.queue.pop_front()
        {
            let batches = self.take_owed(stream);
            for _ in 0..batches {
                self.enter(stream);
            }
            self.source.publish(stream, batches)?;
        }
        Ok(())
    }

    /// How many batches a stream in front of the queue publishes at once.
    fn take_owed(&mut self, stream: usize) -> u64 {
        let Some(owed) = self.owed.get_mut(stream).filter(|_| self.load.rate.is_some()) else {
            return self.load.writes;
        };
        let most = (REQUEST_EVENTS_MAX / self.load.per_write).max(1);
        let batches = (*owed).min(most);
        *owed -= batches;
        if *owed > 0 {
            self.queue.push_back(stream);
        }
        batches
    }

    /// Enters one batch into its stream's ledger, with when it was to be sent.
    fn enter(&mut self, stream: usize) {
        let (streams, elapsed) = (self.load.streams, self.started.elapsed());
        let Some(ledger) = self.ledgers.get(stream) else { return };
        let batch = ledger.published() as u64 * streams + stream as u64;
        let intended = self.due_at(batch).unwrap_or(elapsed);
        if let Some(ledger) = self.ledgers.get_mut(stream) {
            ledger.publish(intended);
            self.published += 1;
        }
    }

    /// After a tenth of the time or of the events, what comes counts.
    fn notice_mark(&mut self, now: Duration, batches_max: u64) -> io::Result<()> {
        let warm = now >= self.load.seconds / 10 || self.completed >= batches_max.div_ceil(10);
        let next = self.load.rate.is_some() || !self.queue.is_empty();
        if self.mark.is_none() && warm && next && self.source.ready() {
            self.mark = Some(self.moment(self.started.elapsed())?);
        }
        Ok(())
    }

    fn moment(&self, at: Duration) -> io::Result<Mark> {
        Ok(Mark {
            at,
            bytes: self.consumers.bytes(),
            segments: self.consumers.segments()?,
            published: self.ledgers.iter().map(Ledger::published).collect(),
            server: self.source.worker().cpu()?,
            client: Worker::here().cpu()?,
            machine: machine_cpu()?,
        })
    }

    fn read(&mut self, token: u64) -> io::Result<()> {
        let index = usize::try_from(token).map_err(io::Error::other)?;
        let (bytes, place) = self.consumers.read(index)?;
        let each = usize::try_from(self.load.consumers).map_err(io::Error::other)?;
        let stream = index / each;
        let ledger = self.ledgers.get_mut(stream).ok_or_else(|| fault("no such stream"))?;
        let counted_from = self
            .mark
            .as_ref()
            .map_or(usize::MAX, |mark| mark.published.get(stream).copied().unwrap_or(0));
        let (started, latency, writes) = (self.started, &mut self.latency, self.load.writes);
        let (mut completed, mut publishes) = (0, 0);
        let known = ledger.received(place, bytes, |batch, intended| {
            completed += 1;
            publishes += usize::from((batch as u64 + 1).is_multiple_of(writes));
            if batch >= counted_from {
                let taken = started.elapsed().saturating_sub(intended).as_nanos();
                latency.saturating_record(u64::try_from(taken).unwrap_or(u64::MAX));
            }
        });
        self.completed += completed;
        if self.load.rate.is_none() {
            self.queue.extend((0..publishes).map(|_| stream));
        }
        if known { Ok(()) } else { Err(fault("more bytes came than were published")) }
    }

    fn finish(self, now: Duration) -> io::Result<Outcome> {
        let mark = self.mark.as_ref().ok_or_else(|| fault("too short to measure anything"))?;
        let end = self.moment(now)?;
        let events = self.published * self.load.per_write;
        let whole: Vec<(u64, u64)> = self
            .ledgers
            .iter()
            .map(|ledger| (ledger.end(), ledger.published() as u64 * self.load.per_write + 1))
            .collect();
        let sampled = self.consumers.check_whole(&whole)?;
        // All events are as long as each other, but for the digits of their ordinals.
        let part = (end.bytes - mark.bytes) as f64 / end.bytes as f64;
        let deliveries = part * (events * self.load.consumers) as f64;
        let seconds = (end.at - mark.at).as_secs_f64();
        let server = (end.server - mark.server).as_secs_f64();
        let client = (end.client - mark.client).as_secs_f64();
        let machine = (end.machine - mark.machine).as_secs_f64();
        let ended = self.ended.unwrap_or(now);
        Ok(Outcome {
            events,
            sampled,
            seconds,
            deliveries_per_second: deliveries / seconds,
            events_per_segment: deliveries / (end.segments - mark.segments).max(1) as f64,
            server_cpu_seconds_per_million: server / deliveries * 1e6,
            server_busy: server / seconds,
            client_busy: client / seconds,
            others_busy: ((machine - server - client) / seconds).max(0.0),
            latency: Latency::of(&self.latency),
            drained_seconds: (now - ended).as_secs_f64(),
            memory: None,
        })
    }
}
