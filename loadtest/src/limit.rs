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
            batch: Batch::new(load.bytes as usize, load.per_write, TIMESTAMP),
            next: vec![1; size(load.streams)?],
            ring: way.ring.then(Ring::new).transpose()?,
            store: store.transpose()?,
        })
    }

    fn serve(mut self, ordered: &Receiver<Order>) -> io::Result<()> {
        while let Ok(first) = ordered.recv() {
            if self.store.is_none() {
                self.send(first)?;
                continue;
            }
            // What waits is stored together, as the service does.
            let waiting: Vec<Order> = [first].into_iter().chain(ordered.try_iter()).collect();
            self.keep(&waiting)?;
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
        for _ in 0..batches {
            let bytes = self.batch.number(*next);
            match &mut self.ring {
                Some(ring) => ring.send_to_all(sockets, bytes)?,
                None => {
                    for socket in sockets {
                        send_all(socket, bytes)?;
                    }
                }
            }
            *next += self.per_write;
        }
        Ok(())
    }
}

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
