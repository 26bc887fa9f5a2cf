//! Waiting for very many sockets at once.
//!
//! A consumer that keeps up waits for nothing but a sign of life from its client. With a task, an
//! operation of the driver's and a buffer each, that would be most of what it costs. Instead they
//! all wait in one epoll set, and the driver waits for the set: an idle socket is an entry in the
//! kernel and nothing else.
//!
//! Edge-triggered: what became ready is told once, so whoever is told reads until nothing is left,
//! or comes back by itself.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use monoio::net::UnixStream;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags, wait};
use rustix::io::Errno;

use super::Parked;
use crate::limits::POLLER_EVENTS_MAX;

/// A set of parked sockets.
#[derive(Debug)]
pub struct Poller {
    set: OwnedFd,
    /// The same set, on this thread's driver, which only needs something that it can wait for.
    watch: UnixStream,
}

/// A socket that may be read or written again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ready {
    /// What it was added with.
    pub key: u64,
    /// Bytes, the end, or an error.
    pub readable: bool,
    /// It takes bytes again, or never will.
    pub writable: bool,
}

impl Poller {
    /// An empty set on this thread's driver.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let set = epoll::create(CreateFlags::CLOEXEC)?;
        let watch = UnixStream::from_std(StdUnixStream::from(set.try_clone()?))?;
        Ok(Self { set, watch })
    }

    /// Puts `socket` into the set. What is there already is told too.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for it.
    pub fn add(&self, socket: &Parked, key: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::OUT | EventFlags::ET;
        Ok(epoll::add(&self.set, socket.fd(), EventData::new_u64(key), flags)?)
    }

    /// Takes `socket` out of the set, after which its key may be used again.
    pub fn remove(&self, socket: &Parked) {
        // One that was never in it is out of it.
        let _ = epoll::delete(&self.set, socket.fd());
    }

    /// Waits until a socket of the set is ready. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// When the driver fails.
    pub async fn wait(&self) -> io::Result<()> {
        self.watch.readable(false).await
    }

    /// What became ready, a bounded number at a time; the rest is told next time.
    ///
    /// # Errors
    ///
    /// When the set is broken.
    pub fn ready(&self) -> io::Result<Vec<Ready>> {
        let mut events = Vec::<Event>::with_capacity(POLLER_EVENTS_MAX);
        match wait(&self.set, spare_capacity(&mut events), Some(&NOT_AT_ALL)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(fault) => return Err(fault.into()),
        }
        Ok(events.iter().map(ready).collect())
    }
}

fn ready(event: &Event) -> Ready {
    // The fields of a packed structure.
    let (flags, data) = (event.flags, event.data);
    let over = EventFlags::HUP | EventFlags::ERR;
    Ready {
        key: data.u64(),
        readable: flags.intersects(EventFlags::IN | EventFlags::RDHUP | over),
        writable: flags.intersects(EventFlags::OUT | over),
    }
}

/// To look without waiting.
pub(super) const NOT_AT_ALL: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
