//! One stream, one consumer: how fast it gets all events, through the service and without it.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use serde::Serialize;

use super::publisher::publish;
use super::wire::{Request, Wire, chunk, key};
use crate::consumers::{fault, upgraded};
use crate::event::frame_bytes;
use crate::frames::Witness;
use crate::process::{Cores, Worker, machine_cpu, now, own_cpu, pin};
use crate::service::Running;

/// Chunks that may be on their way to the bare consumer: what the service asks for at most, so that
/// the broker never waits for it.
const CREDIT: u16 = 64;
/// Most bytes taken from a socket at once.
const READ_BYTES: usize = 1 << 20;
/// Longest time without anything: then something is broken, and the run is no measurement.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Offset specifications (RabbitMQ stream protocol, Subscribe).
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    First = 1,
    Next = 3,
}

/// What is measured, and with whom.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) stream_port: u16,
    pub(super) broker: u32,
    pub(super) running: &'a Running,
    pub(super) cores: Cores,
    pub(super) events: u64,
    pub(super) bytes: usize,
}

/// What one run found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Taken {
    pub(super) events_per_second: f64,
    pub(super) seconds: f64,
    /// Of the service, or the bare consumer in its place.
    pub(super) cpu_us_per_event: f64,
    /// Of wall time: where it could have run, but somebody else had its core.
    pub(super) held_up: f64,
    pub(super) broker_cpu_us_per_event: f64,
    pub(super) others_busy: f64,
    /// Of the bare consumer.
    pub(super) events_per_chunk: Option<f64>,
    /// Bytes that came.
    pub(super) bytes: u64,
}

/// When events came.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Instant,
    to: Instant,
    bytes: u64,
    chunks: Option<u64>,
}

impl Bench<'_> {
    /// The bare consumer from the first event to the last; counted from its subscription.
    pub(super) fn bare_replay(&self, stream: &str) -> io::Result<Taken> {
        self.metered(Worker::here(), self.cores.server, || {
            let mut wire = Wire::open(self.stream_port)?;
            let from = now();
            // Not waiting for the answer, so that no chunk can come before it and be missed.
            wire.send(&subscribe(0, stream, From::First, CREDIT))?;
            self.take_chunks(&mut wire, Some(from), None)
        })
    }

    /// As [`Bench::bare_replay`], but every chunk is sent on, as it is, to a reader on the client's
    /// core that discards it: what the kernel lets one core take in and send out again.
    pub(super) fn relay_replay(&self, stream: &str) -> io::Result<Taken> {
        self.metered(Worker::here(), self.cores.server, || {
            let mut wire = Wire::open(self.stream_port)?;
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let mut out = TcpStream::connect(listener.local_addr()?)?;
            out.set_nodelay(true)?;
            let core = self.cores.client;
            let reader = thread::spawn(move || discard(&listener, core));
            let from = now();
            wire.send(&subscribe(0, stream, From::First, CREDIT))?;
            let span = self.take_chunks(&mut wire, Some(from), Some(&mut out))?;
            drop(out);
            let to = reader.join().map_err(|_| fault("the reader panicked"))??;
            Ok(Span { to, ..span })
        })
    }

    /// A WebSocket consumer from the first event to the last; counted from its first packet.
    pub(super) fn ess_replay(&self, path: &str, check: bool) -> io::Result<Taken> {
        self.metered(Worker::Process(self.running.pid()), self.cores.client, || {
            let from = now();
            let path = format!("{path}?stream_from_ordinal=0");
            let (socket, early) = upgraded(self.running.public, &path)?;
            self.take_frames(&socket, &early, Some(from), check)
        })
    }

    /// The bare consumer, subscribed before anything is published; from its first chunk.
    pub(super) fn bare_live(&self, stream: &str) -> io::Result<Taken> {
        self.metered(Worker::here(), self.cores.server, || {
            let mut wire = Wire::open(self.stream_port)?;
            wire.ask(subscribe(0, stream, From::Next, CREDIT))?;
            let publisher = self.publisher(stream);
            let span = self.take_chunks(&mut wire, None, None)?;
            joined(publisher)?;
            Ok(span)
        })
    }

    /// A WebSocket consumer, connected before anything is published; from its first bytes.
    pub(super) fn ess_live(&self, stream: &str, path: &str, check: bool) -> io::Result<Taken> {
        self.metered(Worker::Process(self.running.pid()), self.cores.client, || {
            let (socket, early) = upgraded(self.running.public, path)?;
            let publisher = self.publisher(stream);
            let span = self.take_frames(&socket, &early, None, check)?;
            joined(publisher)?;
            Ok(span)
        })
    }

    fn publisher(&self, stream: &str) -> JoinHandle<io::Result<()>> {
        let (port, stream, core) = (self.stream_port, stream.to_owned(), self.cores.client);
        let (events, bytes) = (self.events, self.bytes);
        thread::spawn(move || {
            pin(core)?;
            publish(port, &stream, events, bytes)
        })
    }

    fn take_chunks(
        &self,
        wire: &mut Wire,
        from: Option<Instant>,
        mut out: Option<&mut TcpStream>,
    ) -> io::Result<Span> {
        wire.stream.set_read_timeout(Some(SILENCE_MAX))?;
        let (mut from, mut events, mut chunks, mut bytes) = (from, 0, 0, 0);
        while events < self.events {
            let mut credit = 0;
            while let Some((key, rest)) = wire.next_frame()? {
                if key == key::DELIVER {
                    let head = chunk(rest)?;
                    if head.first != events {
                        return Err(fault("the bare consumer's chunks are not in a row"));
                    }
                    from.get_or_insert_with(now);
                    events += head.records;
                    bytes += rest.len() as u64;
                    credit += 1;
                    if let Some(out) = &mut out {
                        out.write_all(rest)?;
                    }
                }
            }
            if credit > 0 {
                chunks += u64::from(credit);
                wire.send(&Request::new(key::CREDIT).u8(0).u16(credit))?;
            }
            if events < self.events {
                wire.fill()?;
            }
        }
        let to = now();
        Ok(Span { from: from.unwrap_or(to), to, bytes, chunks: Some(chunks) })
    }

    /// All frames, by their bytes; with `check`, every ordinal is looked at, which costs the reader
    /// time.
    fn take_frames(
        &self,
        socket: &TcpStream,
        early: &[u8],
        from: Option<Instant>,
        check: bool,
    ) -> io::Result<Span> {
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        let wanted: usize = (0..self.events).map(|ordinal| frame_bytes(self.bytes, ordinal)).sum();
        let mut witness = check.then(|| Witness::new(0));
        let mut buffer = vec![0; READ_BYTES];
        let mut look = |bytes: &[u8]| match &mut witness {
            Some(witness) => witness.take(bytes).map_err(|what| fault(&format!("{what:?}"))),
            None => Ok(()),
        };
        look(early)?;
        let flags = if check { RecvFlags::empty() } else { RecvFlags::TRUNC };
        let (mut from, mut had) = (from, early.len());
        while had < wanted {
            let (_, got) = recv(socket, buffer.as_mut_slice(), flags)?;
            if got == 0 {
                return Err(fault("the service closed the consumer"));
            }
            from.get_or_insert_with(now);
            if check {
                look(buffer.get(..got).unwrap_or_default())?;
            }
            had += got;
        }
        if had != wanted {
            return Err(fault("the consumer had more bytes than were published"));
        }
        let to = now();
        Ok(Span { from: from.unwrap_or(to), to, bytes: had as u64, chunks: None })
    }

    /// Runs on a core, and counts what the worker and others used meanwhile.
    fn metered(
        &self,
        worker: Worker,
        core: usize,
        run: impl FnOnce() -> io::Result<Span>,
    ) -> io::Result<Taken> {
        pin(core)?;
        let (before, began) = (self.used(worker)?, now());
        let span = run();
        let (after, took) = (self.used(worker)?, began.elapsed().as_secs_f64());
        pin(self.cores.client)?;
        let span = span?;
        let seconds = span.to.duration_since(span.from).as_secs_f64();
        let events = self.events as f64;
        let used = |of: fn(&Used) -> Duration| of(&after).saturating_sub(of(&before)).as_secs_f64();
        Ok(Taken {
            events_per_second: events / seconds,
            seconds,
            cpu_us_per_event: used(|used| used.worker) * 1e6 / events,
            held_up: used(|used| used.held_up) / took,
            broker_cpu_us_per_event: used(|used| used.broker) * 1e6 / events,
            others_busy: (used(|used| used.machine) - used(|used| used.ours)).max(0.0) / took,
            events_per_chunk: span.chunks.map(|chunks| events / chunks as f64),
            bytes: span.bytes,
        })
    }

    fn used(&self, worker: Worker) -> io::Result<Used> {
        let broker = Worker::Process(self.broker).cpu()?;
        let service = Worker::Process(self.running.pid()).cpu()?;
        Ok(Used {
            worker: worker.cpu()?,
            held_up: worker.held_up()?,
            broker,
            ours: broker + service + own_cpu(),
            machine: machine_cpu()?,
        })
    }
}

/// Processor time so far, and time spent waiting for it.
#[derive(Clone, Copy, Debug)]
struct Used {
    worker: Duration,
    held_up: Duration,
    broker: Duration,
    /// All that belongs to the measurement.
    ours: Duration,
    machine: Duration,
}

/// Asks for a subscription.
pub(super) fn subscribe(id: u8, stream: &str, from: From, credit: u16) -> Request {
    Request::new(key::SUBSCRIBE).u32(0).u8(id).text(stream).u16(from as u16).u16(credit).u32(0)
}

/// Reads one connection to its end; when that came.
fn discard(listener: &TcpListener, core: usize) -> io::Result<Instant> {
    pin(core)?;
    let (socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    let mut buffer = vec![0; READ_BYTES];
    while recv(&socket, buffer.as_mut_slice(), RecvFlags::TRUNC)?.1 > 0 {}
    Ok(now())
}

fn joined(publisher: JoinHandle<io::Result<()>>) -> io::Result<()> {
    publisher.join().map_err(|_| fault("the publisher panicked"))?
}
