//! How a store is doing, as counts for operators.

use crate::enrich::Undeliverable;
use crate::meter::{DurationCounts, Tallied, sum};

/// How a store is doing on one shard. All counts are since the start.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Events that no consumer can be sent, by why. Those read from a broker are counted each time
    /// they are read.
    pub skipped: Tallied<Skip>,
    /// How long the embedded log's syncs took.
    pub syncs: DurationCounts,
    /// The broker, where there is one.
    pub broker: Option<BrokerVitals>,
}

/// What a shard has from a broker.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BrokerVitals {
    /// It can be reached.
    pub up: bool,
    /// Connections by the stream protocol.
    pub streams: LinkCounts,
    /// Connections by AMQP 0.9.1, which all shards share.
    pub amqp: LinkCounts,
}

/// Connections of one protocol.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkCounts {
    /// Made; whatever exceeds the first few was made anew.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Those that are there now.
    pub open: u64,
}

/// Why an event can't be sent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Skip {
    /// It has no byte: nothing is lost.
    Empty,
    /// It is not UTF-8.
    NotUtf8,
    /// It starts with `{` but is no JSON object.
    BadJson,
    /// It nests too deeply.
    TooDeep,
    /// It is no AMQP message, or lies in a batch that can't be read.
    Unreadable,
    /// It lies in a chunk that is too large to be taken.
    TooLarge,
    /// What was kept of it is damaged.
    Damaged,
}

impl Skip {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::NotUtf8,
        Self::BadJson,
        Self::TooDeep,
        Self::Unreadable,
        Self::TooLarge,
        Self::Damaged,
    ];

    /// The word that it is counted under.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::BadJson => "bad_json",
            Self::TooDeep => "too_deep",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
        }
    }
}

impl From<&Undeliverable> for Skip {
    fn from(why: &Undeliverable) -> Self {
        match why {
            Undeliverable::Empty => Self::Empty,
            Undeliverable::NotUtf8 { .. } => Self::NotUtf8,
            Undeliverable::BadJson { .. } => Self::BadJson,
            Undeliverable::TooDeep { .. } => Self::TooDeep,
        }
    }
}

impl Vitals {
    /// Adds another shard's.
    pub fn add(&mut self, other: &Self) {
        self.skipped = sum([std::mem::take(&mut self.skipped), other.skipped.clone()]);
        self.syncs.add(&other.syncs);
        self.broker = match (self.broker, other.broker) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }
}

impl BrokerVitals {
    fn and(self, other: Self) -> Self {
        let streams = LinkCounts {
            opened: self.streams.opened + other.streams.opened,
            failed: self.streams.failed + other.streams.failed,
            open: self.streams.open + other.streams.open,
        };
        let amqp = LinkCounts {
            opened: self.amqp.opened.max(other.amqp.opened),
            failed: self.amqp.failed.max(other.amqp.failed),
            open: self.amqp.open.max(other.amqp.open),
        };
        Self { up: self.up && other.up, streams, amqp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_added_but_what_they_share_is_not() {
        let links = |opened, failed| LinkCounts { opened, failed, open: opened - failed };
        let shard = |up, streams, amqp| Vitals {
            skipped: vec![(Skip::BadJson, 2)],
            broker: Some(BrokerVitals { up, streams, amqp }),
            ..Vitals::default()
        };
        let mut all = Vitals::default();
        all.add(&shard(true, links(2, 1), links(5, 3)));
        all.add(&shard(false, links(3, 0), links(6, 3)));
        assert_eq!(all.skipped, [(Skip::BadJson, 4)]);
        let wanted = BrokerVitals { up: false, streams: links(5, 1), amqp: links(6, 3) };
        assert_eq!(all.broker, Some(wanted));
    }
}
