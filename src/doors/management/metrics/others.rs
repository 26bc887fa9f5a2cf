//! The counters of all streams that have no label of their own, in sum.
//!
//! Which streams those are changes, so their sum goes up and down and is no counter. What is one:
//! what passed through the service less what passed through streams while they were shown. A
//! stream that comes to be shown has what it did until then among the others, and what it does
//! afterwards under its own name; so the increase of all labels together is the increase of the
//! service, whatever moves, ends or begins between two looks.

use std::collections::BTreeMap;

use crate::census::{StreamCensus, Traffic};
use crate::event::StreamName;

/// What was told so far, from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// What each stream had counted when it was shown last; bounded as those that are shown.
    shown: BTreeMap<StreamName, Traffic>,
    /// What streams did while they were shown; at the first look, all they ever did.
    named: Traffic,
    /// What was told of the others.
    told: Traffic,
    begun: bool,
}

impl Others {
    /// What streams without a label of their own did since the start, when `streams` have one and
    /// `all` is what passed through the service. Never less than it was.
    pub(super) fn look(&mut self, streams: &[&StreamCensus], all: Traffic) -> Traffic {
        let shown: BTreeMap<_, _> =
            streams.iter().map(|one| (one.name.clone(), one.traffic)).collect();
        for (name, now) in &shown {
            match self.shown.get(name) {
                Some(then) => self.named.add(risen(*now, *then)),
                None if self.begun => {}
                None => self.named.add(*now),
            }
        }
        self.shown = shown;
        self.begun = true;
        // A stream is counted before its shard is, and a shard that is late isn't counted: the
        // difference may fall, what is told may not.
        let rest = each(all, self.named, u64::saturating_sub);
        self.told = each(self.told, rest, u64::max);
        self.told
    }
}

/// What was counted between two looks. Who has less than before was made anew.
fn risen(now: Traffic, then: Traffic) -> Traffic {
    each(now, then, |now, then| now.checked_sub(then).unwrap_or(now))
}

fn each(one: Traffic, other: Traffic, of: impl Fn(u64, u64) -> u64) -> Traffic {
    Traffic {
        events_in: of(one.events_in, other.events_in),
        bytes_in: of(one.bytes_in, other.bytes_in),
        events_out: of(one.events_out, other.events_out),
        bytes_out: of(one.bytes_out, other.bytes_out),
        events_lost: of(one.events_lost, other.events_lost),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::stream;
    use super::*;

    fn events(events_in: u64) -> Traffic {
        Traffic { events_in, ..Traffic::default() }
    }

    fn named(name: &str, events_in: u64) -> StreamCensus {
        StreamCensus { traffic: events(events_in), ..stream(name, 0) }
    }

    /// What is told of the others, of looks at `(streams shown, all events)`.
    fn told<const N: usize>(looks: [(&[(&str, u64)], u64); N]) -> [u64; N] {
        let mut others = Others::default();
        looks.map(|(shown, all)| {
            let shown: Vec<_> = shown.iter().map(|(name, count)| named(name, *count)).collect();
            others.look(&shown.iter().collect::<Vec<_>>(), events(all)).events_in
        })
    }

    #[test]
    fn a_stream_that_moves_takes_nothing_along() {
        let told = told([
            (&[("a", 60)], 100),
            // b did 30 of the others' 40 before; it is shown now, and does 5 more.
            (&[("a", 60), ("b", 30)], 100),
            (&[("a", 60), ("b", 35)], 105),
            // a lost its place, and did 7.
            (&[("b", 35)], 112),
            // It is back; what it does now is its own.
            (&[("a", 67), ("b", 35)], 112),
            (&[("a", 68), ("b", 35)], 113),
        ]);
        assert_eq!(told, [40, 40, 40, 47, 47, 47]);
    }

    #[test]
    fn a_stream_that_is_gone_is_among_the_others_with_what_nobody_saw() {
        let told = told([
            (&[("a", 10), ("b", 5)], 15),
            // b did 2 more and was deleted; one of its name did 3.
            (&[("a", 10), ("b", 3)], 20),
            (&[("a", 10)], 21),
        ]);
        assert_eq!(told, [0, 2, 3]);
    }

    #[test]
    fn it_never_falls() {
        // Events that the stream had counted before its shard did; then a shard that is late.
        let told = told([(&[("a", 10)], 12), (&[("a", 15)], 14), (&[], 3), (&[("a", 15)], 18)]);
        assert!(told.is_sorted(), "{told:?}");
    }
}
