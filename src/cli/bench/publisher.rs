//! Publishes what is due, whatever has arrived: an open loop.
//!
//! One request at a time; what became due meanwhile goes together in the next, so that a service
//! that is slow for a moment is not let off: the events that waited count as late. An event says
//! when it was due, in nanoseconds from the beginning, and is filled up to its size:
//!
//! ```text
//! ess-bench 1500000000 ..........
//! ```

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::api::{Api, Fault};
use super::super::exit::{Exit, Failure};
use super::plan::Plan;
use super::report::Latency;
use crate::limits::PUBLISH_BATCH_EVENTS_MAX;

/// Publishes to one event stream.
pub(super) struct Publisher<'a> {
    pub(super) plan: &'a Plan,
    pub(super) api: &'a Api,
    /// Of the event stream.
    pub(super) id: u64,
    pub(super) began: Instant,
    /// The person has had enough.
    pub(super) stop: &'a AtomicBool,
}

/// What came of it.
pub(super) struct Published {
    /// Events that are stored.
    pub(super) events: u64,
    pub(super) requests: u64,
    /// How long it took from the beginning to the last answer.
    pub(super) time: Duration,
    /// From when an event was due until it was answered.
    pub(super) stored: Latency,
}

impl Publisher<'_> {
    /// Publishes until everything is, or until it is over for another reason.
    pub(super) fn run(&self, over: &AtomicBool) -> Result<Published, Failure> {
        let mut done =
            Published { events: 0, requests: 0, time: Duration::ZERO, stored: Latency::default() };
        let all = self.plan.events();
        let given_up = || self.stop.load(Ordering::Relaxed) || over.load(Ordering::Acquire);
        while done.events < all && !given_up() {
            let passed = self.began.elapsed();
            let due = self.plan.due(done.events);
            if due > passed {
                pause((due - passed).min(LOOK_UP));
                continue;
            }
            let count = self.waiting(done.events, all, passed);
            let body = self.batch(done.events, count);
            let answer = self.api.publish(self.id, "application/x-ndjson", body.as_bytes());
            answer.map_err(|fault| self.failure(&fault))?;
            done.time = self.began.elapsed();
            for event in done.events..done.events + count {
                done.stored.record(done.time.saturating_sub(self.plan.due(event)));
            }
            done.events += count;
            done.requests += 1;
        }
        Ok(done)
    }

    /// How many events from `first` on are due.
    fn waiting(&self, first: u64, all: u64, passed: Duration) -> u64 {
        let most = all.min(first + PUBLISH_BATCH_EVENTS_MAX as u64);
        (first..most).take_while(|event| self.plan.due(*event) <= passed).count() as u64
    }

    fn batch(&self, first: u64, count: u64) -> String {
        let mut body = String::new();
        for event in first..first + count {
            let start = body.len();
            // A string takes all.
            let _ = write!(body, "{MARK}{} ", self.plan.due(event).as_nanos());
            let fill = (start + self.plan.bytes).saturating_sub(body.len());
            body.extend(std::iter::repeat_n('.', fill));
            body.push('\n');
        }
        body
    }

    /// The event stream is there: we made it. What may not be is the stream behind it.
    fn failure(&self, fault: &Fault) -> Failure {
        let mut failure = self.api.failure("publish", fault);
        if matches!(fault, Fault::Refused(404, _)) {
            failure.exit = Exit::Failed;
            return failure.and(DECLARE);
        }
        failure
    }
}

/// What may help where a stream isn't there.
pub(super) const DECLARE: &str =
    "with events in RabbitMQ the stream has to be made there: ess bench --declare";

/// What an event begins with.
const MARK: &str = "ess-bench ";

/// When the event was due, if it is one of ours.
pub(super) fn due_of(text: &str) -> Option<Duration> {
    let nanos = text.strip_prefix(MARK)?.split(' ').next()?;
    nanos.parse().ok().map(Duration::from_nanos)
}

/// The longest sleep before looking whether it is over.
const LOOK_UP: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "no shard runs in a client command")]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_when_it_was_due() {
        let due = due_of("ess-bench 1500000000 ...|ordinal: 1|timestamp: 2");
        assert_eq!(due, Some(Duration::from_millis(1_500)));
        assert_eq!(due_of("ess-bench soon ..."), None);
        assert_eq!(due_of("it rains"), None);
    }
}
