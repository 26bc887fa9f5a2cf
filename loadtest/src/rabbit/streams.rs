//! Many streams with one client each: how long an event takes from when it was due, and what the
//! service needs for them.
//!
//! One thread publishes, receives and reads the clock. An event begins with when it was due, in
//! nanoseconds since the run began, so that a publisher that is late counts as latency.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};

use super::publisher::{confirms, frame};
use super::stream::{From, subscribe};
use super::wire::{Request, Wire, key, message, number};
use crate::consumers::fault;
use crate::event;
use crate::outcome::Latency;
use crate::process::now;

/// Publishers and subscriptions a connection has ids for, rounded.
const IDS: usize = 250;
/// Digits of when an event was due.
const STAMP_DIGITS: usize = 20;
/// How long the last events may take.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Connections that can publish to every stream.
#[derive(Debug)]
pub(super) struct Publishers {
    wires: Vec<Wire>,
    bytes: usize,
}

/// A WebSocket, and what of its last frame has come.
pub(super) type Client = (TcpStream, Vec<u8>);

/// Who receives.
#[derive(Debug)]
pub(super) enum Receivers {
    /// One for each stream.
    Clients(Vec<Client>),
    /// Subscriptions of ours.
    Bare(Vec<Wire>),
}

impl Publishers {
    pub(super) fn declare(port: u16, streams: &[String], bytes: usize) -> io::Result<Self> {
        let wires = streams.chunks(IDS).map(|streams| {
            let mut wire = Wire::open(port)?;
            for (id, stream) in (0..).zip(streams) {
                wire.declare_publisher(id, stream)?;
            }
            wire.stream.set_nonblocking(true)?;
            Ok(wire)
        });
        Ok(Self { wires: wires.collect::<io::Result<_>>()?, bytes })
    }

    /// Publishes one event, stamped with when it was due.
    pub(super) fn publish(&mut self, stream: usize, due: Duration) -> io::Result<()> {
        let mut body = format!("{:0STAMP_DIGITS$}", due.as_nanos()).into_bytes();
        body.extend_from_slice(&event::body(self.bytes - STAMP_DIGITS));
        let wire = self.wires.get_mut(stream / IDS).ok_or_else(|| fault("no such stream"))?;
        let id = u8::try_from(stream % IDS).map_err(io::Error::other)?;
        // Small, and the broker reads: it always fits.
        wire.stream.write_all(&frame(id, 0, 1, &message(&body)))
    }

    fn drain(&mut self, index: usize) -> io::Result<u64> {
        let wire = self.wires.get_mut(index).ok_or_else(|| fault("no such publisher"))?;
        let mut confirmed = 0;
        while wire.fill()? {
            while let Some((key, rest)) = wire.next_frame()? {
                confirmed += confirms(key, rest)?;
            }
        }
        Ok(confirmed)
    }

    /// Waits until so many events are confirmed.
    pub(super) fn settle(&mut self, events: u64) -> io::Result<()> {
        let (mut confirmed, began) = (0, now());
        while confirmed < events {
            if began.elapsed() > SILENCE_MAX {
                return Err(fault("the broker doesn't confirm"));
            }
            for index in 0..self.wires.len() {
                confirmed += self.drain(index)?;
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Receivers {
    /// Subscriptions to every stream.
    pub(super) fn bare(port: u16, streams: &[String]) -> io::Result<Self> {
        let wires = streams.chunks(IDS).map(|streams| {
            let mut wire = Wire::open(port)?;
            for (id, stream) in (0..).zip(streams) {
                wire.ask(subscribe(id, stream, From::Next, 10))?;
            }
            wire.stream.set_nonblocking(true)?;
            Ok(wire)
        });
        Ok(Self::Bare(wires.collect::<io::Result<_>>()?))
    }

    fn sockets(&self) -> Vec<&TcpStream> {
        match self {
            Self::Clients(clients) => clients.iter().map(|(socket, _)| socket).collect(),
            Self::Bare(wires) => wires.iter().map(|wire| &wire.stream).collect(),
        }
    }

    /// Reads what one has received: when each event was due, in nanoseconds.
    fn drain(&mut self, index: usize, due: &mut impl FnMut(u64)) -> io::Result<()> {
        match self {
            Self::Clients(clients) => {
                let client = clients.get_mut(index).ok_or_else(|| fault("no such client"))?;
                read_client(client, due)
            }
            Self::Bare(wires) => {
                read_bare(wires.get_mut(index).ok_or_else(|| fault("no such wire"))?, due)
            }
        }
    }
}

/// One event a second to each stream, evenly spread; how long each took from when it was due.
pub(super) fn latency(
    publishers: &mut Publishers,
    receivers: &mut Receivers,
    streams: usize,
    seconds: Duration,
) -> io::Result<Latency> {
    let epoll = registered(publishers, receivers)?;
    let pause = Duration::from_secs(1).checked_div(u32::try_from(streams).unwrap_or(1));
    let pause = pause.unwrap_or(Duration::from_secs(1));
    let events = streams as u64 * seconds.as_secs().max(1);
    let mut histogram = Latency::histogram()?;
    let (mut sent, mut ready) = (0_u64, Vec::with_capacity(256));
    let (began, mut heard) = (now(), now());
    while histogram.len() < events {
        let passed = began.elapsed();
        let due = pause.mul_f64(sent as f64);
        if sent < events && due <= passed {
            publishers.publish(usize::try_from(sent).unwrap_or(0) % streams, due)?;
            sent += 1;
            continue;
        }
        if sent == events && heard.elapsed() > SILENCE_MAX {
            return Err(fault(&format!("only {} of {events} events came", histogram.len())));
        }
        let wait = if sent < events { due - passed } else { SILENCE_MAX };
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        ready.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut ready), Some(&wait))?;
        for event in &ready {
            heard = now();
            serve(event.data.u64(), publishers, receivers, &mut histogram, began)?;
        }
    }
    if histogram.len() != events {
        return Err(fault("more events came than were published"));
    }
    Ok(Latency::of(&histogram))
}

/// Tokens of publishers; receivers have theirs from 0.
const PUBLISHER_TOKEN: u64 = 1 << 32;

fn registered(publishers: &Publishers, receivers: &Receivers) -> io::Result<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let add = |socket: &TcpStream, token| {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&epoll, socket.as_fd(), data, epoll::EventFlags::IN)
    };
    for (token, wire) in (PUBLISHER_TOKEN..).zip(&publishers.wires) {
        add(&wire.stream, token)?;
    }
    for (token, socket) in (0..).zip(receivers.sockets()) {
        add(socket, token)?;
    }
    Ok(epoll)
}

fn serve(
    token: u64,
    publishers: &mut Publishers,
    receivers: &mut Receivers,
    histogram: &mut Histogram<u64>,
    began: Instant,
) -> io::Result<()> {
    if let Some(index) = token.checked_sub(PUBLISHER_TOKEN) {
        return publishers.drain(usize::try_from(index).unwrap_or(usize::MAX)).map(|_| ());
    }
    let index = usize::try_from(token).unwrap_or(usize::MAX);
    receivers.drain(index, &mut |due| {
        let passed = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        histogram.saturating_record(passed.saturating_sub(due).max(1));
    })
}

fn read_client((socket, held): &mut Client, due: &mut impl FnMut(u64)) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Err(fault("the service closed a client")),
            Ok(got) => held.extend_from_slice(buffer.get(..got).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut taken = 0;
        while let Some((payload, length)) = text(held.get(taken..).unwrap_or_default())? {
            due(stamp(payload)?);
            taken += length;
        }
        held.drain(..taken);
    }
}

/// The first frame when it is whole: its text and its length (RFC 6455 §5.2).
pub(super) fn text(bytes: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    let (payload, head) = match bytes {
        [0x81, 126, high, low, ..] => (usize::from(u16::from_be_bytes([*high, *low])), 4),
        [0x81, short @ 0..126, ..] => (usize::from(*short), 2),
        [] | [0x81] | [0x81, 126, ..] => return Ok(None),
        [first, ..] => return Err(fault(&format!("no text where one should be: {first:#x}"))),
    };
    Ok(bytes.get(head..head + payload).map(|text| (text, head + payload)))
}

fn read_bare(wire: &mut Wire, due: &mut impl FnMut(u64)) -> io::Result<()> {
    while wire.fill()? {
        let mut credits = Vec::new();
        while let Some((key, rest)) = wire.next_frame()? {
            if key == key::DELIVER {
                let mut entries = rest.get(CHUNK_HEAD..).unwrap_or_default();
                for _ in 0..number(rest, 5, 4)? {
                    let length = usize::try_from(number(entries, 0, 4)?).unwrap_or(0);
                    due(stamp(body(entries.get(4..).unwrap_or_default()))?);
                    entries = entries.get(4 + length..).unwrap_or_default();
                }
                credits.extend(rest.first());
            }
        }
        for subscription in credits {
            wire.send(&Request::new(key::CREDIT).u8(subscription).u16(1))?;
        }
    }
    Ok(())
}

/// The subscription's id and the head of a chunk.
const CHUNK_HEAD: usize = 1 + 48;

/// What lies behind the head of a message of ours, a Data section.
fn body(message: &[u8]) -> &[u8] {
    let head = if message.get(3) == Some(&0xb0) { 8 } else { 5 };
    message.get(head..).unwrap_or_default()
}

fn stamp(text: &[u8]) -> io::Result<u64> {
    let digits = text.get(..STAMP_DIGITS).and_then(|digits| str::from_utf8(digits).ok());
    let due = digits.and_then(|digits| digits.parse().ok());
    due.ok_or_else(|| fault("an event without its time came"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_once_it_is_whole() {
        let short = b"\x81\x02hi\x81";
        assert_eq!(text(short).unwrap(), Some((b"hi".as_slice(), 4)));
        let mut long = vec![0x81, 126, 1, 0];
        long.extend_from_slice(&[b'x'; 256]);
        for cut in 0..long.len() {
            assert_eq!(text(&long[..cut]).unwrap(), None, "cut at {cut}");
        }
        assert_eq!(text(&long).unwrap().unwrap().1, 260);
        assert!(text(&[0x88, 0]).is_err());
    }

    #[test]
    fn a_body_is_found_behind_either_head() {
        for bytes in [40, 255, 256] {
            let event = event::body(bytes);
            assert_eq!(body(&message(&event)), event, "{bytes}");
        }
    }

    #[test]
    fn an_event_tells_when_it_was_due() {
        assert_eq!(stamp(b"00000000000000000123abc|ordinal: 1").unwrap(), 123);
        assert!(stamp(b"0123").is_err());
        assert!(stamp(b"0000000000000000012xabc").is_err());
    }
}
