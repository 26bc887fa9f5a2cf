//! What a shard and its streams count while they work, for the census.

use std::cell::Cell;
use std::rc::Rc;

use crate::census::{Port, Traffic};
use crate::clock::Tick;
use crate::event::Cause;
use crate::limits::PACE_WINDOW;
use crate::meter::{Count, Durations, Tally};
use crate::store::Pace;

/// What a shard counts.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// What passed through all its streams.
    pub(super) flow: Flow,
    /// Sends to consumers out of the tail.
    pub(super) tail_sends: Count,
    /// Reads of a stream's history for a consumer.
    pub(super) log_reads: Count,
    /// Publishes that were stored, from the whole request to its answer.
    pub(super) publishes: Durations,
    pub(super) responses: Rc<Tally<(Port, u16)>>,
    /// WebSockets that were told at once why they can't be consumers.
    pub(super) refusals: Tally<Cause>,
    /// Consumers that have ended.
    pub(super) closes: Tally<Cause>,
}

/// What passed through.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) events_in: Count,
    pub(super) bytes_in: Count,
    pub(super) events_out: Count,
    pub(super) bytes_out: Count,
    pub(super) events_lost: Count,
}

impl Flow {
    /// As the census tells it.
    pub(super) const fn traffic(&self) -> Traffic {
        Traffic {
            events_in: self.events_in.get(),
            bytes_in: self.bytes_in.get(),
            events_out: self.events_out.get(),
            bytes_out: self.bytes_out.get(),
            events_lost: self.events_lost.get(),
        }
    }
}

/// Measures a stream's pace by what it has counted at two moments. Nothing is measured while nobody
/// looks; the pace is then the average since somebody did.
#[derive(Debug)]
pub(super) struct Pacer {
    older: Cell<Mark>,
    newer: Cell<Mark>,
}

/// What was counted at a moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Tick,
    events: u64,
    bytes: u64,
}

impl Pacer {
    /// Begins with nothing counted.
    pub(super) const fn new(now: Tick) -> Self {
        let mark = Mark { at: now, events: 0, bytes: 0 };
        Self { older: Cell::new(mark), newer: Cell::new(mark) }
    }

    /// The pace up to now, when so much was counted in all.
    pub(super) fn pace(&self, now: Tick, events: u64, bytes: u64) -> Pace {
        if now.since(self.newer.get().at) >= PACE_WINDOW {
            self.older.set(self.newer.replace(Mark { at: now, events, bytes }));
        }
        let Mark { at, events: events_then, bytes: bytes_then } = self.older.get();
        let seconds = now.since(at).as_secs_f64();
        if seconds < 1.0 {
            return Pace::default();
        }
        let rate = |now: u64, then: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
            let more = now.saturating_sub(then) as f64;
            more / seconds
        };
        Pace { events: rate(events, events_then), bytes: rate(bytes, bytes_then) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Tick;

    #[test]
    fn a_pace_is_that_of_the_last_minute_or_two() {
        let start = Tick::now();
        let pacer = Pacer::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pacer.pace(at(0), 5, 50), Pace::default(), "too early to say");
        let pace = pacer.pace(at(10), 20, 400);
        assert_eq!((pace.events, pace.bytes), (2.0, 40.0));
        assert_eq!(pacer.pace(at(60), 120, 0).events, 2.0, "the first window is full");
        assert_eq!(pacer.pace(at(120), 720, 0).events, 10.0, "what came before it is forgotten");
        assert_eq!(pacer.pace(at(150), 720, 0).events, 600.0 / 90.0);
        assert_eq!(pacer.pace(at(180), 720, 0).events, 0.0);
    }
}
