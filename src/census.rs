//! A running service at a moment, as plain data that crosses threads.
//!
//! Each shard counts its own streams and consumers and answers with a [`ShardCensus`]; together
//! they are the [`Census`] that operators are shown. It is no snapshot of one instant: shards
//! answer one after the other, and each lets others have a turn while it counts.
//!
//! Everything that is called *since the start* counts from the start of the process and never
//! shrinks, so that rates can be made of it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Cause, Ordinal, StreamName, Timestamp};
use crate::meter::{DurationCounts, Tallied};
use crate::registry::EventStream;
use crate::store::{Pace, Vitals};

/// The service.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// The shards that answered in time, by their index.
    pub shards: Vec<ShardCensus>,
    /// Those that did not: what they have is not in here.
    pub late: Vec<usize>,
    /// Connections of both ports.
    pub connections: usize,
    /// Streams that event streams are registered for.
    pub streams_registered: usize,
    /// Most connections there may be.
    pub connections_max: usize,
    /// Messages that wait in each shard's mailbox, also of those that are late.
    pub mailboxes: Vec<usize>,
    /// What the process takes; `None` when the kernel doesn't say.
    pub process: Option<Process>,
    /// The data directory's disk; `None` when the kernel doesn't say.
    pub disk: Option<Disk>,
}

/// One shard.
#[derive(Clone, Debug)]
pub struct ShardCensus {
    /// Which of the shards it is.
    pub index: usize,
    /// What drives it.
    pub driver: Driver,
    /// It takes no new consumers.
    pub stopping: bool,
    /// Processor time of its thread since the start: the rest of the time it slept.
    pub busy: Duration,
    /// Requests of the internal API under way.
    pub requests: usize,
    /// What passed through it since the start, also of streams that are gone.
    pub traffic: Traffic,
    /// Sends to consumers out of the tail since the start.
    pub tail_sends: u64,
    /// Reads of a stream's history for a consumer since the start.
    pub log_reads: u64,
    /// How long publishes took that were stored, from the whole request to its answer.
    pub publishes: DurationCounts,
    /// Answers to HTTP requests since the start, by port and status.
    pub responses: Tallied<(Port, u16)>,
    /// WebSockets since the start that were told at once why they can't be consumers.
    pub refusals: Tallied<Cause>,
    /// Consumers that have ended since the start.
    pub closes: Tallied<Cause>,
    /// How its store is doing.
    pub vitals: Vitals,
    /// Its consumers.
    pub consumers: Consumers,
    /// Its streams, largest first ([`StreamCensus::rank`]), at most
    /// [`crate::limits::CENSUS_STREAMS_MAX`].
    pub streams: Vec<StreamCensus>,
    /// The other streams in sum.
    pub others: Sum,
    /// Its branches of streams whose home is another shard. Their consumers are among its own, and
    /// once the census is put together, among those of the streams.
    pub branches: Vec<BranchCensus>,
}

/// What a shard has of a stream whose home is another one.
#[derive(Clone, Debug)]
pub struct BranchCensus {
    /// The stream.
    pub name: StreamName,
    /// The consumers there.
    pub consumers: Consumers,
}

/// What the process takes of the machine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Process {
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// How many it may open; `None` without a limit.
    pub descriptors_max: Option<u64>,
    /// Processor time of all its threads since the start.
    pub busy: Duration,
}

/// The disk of a folder.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Disk {
    /// What this process may still write, in bytes.
    pub free_bytes: u64,
    /// All there is, in bytes.
    pub size_bytes: u64,
}

/// One of the ports.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Port {
    /// Clients connect here.
    Public,
    /// The Account Server's.
    Internal,
}

/// What a shard waits for work with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// `io_uring`.
    IoUring,
    /// `epoll`.
    Epoll,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamCensus {
    /// Its name: the routing key.
    pub name: StreamName,
    /// The event streams that lead to it, oldest first.
    pub event_streams: Vec<Arc<EventStream>>,
    /// Oldest retained ordinal; `None` where only a broker knows.
    pub floor: Option<Ordinal>,
    /// The next ordinal; with a broker, as far as the stream was watched.
    pub ceiling: Ordinal,
    /// Size in the store, in bytes; `None` where only a broker knows.
    pub bytes: Option<u64>,
    /// Timestamp of the newest event, once there was one.
    pub newest: Option<Timestamp>,
    /// How fast events come.
    pub pace: Pace,
    /// What passed through it since it was opened.
    pub traffic: Traffic,
    /// How many shards serve it.
    pub shards: usize,
    /// Its consumers.
    pub consumers: Consumers,
    /// Where its slowest consumer stands; `None` without consumers.
    pub slowest: Option<Slowest>,
}

/// The consumer of a stream that is furthest behind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Slowest {
    /// Events it is behind the newest one.
    pub lag: u64,
    /// Events between the oldest retained one and the one it is owed next; `None` where the floor
    /// isn't known.
    pub above_floor: Option<u64>,
    /// How long the event it is owed next will be kept at least, if events go on coming at the
    /// present pace: then the consumer starts to lose events. `None` when it owes nothing, no rule
    /// of retention will take that event, or that isn't known.
    pub time_left: Option<Duration>,
}

/// Consumers by how they do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Consumers {
    /// They have everything, or wait for a start that is still to come.
    pub live: usize,
    /// They are behind, and being served.
    pub catching_up: usize,
    /// They are behind, and their socket has taken no byte for
    /// [`crate::limits::STALLED_AFTER`] or longer.
    pub stalled: usize,
    /// They have been told to end, or hung up.
    pub closing: usize,
}

/// What passed through.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Events that became visible.
    pub events_in: u64,
    /// Bytes of their frames.
    pub bytes_in: u64,
    /// Events that consumers were sent, each counted for each of them. An event that can't be
    /// delivered counts too when it lies between two that can.
    pub events_out: u64,
    /// Bytes that consumers' sockets took, control frames included.
    pub bytes_out: u64,
    /// Events that were no longer retained when a consumer came to them.
    pub events_lost: u64,
}

/// Several streams in sum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// How many.
    pub streams: usize,
    /// Size in the store, in bytes, of those where it is known.
    pub bytes: u64,
    /// Their consumers.
    pub consumers: Consumers,
    /// Most events that a consumer is behind.
    pub lag: u64,
    /// The least [`Slowest::above_floor`].
    pub above_floor: Option<u64>,
    /// The least [`Slowest::time_left`].
    pub time_left: Option<Duration>,
}

impl Census {
    /// The `max` largest streams of all shards, and the others in sum.
    #[must_use]
    pub fn streams(&self, max: usize) -> (Vec<&StreamCensus>, Sum) {
        let mut streams: Vec<_> = self.shards.iter().flat_map(|shard| &shard.streams).collect();
        streams.sort_by_cached_key(|stream| stream.rank());
        let mut others = Sum::default();
        for shard in &self.shards {
            others.join(&shard.others);
        }
        for stream in streams.drain(max.min(streams.len())..) {
            others.add(stream);
        }
        (streams, others)
    }

    /// Counts what branches have among what their streams have, each at the shard that is its
    /// `home`; of a stream that isn't told of by itself, among the others. Done once.
    pub fn join_branches(&mut self, home: impl Fn(&StreamName) -> usize) {
        let branches: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.branches.iter().cloned()).collect();
        for branch in &branches {
            let home = home(&branch.name);
            let Some(shard) = self.shards.iter_mut().find(|shard| shard.index == home) else {
                continue;
            };
            match shard.streams.iter_mut().find(|stream| stream.name == branch.name) {
                Some(stream) => stream.join(branch),
                None => shard.others.consumers.add(branch.consumers),
            }
        }
        for shard in self.shards.iter_mut().filter(|_| !branches.is_empty()) {
            shard.streams.sort_by_cached_key(StreamCensus::rank);
        }
    }

    /// All consumers.
    #[must_use]
    pub fn consumers(&self) -> Consumers {
        let mut all = Consumers::default();
        self.shards.iter().for_each(|shard| all.add(shard.consumers));
        all
    }

    /// What passed through all shards.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        self.shards.iter().for_each(|shard| all.add(shard.traffic));
        all
    }

    /// How the store is doing on all shards.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let mut all = Vitals::default();
        self.shards.iter().for_each(|shard| all.add(&shard.vitals));
        all
    }

    /// How long publishes took on all shards.
    #[must_use]
    pub fn publishes(&self) -> DurationCounts {
        let mut all = DurationCounts::default();
        self.shards.iter().for_each(|shard| all.add(&shard.publishes));
        all
    }

    /// Streams that are open.
    #[must_use]
    pub fn streams_open(&self) -> usize {
        self.shards.iter().map(|shard| shard.streams.len() + shard.others.streams).sum()
    }
}

impl StreamCensus {
    /// Sorts the most consumed stream first, of those equally consumed the largest.
    #[must_use]
    pub fn rank(&self) -> impl Ord + use<> {
        let size = (self.consumers.all(), self.bytes.unwrap_or(0), self.traffic.events_in);
        (Reverse(size), self.name.clone())
    }

    /// Adds what a branch of it has.
    pub const fn join(&mut self, branch: &BranchCensus) {
        self.consumers.add(branch.consumers);
    }
}

impl Consumers {
    /// How many there are.
    #[must_use]
    pub const fn all(self) -> usize {
        self.live + self.catching_up + self.stalled + self.closing
    }

    /// Adds others.
    pub const fn add(&mut self, others: Self) {
        self.live += others.live;
        self.catching_up += others.catching_up;
        self.stalled += others.stalled;
        self.closing += others.closing;
    }
}

impl Traffic {
    /// Adds other traffic.
    pub const fn add(&mut self, other: Self) {
        self.events_in += other.events_in;
        self.bytes_in += other.bytes_in;
        self.events_out += other.events_out;
        self.bytes_out += other.bytes_out;
        self.events_lost += other.events_lost;
    }
}

impl Sum {
    /// Adds a stream.
    pub fn add(&mut self, stream: &StreamCensus) {
        let slowest = stream.slowest.unwrap_or_default();
        self.join(&Self {
            streams: 1,
            bytes: stream.bytes.unwrap_or(0),
            consumers: stream.consumers,
            lag: slowest.lag,
            above_floor: slowest.above_floor,
            time_left: slowest.time_left,
        });
    }

    /// Adds other streams.
    pub fn join(&mut self, other: &Self) {
        self.streams += other.streams;
        self.bytes += other.bytes;
        self.consumers.add(other.consumers);
        self.lag = self.lag.max(other.lag);
        self.above_floor = least(self.above_floor, other.above_floor);
        self.time_left = least(self.time_left, other.time_left);
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
impl ShardCensus {
    /// A shard that has nothing and has done nothing.
    pub(crate) fn idle(index: usize) -> Self {
        Self {
            index,
            driver: Driver::Epoll,
            stopping: false,
            busy: Duration::ZERO,
            requests: 0,
            traffic: Traffic::default(),
            tail_sends: 0,
            log_reads: 0,
            publishes: DurationCounts::default(),
            responses: Vec::new(),
            refusals: Vec::new(),
            closes: Vec::new(),
            vitals: Vitals::default(),
            consumers: Consumers::default(),
            streams: Vec::new(),
            others: Sum::default(),
            branches: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, live: usize, bytes: u64, time_left: Option<u64>) -> StreamCensus {
        let time_left = time_left.map(Duration::from_secs);
        StreamCensus {
            name: StreamName::new(name).unwrap(),
            event_streams: Vec::new(),
            floor: None,
            ceiling: Ordinal::new(1),
            bytes: Some(bytes),
            newest: None,
            pace: Pace::default(),
            traffic: Traffic::default(),
            shards: 1,
            consumers: Consumers { live, ..Consumers::default() },
            slowest: Some(Slowest { lag: bytes, above_floor: None, time_left }),
        }
    }

    fn shard(index: usize, streams: Vec<StreamCensus>, others: Sum) -> ShardCensus {
        ShardCensus { streams, others, ..ShardCensus::idle(index) }
    }

    #[test]
    fn the_most_consumed_come_first_and_nothing_is_left_out_of_the_sum() {
        let others = Sum { streams: 7, bytes: 1, lag: 9, ..Sum::default() };
        let first = vec![stream("b", 2, 10, Some(5)), stream("d", 0, 30, None)];
        let second = vec![stream("a", 2, 10, Some(3)), stream("c", 0, 40, Some(8))];
        let shards = vec![shard(0, first, others), shard(1, second, Sum::default())];
        let census = Census { shards, ..Census::default() };
        assert_eq!(census.streams_open(), 11);
        let names = |max| {
            let (streams, others) = census.streams(max);
            let names: String = streams.iter().map(|stream| stream.name.as_str()).collect();
            (names, others)
        };
        assert_eq!(names(4), ("abcd".into(), others));
        let (two, rest) = names(2);
        assert_eq!(two, "ab");
        assert_eq!((rest.streams, rest.bytes, rest.lag), (9, 71, 40));
        assert_eq!(rest.time_left, Some(Duration::from_secs(8)));
        assert_eq!(names(0).1.time_left, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_branches_have_is_counted_among_what_their_streams_have() {
        let consumers = |live| Consumers { live, ..Consumers::default() };
        let branch = |name: &str, live| BranchCensus {
            name: StreamName::new(name).unwrap(),
            consumers: consumers(live),
        };
        let mut first =
            shard(0, vec![stream("b", 2, 1, None), stream("a", 1, 1, None)], Sum::default());
        first.consumers = consumers(3);
        let mut second = shard(1, Vec::new(), Sum::default());
        second.consumers = consumers(9);
        second.branches = vec![branch("a", 4), branch("z", 5), branch("late", 7)];
        let mut census = Census { shards: vec![first, second], ..Census::default() };
        census.join_branches(|name| if name.as_str() == "late" { 2 } else { 0 });
        let (streams, others) = census.streams(9);
        let told: Vec<_> =
            streams.iter().map(|one| (one.name.as_str(), one.consumers.all())).collect();
        assert_eq!(told, [("a", 5), ("b", 2)], "the most consumed first");
        assert_eq!((others.streams, others.consumers), (0, consumers(5)));
        assert_eq!(census.consumers(), consumers(12), "nobody is counted twice");
    }
}
