//! The consumers: sockets that are read and thrown away, the same code for every server.
//!
//! A sampled consumer's bytes are copied and looked at; all others are discarded inside the kernel
//! (`MSG_TRUNC`, tcp(7)), so that one thread can read for very many.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::frames::Witness;
use crate::ledger::Place;
use crate::segments::segments;

/// Most bytes taken from a socket at once.
const READ_BYTES: usize = 1 << 20;

/// All consumers of a run.
#[derive(Debug)]
pub(crate) struct Consumers {
    all: Vec<Consumer>,
    /// Of each stream.
    each: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Consumer {
    stream: TcpStream,
    place: Place,
    witness: Option<Witness>,
}

/// One in a hundred, at least one and at most eight: looking must cost nothing that shows.
fn sample(consumers: usize) -> usize {
    (consumers / 100).clamp(1, 8)
}

impl Consumers {
    /// Connects `each` consumers to each of the streams at `paths`, one after the other and stream
    /// by stream, and registers them by their index.
    pub(crate) fn connect(
        server: SocketAddr,
        paths: &[String],
        each: usize,
        epoll: &OwnedFd,
    ) -> io::Result<Self> {
        let count = paths.len() * each;
        let every = count.div_ceil(sample(count)).max(1);
        let mut all = Vec::with_capacity(count);
        let of_streams = paths.iter().flat_map(|path| (0..each).map(move |_| path));
        for (index, path) in of_streams.enumerate() {
            let (stream, early) = upgraded(server, path)?;
            if !early.is_empty() {
                return Err(fault("something came before anything was published"));
            }
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(epoll, &stream, data, epoll::EventFlags::IN)?;
            let witness = (index % every == 0).then(|| Witness::new(1));
            all.push(Consumer { stream, place: Place::default(), witness });
        }
        Ok(Self { all, each, buffer: vec![0; READ_BYTES] })
    }

    /// Reads what a consumer has received: how many bytes, and its place for the ledger.
    pub(crate) fn read(&mut self, index: usize) -> io::Result<(u64, &mut Place)> {
        let consumer = self.all.get_mut(index).ok_or_else(|| fault("no such consumer"))?;
        let flags = if consumer.witness.is_some() { RecvFlags::empty() } else { RecvFlags::TRUNC };
        let got = match recv(&consumer.stream, self.buffer.as_mut_slice(), flags) {
            Ok((_, 0)) => return Err(fault("the server closed a consumer")),
            Ok((_, bytes)) => bytes,
            Err(Errno::AGAIN) => 0,
            Err(errno) => return Err(errno.into()),
        };
        if let Some(witness) = &mut consumer.witness {
            let bytes = self.buffer.get(..got).unwrap_or_default();
            witness.take(bytes).map_err(|what| fault(&format!("consumer {index}: {what:?}")))?;
        }
        Ok((got as u64, &mut consumer.place))
    }

    /// Bytes that all of them have had.
    pub(crate) fn bytes(&self) -> u64 {
        self.all.iter().map(|consumer| consumer.place.bytes).sum()
    }

    /// TCP segments with data that all of them have had.
    pub(crate) fn segments(&self) -> io::Result<u64> {
        self.all.iter().map(|consumer| segments(&consumer.stream)).sum()
    }

    /// Checks that everyone has had all bytes of its stream, and every sampled one all events
    /// before the next: these two of each stream. How many were sampled.
    pub(crate) fn check_whole(&self, streams: &[(u64, u64)]) -> io::Result<usize> {
        let mut sampled = 0;
        for (consumers, (bytes, next)) in self.all.chunks(self.each).zip(streams) {
            if consumers.iter().any(|consumer| consumer.place.bytes != *bytes) {
                return Err(fault("a consumer has had more or fewer bytes than were published"));
            }
            let mut witnesses = consumers.iter().filter_map(|consumer| consumer.witness.as_ref());
            if witnesses.any(|witness| witness.next() != *next) {
                return Err(fault("a sampled consumer has had other events than were published"));
            }
            sampled += consumers.iter().filter(|consumer| consumer.witness.is_some()).count();
        }
        Ok(sampled)
    }
}

/// What a client asks for (RFC 6455 §4.1).
pub(crate) fn request(server: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A socket whose WebSocket handshake is done (RFC 6455 §4.1), and what came right behind the head.
pub(crate) fn upgraded(server: SocketAddr, path: &str) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(request(server, path).as_bytes())?;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    let end = loop {
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer)? {
            0 => return Err(fault("the server hung up in the handshake")),
            got => head.extend_from_slice(buffer.get(..got).unwrap_or_default()),
        }
    };
    let behind = head.split_off(end);
    if head.starts_with(b"HTTP/1.1 101") {
        Ok((stream, behind))
    } else {
        Err(fault(&format!("no upgrade: {}", String::from_utf8_lossy(&head))))
    }
}

/// A measurement that can't be believed.
pub(crate) fn fault(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_sampled_within_bounds() {
        let sampled = [1, 99, 100, 250, 1_000, 100_000].map(sample);
        assert_eq!(sampled, [1, 1, 1, 2, 8, 8]);
    }
}
