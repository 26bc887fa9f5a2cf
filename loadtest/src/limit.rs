//! The bare writer: what the kernel can do, with no protocol, no log and no other work.
//!
//! After a canned handshake it sends each batch to every socket of its stream, in one of two ways:
//! one non-blocking send(2) after the other, where a socket that is full is waited for; or all
//! sends of a batch submitted to io_uring at once ([`crate::ring`]). Either may also store first:
//! one write and one fdatasync for all batches that wait, then the sends, a batch each. That is the
//! least that must be done for what the service promises.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::arguments::Load;
use crate::consumers::fault;
use crate::event::Batch;
use crate::in_process::{InProcess, Order};
use crate::prewritten::Prewritten;
use crate::ring::Ring;

/// Any time of this century: only its length matters.
pub(crate) const TIMESTAMP: u64 = 1_746_042_171_620;

/// How a bare writer works.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// All sends of a batch are one submission to io_uring.
    pub(crate) ring: bool,
    /// Batches are stored first, in a file of this folder.
    pub(crate) store: Option<PathBuf>,
}

/// Starts the writer; it ends when what this returns is dropped.
pub(crate) fn start(load: &Load, way: Way) -> io::Result<InProcess> {
    let (orders, ordered) = mpsc::channel();
    let order = move |order| orders.send(order).is_ok();
    InProcess::start(load, order, move |load, listener| {
        Writer::new(load, &way, &listener)?.serve(&ordered)
    })
}

struct Writer {
    /// Of all streams, one stream after the other.
    sockets: Vec<TcpStream>,
    each: usize,
    per_write: u64,
    /// What waits is sent together: in an open loop one event at a time would never keep up.
    gathers: bool,
    gathered: Vec<u8>,
    batch: Batch,
    /// The next ordinal of each stream.
    next: Vec<u64>,
    ring: Option<Ring>,
    store: Option<Prewritten>,
}

impl Writer {
    fn new(load: &Load, way: &Way, listener: &TcpListener) -> io::Result<Self> {
        let size = |number| usize::try_from(number).map_err(io::Error::other);
        let store = way.store.as_deref().map(|folder| Prewritten::new(folder, STORE_BYTES));
        let count = load.consumers * load.streams;
        let sockets = (0..count).map(|_| accept(listener, !way.ring));
        Ok(Self {
            sockets: sockets.collect::<io::Result<_>>()?,
            each: size(load.consumers)?,
            per_write: load.per_write,
            gathers: load.rate.is_some(),
            gathered: Vec::new(),
            batch: Batch::new(load.bytes as usize, load.per_write, TIMESTAMP),
            next: vec![1; size(load.streams)?],
            ring: way.ring.then(Ring::new).transpose()?,
            store: store.transpose()?,
        })
    }

    fn serve(mut self, ordered: &Receiver<Order>) -> io::Result<()> {
        while let Ok(first) = ordered.recv() {
            // What waits is stored together, as the service does.
            let mut waiting = vec![first];
            if self.gathers || self.store.is_some() {
                waiting.extend(ordered.try_iter());
            }
            self.keep(&waiting)?;
            if self.gathers {
                waiting = gathered(&waiting);
            }
            for order in waiting {
                self.send(order)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, orders: &[Order]) -> io::Result<()> {
        let Some(store) = &mut self.store else { return Ok(()) };
        for (stream, batches) in orders {
            // What the ordinals are matters to nobody: nothing is read back.
            let first = self.next.get(*stream).copied().unwrap_or(1);
            for _ in 0..*batches {
                store.add(self.batch.number(first));
            }
        }
        store.commit()
    }

    fn send(&mut self, (stream, batches): Order) -> io::Result<()> {
        let sockets = self.sockets.chunks(self.each).nth(stream);
        let sockets = sockets.ok_or_else(|| fault("no such stream"))?;
        let next = self.next.get_mut(stream).ok_or_else(|| fault("no such stream"))?;
        let at_once = if self.gathers { GATHERED_MAX.div_ceil(self.per_write) } else { 1 };
        for begin in (0..batches).step_by(usize::try_from(at_once).map_err(io::Error::other)?) {
            let count = at_once.min(batches - begin);
            self.gathered.clear();
            for _ in 0..if count > 1 { count } else { 0 } {
                self.gathered.extend_from_slice(self.batch.number(*next));
                *next += self.per_write;
            }
            let mut bytes = self.gathered.as_slice();
            if count == 1 {
                bytes = self.batch.number(*next);
                *next += self.per_write;
            }
            match &mut self.ring {
                Some(ring) => ring.send_to_all(sockets, bytes)?,
                None => {
                    for socket in sockets {
                        send_all(socket, bytes)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Orders for the same stream as one, in the order of the first of each.
fn gathered(orders: &[Order]) -> Vec<Order> {
    let mut all: Vec<Order> = Vec::new();
    for (stream, batches) in orders {
        match all.iter_mut().find(|(other, _)| other == stream) {
            Some((_, sum)) => *sum += batches,
            None => all.push((*stream, *batches)),
        }
    }
    all
}

/// Most events of a write that gathers.
const GATHERED_MAX: u64 = 1_000;

/// Written once before it is used, and again from the start when it is full.
const STORE_BYTES: usize = 64 << 20;

/// Takes a connection and answers its handshake.
pub(crate) fn accept(listener: &TcpListener, nonblocking: bool) -> io::Result<TcpStream> {
    let (mut socket, _) = listener.accept()?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let got = socket.read(&mut buffer)?;
        if got == 0 {
            return Err(fault("a consumer hung up"));
        }
        request.extend_from_slice(buffer.get(..got).unwrap_or_default());
    }
    socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
    // As the service's: an event is not held back until the one before is acknowledged.
    socket.set_nodelay(true)?;
    socket.set_nonblocking(nonblocking)?;
    Ok(socket)
}

/// Sends all of `bytes`; waits where the socket is full.
pub(crate) fn send_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_stream_is_one_order() {
        assert_eq!(gathered(&[(1, 2), (0, 1), (1, 3)]), [(1, 5), (0, 1)]);
    }
}
