//! The consumers: connected one after the other, then read by one thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::super::exit::{Exit, Failure};
use super::super::listen::{End, Link, Location};
use super::plan::Plan;
use super::publisher::{DECLARE, due_of};
use super::report::Latency;
use crate::clock;
use crate::limits::{BENCH_DRAIN_MILLIS_MAX, LISTEN_SILENCE_MILLIS_MAX};

/// All consumers, and what they have received.
pub(super) struct Consumers {
    links: Vec<Link>,
    /// How many events each has had.
    had: Vec<u64>,
    /// How many consumers have had each event.
    holders: Vec<u64>,
    epoll: OwnedFd,
    /// From connect to the 101.
    pub(super) connected: Latency,
    /// From when an event was due until a consumer had it.
    pub(super) received: Latency,
    /// The same until the last consumer had it.
    pub(super) completed: Latency,
}

impl Consumers {
    /// Connects as many as are planned.
    pub(super) fn connect(
        location: &Location,
        plan: &Plan,
        stop: &AtomicBool,
    ) -> Result<Self, Failure> {
        let failed = |fault: rustix::io::Errno| Failure::new(Exit::Failed, fault.to_string());
        let events = usize::try_from(plan.events()).unwrap_or(usize::MAX);
        let mut this = Self {
            links: Vec::new(),
            had: Vec::new(),
            holders: vec![0; events],
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?,
            connected: Latency::default(),
            received: Latency::default(),
            completed: Latency::default(),
        };
        for index in 0..plan.consumers {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let began = clock::monotonic();
            let link = Link::open(location, SILENCE).map_err(|end| failure(&end))?;
            this.connected.record(began.elapsed());
            epoll::add(&this.epoll, link.stream(), EventData::new_u64(index), EventFlags::IN)
                .map_err(failed)?;
            this.links.push(link);
            this.had.push(0);
        }
        Ok(this)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.links.len() as u64
    }

    /// Events that consumers have had, all together.
    pub(super) fn deliveries(&self) -> u64 {
        self.had.iter().sum()
    }

    /// Reads until publishing is over and everybody has had everything, or nothing more comes.
    pub(super) fn receive(
        &mut self,
        began: Instant,
        over: &AtomicBool,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        let mut heard = clock::monotonic();
        let mut ready = Vec::with_capacity(256);
        loop {
            // Asked before the wait: what was stored by then is on its way.
            let ended = over.load(Ordering::Acquire) || stop.load(Ordering::Relaxed);
            ready.clear();
            let wait = Timespec { tv_sec: 0, tv_nsec: LOOK_UP_NANOS };
            let spare = rustix::buffer::spare_capacity(&mut ready);
            match epoll::wait(&self.epoll, spare, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(fault) => return Err(Failure::new(Exit::Failed, fault.to_string())),
            }
            for event in &ready {
                let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                self.read(index, began)?;
                heard = clock::monotonic();
            }
            if ended && ready.is_empty() && (self.all_alike() || heard.elapsed() > DRAIN) {
                return Ok(());
            }
        }
    }

    /// Whether everybody has had as many events.
    fn all_alike(&self) -> bool {
        self.had.iter().all(|had| Some(had) == self.had.first())
    }

    fn read(&mut self, index: usize, began: Instant) -> Result<(), Failure> {
        let count = self.links.len() as u64;
        let (Some(link), Some(had)) = (self.links.get_mut(index), self.had.get_mut(index)) else {
            return Ok(());
        };
        while let Some(text) = link.at_hand().map_err(|end| failure(&end))? {
            let Some(due) = due_of(&text) else { continue };
            let taken = began.elapsed().saturating_sub(due);
            self.received.record(taken);
            let place = usize::try_from(*had).ok().and_then(|had| self.holders.get_mut(had));
            *had += 1;
            if let Some(holders) = place {
                *holders += 1;
                if *holders == count {
                    self.completed.record(taken);
                }
            }
        }
        Ok(())
    }
}

/// Why a consumer is no more, and what to do.
fn failure(end: &End) -> Failure {
    match end {
        End::Closed(1000, reason) => {
            Failure::new(Exit::Ended, format!("the service ended a consumer: {reason}"))
                .and("with --exclusive a stream has one consumer: ess bench --consumers 1")
        }
        End::Closed(1013, reason) => {
            Failure::new(Exit::Failed, format!("the service can't serve a consumer: {reason}"))
                .and(DECLARE)
        }
        End::Closed(code, reason) => {
            Failure::new(Exit::Failed, format!("the service closed a consumer: {code} {reason}"))
        }
        End::Refused(status, reason) => {
            Failure::new(Exit::Failed, format!("a consumer was refused ({status}): {reason}"))
        }
        End::Unreachable(why) => Failure::new(Exit::Unreachable, format!("{why} (--ws, ESS_WS)")),
        End::Lost(why) => Failure::new(Exit::Unreachable, format!("a consumer was lost: {why}")),
        End::Wrong(why) => Failure::new(Exit::Failed, why.clone()),
    }
}

const SILENCE: Duration = Duration::from_millis(LISTEN_SILENCE_MILLIS_MAX);
const DRAIN: Duration = Duration::from_millis(BENCH_DRAIN_MILLIS_MAX);

/// The longest wait before looking whether it is over.
const LOOK_UP_NANOS: i64 = 50_000_000;
